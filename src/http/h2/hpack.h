/* SPDX-License-Identifier: MIT */
/* HPACK literals (RFC 7541, 6.2.2): never indexed by us, never Huffman coded. Private to
 * h2/; the caller has seen that there is room: hpack_line_max for each line. */
#pragma once

#include "base/span.h"

/* Places in the static table (RFC 7541, A). */
enum hpack_name {
    HPACK_LITERAL = 0, /* none: the name is written out */
    HPACK_STATUS = 8,
    HPACK_STATUS_200 = 8, /* with its value */
    HPACK_ALLOW_ORIGIN = 20,
    HPACK_CACHE_CONTROL = 24,
    HPACK_CONTENT_LENGTH = 28,
    HPACK_CONTENT_TYPE = 31,
    HPACK_DATE = 33,
    HPACK_LOCATION = 46,
    HPACK_RETRY_AFTER = 53,
    HPACK_VARY = 59,
};

enum { hpack_integer_max = 6, hpack_digits_max = 20 };

static inline size_t hpack_line_max(size_t name_len, size_t value_len)
{
    return 1 + 2 * hpack_integer_max + name_len + value_len;
}

/* RFC 7541, 5.1; first holds what stands before the prefix. */
static inline uint8_t *hpack_integer(uint8_t *at, uint8_t first, uint32_t prefix_max,
                                     uint32_t value)
{
    if (value < prefix_max) {
        *at++ = (uint8_t)(first | value);
        return at;
    }
    *at++ = (uint8_t)(first | prefix_max);
    value -= prefix_max;
    while (value >= 128) {
        *at++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *hpack_string(uint8_t *at, struct span octets)
{
    at = hpack_integer(at, 0, 127, (uint32_t)octets.len);
    if (octets.len > 0) {
        memcpy(at, octets.ptr, octets.len);
    }
    return at + octets.len;
}

static inline uint8_t *hpack_line(uint8_t *at, enum hpack_name name, struct span value)
{
    return hpack_string(hpack_integer(at, 0, 15, (uint32_t)name), value);
}

static inline uint8_t *hpack_decimal_line(uint8_t *at, enum hpack_name name, uint64_t number)
{
    uint8_t digits[hpack_digits_max];
    size_t from = sizeof(digits);
    do {
        digits[--from] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return hpack_line(at, name, span_of(digits + from, sizeof(digits) - from));
}

/* A name that the static table does not hold, made lower case. */
static inline uint8_t *hpack_named_line(uint8_t *at, struct span name, struct span value)
{
    at = hpack_integer(hpack_integer(at, 0, 15, HPACK_LITERAL), 0, 127, (uint32_t)name.len);
    for (size_t i = 0; i < name.len; i++) {
        at[i] = ascii_lower(name.ptr[i]);
    }
    return hpack_string(at + name.len, value);
}
