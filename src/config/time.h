/* SPDX-License-Identifier: MIT */
/* Points in time as a configuration writes them. */
#pragma once

#include "config/zones.h"

/* Why a time was not read: static text, with the mend. kind: whether the local time
 * exists once. */
struct time_result {
    int64_t ns; /* since 1970-01-01T00:00:00Z */
    enum local_kind kind;
    const char *reason;
    /* As it was written: what the clock shows there, and where that is. */
    int64_t local_s;
    int64_t fraction_ns;
    const struct zone *zone; /* NULL: an offset, which is: */
    int32_t offset_s;
    struct span zone_name; /* in the text; empty: it names none */
};

/* "2026-12-01T02:00:00Z", "2026-12-01T02:00:00+01:00" (RFC 3339), or a local time with an
 * IANA zone: "2026-12-01T02:00:00 Europe/Berlin". The seconds may be left out, and 'T' may
 * be a space. Years 1970 to 2199. ERR_SYNTAX, ERR_RANGE, ERR_NOTFOUND (the zone), ERR_IO,
 * ERR_MEMORY: out->reason says why. */
enum err time_parse(struct span text, struct zones *zones, struct time_result *out);
/* The same; a time that says nothing of a zone is one of this zone. NULL: there is none. */
enum err time_parse_in(struct span text, struct zones *zones, const struct zone *zone,
                       struct time_result *out);

enum { time_text_max = 32 };
/* "2026-12-01T01:00:00Z". */
const char *time_format(int64_t ns, char out[time_text_max]);

/* A length of time that is not 0, like "90s" or "1h30m". False: it is none. In read.c. */
bool duration_parse(struct span text, int64_t *ns_out);
