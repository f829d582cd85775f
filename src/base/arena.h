/* SPDX-License-Identifier: MIT */
/* An arena: allocations that end together. Owner: whoever declared it; not
 * shared between threads. Memory is zeroed and 16-aligned. In an address-sanitizer
 * build each allocation is a malloc of its own, so that an overrun is seen. */
#pragma once

#include "base/span.h"

#include <stdarg.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes of the newest block in use */
    size_t total;               /* bytes handed out since the last reset */
    size_t max;                 /* of total; 0: no bound */
};

/* bytes_max bounds the sum of all allocations; 0 means no bound. */
void arena_init(struct arena *arena, size_t bytes_max);
/* Frees everything; the arena can be used again. */
void arena_fini(struct arena *arena);

/* Takes everything back, and keeps the newest block for what comes next. */
void arena_reset(struct arena *arena);

/* NULL when memory or the bound is exhausted. A size of 0 is allowed. */
void *arena_alloc(struct arena *arena, size_t size);
/* count * size, checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* A copy that is followed by a NUL, which the length does not count.
 * ptr is NULL when memory is exhausted. */
struct span arena_copy(struct arena *arena, struct span bytes);
/* The formatted text, NUL-terminated; NULL when memory is exhausted. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* For growing arrays: returns an array with room for at least count + 1 items,
 * the old ones moved over when *capacity was too small. NULL: no memory, and the
 * old array still stands. */
void *arena_grow(struct arena *arena, void *array, size_t count, size_t *capacity, size_t size);
