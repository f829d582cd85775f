/* SPDX-License-Identifier: MIT */
/* Overrides between the store and the reader of a configuration. */
#include "control/live.h"

#include "schedule/schedule.h"

#include <stdlib.h>

struct live {
    struct store *store;
    struct arena arena; /* of what follows */
    struct store_override *records;
    size_t count;
    struct model_overrides overrides;
};

static bool stands(const struct model_override *override, uint64_t stanza_now)
{
    const struct store_value value = {.kind = override->off ? STORE_OFF : STORE_SET,
                                      .json = override->json,
                                      .stanza = override->stanza};
    return store_merge(&value, stanza_now) == STORE_STANDS;
}

static struct model_override override_from(struct span key, const struct store_value *value)
{
    return (struct model_override){
        .key = key, .off = value->kind == STORE_OFF, .json = value->json, .stanza = value->stanza};
}

/* Into a fresh arena, so that a failure leaves what there was. */
static enum err read_store(struct live *live)
{
    struct live fresh = {.store = live->store};
    arena_init(&fresh.arena, 0);
    enum err err = store_overrides(fresh.store, &fresh.arena, &fresh.records, &fresh.count);
    if (err == ERR_NONE) {
        fresh.overrides.items =
            arena_array(&fresh.arena, fresh.count + 1, sizeof(*fresh.overrides.items));
        err = fresh.overrides.items == NULL ? ERR_MEMORY : ERR_NONE;
    }
    if (err != ERR_NONE) {
        arena_fini(&fresh.arena);
        return err;
    }
    for (size_t i = 0; i < fresh.count; i++) {
        fresh.overrides.items[i] = override_from(fresh.records[i].key, &fresh.records[i].value);
    }
    fresh.overrides.count = fresh.count;
    fresh.overrides.stands = stands;
    arena_fini(&live->arena);
    *live = fresh;
    return ERR_NONE;
}

enum err live_new(struct store *store, struct live **out)
{
    struct live *live = calloc(1, sizeof(*live));
    if (live == NULL) {
        return ERR_MEMORY;
    }
    live->store = store;
    arena_init(&live->arena, 0);
    enum err err = read_store(live);
    if (err != ERR_NONE) {
        live_free(&live);
        return err;
    }
    *out = live;
    return ERR_NONE;
}

void live_free(struct live **live_at)
{
    struct live *live = *live_at;
    if (live != NULL) {
        arena_fini(&live->arena);
        free(live);
        *live_at = NULL;
    }
}

struct model_overrides *live_overrides(struct live *live)
{
    return &live->overrides;
}

const struct store_override *live_find(const struct live *live, struct span key)
{
    for (size_t i = 0; i < live->count; i++) {
        if (span_eq(live->records[i].key, key)) {
            return &live->records[i];
        }
    }
    return NULL;
}

/* The place of a key among the first count, which may be behind them. */
static size_t place_of(const struct model_overrides *overrides, struct span key)
{
    size_t at = 0;
    while (at < overrides->count && !span_eq(overrides->items[at].key, key)) {
        at++;
    }
    return at;
}

static void try_out(struct model_overrides *overrides, const struct store_change *change)
{
    size_t at = place_of(overrides, change->key);
    if (change->after.kind != STORE_NONE) {
        overrides->items[at] = override_from(change->key, &change->after);
        overrides->count += at == overrides->count;
    } else if (at < overrides->count) {
        overrides->items[at] = overrides->items[--overrides->count];
    }
}

enum err live_trial(const struct live *live, const struct store_change *changes, size_t count,
                    struct arena *arena, struct model_overrides *out)
{
    struct model_overrides trial = live->overrides;
    trial.items = arena_array(arena, live->count + count, sizeof(*trial.items));
    if (trial.items == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < live->count; i++) {
        trial.items[i] = override_from(live->records[i].key, &live->records[i].value);
    }
    for (size_t i = 0; i < count; i++) {
        try_out(&trial, &changes[i]);
    }
    *out = trial;
    return ERR_NONE;
}

enum err live_apply(struct live *live, const struct store_change *changes, size_t count,
                    uint64_t *first_out)
{
    enum err err = store_apply(live->store, changes, count, first_out);
    return err == ERR_NONE ? read_store(live) : err;
}

enum err live_settle(struct live *live, const struct model_overrides *read, int64_t now_ns,
                     size_t *dropped_out)
{
    struct store_change *changes = calloc(read->count + 1, sizeof(*changes));
    size_t count = 0;
    if (changes == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < read->count; i++) {
        if (read->items[i].seen && !read->items[i].stands) {
            changes[count++] = (struct store_change){.time_ns = now_ns,
                                                     .cause = STORE_BY_FILE,
                                                     .why = SPAN("the file has changed"),
                                                     .key = read->items[i].key};
        }
    }
    uint64_t first;
    enum err err = count > 0 ? live_apply(live, changes, count, &first) : ERR_NONE;
    free(changes);
    if (err == ERR_NONE) {
        *dropped_out = count;
    }
    return err;
}

static bool is_over(const struct live *live, const struct model_detour *detour, struct span key,
                    int64_t now_ns)
{
    struct schedule_view now;
    const struct store_override *override = live_find(live, key);
    if (!detour->live || override == NULL || override->value.stanza != 0) {
        return false;
    }
    schedule_at(&detour->schedule, now_ns, &now);
    return now.state == SCHEDULE_OVER;
}

enum err live_expire(struct live *live, const struct model *model, int64_t now_ns,
                     size_t *ended_out)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct store_change *changes = arena_array(&arena, model->detour_count + 1, sizeof(*changes));
    enum err err = changes != NULL ? ERR_NONE : ERR_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < model->detour_count && err == ERR_NONE; i++) {
        const struct model_detour *detour = &model->detours[i];
        const char *key =
            arena_printf(&arena, "%.*s/%.*s", SPAN_ARG(model->sites[detour->site].name),
                         SPAN_ARG(detour->rule.name));
        if (key == NULL) {
            err = ERR_MEMORY;
        } else if (is_over(live, detour, span_cstr(key), now_ns)) {
            changes[count++] = (struct store_change){.time_ns = now_ns,
                                                     .cause = STORE_BY_SCHEDULE,
                                                     .why = SPAN("its time is over"),
                                                     .key = span_cstr(key)};
        }
    }
    uint64_t first;
    if (err == ERR_NONE && count > 0) {
        err = live_apply(live, changes, count, &first);
    }
    arena_fini(&arena);
    if (err == ERR_NONE) {
        *ended_out = count;
    }
    return err;
}
