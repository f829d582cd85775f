/* SPDX-License-Identifier: MIT */
/* Messages to webhooks between the store and their receivers: kept before they are sent, and
 * forgotten when they are heard. What cannot be kept is sent all the same, and ends with this
 * process. */
#pragma once

#include "control/configuration.h"
#include "events/webhook.h"
#include "store/store.h"

struct outbox {
    struct ev_loop *loop;
    struct webhooks *webhooks;
    struct store *store; /* NULL: none */
    uint64_t next_unkept;
    uint64_t *heard; /* numbers that the store still has */
    size_t heard_count;
    size_t heard_room;
    ev_timer forget;
    uint64_t counts[WEBHOOK_OUTCOMES]; /* since this process began */
};

/* To be ended by outbox_fini after ERR_MEMORY, too. */
enum err outbox_init(struct outbox *outbox, struct ev_loop *loop);
void outbox_fini(struct outbox *outbox);

/* Who is told from now on. */
void outbox_set_receivers(struct outbox *outbox, const struct configuration *configuration);
/* Goes on with what the process before has left in the store. */
enum err outbox_open(struct outbox *outbox, struct store *store);

/* kept: the store has them, under their numbers. */
void outbox_send(struct outbox *outbox, const struct store_message *messages, size_t count,
                 bool kept);
/* The store forgets at once what was heard so far, instead of soon. */
void outbox_settle(struct outbox *outbox);
