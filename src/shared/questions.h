/* SPDX-License-Identifier: MIT */
/* What a worker asks control: whether a server has what is at a path. Questions go up a ring
 * (shared/ring.h), answers come as facts (shared/facts.h), and nobody waits for either.
 *
 * A worker says the same thing once a second at most, and so many things about one server: so a
 * flood of paths on one leaves room for questions about others, and costs control no more than
 * it can read. */
#pragma once

#include "shared/facts.h"
#include "shared/ring.h"

enum {
    question_path_bytes_max = 2048,
    questions_a_second_max = 256, /* about one server, by one worker */
};

struct question_asked {
    uint64_t server; /* as in facts_key */
    struct span path;
};

struct questions; /* a worker's end */

/* ring: its producer's end, which outlives it. ERR_MEMORY. */
enum err questions_new(struct ring *ring, struct questions **out);
void questions_free(struct questions **questions);

/* Whether a path can be asked about at all. */
static inline bool question_fits(struct span path)
{
    return path.len == 0 || (path.len <= question_path_bytes_max && path.ptr[0] == '/');
}

enum question_end {
    QUESTION_SAID,
    QUESTION_SAID_BEFORE, /* in this second */
    QUESTION_DROPPED,     /* there is no room, or enough was asked about this server */
};

/* key: of the fact. again: it is known, and about to be forgotten: that many things were asked does
 * not matter. After one that was said, or several, comes ring_ring_bell. No system call. */
enum question_end questions_ask(struct questions *questions, const struct question_asked *question,
                                uint64_t key, bool again, uint32_t now_s);

/* Control: what stands in a record; false: no question. The path points into it. */
bool question_decode(struct span record, struct question_asked *out);
