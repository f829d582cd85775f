/* SPDX-License-Identifier: MIT */
/* Numbers that follow each other, or look alike, made into ones that say nothing of each other. For
 * spreading, not for secrets. */
#pragma once

#include <stdint.h>

/* The golden section of 2^64: its multiples keep away from each other. */
static const uint64_t golden_section = UINT64_C(0x9e3779b97f4a7c15);

/* The finaliser of SplitMix64. Each result comes of one number. */
static inline uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Two numbers as one; which is which counts. */
static inline uint64_t mix_two(uint64_t a, uint64_t b)
{
    return mix(a ^ (b * golden_section));
}
