/* SPDX-License-Identifier: MIT */
/* What becomes of a request that is passed on to an origin: counted by workers, told by control
 * and by the access log. */
#pragma once

#include "base/span.h"

enum origin_end {
    ORIGIN_DONE,
    ORIGIN_GONE,       /* the client went away */
    ORIGIN_UNREACHED,  /* 502: no connection could be made, or no TLS that can be trusted */
    ORIGIN_BROKEN,     /* 502: it closed before there was an answer, or in the middle of one */
    ORIGIN_BAD,        /* 502: what it sent is no answer that can be passed on */
    ORIGIN_LATE,       /* 504 */
    ORIGIN_BUSY,       /* 503: too many requests wait already, or this one has for too long */
    ORIGIN_UNRESOLVED, /* 503: it has no address yet */
    ORIGIN_REQUEST,    /* 4xx, 508: the request cannot be passed on */
    ORIGIN_NO_MEMORY,  /* 503 */
    ORIGIN_ENDS,
};

/* "unreached", …: for logs and metrics. */
struct span origin_end_text(enum origin_end end);
