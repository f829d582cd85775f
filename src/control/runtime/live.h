/* SPDX-License-Identifier: MIT */
/* What was changed at run time, as control has it in hand: the overrides of the store, in
 * the shape that reading a configuration wants. The store is the truth; this is what it
 * said last. */
#pragma once

#include "config/model.h"
#include "store/store.h"

struct live;

/* Reads what stands in the store, which stays the caller's and must outlive it. Errors as
 * of the store. */
enum err live_new(struct store *store, struct live **out);
/* NULL is allowed; the pointer becomes NULL. */
void live_free(struct live **live);

/* For model_load_live, which notes in them what it found. They are good until the next
 * change. */
struct model_overrides *live_overrides(struct live *live);
/* "site/name"; NULL: run time says nothing of it. */
const struct store_override *live_find(const struct live *live, struct span key);

/* What would stand if these were applied, in the arena, for a configuration that is read
 * on trial. ERR_MEMORY. */
enum err live_trial(const struct live *live, const struct store_change *changes, size_t count,
                    struct arena *arena, struct model_overrides *out);
/* Makes them durable, and is up to date when it returns. Errors as of store_apply. */
enum err live_apply(struct live *live, const struct store_change *changes, size_t count,
                    uint64_t *first_out);
/* Ends those of run time that are over, and that the file says nothing of. *ended_out: how
 * many. */
enum err live_expire(struct live *live, const struct model *model, int64_t now_ns,
                     size_t *ended_out);
/* Drops those that a file which has come into force has overruled: `read` is what it was
 * read with. *dropped_out: how many. */
enum err live_settle(struct live *live, const struct model_overrides *read, int64_t now_ns,
                     size_t *dropped_out);
