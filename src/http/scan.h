/* SPDX-License-Identifier: MIT */
/* Runs of octets of one class, found sixteen at a time where the machine can. Private to
 * http/: the request parser spends most of its time here. Never reads at or beyond end. */
#pragma once

#include "base/span.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum octet_class {
    OCTET_TOKEN = 1,    /* tchar (RFC 9110, 5.6.2) */
    OCTET_VALUE = 2,    /* field-vchar, obs-text, SP, HTAB (RFC 9110, 5.5) */
    OCTET_TARGET = 4,   /* tolerated in a request target: no control, space, DEL, '#' */
    OCTET_PATH = 8,     /* OCTET_TARGET without '?' */
    OCTET_VISIBLE = 16, /* VCHAR: ASCII without controls and space */
};

extern const uint8_t octet_classes[256];

static inline const uint8_t *scan_slowly(const uint8_t *at, const uint8_t *end,
                                         enum octet_class class)
{
    while (at < end && (octet_classes[*at] & class) != 0) {
        at++;
    }
    return at;
}

#if defined(__SSE2__)

/* low <= v <= low + width, octet by octet. */
static inline __m128i scan_within(__m128i v, char low, char width)
{
    __m128i offset = _mm_sub_epi8(v, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(width)), offset);
}

static inline __m128i scan_equals(__m128i v, char c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static inline __m128i scan_not_value(__m128i v)
{
    __m128i control = scan_within(v, 0, 0x1f);
    return _mm_or_si128(_mm_andnot_si128(scan_equals(v, '\t'), control), scan_equals(v, 0x7f));
}

static inline __m128i scan_not_target(__m128i v)
{
    __m128i stop = _mm_or_si128(scan_within(v, 0, 0x20), scan_equals(v, 0x7f));
    return _mm_or_si128(stop, scan_equals(v, '#'));
}

static inline __m128i scan_not_path(__m128i v)
{
    return _mm_or_si128(scan_not_target(v), scan_equals(v, '?'));
}

static inline __m128i scan_not_visible(__m128i v)
{
    return _mm_cmpeq_epi8(scan_within(v, 0x21, 0x7e - 0x21), _mm_setzero_si128());
}

/* The bits of the octets that stop the run; 0: all sixteen belong to it. */
#define SCAN_BLOCKS(at, end, stops)                                           \
    while ((end) - (at) >= 16) {                                              \
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(at)); \
        unsigned mask = (unsigned)_mm_movemask_epi8(stops(block));            \
        if (mask != 0) {                                                      \
            return (at) + __builtin_ctz(mask);                                \
        }                                                                     \
        (at) += 16;                                                           \
    }

/* Letters, digits, '-' and '_' make nearly every name; the rest is for the table. */
static inline __m128i scan_not_word(__m128i v)
{
    __m128i letter = scan_within(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 25);
    __m128i digit = scan_within(v, '0', 9);
    __m128i mark = _mm_or_si128(scan_equals(v, '-'), scan_equals(v, '_'));
    __m128i word = _mm_or_si128(_mm_or_si128(letter, digit), mark);
    return _mm_cmpeq_epi8(word, _mm_setzero_si128());
}

static inline const uint8_t *scan_word(const uint8_t *at, const uint8_t *end)
{
    SCAN_BLOCKS(at, end, scan_not_word)
    return at;
}

#else

#define SCAN_BLOCKS(at, end, stops)

static inline const uint8_t *scan_word(const uint8_t *at, const uint8_t *end)
{
    (void)end;
    return at;
}

#endif

/* Each gives the first octet in [at, end) that is not of the class, or end. */
static inline const uint8_t *scan_value(const uint8_t *at, const uint8_t *end)
{
    SCAN_BLOCKS(at, end, scan_not_value)
    return scan_slowly(at, end, OCTET_VALUE);
}

static inline const uint8_t *scan_target(const uint8_t *at, const uint8_t *end)
{
    SCAN_BLOCKS(at, end, scan_not_target)
    return scan_slowly(at, end, OCTET_TARGET);
}

static inline const uint8_t *scan_path(const uint8_t *at, const uint8_t *end)
{
    SCAN_BLOCKS(at, end, scan_not_path)
    return scan_slowly(at, end, OCTET_PATH);
}

static inline const uint8_t *scan_visible(const uint8_t *at, const uint8_t *end)
{
    SCAN_BLOCKS(at, end, scan_not_visible)
    return scan_slowly(at, end, OCTET_VISIBLE);
}

static inline const uint8_t *scan_token(const uint8_t *at, const uint8_t *end)
{
    return scan_slowly(scan_word(at, end), end, OCTET_TOKEN);
}

/* Whether n octets are the lower-case word, without case; n is a constant from 4 to 24,
 * the word letters and '-'. Looking away from bit 0x20 is exact for octets of OCTET_VALUE:
 * only the two cases of a letter agree in the other bits, and only CR does with '-'. */
static inline __attribute__((always_inline)) bool scan_is(const uint8_t *at, const char *word,
                                                          size_t n)
{
    const uint64_t lower = UINT64_C(0x2020202020202020);
    size_t step = n < 8 ? 4 : 8;
    for (size_t i = 0; i < n; i += step) {
        size_t from = i + step <= n ? i : n - step; /* the last one overlaps */
        uint64_t have = 0;
        uint64_t want = 0;
        memcpy(&have, at + from, step);
        memcpy(&want, word + from, step);
        if (((have ^ want) & ~lower) != 0) {
            return false;
        }
    }
    return true;
}
