/* SPDX-License-Identifier: MIT */
/* The fields that mean the same in every version of HTTP and are looked at on every
 * request. Private to http/: the parsers call this once for each field that may be one. */
#pragma once

#include "http/request.h"
#include "http/scan.h"

/* Of an Expect field: 100-continue, and anything else (RFC 9110, 10.1.1). */
struct expectations {
    bool for_continue;
    bool for_other;
};

void known_expect(struct expectations *expectations, struct span value);

/* The place of a field in known, NULL if it has none. name is a token. */
static inline struct span *known_place(struct request_known *known, struct span name)
{
    switch (name.len) {
    case 6:
        if (scan_is(name.ptr, "accept", 6)) {
            return &known->accept;
        }
        if (scan_is(name.ptr, "cookie", 6)) {
            return &known->cookie;
        }
        return scan_is(name.ptr, "origin", 6) ? &known->origin : NULL;
    case 9:
        return scan_is(name.ptr, "forwarded", 9) ? &known->forwarded : NULL;
    case 12:
        return scan_is(name.ptr, "detour-avoid", 12) ? &known->detour_avoid : NULL;
    case 15:
        return scan_is(name.ptr, "x-forwarded-for", 15) ? &known->x_forwarded_for : NULL;
    default:
        return NULL;
    }
}

static inline void known_note(struct request_known *known, struct span name, struct span value)
{
    struct span *place = known_place(known, name);
    if (place != NULL && place->ptr == NULL) {
        *place = value;
    }
}
