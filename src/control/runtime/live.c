/* SPDX-License-Identifier: MIT */
/* Overrides between the store and the reader of a configuration. */
#include "control/runtime/live.h"

#include "config/names.h"
#include "schedule/schedule.h"

#include <stdlib.h>
#include <string.h>

struct live {
    struct store *store;
    struct arena arena; /* of what follows */
    struct store_override *records;
    size_t count;
    struct names names; /* to their places */
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

/* By their bytes, as the store has them. */
static int compare_keys(const void *left, const void *right)
{
    struct span a = ((const struct model_override *)left)->key;
    struct span b = ((const struct model_override *)right)->key;
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static enum err add_name(struct names *names, struct span key, size_t place)
{
    uint32_t old;
    return names_add(names, key, (uint32_t)place, &old);
}

/* Into a fresh arena, so that a failure leaves what there was. */
static enum err read_store(struct live *live)
{
    struct live fresh = {.store = live->store};
    arena_init(&fresh.arena, 0);
    fresh.names.arena = &fresh.arena;
    enum err err = store_overrides(fresh.store, &fresh.arena, &fresh.records, &fresh.count);
    if (err == ERR_NONE) {
        fresh.overrides.items =
            arena_array(&fresh.arena, fresh.count + 1, sizeof(*fresh.overrides.items));
        err = fresh.overrides.items == NULL ? ERR_MEMORY : ERR_NONE;
    }
    for (size_t i = 0; i < fresh.count && err == ERR_NONE; i++) {
        fresh.overrides.items[i] = override_from(fresh.records[i].key, &fresh.records[i].value);
        err = add_name(&fresh.names, fresh.records[i].key, i);
    }
    if (err != ERR_NONE) {
        arena_fini(&fresh.arena);
        return err;
    }
    fresh.overrides.count = fresh.count;
    fresh.overrides.stands = stands;
    arena_fini(&live->arena);
    *live = fresh;
    live->names.arena = &live->arena;
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
    uint32_t at;
    return names_find(&live->names, key, &at) ? &live->records[at] : NULL;
}

/* What is taken away is marked for now. */
static enum err try_out(struct model_overrides *overrides, struct names *places,
                        const struct store_change *change)
{
    bool gone = change->after.kind == STORE_NONE;
    uint32_t at = (uint32_t)overrides->count;
    if (!names_find(places, change->key, &at)) {
        if (gone) {
            return ERR_NONE;
        }
        if (add_name(places, change->key, overrides->count++) != ERR_NONE) {
            return ERR_MEMORY;
        }
    }
    overrides->items[at] = override_from(change->key, &change->after);
    overrides->items[at].seen = gone;
    return ERR_NONE;
}

/* What is marked goes; the rest stands as the store gives it. */
static void settle(struct model_overrides *overrides)
{
    size_t kept = 0;
    for (size_t i = 0; i < overrides->count; i++) {
        if (!overrides->items[i].seen) {
            overrides->items[kept++] = overrides->items[i];
        }
    }
    overrides->count = kept;
    qsort(overrides->items, kept, sizeof(*overrides->items), compare_keys);
}

enum err live_trial(const struct live *live, const struct store_change *changes, size_t count,
                    struct arena *arena, struct model_overrides *out)
{
    struct model_overrides trial = live->overrides;
    struct names places = {.arena = arena};
    enum err err = ERR_NONE;
    trial.items = arena_array(arena, live->count + count, sizeof(*trial.items));
    if (trial.items == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < live->count && err == ERR_NONE; i++) {
        trial.items[i] = override_from(live->records[i].key, &live->records[i].value);
        err = add_name(&places, trial.items[i].key, i);
    }
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        err = try_out(&trial, &places, &changes[i]);
    }
    if (err != ERR_NONE) {
        return ERR_MEMORY;
    }
    settle(&trial);
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

static bool is_over(const struct model_detour *detour, int64_t now_ns)
{
    struct schedule_view now;
    schedule_at(&detour->schedule, now_ns, &now);
    return now.state == SCHEDULE_OVER;
}

/* The file says nothing of it, so that nothing is left when it is gone. */
static bool is_of_run_time_alone(const struct live *live, struct span key)
{
    const struct store_override *override = live_find(live, key);
    return override != NULL && override->value.stanza == 0;
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
        if (!detour->live || !is_over(detour, now_ns)) {
            continue;
        }
        const char *key =
            arena_printf(&arena, "%.*s/%.*s", SPAN_ARG(model->sites[detour->site].name),
                         SPAN_ARG(detour->rule.name));
        if (key == NULL) {
            err = ERR_MEMORY;
        } else if (is_of_run_time_alone(live, span_cstr(key))) {
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
