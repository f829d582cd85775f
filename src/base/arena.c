/* SPDX-License-Identifier: MIT */
/* Blocks that double in size; the newest one is carved from the front. */
#include "base/arena.h"

#include "base/sanitizer.h"

#include <stdio.h>
#include <stdlib.h>

enum { block_bytes_min = 4096, block_bytes_max = 1 << 20, alignment = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(alignment) uint8_t bytes[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.max = bytes_max};
}

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena_init(arena, arena->max);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *newest = arena->blocks;
    if (ADDRESS_SANITIZED || newest == NULL) {
        arena_fini(arena);
        return;
    }
    arena->blocks = newest->next;
    size_t used = arena->used;
    arena_fini(arena);
    memset(newest->bytes, 0, used);
    newest->next = NULL;
    arena->blocks = newest;
}

static struct arena_block *block_push(struct arena *arena, size_t size)
{
    struct arena_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL) {
        return NULL;
    }
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
    return block;
}

static size_t block_size_for(const struct arena *arena, size_t size)
{
    if (ADDRESS_SANITIZED) {
        return size;
    }
    size_t wanted = arena->blocks != NULL ? arena->blocks->size * 2 : block_bytes_min;
    wanted = wanted > block_bytes_max ? block_bytes_max : wanted;
    return wanted > size ? wanted : size;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2 || (arena->max != 0 && size > arena->max - arena->total)) {
        return NULL;
    }
    size_t rounded = (size + alignment - 1) & ~(size_t)(alignment - 1);
    size_t taken = ADDRESS_SANITIZED ? size : rounded;
    struct arena_block *block = arena->blocks;
    if (ADDRESS_SANITIZED || block == NULL || block->size - arena->used < taken) {
        block = block_push(arena, block_size_for(arena, taken));
        if (block == NULL) {
            return NULL;
        }
    }
    void *memory = block->bytes + arena->used;
    arena->used += taken;
    arena->total += size;
    return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    return arena_alloc(arena, count * size);
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.len + 1);
    if (copy == NULL) {
        return (struct span){0};
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    return span_of(copy, bytes.len);
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)length + 1, format, args);
    }
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

void *arena_grow(struct arena *arena, void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    size_t wanted = *capacity < 8 ? 8 : *capacity * 2;
    void *grown = arena_array(arena, wanted, size);
    if (grown == NULL) {
        return NULL;
    }
    if (count > 0) {
        memcpy(grown, array, count * size);
    }
    *capacity = wanted;
    return grown;
}
