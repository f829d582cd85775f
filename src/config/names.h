/* SPDX-License-Identifier: MIT */
/* A hash table from names to numbers, for what must be unique or is referred to. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

enum { names_max = 1 << 26 };

struct names_slot {
    struct span name; /* ptr NULL: free */
    uint32_t value;
};

/* Zeroed memory with an arena is an empty table. The names stay with the caller. */
struct names {
    struct arena *arena;
    struct names_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* ERR_RANGE: the name is there already; its value is in *value_old, nothing was changed. */
enum err names_add(struct names *names, struct span name, uint32_t value, uint32_t *value_old);
bool names_find(const struct names *names, struct span name, uint32_t *value_out);
