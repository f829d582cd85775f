/* SPDX-License-Identifier: MIT */
/* A ring of bytes with one producer and one consumer. Positions count bytes since the
 * beginning and never wrap; records are contiguous, 8-aligned, each behind 8 bytes with
 * its length; where one does not fit before the end, a mark says to go on at the start.
 *
 * The consumer trusts nothing that it finds there: it checks every length against what
 * was published, and throws everything away when it does not add up. */
#include "shared/ring.h"

#include "shared/pages.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { ring_align = 8, length_bytes = 8 };

static const uint64_t skip_mark = UINT64_MAX;

/* In shared pages. Each side's words stand on cache lines of their own. */
struct ring_head {
    _Alignas(64) _Atomic uint64_t published; /* written by the producer */
    _Alignas(64) _Atomic uint64_t consumed;  /* written by the consumer */
    _Atomic uint32_t unwanted;
    _Alignas(64) _Atomic uint32_t sleeping; /* set by the consumer, cleared by either */
};

static_assert(sizeof(struct ring_head) <= page_bytes, "the head is one page");
static_assert((ring_bytes & (ring_bytes - 1)) == 0, "a power of two");
static_assert((ring_question_bytes & (ring_question_bytes - 1)) == 0, "a power of two");

static const struct shape {
    const char *name;
    uint64_t bytes;
    size_t record_bytes_max;
} shapes[] = {
    [RING_LOG] = {"detour-rings", ring_bytes, ring_record_bytes_max},
    [RING_QUESTIONS] = {"detour-questions", ring_question_bytes, ring_question_record_bytes_max},
};

struct ring {
    struct ring_head *head;
    uint8_t *bytes;
    const struct shape *shape;
    bool borrowed; /* the mapping is another handle's */
    uint64_t at;   /* our own position: published or consumed */
    uint64_t seen; /* the other side's, when we last looked */
    uint64_t next; /* where `at` goes with the next commit or pop; at: nothing is open */
};

static size_t one_ring(const struct shape *shape)
{
    return page_bytes + shape->bytes;
}

static uint64_t offset_of(const struct ring *ring, uint64_t position)
{
    return position & (ring->shape->bytes - 1);
}

static uint64_t stride_of(uint64_t len)
{
    return length_bytes + ((len + ring_align - 1) & ~(uint64_t)(ring_align - 1));
}

static void put_length(struct ring *ring, uint64_t position, uint64_t len)
{
    memcpy(ring->bytes + offset_of(ring, position), &len, sizeof(len));
}

enum err ring_create(enum ring_kind kind, uint32_t workers, int *fd_out)
{
    assert(workers > 0);
    return pages_create(shapes[kind].name, one_ring(&shapes[kind]) * workers, fd_out);
}

static enum err open_end(enum ring_kind kind, int fd, uint32_t worker, struct ring **out)
{
    void *memory;
    size_t bytes = one_ring(&shapes[kind]);
    enum err err = pages_map(fd, (off_t)(bytes * worker), bytes, true, &memory);
    if (err != ERR_NONE) {
        return err;
    }
    struct ring *ring = calloc(1, sizeof(*ring));
    if (ring == NULL) {
        pages_unmap(memory, bytes);
        return ERR_MEMORY;
    }
    ring->shape = &shapes[kind];
    ring->head = memory;
    ring->bytes = (uint8_t *)memory + page_bytes;
    *out = ring;
    return ERR_NONE;
}

enum err ring_open_producer(enum ring_kind kind, int fd, uint32_t worker, struct ring **out)
{
    enum err err = open_end(kind, fd, worker, out);
    if (err == ERR_NONE) {
        struct ring *ring = *out;
        /* Aligned, whatever the last producer left behind. */
        ring->at =
            (atomic_load_explicit(&ring->head->published, memory_order_relaxed) + ring_align - 1) &
            ~(uint64_t)(ring_align - 1);
        ring->seen = atomic_load_explicit(&ring->head->consumed, memory_order_acquire);
        ring->next = ring->at;
    }
    return err;
}

static void begin_consumer(struct ring *ring)
{
    ring->at = atomic_load_explicit(&ring->head->consumed, memory_order_relaxed);
    ring->seen = ring->at;
    ring->next = ring->at;
}

enum err ring_open_consumer(enum ring_kind kind, int fd, uint32_t worker, struct ring **out)
{
    enum err err = open_end(kind, fd, worker, out);
    if (err == ERR_NONE) {
        begin_consumer(*out);
    }
    return err;
}

enum err ring_open_beside(struct ring *producer, struct ring **out)
{
    struct ring *ring = calloc(1, sizeof(*ring));
    if (ring == NULL) {
        return ERR_MEMORY;
    }
    *ring = (struct ring){.head = producer->head,
                          .bytes = producer->bytes,
                          .shape = producer->shape,
                          .borrowed = true};
    begin_consumer(ring);
    *out = ring;
    return ERR_NONE;
}

