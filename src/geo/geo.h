/* SPDX-License-Identifier: MIT */
/* Where addresses are: a flat block that control makes of an MMDB file (geo/mmdb.h), and that
 * workers map read-only, as they do with snapshots. Offsets instead of pointers.
 *
 * The addresses of a family are ranges that border on each other: a range begins at its key
 * and ends before the next one's. IPv6 is known by its first 64 bits. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum {
    geo_version = 1,
    geo_places_max = 1 << 24,
    geo_ranges_max = 1 << 26,
    geo_stride = 256, /* each such key stands in the array that is searched first */
};

#define GEO_MAGIC UINT64_C(0x314f454752544544) /* "DETRGEO1" */

/* Place 0 is nowhere: nothing is known of the address. */
struct geo_place {
    float latitude; /* degrees; of no meaning without `located` */
    float longitude;
    uint8_t country[2];   /* ISO 3166-1, upper case; zeros: not known */
    uint8_t continent[2]; /* AF AN AS EU NA OC SA; zeros: not known */
    uint32_t located;
};

static inline bool geo_same_place(const struct geo_place *a, const struct geo_place *b)
{
    return a->latitude == b->latitude && a->longitude == b->longitude && a->located == b->located &&
           memcmp(a->country, b->country, sizeof(a->country)) == 0 &&
           memcmp(a->continent, b->continent, sizeof(a->continent)) == 0;
}

struct geo_table {
    uint64_t keys;  /* offset of `count` keys, ascending, the first is 0; uint64_t or uint32_t */
    uint64_t tops;  /* offset of each geo_stride-th of them */
    uint64_t where; /* offset of `count` indexes of places, uint32_t */
    uint32_t count; /* at least 1 */
    uint32_t reserved;
};

struct geo_head {
    uint64_t magic;
    uint32_t version;
    uint32_t place_count; /* at least 1 */
    uint64_t size;        /* of all, in bytes */
    uint64_t built_s;     /* when the database was built, as it says */
    uint64_t places;      /* offset */
    struct geo_table v4;  /* keys of 32 bits */
    struct geo_table v6;  /* keys of 64 bits */
    uint64_t head_hash;   /* of the head with this field 0 */
};

/* bytes: 8-aligned. Looks at the head alone. NULL: not a block of this version and length. */
const struct geo_head *geo_open(struct span bytes);
/* As geo_open, and every key and index in it looked at. */
const struct geo_head *geo_verify(struct span bytes);
/* Never NULL. address: IPv4 as ::ffff:a.b.c.d. geo NULL: nowhere. */
const struct geo_place *geo_find(const struct geo_head *geo, const uint8_t address[16]);

/* The place as a point on the sphere of radius 1. */
void geo_point(double latitude, double longitude, float out[3]);
/* Great-circle distance of two points in kilometres, given the square of their chord. */
double geo_chord_km(double chord_squared);

/* The continent of a country, both as in struct geo_place. False: there is no such country. */
bool geo_continent_of(const uint8_t country[2], uint8_t out[2]);
bool geo_continent_known(const uint8_t continent[2]);

/* What a block is made of: appended in order, then made. */
struct geo_build;
struct geo_build *geo_build_new(void);
void geo_build_free(struct geo_build **build);
/* The index of an equal place, or of a new one; ERR_LIMIT, ERR_MEMORY. */
enum err geo_build_place(struct geo_build *build, const struct geo_place *place,
                         uint32_t *index_out);
/* From key on everything is at this place, until the next call. Keys ascend; a key that was said
 * already is said anew. ERR_LIMIT, ERR_MEMORY, ERR_RANGE: they do not ascend. */
enum err geo_build_v4(struct geo_build *build, uint32_t key, uint32_t place);
enum err geo_build_v6(struct geo_build *build, uint64_t key, uint32_t place);
/* Whether there is a place that anything is known of. */
bool geo_build_has_v4(const struct geo_build *build);
bool geo_build_has_v6(const struct geo_build *build);
/* *bytes_out is from malloc. */
enum err geo_build_make(struct geo_build *build, uint64_t built_s, uint8_t **bytes_out,
                        size_t *len_out);
