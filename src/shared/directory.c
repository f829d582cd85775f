/* SPDX-License-Identifier: MIT */
/* An open-addressing index over the list of hashes. 64 bits of hash stand for the
 * identity: among a million rules two collide once in 37 million programs. */
#include "shared/directory.h"

#include <stdlib.h>
#include <xxhash.h>

enum { index_size_min = 1024 };

void directory_init(struct directory *directory, struct directory_head *head, uint64_t *hashes,
                    uint32_t max)
{
    *directory = (struct directory){.head = head, .hashes = hashes, .max = max};
}

void directory_fini(struct directory *directory)
{
    free(directory->index);
    directory->index = NULL;
    directory->index_size = 0;
}

uint32_t directory_next(const struct directory *directory)
{
    uint64_t count = atomic_load_explicit(&directory->head->count, memory_order_acquire);
    return count < directory->max ? (uint32_t)count + 1 : directory->max;
}

/* The place of the hash in the index, or the free one where it belongs. */
static uint64_t index_place(const struct directory *directory, uint64_t hash)
{
    uint64_t mask = directory->index_size - 1;
    uint64_t at = hash & mask;
    while (directory->index[at] != 0 && directory->hashes[directory->index[at]] != hash) {
        at = (at + 1) & mask;
    }
    return at;
}

static enum err index_build(struct directory *directory)
{
    uint32_t next = directory_next(directory);
    uint64_t size = index_size_min;
    while (size < ((uint64_t)next + 1) * 2) {
        size *= 2;
    }
    if (directory->index != NULL && size <= directory->index_size) {
        return ERR_NONE;
    }
    uint32_t *index = calloc(size, sizeof(*index));
    if (index == NULL) {
        return ERR_MEMORY;
    }
    free(directory->index);
    directory->index = index;
    directory->index_size = size;
    for (uint32_t slot = 1; slot < next; slot++) {
        index[index_place(directory, directory->hashes[slot])] = slot;
    }
    return ERR_NONE;
}

enum err directory_slot(struct directory *directory, struct span identity, uint32_t *slot_out)
{
    uint64_t hash = XXH3_64bits(identity.ptr, identity.len);
    uint32_t next = directory_next(directory);
    if (index_build(directory) != ERR_NONE) {
        return ERR_MEMORY;
    }
    uint64_t place = index_place(directory, hash);
    if (directory->index[place] != 0) {
        *slot_out = directory->index[place];
        return ERR_NONE;
    }
    if (next == directory->max) {
        return ERR_LIMIT;
    }
    /* The hash first: if this process dies between the two, the slot was never given. */
    directory->hashes[next] = hash;
    directory->index[place] = next;
    atomic_store_explicit(&directory->head->count, next, memory_order_release);
    *slot_out = next;
    return ERR_NONE;
}
