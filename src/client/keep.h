/* SPDX-License-Identifier: MIT */
/* Where a store keeps its records, one for each URL: in memory, or in a file. What was put longest
 * ago goes when there are too many. Not locked: the store does that. */
#pragma once

#include <detour/store.h>

#include "base/buffer.h"

enum keep_answer { KEEP_GO_ON, KEEP_REMOVE, KEEP_STOP };
typedef enum keep_answer keep_visit_fn(void *context, struct span record);

struct keep;

struct keep_methods {
    /* Appends the record to out; found tells whether there is one. */
    enum detour_error (*find)(struct keep *keep, struct span url, struct buffer *out, bool *found);
    /* record: at most memo_bytes_max. */
    enum detour_error (*put)(struct keep *keep, struct span url, struct span record);
    /* No error when there is none. */
    enum detour_error (*remove)(struct keep *keep, struct span url);
    enum detour_error (*clear)(struct keep *keep);
    enum detour_error (*count)(struct keep *keep, size_t *out);
    enum detour_error (*walk)(struct keep *keep, keep_visit_fn *visit, void *context);
    void (*free)(struct keep *keep);
};

struct keep {
    const struct keep_methods *methods;
    size_t entries_max;
    uint64_t bytes_max;
};

/* NULL: no memory. */
struct keep *memory_new(size_t entries_max, uint64_t bytes_max);
/* Errors as of detour_store_open. why has room for DETOUR_WHY_BYTES. */
enum detour_error file_new(const char *path, size_t entries_max, uint64_t bytes_max, char *why,
                           struct keep **out);
