/* SPDX-License-Identifier: MIT */
/* Slots by identity: a list in shared pages of the hashes of all identities that were ever
 * given a slot, in the order of their slots, and an index of it in the memory of the one
 * process that gives slots away (control). Slots are dense, so that what is used lies
 * together; none is given back while the program runs. Slot 0 is nobody's: those share it
 * that find no slot any more. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <stdatomic.h>

/* In shared pages. */
struct directory_head {
    _Atomic uint64_t count; /* of slots given, 1 to count */
};

struct directory {
    struct directory_head *head;
    uint64_t *hashes;    /* by slot, in shared pages; max of them */
    uint32_t max;        /* of slots, with slot 0 */
    uint32_t *index;     /* slot by hash, 0 free; NULL until the first question */
    uint64_t index_size; /* a power of two, at least twice the count */
};

void directory_init(struct directory *directory, struct directory_head *head, uint64_t *hashes,
                    uint32_t max);
void directory_fini(struct directory *directory);

/* The slot that a new identity would get; max: there is none left. */
uint32_t directory_next(const struct directory *directory);
/* The slot of the identity, which is that one if it has none yet. ERR_LIMIT: all are taken. */
enum err directory_slot(struct directory *directory, struct span identity, uint32_t *slot_out);
