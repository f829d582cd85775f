/* SPDX-License-Identifier: MIT */
/* Bytes by value: a pointer and a length, owned by somebody else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *ptr;
    size_t len;
};

/* A span over a string literal. */
#define SPAN(literal) ((struct span){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* For printf("%.*s"). */
#define SPAN_ARG(s) (int)(s).len, (const char *)(s).ptr

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){.ptr = ptr, .len = len};
}

static inline struct span span_cstr(const char *text)
{
    return span_of(text, text != NULL ? strlen(text) : 0);
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Bytes [from, to) of s. The caller promises from <= to <= s.len. */
static inline struct span span_slice(struct span s, size_t from, size_t to)
{
    return span_of(s.ptr + from, to - from);
}

static inline struct span span_from(struct span s, size_t from)
{
    return span_slice(s, from, s.len);
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool span_ends(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_eq(span_from(s, s.len - suffix.len), suffix);
}

/* ASCII only: what RFC 9110 means by case-insensitive. */
static inline uint8_t ascii_lower(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

static inline bool ascii_is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static inline bool ascii_is_alpha(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

bool span_eq_ci(struct span a, struct span b);

/* The place of the first byte c at or after from, or s.len. */
static inline size_t span_find(struct span s, size_t from, uint8_t c)
{
    if (from >= s.len) {
        return s.len;
    }
    const uint8_t *hit = memchr(s.ptr + from, c, s.len - from);
    return hit != NULL ? (size_t)(hit - s.ptr) : s.len;
}

/* Takes spaces and tabs off both ends (OWS, RFC 9110, 5.6.3). */
struct span span_trim(struct span s);

/* Reads an unsigned decimal number that fills the whole span. False on anything
 * else: a sign, an empty span, more than max. */
bool span_decimal(struct span s, uint64_t max, uint64_t *out);
