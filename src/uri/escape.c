/* SPDX-License-Identifier: MIT */
/* The table of byte classes, and the writer over it. */
#include "uri/escape.h"

#include <assert.h>

enum {
    IN_ALL = ESCAPE_URI | ESCAPE_QUERY | ESCAPE_PATH | ESCAPE_LOCATION,
    MARK = ESCAPE_UNRESERVED | IN_ALL,
    LETTER = MARK | ESCAPE_LABEL | ESCAPE_VARCHAR,
    DIGIT = LETTER | ESCAPE_HEX,
};

const uint8_t escape_classes[256] = {
    ['0' ... '9'] = DIGIT,
    ['A' ... 'F'] = DIGIT,
    ['a' ... 'f'] = DIGIT,
    ['G' ... 'Z'] = LETTER,
    ['g' ... 'z'] = LETTER,
    ['-'] = MARK | ESCAPE_LABEL,
    ['_'] = MARK | ESCAPE_LABEL | ESCAPE_VARCHAR,
    ['.'] = MARK,
    ['~'] = MARK,
    [':'] = IN_ALL,
    ['/'] = IN_ALL,
    ['?'] = IN_ALL & ~ESCAPE_PATH,
    ['#'] = IN_ALL & ~(ESCAPE_PATH | ESCAPE_QUERY),
    ['['] = IN_ALL,
    [']'] = IN_ALL,
    ['@'] = IN_ALL,
    ['!'] = IN_ALL,
    ['$'] = IN_ALL,
    ['&'] = IN_ALL,
    ['\''] = IN_ALL,
    ['('] = IN_ALL,
    [')'] = IN_ALL,
    ['*'] = IN_ALL,
    ['+'] = IN_ALL,
    [','] = IN_ALL,
    [';'] = IN_ALL,
    ['='] = IN_ALL,
    ['%'] = ESCAPE_LOCATION,
};

void escape_byte(struct buffer *out, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t *room = buffer_reserve(out, 3);
    if (room != NULL) {
        room[0] = '%';
        room[1] = (uint8_t)digits[byte >> 4];
        room[2] = (uint8_t)digits[byte & 15];
    }
}

/* The byte at this place, which may not stay as it is; gives how many were used up. */
static size_t put_one(struct buffer *out, struct span bytes, size_t at, enum escape_class class,
                      enum escape_percent percent)
{
    if (percent == PERCENT_ENCODE || !escape_at(bytes, at)) {
        escape_byte(out, bytes.ptr[at]);
        return 1;
    }
    if (percent == PERCENT_KEEP) {
        buffer_put(out, span_slice(bytes, at, at + 3));
        return 3;
    }
    uint8_t byte = escape_value(bytes, at);
    if (escape_is(byte, class)) {
        buffer_byte(out, byte);
    } else {
        escape_byte(out, byte);
    }
    return 3;
}

/* Whether sixteen bytes are letters, digits, '-', '.', '_' and, where they are allowed,
 * '/' and ':'. That is what most URIs are made of, told without a look at the table. */
static inline bool sixteen_plain(const uint8_t *p, bool slash)
{
    uint8_t v __attribute__((vector_size(16)));
    memcpy(&v, p, sizeof(v));
    __auto_type word = ((v | 0x20) - 'a' < 26) | (v == '_');
    __auto_type plain =
        slash ? word | (v - '-' < ':' - '-' + 1) : word | (v - '0' < 10) | (v - '-' < 2);
    uint64_t halves[2];
    static_assert(sizeof(plain) == sizeof(halves), "a mask of 0 or 0xFF for each byte");
    memcpy(halves, &plain, sizeof(halves));
    return (halves[0] & halves[1]) == UINT64_MAX;
}

/* Sixteen bytes at a time, the last sixteen once more; byte by byte only where that does
 * not say yes. */
size_t escape_run(struct span bytes, size_t at, enum escape_class class)
{
    bool slash = escape_is('/', class);
    while (at < bytes.len) {
        size_t left = bytes.len - at;
        if (left >= 16 && sixteen_plain(bytes.ptr + at, slash)) {
            at += 16;
            continue;
        }
        if (left < 16 && bytes.len >= 16 && sixteen_plain(bytes.ptr + bytes.len - 16, slash)) {
            return bytes.len;
        }
        size_t end = left < 16 ? bytes.len : at + 16;
        while (at < end && escape_is(bytes.ptr[at], class)) {
            at++;
        }
        if (at < end) {
            return at;
        }
    }
    return at;
}

void escape_put(struct buffer *out, struct span bytes, enum escape_class class,
                enum escape_percent percent)
{
    size_t at = 0;
    while (at < bytes.len) {
        size_t end = escape_run(bytes, at, class);
        buffer_put(out, span_slice(bytes, at, end));
        at = end;
        if (at < bytes.len) {
            at += put_one(out, bytes, at, class, percent);
        }
    }
}
