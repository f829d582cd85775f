/* SPDX-License-Identifier: MIT */
/* What servers of pools are known to have, in shared pages: control writes, workers read. A fact is
 * one aligned word, so that nobody sees half of one: a tag of its key, what is known, and until
 * when. The pages survive control.
 *
 * Sets of facts_ways words, one cache line each: a fact stands in the set that its key names, and
 * a new one takes the place of one that is over, else of a no, else of the eldest. So the memory is
 * bounded, and paths that nobody has cannot push out those that somebody has: but for one word of
 * each set.
 *
 * A key has 51 bits that count. That a question about one path is answered by what is known of
 * another has a chance of one in two billion for each look, and who asks cannot bring it about:
 * keys are made with a number that nobody outside knows. */
#pragma once

#include "base/error.h"
#include "base/mix.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    facts_max = 1 << 20, /* 8 MiB, when all of them are used */
    facts_ways = 8,
    fact_life_s_max = 7 * 86400,
};

enum fact {
    FACT_UNKNOWN,
    FACT_YES,
    FACT_NO,
    FACT_TRIED, /* not known, and just asked for without an answer that says it */
};

struct facts;

/* Makes the memfd (sparse: what is never written costs nothing). ERR_IO. */
enum err facts_create(int *fd_out);
/* writable: control; workers map it read-only. ERR_SYNTAX: it is none. */
enum err facts_open(int fd, bool writable, struct facts **out);
void facts_close(struct facts **facts);

/* Seconds as facts count them. monotonic_ns: of base/clock.h. */
uint32_t facts_now_s(const struct facts *facts, int64_t monotonic_ns);

/* A path as it is asked for, to be asked about several servers. */
uint64_t facts_path(const struct facts *facts, struct span path);

/* Bits of a key that the path alone says: all that is known of one path stands in one part of
 * 16 KiB, so that looking through the servers of a pool does not walk over all of the memory. */
static const uint64_t facts_path_bits = 0x1ff00;

/* server: a hash of all that the answer depends on. */
static inline uint64_t facts_key(uint64_t path, uint64_t server)
{
    return (mix_two(path, server) & ~facts_path_bits) | (path & facts_path_bits);
}

/* What is known. *left_s: for how long it still is; 0 for FACT_UNKNOWN. */
enum fact facts_find(const struct facts *facts, uint64_t key, uint32_t now_s, uint32_t *left_s);

/* The last quarter of a fact's life: whoever needs it asks again, so that what is wanted all the
 * time never comes to be unknown. */
static inline bool fact_is_due(uint32_t left_s, uint32_t life_s)
{
    return left_s <= (life_s + 3) / 4;
}

/* Control only. life_s: 1 to fact_life_s_max. True: something that was still known had to go. */
bool facts_set(struct facts *facts, uint64_t key, enum fact fact, uint32_t now_s, uint32_t life_s);
