/* SPDX-License-Identifier: MIT */
/* Pieces whose sizes are powers of two, each size with a list of those that were given
 * back. */
#include "worker/loop_memory.h"

#include <assert.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { bytes_first = 64, orders = 19 };
static_assert((size_t)bytes_first << (orders - 1) == loop_memory_bytes,
              "the last one is the whole area");

/* In front of each piece, and of what malloc gave. */
struct piece {
    size_t bytes; /* with this */
    struct piece *next;
};
static_assert(sizeof(struct piece) % 16 == 0, "what follows is aligned like malloc's");

/* libev's allocator is the process's, and so is this. */
static struct {
    uint8_t *area;
    size_t used;
    struct piece *free[orders];
} memory;

static size_t bytes_of(size_t order)
{
    return (size_t)bytes_first << order;
}

/* `orders`: none is so large. */
static size_t order_for(size_t bytes)
{
    size_t order = 0;
    while (order < orders && bytes_of(order) < bytes) {
        order++;
    }
    return order;
}

static bool is_ours(const struct piece *piece)
{
    uintptr_t at = (uintptr_t)piece;
    uintptr_t area = (uintptr_t)memory.area;
    return at >= area && at < area + loop_memory_bytes;
}

static struct piece *take(size_t wanted)
{
    size_t order = order_for(wanted);
    if (order == orders) {
        return NULL;
    }
    struct piece *piece = memory.free[order];
    if (piece != NULL) {
        memory.free[order] = piece->next;
        return piece;
    }
    size_t bytes = bytes_of(order);
    if (memory.area == NULL || bytes > loop_memory_bytes - memory.used) {
        return NULL;
    }
    piece = (struct piece *)(void *)(memory.area + memory.used);
    memory.used += bytes;
    piece->bytes = bytes;
    return piece;
}

static struct piece *take_anywhere(size_t wanted)
{
    struct piece *piece = take(wanted);
    if (piece == NULL && (piece = malloc(wanted)) != NULL) {
        piece->bytes = wanted;
    }
    return piece;
}

static void give_back(struct piece *piece)
{
    if (piece == NULL) {
        return;
    }
    if (!is_ours(piece)) {
        free(piece);
        return;
    }
    size_t order = order_for(piece->bytes);
    piece->next = memory.free[order];
    memory.free[order] = piece;
}

void *loop_memory_move(void *bytes, long size)
{
    struct piece *old = bytes != NULL ? (struct piece *)bytes - 1 : NULL;
    if (size <= 0) {
        give_back(old);
        return NULL;
    }
    size_t wanted = (size_t)size + sizeof(*old);
    if (old != NULL && old->bytes >= wanted) {
        return bytes;
    }
    struct piece *piece = take_anywhere(wanted);
    if (piece == NULL) {
        return NULL;
    }
    if (old != NULL) {
        memcpy(piece + 1, bytes, old->bytes - sizeof(*old));
        give_back(old);
    }
    return piece + 1;
}

enum err loop_memory_init(void)
{
    void *area = mmap(NULL, loop_memory_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) {
        return ERR_MEMORY;
    }
    memory.area = area;
    ev_set_allocator(loop_memory_move);
    return ERR_NONE;
}
