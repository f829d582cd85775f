/* SPDX-License-Identifier: MIT */
/* The reader of the block, and distances. */
#include "geo/geo.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

static const double earth_km = 6371.0088;

/* count items of item_bytes each lie behind the head, aligned. */
static bool lies_within(const struct geo_head *head, uint64_t off, uint64_t count,
                        uint64_t item_bytes)
{
    return off % 8 == 0 && off >= sizeof(*head) && off <= head->size &&
           count <= (head->size - off) / item_bytes;
}

static uint64_t top_count(const struct geo_table *table)
{
    return ((uint64_t)table->count + geo_stride - 1) / geo_stride;
}

static bool table_fits(const struct geo_head *head, const struct geo_table *table,
                       uint64_t key_bytes)
{
    return table->count > 0 && table->count <= geo_ranges_max &&
           lies_within(head, table->keys, table->count, key_bytes) &&
           lies_within(head, table->tops, top_count(table), key_bytes) &&
           lies_within(head, table->where, table->count, sizeof(uint32_t));
}

const struct geo_head *geo_open(struct span bytes)
{
    const struct geo_head *head = (const void *)bytes.ptr;
    if (bytes.len < sizeof(*head) || (uintptr_t)head % 8 != 0 || head->magic != GEO_MAGIC ||
        head->version != geo_version || head->size != bytes.len) {
        return NULL;
    }
    struct geo_head copy = *head;
    copy.head_hash = 0;
    bool good = XXH3_64bits(&copy, sizeof(copy)) == head->head_hash && head->place_count > 0 &&
                head->place_count <= geo_places_max &&
                lies_within(head, head->places, head->place_count, sizeof(struct geo_place)) &&
                table_fits(head, &head->v4, sizeof(uint32_t)) &&
                table_fits(head, &head->v6, sizeof(uint64_t));
    return good ? head : NULL;
}

static const void *at(const struct geo_head *head, uint64_t off)
{
    return (const uint8_t *)head + off;
}

/* The index of the last key that is not above; the first key is 0. */
#define DEFINE_FIND(name, type)                                      \
    static uint32_t name(const type *keys, uint32_t count, type key) \
    {                                                                \
        const type *base = keys;                                     \
        while (count > 1) {                                          \
            uint32_t half = count / 2;                               \
            base = base[half] <= key ? base + half : base;           \
            count -= half;                                           \
        }                                                            \
        return (uint32_t)(base - keys);                              \
    }
DEFINE_FIND(find_32, uint32_t)
DEFINE_FIND(find_64, uint64_t)

/* How many keys stand between this one of `tops` and the next. */
static uint32_t block_count(const struct geo_table *table, uint32_t top)
{
    uint32_t left = table->count - top * geo_stride;
    return left < geo_stride ? left : geo_stride;
}

static uint32_t find_v4(const struct geo_head *geo, uint32_t key)
{
    const uint32_t *keys = at(geo, geo->v4.keys);
    uint32_t top = find_32(at(geo, geo->v4.tops), (uint32_t)top_count(&geo->v4), key);
    return top * geo_stride +
           find_32(keys + (size_t)top * geo_stride, block_count(&geo->v4, top), key);
}

static uint32_t find_v6(const struct geo_head *geo, uint64_t key)
{
    const uint64_t *keys = at(geo, geo->v6.keys);
    uint32_t top = find_64(at(geo, geo->v6.tops), (uint32_t)top_count(&geo->v6), key);
    return top * geo_stride +
           find_64(keys + (size_t)top * geo_stride, block_count(&geo->v6, top), key);
}

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

const struct geo_place *geo_find(const struct geo_head *geo, const uint8_t address[16])
{
    static const struct geo_place nowhere;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (geo == NULL) {
        return &nowhere;
    }
    const struct geo_table *table;
    uint32_t range;
    if (memcmp(address, mapped, sizeof(mapped)) == 0) {
        table = &geo->v4;
        range = find_v4(geo, (uint32_t)big_endian(address + 12, 4));
    } else {
        table = &geo->v6;
        range = find_v6(geo, big_endian(address, 8));
    }
    const uint32_t *where = at(geo, table->where);
    return (const struct geo_place *)at(geo, geo->places) + where[range];
}

static bool where_good(const struct geo_head *head, const struct geo_table *table)
{
    const uint32_t *where = at(head, table->where);
    for (uint32_t i = 0; i < table->count; i++) {
        if (where[i] >= head->place_count) {
            return false;
        }
    }
    return true;
}

static bool v4_good(const struct geo_head *head)
{
    const uint32_t *keys = at(head, head->v4.keys);
    const uint32_t *tops = at(head, head->v4.tops);
    bool good = keys[0] == 0 && where_good(head, &head->v4);
    for (uint32_t i = 0; i < head->v4.count && good; i++) {
        good = (i == 0 || keys[i] > keys[i - 1]) &&
               (i % geo_stride != 0 || tops[i / geo_stride] == keys[i]);
    }
    return good;
}

static bool v6_good(const struct geo_head *head)
{
    const uint64_t *keys = at(head, head->v6.keys);
    const uint64_t *tops = at(head, head->v6.tops);
    bool good = keys[0] == 0 && where_good(head, &head->v6);
    for (uint32_t i = 0; i < head->v6.count && good; i++) {
        good = (i == 0 || keys[i] > keys[i - 1]) &&
               (i % geo_stride != 0 || tops[i / geo_stride] == keys[i]);
    }
    return good;
}

static bool place_good(const struct geo_place *place)
{
    return place->located == 0 ||
           (place->located == 1 && fabsf(place->latitude) <= 90 && fabsf(place->longitude) <= 180);
}

const struct geo_head *geo_verify(struct span bytes)
{
    const struct geo_head *head = geo_open(bytes);
    if (head == NULL || !v4_good(head) || !v6_good(head)) {
        return NULL;
    }
    const struct geo_place *places = at(head, head->places);
    for (uint32_t i = 0; i < head->place_count; i++) {
        if (!place_good(&places[i])) {
            return NULL;
        }
    }
    return places[0].located == 0 ? head : NULL;
}

void geo_point(double latitude, double longitude, float out[3])
{
    double phi = latitude * (M_PI / 180);
    double lambda = longitude * (M_PI / 180);
    out[0] = (float)(cos(phi) * cos(lambda));
    out[1] = (float)(cos(phi) * sin(lambda));
    out[2] = (float)sin(phi);
}

double geo_chord_km(double chord_squared)
{
    double half = sqrt(chord_squared) / 2;
    return 2 * earth_km * asin(half < 1 ? half : 1);
}
