/* SPDX-License-Identifier: MIT */
/* The table of byte classes, and the writer over it. */
#include "uri/escape.h"

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

/* The classes that all of eight bytes are in. */
static inline uint8_t common(const uint8_t *p)
{
    return escape_classes[p[0]] & escape_classes[p[1]] & escape_classes[p[2]] &
           escape_classes[p[3]] & escape_classes[p[4]] & escape_classes[p[5]] &
           escape_classes[p[6]] & escape_classes[p[7]];
}

/* Eight bytes at a time, and the last eight once more: the usual value is one run. */
size_t escape_run(struct span bytes, size_t at, enum escape_class class)
{
    const uint8_t *p = bytes.ptr;
    while (bytes.len - at >= 8 && (common(p + at) & class) != 0) {
        at += 8;
    }
    if (bytes.len >= 8 && bytes.len - at < 8 && (common(p + bytes.len - 8) & class) != 0) {
        return bytes.len;
    }
    while (at < bytes.len && escape_is(p[at], class)) {
        at++;
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
