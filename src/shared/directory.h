/* SPDX-License-Identifier: MIT */
/* Slots by identity: a list in shared pages of the hashes of all identities that were ever
 * given a slot, in the order of their slots, and an index of it in the memory of the one
 * process that gives slots away (control). Slots are dense, so that what is used lies
 * together; none is given back while the program runs. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <stdatomic.h>

/* In shared pages. */
struct directory_head {
    _Atomic uint64_t count;
};

struct directory {
    struct directory_head *head;
    uint64_t *hashes; /* in shared pages; max of them */
    uint32_t max;
    uint32_t *index;     /* slot + 1 by hash, 0 free; NULL until the first question */
    uint64_t index_size; /* a power of two, at least twice the count */
};

void directory_init(struct directory *directory, struct directory_head *head, uint64_t *hashes,
                    uint32_t max);
void directory_fini(struct directory *directory);

/* How many slots are given; the next new one gets this number. */
uint32_t directory_count(const struct directory *directory);
/* The slot of the identity; a new one is given if it has none. ERR_LIMIT: all are
 * taken. */
enum err directory_slot(struct directory *directory, struct span identity, uint32_t *slot_out);
