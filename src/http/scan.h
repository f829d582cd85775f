/* SPDX-License-Identifier: MIT */
/* Runs of octets of one class, found sixteen at a time where the machine can. Private to
 * http/: the request parser spends most of its time here. Never reads at or beyond end. */
#pragma once

#include "base/span.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum octet_class {
    OCTET_TOKEN = 1,  /* tchar (RFC 9110, 5.6.2) */
    OCTET_VALUE = 2,  /* field-vchar, obs-text, SP, HTAB (RFC 9110, 5.5) */
    OCTET_TARGET = 4, /* tolerated in a request target: no control, space, DEL, '#' */
    OCTET_PATH = 8,   /* OCTET_TARGET without '?' */
};

extern const uint8_t octet_classes[256];

#if defined(__SSE2__)

static inline __m128i scan_equals(__m128i v, char c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* low <= v <= high, octet by octet: high is moved to the greatest signed value, so that
 * one comparison does for both ends. */
static inline __m128i scan_within(__m128i v, char low, char high)
{
    __m128i moved = _mm_add_epi8(v, _mm_set1_epi8((char)(0x7f - high)));
    return _mm_cmpgt_epi8(moved, _mm_set1_epi8((char)(low - 1 + (0x7f - high))));
}

static inline __m128i scan_usual_text(__m128i v)
{
    return scan_within(v, ' ', '~');
}

static inline __m128i scan_usual_target(__m128i v)
{
    return _mm_andnot_si128(scan_equals(v, '#'), scan_within(v, '!', '~'));
}

static inline __m128i scan_usual_path(__m128i v)
{
    return _mm_andnot_si128(scan_equals(v, '?'), scan_usual_target(v));
}

/* Letters, digits and '-' make nearly every name. */
static inline __m128i scan_usual_name(__m128i v)
{
    __m128i letter = scan_within(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i digit = scan_within(v, '0', '9');
    return _mm_or_si128(_mm_or_si128(letter, digit), scan_equals(v, '-'));
}

/* Steps over whole blocks of usual octets, and jumps to `unusual` at the first other one. */
#define SCAN_BLOCKS(at, end, usual)                                               \
    if ((end) - (at) >= 16) {                                                     \
        const uint8_t *last = (end)-16;                                           \
        do {                                                                      \
            __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(at)); \
            uint32_t mask = (uint32_t)_mm_movemask_epi8(usual(block));            \
            if (mask != 0xffff) {                                                 \
                (at) += (uint32_t)__builtin_ctz(~mask);                           \
                goto unusual;                                                     \
            }                                                                     \
            (at) += 16;                                                           \
        } while ((at) <= last);                                                   \
    }

#else
#define SCAN_BLOCKS(at, end, usual) \
    if (false) {                    \
        goto unusual;               \
    }
#endif

/* The table decides on what is unusual, and on the last octets before end. */
#define SCAN_FUNCTION(name, class, usual)                                    \
    static inline const uint8_t *name(const uint8_t *at, const uint8_t *end) \
    {                                                                        \
        for (;; at++) {                                                      \
            SCAN_BLOCKS(at, end, usual)                                      \
            while (at < end && (octet_classes[*at] & (class)) != 0) {        \
                at++;                                                        \
            }                                                                \
            return at;                                                       \
        unusual:                                                             \
            if ((octet_classes[*at] & (class)) == 0) {                       \
                return at;                                                   \
            }                                                                \
        }                                                                    \
    }

/* Each gives the first octet in [at, end) that is not of the class, or end. */
SCAN_FUNCTION(scan_token, OCTET_TOKEN, scan_usual_name)
SCAN_FUNCTION(scan_value, OCTET_VALUE, scan_usual_text)
SCAN_FUNCTION(scan_target, OCTET_TARGET, scan_usual_target)
SCAN_FUNCTION(scan_path, OCTET_PATH, scan_usual_path)

/* As scan_token, quicker for what nearly every name is: at most sixteen letters, digits
 * and '-', and a colon. */
static inline const uint8_t *scan_name(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    if (end - at > 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        uint32_t mask = (uint32_t)_mm_movemask_epi8(scan_usual_name(block));
        const uint8_t *stop = at + (uint32_t)__builtin_ctz(~mask);
        if (*stop == ':') {
            return stop;
        }
    }
#endif
    return scan_token(at, end);
}

/* Whether none of eight octets is below low, DEL or beyond ASCII. A borrow or a carry can
 * come only from one that is. */
static inline bool scan_usual_word(uint64_t word, uint8_t low)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return (((word - ones * low) | (word + ones) | word) & (ones << 7)) == 0;
}

/* Whether all of s are between low and '~'. Short spans, as in responses. */
static inline bool scan_all_usual(struct span s, uint8_t low)
{
    uint64_t word;
    if (s.len < sizeof(word)) {
        for (size_t i = 0; i < s.len; i++) {
            if (s.ptr[i] < low || s.ptr[i] > '~') {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + sizeof(word) < s.len; i += sizeof(word)) {
        memcpy(&word, s.ptr + i, sizeof(word));
        if (!scan_usual_word(word, low)) {
            return false;
        }
    }
    memcpy(&word, s.ptr + s.len - sizeof(word), sizeof(word)); /* may overlap */
    return scan_usual_word(word, low);
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
