/* SPDX-License-Identifier: MIT */
/* IANA time zones from TZif files (RFC 8536), with the rule in their footer for the years
 * after the table ends. Own code because the C library keeps its zone in a variable of the
 * whole process, and because it and libical answer a local time that does not exist, or
 * comes twice, as they like. No I/O: config/zones.h finds the files. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct zone; /* one decoded zone */

/* A TZif file in memory. ERR_SYNTAX: it is damaged; ERR_MEMORY. */
enum err zone_decode(struct span file, struct arena *arena, const struct zone **out);

enum local_kind { LOCAL_ONCE, LOCAL_GAP, LOCAL_TWICE };

/* local_s: seconds since 1970-01-01T00:00:00 on the clock of that zone. A time in a gap is
 * the instant with the offset before the gap, one that comes twice is the first (RFC 5545,
 * 3.3.5). */
enum local_kind zone_resolve(const struct zone *zone, int64_t local_s, int64_t *utc_s_out);

/* What the clock of that zone shows at an instant. */
int64_t zone_local(const struct zone *zone, int64_t utc_s);

/* The least and the greatest offset that the zone has ever, in seconds east of UTC. */
void zone_offsets(const struct zone *zone, int32_t *min_out, int32_t *max_out);
