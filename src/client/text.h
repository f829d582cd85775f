/* SPDX-License-Identifier: MIT */
/* Between the texts of the public headers and the spans that all else here uses. */
#pragma once

#include <detour/detour.h>

#include "base/span.h"

/* Where there is no text, its length means nothing. */
static inline struct span span_of_text(struct detour_text text)
{
    return span_of(text.ptr, text.ptr != NULL ? text.len : 0);
}

static inline struct detour_text text_of_span(struct span bytes)
{
    return (struct detour_text){.ptr = (const char *)bytes.ptr, .len = bytes.len};
}

static inline size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Beyond this no clock goes; sums of it and a lifetime hold in 64 bits. */
#define TIME_MAX_S (INT64_C(1) << 53)

/* Whether a structure that a caller passes in has at least the members of the first version. */
#define SIZE_IS_KNOWN(object, last_member) \
    ((object)->size >= offsetof(__typeof__(*(object)), last_member) + sizeof((object)->last_member))
