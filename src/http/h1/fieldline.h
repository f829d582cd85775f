/* SPDX-License-Identifier: MIT */
/* One field line (RFC 9112, 5), of a response's head or of trailers. Private to h1/. */
#pragma once

#include "http/request.h"
#include "http/scan.h"

/* Reads the line that begins at from; gives where the next one begins, NULL: none that is
 * well formed and complete. blanks: they may stand before the colon, and are taken away. */
static inline const uint8_t *fieldline_read(const uint8_t *from, const uint8_t *end, bool blanks,
                                            struct field *field)
{
    const uint8_t *name_end = scan_name(from, end);
    const uint8_t *colon = name_end;
    while (blanks && colon < end && (*colon == ' ' || *colon == '\t')) {
        colon++;
    }
    if (name_end == from || colon == end || *colon != ':') {
        return NULL;
    }
    const uint8_t *stop = scan_value(colon + 1, end);
    if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') {
        return NULL;
    }
    field->name = span_of(from, (size_t)(name_end - from));
    field->value = span_trim(span_of(colon + 1, (size_t)(stop - colon) - 1));
    return stop + 2;
}
