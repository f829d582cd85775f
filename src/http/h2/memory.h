/* SPDX-License-Identifier: MIT */
/* Memory of HTTP/2 sessions: small pieces are kept for the next one that asks, and each
 * session has an account with a limit. Private to h2/; one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    h2_piece_step = 64,
    h2_piece_classes = 33, /* pieces of up to 2 KiB are kept */
    h2_pool_bytes_max = 4 << 20,
};

struct h2_piece {
    size_t bytes;          /* with this header */
    struct h2_piece *next; /* while it is kept */
};

/* Of an engine. All zero: an empty one. */
struct h2_pool {
    struct h2_piece *kept[h2_piece_classes];
    size_t kept_bytes;
    struct h2_piece *reserve; /* see h2_mem_realloc; NULL: it is in use */
};

struct h2_account {
    struct h2_pool *pool;
    size_t used;
    size_t max;
};

/* False: no memory. */
bool h2_pool_init(struct h2_pool *pool);
void h2_pool_fini(struct h2_pool *pool);

/* NULL: no memory, or more than the account allows. Aligned to sixteen bytes. */
void *h2_alloc(struct h2_account *account, size_t size);
void h2_release(struct h2_account *account, void *memory);

/* The same for nghttp2, with the account behind. */
void *h2_mem_malloc(size_t size, void *account);
void h2_mem_free(void *memory, void *account);
void *h2_mem_calloc(size_t count, size_t size, void *account);
/* nghttp2 1.52 grows by it the queue of streams that have DATA to send, and frees an item twice
 * when that fails. So room for h2_queue_bytes is made at once, and comes from a reserve when
 * there is no other, over the account if need be: then nothing else is to be had, and the
 * session ends. */
enum { h2_queue_bytes = 1024 };
void *h2_mem_realloc(void *memory, size_t size, void *account);

static inline bool h2_account_has(const struct h2_account *account, size_t bytes)
{
    return account->used <= account->max && account->max - account->used >= bytes;
}
