/* SPDX-License-Identifier: MIT */
/* IANA time zones from the TZif files of the system (RFC 8536), with the rule in their
 * footer for the years after the table ends. Own code because the C library keeps its zone
 * in a variable of the whole process, and answers a local time that does not exist as it
 * likes. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

enum { zone_file_bytes_max = 1 << 20, zone_name_bytes_max = 64, zones_max = 16 };

struct zone; /* one loaded zone */

/* Zones that were loaded already. Zeroed memory with an arena is an empty cache. */
struct zones {
    struct arena *arena;
    size_t count;
    struct {
        struct span name;
        const struct zone *zone;
    } items[zones_max];
};

/* name: "Europe/Berlin"; nothing that leads out of the folder of zones. ERR_SYNTAX: no
 * such name can be; ERR_NOTFOUND: no such zone; ERR_IO: there are no zones here at all. */
enum err zones_find(struct zones *zones, struct span name, const struct zone **out);

/* For tests and fuzzers: a TZif file in memory. ERR_SYNTAX: it is damaged. */
enum err zone_decode(struct span file, struct arena *arena, const struct zone **out);

enum local_kind { LOCAL_ONCE, LOCAL_GAP, LOCAL_TWICE };

/* local_s: seconds since 1970-01-01T00:00:00 on the clock of that zone. A time in a gap is
 * the instant with the offset before the gap, one that comes twice is the first (RFC 5545,
 * 3.3.5). */
enum local_kind zone_resolve(const struct zone *zone, int64_t local_s, int64_t *utc_s_out);
