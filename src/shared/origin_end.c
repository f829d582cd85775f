/* SPDX-License-Identifier: MIT */
/* How the ends of passed requests are called. */
#include "shared/origin_end.h"

struct span origin_end_text(enum origin_end end)
{
    static const char *const texts[ORIGIN_ENDS] = {
        [ORIGIN_DONE] = "done",
        [ORIGIN_GONE] = "client gone",
        [ORIGIN_UNREACHED] = "unreached",
        [ORIGIN_BROKEN] = "broken off",
        [ORIGIN_BAD] = "bad answer",
        [ORIGIN_LATE] = "late",
        [ORIGIN_BUSY] = "busy",
        [ORIGIN_UNRESOLVED] = "no address",
        [ORIGIN_REQUEST] = "not passed on",
        [ORIGIN_NO_MEMORY] = "no memory",
    };
    return span_cstr(texts[end]);
}