void ring_close(struct ring **ring)
{
    if (*ring == NULL) {
        return;
    }
    if (!(*ring)->borrowed) {
        pages_unmap((*ring)->head, one_ring((*ring)->shape));
    }
    free(*ring);
    *ring = NULL;
}

bool ring_wanted(const struct ring *ring)
{
    return atomic_load_explicit(&ring->head->unwanted, memory_order_relaxed) == 0;
}

void ring_want(struct ring *ring, bool wanted)
{
    atomic_store_explicit(&ring->head->unwanted, wanted ? 0 : 1, memory_order_relaxed);
}

static bool has_room(struct ring *ring, uint64_t bytes)
{
    if (ring->at - ring->seen + bytes <= ring->shape->bytes) {
        return true;
    }
    /* Acquire: the consumer has read what we are about to overwrite. */
    ring->seen = atomic_load_explicit(&ring->head->consumed, memory_order_acquire);
    return ring->at - ring->seen + bytes <= ring->shape->bytes;
}

uint8_t *ring_reserve(struct ring *ring, size_t len)
{
    assert(len <= ring->shape->record_bytes_max);
    uint64_t stride = stride_of(len);
    uint64_t to_end = ring->shape->bytes - offset_of(ring, ring->at);
    uint64_t skipped = stride > to_end ? to_end : 0;
    if (!has_room(ring, skipped + stride)) {
        return NULL;
    }
    if (skipped > 0) {
        put_length(ring, ring->at, skip_mark);
    }
    uint64_t start = ring->at + skipped;
    put_length(ring, start, len);
    ring->next = start + stride;
    return ring->bytes + offset_of(ring, start) + length_bytes;
}

void ring_commit(struct ring *ring)
{
    ring->at = ring->next;
    /* Release: who sees the position sees the record. */
    atomic_store_explicit(&ring->head->published, ring->at, memory_order_release);
}

/* No wake-up is lost, because both sides write one word and then read the other's, all
 * four sequentially consistent: here published, then sleeping; in the consumer sleeping
 * (ring_sleep), then published (ring_peek). In the one order that all four have, either
 * our read of sleeping comes after its write, or its read of published after ours.
 * The position is stored a second time, so that a burst of commits pays for that order
 * once. */
bool ring_wants_bell(struct ring *ring)
{
    atomic_store_explicit(&ring->head->published, ring->at, memory_order_seq_cst);
    if (atomic_load_explicit(&ring->head->sleeping, memory_order_seq_cst) == 0) {
        return false;
    }
    return atomic_exchange_explicit(&ring->head->sleeping, 0, memory_order_relaxed) != 0;
}

void ring_ring_bell(struct ring *ring, int bell_fd)
{
    static const uint64_t one = 1;
    if (ring_wants_bell(ring)) {
        /* It cannot fail for being full: each ring adds 1 for each sleep. */
        ssize_t ignored = write(bell_fd, &one, sizeof(one));
        (void)ignored;
    }
}

/* What was published cannot be read: begins anew behind it. */
static bool give_up(struct ring *ring)
{
    ring->at = ring->seen;
    ring->next = ring->at;
    atomic_store_explicit(&ring->head->consumed, ring->at, memory_order_release);
    return false;
}

bool ring_peek(struct ring *ring, struct span *record)
{
    ring->seen = atomic_load_explicit(&ring->head->published, memory_order_seq_cst);
    uint64_t at = ring->at;
    uint64_t used = ring->seen - at;
    while (used > 0) {
        uint64_t to_end = ring->shape->bytes - offset_of(ring, at);
        uint64_t len;
        if (used > ring->shape->bytes || used < length_bytes || at % ring_align != 0) {
            return give_up(ring);
        }
        memcpy(&len, ring->bytes + offset_of(ring, at), sizeof(len));
        if (len == skip_mark && to_end < used && at == ring->at) {
            at += to_end;
            used -= to_end;
            continue;
        }
        if (len > ring->shape->record_bytes_max || stride_of(len) > used ||
            stride_of(len) > to_end) {
            return give_up(ring);
        }
        ring->next = at + stride_of(len);
        *record = span_of(ring->bytes + offset_of(ring, at) + length_bytes, len);
        return true;
    }
    return false;
}

void ring_pop(struct ring *ring)
{
    ring->at = ring->next;
    /* Release: we have read the record before its room is given back. */
    atomic_store_explicit(&ring->head->consumed, ring->at, memory_order_release);
}

void ring_sleep(struct ring *ring)
{
    atomic_store_explicit(&ring->head->sleeping, 1, memory_order_seq_cst);
}

void ring_wake(struct ring *ring)
{
    atomic_store_explicit(&ring->head->sleeping, 0, memory_order_relaxed);
}
