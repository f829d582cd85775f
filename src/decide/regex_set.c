/* SPDX-License-Identifier: MIT */
/* The compiled expressions of a snapshot. What an older set has compiled already moves
 * over, so that a new snapshot costs only what is new in it. */
#include "decide/internal.h"

#include <stdlib.h>
#include <xxhash.h>

struct regex_set {
    const struct snapshot *snapshot; /* whose sources these are */
    struct regex **regexes;
    uint32_t count;
};

const struct regex *regex_set_at(const struct regex_set *set, uint32_t regex)
{
    return set != NULL && regex < set->count ? set->regexes[regex] : NULL;
}

void regex_set_free(struct regex_set **set)
{
    if (*set == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*set)->count; i++) {
        regex_free(&(*set)->regexes[i]);
    }
    free((*set)->regexes);
    free(*set);
    *set = NULL;
}

static struct regex_set *empty_set(const struct snapshot *snapshot)
{
    struct regex_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return NULL;
    }
    set->snapshot = snapshot;
    set->count = snapshot->regexes.count;
    set->regexes = calloc(set->count > 0 ? set->count : 1, sizeof(*set->regexes));
    if (set->regexes == NULL) {
        free(set);
        return NULL;
    }
    return set;
}

/* The old sources by hash, to be found in one look. */
struct old_index {
    uint32_t *places; /* index + 1; 0: empty */
    uint32_t mask;
};

static bool index_old(const struct regex_set *previous, struct old_index *out)
{
    uint32_t size = 8;
    while (size < previous->count * 2) {
        size *= 2;
    }
    out->places = calloc(size, sizeof(*out->places));
    out->mask = size - 1;
    for (uint32_t i = 0; out->places != NULL && i < previous->count; i++) {
        struct span source = snapshot_regex(previous->snapshot, i);
        uint32_t at = (uint32_t)XXH3_64bits(source.ptr, source.len) & out->mask;
        while (out->places[at] != 0) {
            at = (at + 1) & out->mask;
        }
        out->places[at] = i + 1;
    }
    return out->places != NULL;
}

static uint32_t find_old(const struct regex_set *previous, const struct old_index *index,
                         struct span source)
{
    uint32_t at = (uint32_t)XXH3_64bits(source.ptr, source.len) & index->mask;
    while (index->places[at] != 0) {
        if (span_eq(snapshot_regex(previous->snapshot, index->places[at] - 1), source)) {
            return index->places[at] - 1;
        }
        at = (at + 1) & index->mask;
    }
    return SNAP_NONE;
}

/* Where each expression of the set comes from: an index into previous, or SNAP_NONE. */
static enum err compile_new(struct regex_set *set, const struct regex_set *previous,
                            uint32_t *origins)
{
    struct old_index index = {0};
    if (previous != NULL && !index_old(previous, &index)) {
        return ERR_MEMORY;
    }
    enum err err = ERR_NONE;
    for (uint32_t i = 0; i < set->count && err == ERR_NONE; i++) {
        struct span source = snapshot_regex(set->snapshot, i);
        const char *reason;
        origins[i] = previous != NULL ? find_old(previous, &index, source) : SNAP_NONE;
        if (origins[i] == SNAP_NONE || previous->regexes[origins[i]] == NULL) {
            origins[i] = SNAP_NONE;
            err = regex_compile(source, &set->regexes[i], &reason);
        }
    }
    free(index.places);
    return err;
}

enum err regex_set_new(const struct snapshot *snapshot, struct regex_set *previous,
                       struct regex_set **out)
{
    struct regex_set *set = empty_set(snapshot);
    uint32_t *origins = calloc(snapshot->regexes.count + 1, sizeof(*origins));
    enum err err = set != NULL && origins != NULL ? ERR_NONE : ERR_MEMORY;
    if (err == ERR_NONE) {
        err = compile_new(set, previous, origins);
    }
    if (err != ERR_NONE) {
        regex_set_free(&set);
        free(origins);
        return err;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        if (origins[i] != SNAP_NONE) {
            set->regexes[i] = previous->regexes[origins[i]];
            previous->regexes[origins[i]] = NULL;
        }
    }
    free(origins);
    *out = set;
    return ERR_NONE;
}
