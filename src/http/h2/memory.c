/* SPDX-License-Identifier: MIT */
/* Lists of free pieces, one a size. The address sanitizer gets every piece as an
 * allocation of its own, so that an overrun is seen. */
#include "http/h2/memory.h"

#include "base/sanitizer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    piece_bytes_max = (h2_piece_classes - 1) * h2_piece_step,
    reserve_bytes = h2_queue_bytes + h2_piece_step, /* with the header, a size that is kept */
};

static_assert(sizeof(struct h2_piece) % 16 == 0, "what follows must be aligned like malloc's");

static struct h2_piece *take_fresh(size_t bytes)
{
    struct h2_piece *piece = malloc(bytes);
    if (piece != NULL) {
        piece->bytes = bytes;
    }
    return piece;
}

bool h2_pool_init(struct h2_pool *pool)
{
    pool->reserve = take_fresh(reserve_bytes);
    return pool->reserve != NULL;
}

void h2_pool_fini(struct h2_pool *pool)
{
    free(pool->reserve);
    pool->reserve = NULL;
    for (size_t i = 0; i < h2_piece_classes; i++) {
        while (pool->kept[i] != NULL) {
            struct h2_piece *piece = pool->kept[i];
            pool->kept[i] = piece->next;
            free(piece);
        }
    }
    pool->kept_bytes = 0;
}

/* Whether a piece is one of the lists'. */
static bool is_kept(size_t bytes)
{
    return !ADDRESS_SANITIZED && bytes <= piece_bytes_max;
}

static struct h2_piece *take_kept(struct h2_pool *pool, size_t bytes)
{
    struct h2_piece *piece = pool->kept[bytes / h2_piece_step];
    if (piece != NULL) {
        pool->kept[bytes / h2_piece_step] = piece->next;
        pool->kept_bytes -= bytes;
    }
    return piece;
}

void *h2_alloc(struct h2_account *account, size_t size)
{
    size_t bytes = size + sizeof(struct h2_piece);
    struct h2_piece *piece = NULL;
    if (size > account->max || !h2_account_has(account, bytes)) {
        return NULL;
    }
    if (is_kept(bytes)) {
        bytes = (bytes + h2_piece_step - 1) / h2_piece_step * h2_piece_step;
        piece = take_kept(account->pool, bytes);
    }
    if (piece == NULL) {
        piece = take_fresh(bytes);
    }
    if (piece == NULL) {
        return NULL;
    }
    account->used += bytes;
    return piece + 1;
}

void h2_release(struct h2_account *account, void *memory)
{
    if (memory == NULL) {
        return;
    }
    struct h2_pool *pool = account->pool;
    struct h2_piece *piece = (struct h2_piece *)memory - 1;
    size_t bytes = piece->bytes;
    assert(account->used >= bytes);
    account->used -= bytes;
    if (!is_kept(bytes) || pool->kept_bytes >= h2_pool_bytes_max) {
        free(piece);
        return;
    }
    piece->next = pool->kept[bytes / h2_piece_step];
    pool->kept[bytes / h2_piece_step] = piece;
    pool->kept_bytes += bytes;
}

void *h2_mem_malloc(size_t size, void *account)
{
    return h2_alloc(account, size);
}

void h2_mem_free(void *memory, void *account)
{
    h2_release(account, memory);
}

void *h2_mem_calloc(size_t count, size_t size, void *account)
{
    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *memory = h2_alloc(account, count * size);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

static void *take_reserve(struct h2_account *account)
{
    struct h2_piece *piece = account->pool->reserve;
    if (piece == NULL) {
        return NULL;
    }
    account->pool->reserve = NULL;
    account->used += piece->bytes;
    return piece + 1;
}

static size_t room(const void *memory)
{
    return ((const struct h2_piece *)memory - 1)->bytes - sizeof(struct h2_piece);
}

void *h2_mem_realloc(void *memory, size_t size, void *account_)
{
    struct h2_account *account = account_;
    bool small = size <= h2_queue_bytes;
    if (account->pool->reserve == NULL) {
        account->pool->reserve = take_fresh(reserve_bytes);
    }
    if (memory != NULL && room(memory) >= size) {
        return memory;
    }
    void *grown = h2_alloc(account, small ? h2_queue_bytes : size);
    if (grown == NULL && small) {
        grown = take_reserve(account);
    }
    if (grown != NULL && memory != NULL) {
        memcpy(grown, memory, room(memory));
        h2_release(account, memory);
    }
    return grown;
}
