/* SPDX-License-Identifier: MIT */
/* Tells what becomes of detours: in the log, and to the webhooks that the configuration names.
 *
 *   model, store ─▶ events/event.h ─▶ log
 *                                  └▶ messages ─▶ store ─▶ events/webhook.h ─▶ receivers
 *
 * With a store, what was told and what is on its way stand in it, in one transaction, before
 * anything is sent: a control that dies tells nothing twice under another id, and forgets nothing.
 * That is so while there are webhooks; for the log alone nothing is written. */
#pragma once

#include "admin/admin.h"
#include "control/configuration.h"
#include "control/runtime/live.h"
#include "events/webhook.h"

struct announce;

/* current: where the configuration in force stands; *current may be NULL as yet. */
enum err announce_new(struct ev_loop *loop, struct configuration *const *current,
                      struct announce **out);
/* NULL is allowed; the pointer becomes NULL. */
void announce_free(struct announce **announce);

/* A configuration has come into force: who is told from now on. store and live: NULL without one;
 * they stay the same once they are there. */
void announce_begin(struct announce *announce, struct store *store, struct live *live);
/* Something may have changed. It looks by itself when time alone brings something. */
void announce_look(struct announce *announce);
/* A change of a detour that was asked for has been refused. */
void announce_refused(struct announce *announce, const struct admin_call *call,
                      const struct admin_result *result);

/* By outcome, since this process began. */
const uint64_t *announce_counts(const struct announce *announce);
/* What it says to be heard is heard for good: the store has forgotten it. */
const struct webhooks *announce_webhooks(struct announce *announce);
