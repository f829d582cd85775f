/* SPDX-License-Identifier: MIT */
/* Time zones by name, from the files of the system. */
#pragma once

#include "schedule/zone.h"

enum { zone_file_bytes_max = 1 << 20, zone_name_bytes_max = 64, zones_max = 64 };

/* Zones that were loaded already. Zeroed memory with an arena, in which the zones live, is an
 * empty cache. */
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

/* The names that there are, to say which one was meant; a list of *count_out that lives in
 * the arena, NULL when it cannot be read. */
const struct span *zones_list(struct arena *arena, size_t *count_out);
