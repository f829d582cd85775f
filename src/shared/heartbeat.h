/* SPDX-License-Identifier: MIT */
/* Signs of life: one word in shared pages for each process, which it counts up twice a
 * second and the supervisor looks at once a second. Beside the count stands how long the
 * next sign may take, so that long work is not mistaken for a hang; in one word, so that
 * nobody sees one without the other.
 *
 * The first sign says more: that the process serves. A worker accepts, control has
 * published, the logger has written what it found. */
#pragma once

#include "shared/counters.h"

enum {
    heartbeat_pause_ms = 500,
    heartbeat_patience_s = 10,
    heartbeat_patience_work_s = 300, /* to read and compile the largest configuration */
};
/* For a disk, or whoever reads the other end. */
static const uint32_t heartbeat_patience_endless_s = UINT32_MAX;

/* Gives a sign; the next one comes within patience_s. */
static inline void heartbeat_sign(counter *word, uint32_t patience_s)
{
    uint32_t count = (uint32_t)counter_get(word) + 1;
    counter_set(word, (uint64_t)patience_s << 32 | count);
}

/* Of the value of such a word. */
static inline uint32_t heartbeat_patience_of(uint64_t sign)
{
    return (uint32_t)(sign >> 32);
}
