/* SPDX-License-Identifier: MIT */
/* The block while it grows: append and get an offset. Sticky: append freely, test once.
 * What is appended can move when more is appended, so structs are filled outside and
 * copied in. */
#pragma once

#include "compile/compile.h"

#include <stdlib.h>

struct block {
    uint8_t *bytes;
    size_t len;
    size_t cap;
    enum err err; /* the first failure */

    /* Sources of regular expressions, each once. */
    struct snap_ref *regexes;
    size_t regex_count;
    size_t regex_cap;

    /* Strings that were written already, so that equal ones are shared. */
    struct snap_ref *interned;
    size_t interned_count;
    size_t interned_cap; /* a power of two */
};

void block_init(struct block *block);
void block_fini(struct block *block);
/* Room for about so many rules, which then costs no moving; a guess. */
void block_expect(struct block *block, size_t rules);

/* Zeroed, 8-aligned room; its offset, 0 after a failure. */
uint32_t block_reserve(struct block *block, size_t len);
/* Copies len bytes over what was reserved at off. */
void block_write(struct block *block, uint32_t off, const void *bytes, size_t len);

/* A copy, 8-aligned. */
struct snap_ref block_put(struct block *block, struct span bytes);
/* A string; equal strings share their bytes. */
struct snap_ref block_text(struct block *block, struct span text);
/* An array of count items of item_bytes each. */
struct snap_list block_list(struct block *block, const void *items, size_t count,
                            size_t item_bytes);
/* Room for such an array, and one item of it. */
struct snap_list block_array(struct block *block, size_t count, size_t item_bytes);
void block_set(struct block *block, struct snap_list list, size_t index, const void *item,
               size_t item_bytes);
struct snap_list block_texts(struct block *block, const struct span *texts, size_t count);
struct snap_list block_cidrs(struct block *block, const struct cidr *items, size_t count);
struct snap_list block_tests(struct block *block, struct model_tests tests);
/* pattern may be NULL. */
struct snap_pattern block_pattern(struct block *block, const struct pattern *pattern);
