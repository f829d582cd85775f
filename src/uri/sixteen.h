/* SPDX-License-Identifier: MIT */
/* Sixteen bytes at once, for tests that most input passes. Compilers make SSE2 or NEON of
 * it, or plain code where there is neither; a comparison gives 0 or 0xFF for each byte. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sixteen {
    uint8_t v __attribute__((vector_size(16)));
};

static inline struct sixteen sixteen_load(const uint8_t *at)
{
    struct sixteen bytes;
    memcpy(&bytes.v, at, sizeof(bytes.v));
    return bytes;
}

/* Eight bytes from each, for texts of 8 to 16 bytes: the halves overlap. */
static inline struct sixteen sixteen_halves(const uint8_t *first, const uint8_t *second)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, first, sizeof(a));
    memcpy(&b, second, sizeof(b));
    uint64_t both __attribute__((vector_size(16))) = {a, b};
    struct sixteen out;
    memcpy(&out.v, &both, sizeof(out.v));
    return out;
}

/* Whether a comparison was true of all. */
static inline bool sixteen_all(struct sixteen mask)
{
    uint64_t halves[2];
    memcpy(halves, &mask.v, sizeof(halves));
    return (halves[0] & halves[1]) == UINT64_MAX;
}
