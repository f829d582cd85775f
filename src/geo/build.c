/* SPDX-License-Identifier: MIT */
/* The block while it is made: places, each once, and ranges, of which neighbours at one place
 * become one. */
#include "geo/geo.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct ranges {
    uint64_t *keys;
    uint32_t *where;
    size_t count;
    size_t room;
};

struct geo_build {
    struct geo_place *places;
    size_t place_count;
    size_t place_room;
    uint32_t *index; /* a hash table of places, from 1; 0: empty */
    size_t index_room;
    struct ranges v4;
    struct ranges v6;
};

enum { first_room = 1024 };

static bool ranges_init(struct ranges *ranges)
{
    ranges->keys = calloc(first_room, sizeof(*ranges->keys));
    ranges->where = calloc(first_room, sizeof(*ranges->where));
    ranges->room = first_room;
    ranges->count = 1; /* all of it is nowhere */
    return ranges->keys != NULL && ranges->where != NULL;
}

static void ranges_fini(struct ranges *ranges)
{
    free(ranges->keys);
    free(ranges->where);
}

struct geo_build *geo_build_new(void)
{
    struct geo_build *build = calloc(1, sizeof(*build));
    if (build == NULL) {
        return NULL;
    }
    build->places = calloc(first_room, sizeof(*build->places));
    build->place_room = first_room;
    build->place_count = 1; /* nowhere */
    build->index = calloc(2 * first_room, sizeof(*build->index));
    build->index_room = 2 * first_room;
    bool ready = ranges_init(&build->v4);
    ready = ranges_init(&build->v6) && ready;
    if (!ready || build->places == NULL || build->index == NULL) {
        geo_build_free(&build);
    }
    return build;
}

void geo_build_free(struct geo_build **build)
{
    if (*build != NULL) {
        free((*build)->places);
        free((*build)->index);
        ranges_fini(&(*build)->v4);
        ranges_fini(&(*build)->v6);
        free(*build);
        *build = NULL;
    }
}

/* ---- places ---- */

static size_t slot_of(const struct geo_build *build, const struct geo_place *place)
{
    size_t slot = XXH3_64bits(place, sizeof(*place)) & (build->index_room - 1);
    while (build->index[slot] != 0 &&
           !geo_same_place(&build->places[build->index[slot] - 1], place)) {
        slot = (slot + 1) & (build->index_room - 1);
    }
    return slot;
}

static bool grow_places(struct geo_build *build)
{
    size_t room = build->place_room * 2;
    struct geo_place *places = realloc(build->places, room * sizeof(*places));
    if (places == NULL) {
        return false;
    }
    build->places = places;
    build->place_room = room;
    uint32_t *index = calloc(2 * room, sizeof(*index));
    if (index == NULL) {
        return false;
    }
    free(build->index);
    build->index = index;
    build->index_room = 2 * room;
    for (size_t i = 1; i < build->place_count; i++) {
        index[slot_of(build, &places[i])] = (uint32_t)i + 1;
    }
    return true;
}

enum err geo_build_place(struct geo_build *build, const struct geo_place *place,
                         uint32_t *index_out)
{
    static const struct geo_place nowhere;
    if (geo_same_place(place, &nowhere)) {
        *index_out = 0;
        return ERR_NONE;
    }
    size_t slot = slot_of(build, place);
    if (build->index[slot] != 0) {
        *index_out = build->index[slot] - 1;
        return ERR_NONE;
    }
    if (build->place_count == geo_places_max) {
        return ERR_LIMIT;
    }
    if (build->place_count == build->place_room) {
        if (!grow_places(build)) {
            return ERR_MEMORY;
        }
        slot = slot_of(build, place);
    }
    build->places[build->place_count] = *place;
    *index_out = (uint32_t)build->place_count++;
    build->index[slot] = *index_out + 1;
    return ERR_NONE;
}

/* ---- ranges ---- */

static bool grow_ranges(struct ranges *ranges)
{
    size_t room = ranges->room * 2;
    uint64_t *keys = realloc(ranges->keys, room * sizeof(*keys));
    if (keys == NULL) {
        return false;
    }
    ranges->keys = keys;
    uint32_t *where = realloc(ranges->where, room * sizeof(*where));
    if (where == NULL) {
        return false;
    }
    ranges->where = where;
    ranges->room = room;
    return true;
}

