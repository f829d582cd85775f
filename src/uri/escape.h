/* SPDX-License-Identifier: MIT */
/* Percent-encoding by classes of bytes: one table, and one writer that copies runs of
 * bytes which may stay as they are. No I/O, no allocation. RFC 3986, 2. */
#pragma once

#include "base/buffer.h"

/* Bits in escape_classes. '%' is in ESCAPE_LOCATION alone. */
enum escape_class {
    ESCAPE_UNRESERVED = 1, /* RFC 3986, 2.3 */
    ESCAPE_URI = 2,        /* unreserved and reserved */
    ESCAPE_QUERY = 4,      /* the same without '#' */
    ESCAPE_PATH = 8,       /* the same without '#' and '?' */
    ESCAPE_HEX = 16,       /* a hexadecimal digit */
    ESCAPE_LABEL = 32,     /* letters, digits, '-' and '_': a label of a host */
    ESCAPE_LOCATION = 64,  /* what a finished URI is made of */
    ESCAPE_VARCHAR = 128,  /* letters, digits and '_': RFC 6570, 2.3 */
};

extern const uint8_t escape_classes[256];

static inline bool escape_is(uint8_t byte, enum escape_class class)
{
    return (escape_classes[byte] & class) != 0;
}

/* Whether '%' and two hexadecimal digits stand at this place. */
static inline bool escape_at(struct span bytes, size_t at)
{
    return bytes.len - at >= 3 && bytes.ptr[at] == '%' &&
           escape_is(bytes.ptr[at + 1], ESCAPE_HEX) && escape_is(bytes.ptr[at + 2], ESCAPE_HEX);
}

/* The value of a hexadecimal digit. */
static inline uint8_t escape_digit(uint8_t digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
}

/* The byte behind the escape at this place; escape_at has said that there is one. */
static inline uint8_t escape_value(struct span bytes, size_t at)
{
    return (uint8_t)(escape_digit(bytes.ptr[at + 1]) << 4 | escape_digit(bytes.ptr[at + 2]));
}

/* The end of the run of bytes of the class that begins at this place. */
size_t escape_run(struct span bytes, size_t at, enum escape_class class);

/* What becomes of a '%'. */
enum escape_percent {
    PERCENT_ENCODE, /* %25, always */
    PERCENT_KEEP,   /* a well-formed escape stays, a stray '%' becomes %25 */
    PERCENT_DECODE, /* a well-formed escape is decoded once and its byte encoded anew */
};

/* Appends bytes; those outside the class as "%XX" with upper-case digits. */
void escape_put(struct buffer *out, struct span bytes, enum escape_class class,
                enum escape_percent percent);
/* Appends "%XX". */
void escape_byte(struct buffer *out, uint8_t byte);