static enum err add_range(struct ranges *ranges, uint64_t key, uint32_t place)
{
    size_t last = ranges->count - 1;
    if (key < ranges->keys[last]) {
        return ERR_RANGE;
    }
    if (key == ranges->keys[last]) { /* said anew; perhaps it is now as the one before */
        ranges->where[last] = place;
        ranges->count -= last > 0 && ranges->where[last - 1] == place;
        return ERR_NONE;
    }
    if (ranges->where[last] == place) {
        return ERR_NONE;
    }
    if (ranges->count == geo_ranges_max) {
        return ERR_LIMIT;
    }
    if (ranges->count == ranges->room && !grow_ranges(ranges)) {
        return ERR_MEMORY;
    }
    ranges->keys[ranges->count] = key;
    ranges->where[ranges->count++] = place;
    return ERR_NONE;
}

enum err geo_build_v4(struct geo_build *build, uint32_t key, uint32_t place)
{
    return add_range(&build->v4, key, place);
}

enum err geo_build_v6(struct geo_build *build, uint64_t key, uint32_t place)
{
    return add_range(&build->v6, key, place);
}

bool geo_build_has_v4(const struct geo_build *build)
{
    return build->v4.count > 1 || build->v4.where[0] != 0;
}

bool geo_build_has_v6(const struct geo_build *build)
{
    return build->v6.count > 1 || build->v6.where[0] != 0;
}

/* ---- the block ---- */

static uint64_t take(uint64_t *size, uint64_t bytes)
{
    uint64_t off = *size;
    *size += (bytes + 7) & ~UINT64_C(7);
    return off;
}

static struct geo_table lay_out(const struct ranges *ranges, uint64_t key_bytes, uint64_t *size)
{
    uint64_t tops = (ranges->count + geo_stride - 1) / geo_stride;
    struct geo_table table = {.count = (uint32_t)ranges->count};
    table.keys = take(size, ranges->count * key_bytes);
    table.tops = take(size, tops * key_bytes);
    table.where = take(size, ranges->count * sizeof(uint32_t));
    return table;
}

static void fill_v4(const struct geo_build *build, const struct geo_table *table, uint8_t *bytes)
{
    uint32_t *keys = (void *)(bytes + table->keys);
    uint32_t *tops = (void *)(bytes + table->tops);
    for (size_t i = 0; i < build->v4.count; i++) {
        keys[i] = (uint32_t)build->v4.keys[i];
        if (i % geo_stride == 0) {
            tops[i / geo_stride] = keys[i];
        }
    }
    memcpy(bytes + table->where, build->v4.where, build->v4.count * sizeof(uint32_t));
}

static void fill_v6(const struct geo_build *build, const struct geo_table *table, uint8_t *bytes)
{
    uint64_t *tops = (void *)(bytes + table->tops);
    memcpy(bytes + table->keys, build->v6.keys, build->v6.count * sizeof(uint64_t));
    for (size_t i = 0; i < build->v6.count; i += geo_stride) {
        tops[i / geo_stride] = build->v6.keys[i];
    }
    memcpy(bytes + table->where, build->v6.where, build->v6.count * sizeof(uint32_t));
}

enum err geo_build_make(struct geo_build *build, uint64_t built_s, uint8_t **bytes_out,
                        size_t *len_out)
{
    struct geo_head head = {
        .magic = GEO_MAGIC,
        .version = geo_version,
        .place_count = (uint32_t)build->place_count,
        .built_s = built_s,
        .size = sizeof(head),
    };
    head.places = take(&head.size, build->place_count * sizeof(struct geo_place));
    head.v4 = lay_out(&build->v4, sizeof(uint32_t), &head.size);
    head.v6 = lay_out(&build->v6, sizeof(uint64_t), &head.size);
    uint8_t *bytes = calloc(1, head.size);
    if (bytes == NULL) {
        return ERR_MEMORY;
    }
    head.head_hash = XXH3_64bits(&head, sizeof(head));
    memcpy(bytes, &head, sizeof(head));
    memcpy(bytes + head.places, build->places, build->place_count * sizeof(struct geo_place));
    fill_v4(build, &head.v4, bytes);
    fill_v6(build, &head.v6, bytes);
    *bytes_out = bytes;
    *len_out = head.size;
    return ERR_NONE;
}
