/* SPDX-License-Identifier: MIT */
/* A growing block of bytes, and the small things that are put into it. */
#include "compile/block.h"

#include <xxhash.h>

enum {
    block_first_bytes = 1 << 16,
    interned_first = 1 << 10,
    bytes_of_rule = 1024,
    texts_of_rule = 8, /* half of the places stay empty */
};

void block_init(struct block *block)
{
    *block = (struct block){0};
}

void block_fini(struct block *block)
{
    free(block->bytes);
    free(block->regexes);
    free(block->interned);
    block_init(block);
}

static void fail(struct block *block, enum err err)
{
    if (block->err == ERR_NONE) {
        block->err = err;
    }
}

static bool grow(struct block *block, size_t wanted)
{
    if (wanted > snap_bytes_max) {
        fail(block, ERR_LIMIT);
        return false;
    }
    size_t cap = block->cap == 0 ? block_first_bytes : block->cap;
    while (cap < wanted) {
        cap *= 2;
    }
    uint8_t *bytes = realloc(block->bytes, cap);
    if (bytes == NULL) {
        fail(block, ERR_MEMORY);
        return false;
    }
    memset(bytes + block->cap, 0, cap - block->cap);
    block->bytes = bytes;
    block->cap = cap;
    return true;
}

uint32_t block_reserve(struct block *block, size_t len)
{
    size_t off = (block->len + 7) & ~(size_t)7;
    if (block->err != ERR_NONE || len > snap_bytes_max ||
        (off + len > block->cap && !grow(block, off + len))) {
        fail(block, ERR_LIMIT);
        return 0;
    }
    block->len = off + len;
    return (uint32_t)off;
}

void block_write(struct block *block, uint32_t off, const void *bytes, size_t len)
{
    if (block->err == ERR_NONE && len > 0) {
        memcpy(block->bytes + off, bytes, len);
    }
}

struct snap_ref block_put(struct block *block, struct span bytes)
{
    uint32_t off = block_reserve(block, bytes.len);
    block_write(block, off, bytes.ptr, bytes.len);
    return (struct snap_ref){.off = off, .len = (uint32_t)bytes.len};
}

void block_expect(struct block *block, size_t rules)
{
    size_t wanted = block_first_bytes;
    size_t texts = interned_first;
    while (wanted < rules * bytes_of_rule && wanted < snap_bytes_max) {
        wanted *= 2;
    }
    while (texts < rules * texts_of_rule) {
        texts *= 2;
    }
    uint8_t *bytes = calloc(wanted, 1);
    struct snap_ref *table = calloc(texts, sizeof(*table));
    if (bytes == NULL || table == NULL) {
        free(bytes);
        free(table);
        fail(block, ERR_MEMORY);
        return;
    }
    block->bytes = bytes;
    block->cap = wanted;
    block->interned = table;
    block->interned_cap = texts;
}

static struct span interned_text(const struct block *block, struct snap_ref ref)
{
    return span_of(block->bytes + ref.off, ref.len);
}

/* The place of a text in the table, or of the empty one where it belongs. */
static size_t find_interned(const struct block *block, struct span text)
{
    size_t mask = block->interned_cap - 1;
    size_t at = (size_t)XXH3_64bits(text.ptr, text.len) & mask;
    while (block->interned[at].len > 0 &&
           !span_eq(interned_text(block, block->interned[at]), text)) {
        at = (at + 1) & mask;
    }
    return at;
}

static bool widen_interned(struct block *block)
{
    struct snap_ref *old = block->interned;
    size_t old_cap = block->interned_cap;
    size_t cap = old_cap == 0 ? interned_first : old_cap * 2;
    struct snap_ref *table = calloc(cap, sizeof(*table));
    if (table == NULL) {
        fail(block, ERR_MEMORY);
        return false;
    }
    block->interned = table;
    block->interned_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].len > 0) {
            table[find_interned(block, interned_text(block, old[i]))] = old[i];
        }
    }
    free(old);
    return true;
}

struct snap_ref block_text(struct block *block, struct span text)
{
    if (text.len == 0 || block->err != ERR_NONE) {
        return (struct snap_ref){0};
    }
    if (block->interned_count * 2 >= block->interned_cap && !widen_interned(block)) {
        return (struct snap_ref){0};
    }
    size_t at = find_interned(block, text);
    if (block->interned[at].len == 0) {
        struct snap_ref ref = block_put(block, text);
        if (block->err != ERR_NONE) {
            return (struct snap_ref){0};
        }
        block->interned[at] = ref;
        block->interned_count++;
    }
    return block->interned[at];
}

struct snap_list block_array(struct block *block, size_t count, size_t item_bytes)
{
    if (count == 0) {
        return (struct snap_list){0};
    }
    return (struct snap_list){.off = block_reserve(block, count * item_bytes),
                              .count = (uint32_t)count};
}

void block_set(struct block *block, struct snap_list list, size_t index, const void *item,
               size_t item_bytes)
{
    block_write(block, list.off + (uint32_t)(index * item_bytes), item, item_bytes);
}

struct snap_list block_list(struct block *block, const void *items, size_t count, size_t item_bytes)
{
    struct snap_list list = block_array(block, count, item_bytes);
    block_write(block, list.off, items, count * item_bytes);
    return list;
}

struct snap_list block_texts(struct block *block, const struct span *texts, size_t count)
{
    struct snap_list list = block_array(block, count, sizeof(struct snap_ref));
    for (size_t i = 0; i < count; i++) {
        struct snap_ref ref = block_text(block, texts[i]);
        block_set(block, list, i, &ref, sizeof(ref));
    }
    return list;
}

struct snap_list block_cidrs(struct block *block, const struct cidr *items, size_t count)
{
    return block_list(block, items, count, sizeof(*items));
}

static uint32_t test_kind(const struct model_test *test)
{
    switch (test->kind) {
    case TEST_PRESENT:
        return SNAP_TEST_PRESENT;
    case TEST_ABSENT:
        return SNAP_TEST_ABSENT;
    case TEST_EQUAL:
        break;
    }
    return test->glob ? SNAP_TEST_GLOB : SNAP_TEST_EQUAL;
}

struct snap_list block_tests(struct block *block, struct model_tests tests)
{
    struct snap_list list = block_array(block, tests.count, sizeof(struct snap_test));
    for (size_t i = 0; i < tests.count; i++) {
        struct snap_test test = {.kind = test_kind(&tests.items[i]),
                                 .name = block_text(block, tests.items[i].name),
                                 .value = block_text(block, tests.items[i].value)};
        block_set(block, list, i, &test, sizeof(test));
    }
    return list;
}

static uint32_t regex_index(struct block *block, struct span source)
{
    struct snap_ref ref = block_text(block, source);
    for (size_t i = 0; i < block->regex_count; i++) {
        if (block->regexes[i].off == ref.off) {
            return (uint32_t)i;
        }
    }
    if (block->regex_count == block->regex_cap) {
        size_t cap = block->regex_cap == 0 ? 16 : block->regex_cap * 2;
        struct snap_ref *grown = realloc(block->regexes, cap * sizeof(*grown));
        if (grown == NULL) {
            fail(block, ERR_MEMORY);
            return SNAP_NONE;
        }
        block->regexes = grown;
        block->regex_cap = cap;
    }
    block->regexes[block->regex_count] = ref;
    return (uint32_t)block->regex_count++;
}

struct snap_pattern block_pattern(struct block *block, const struct pattern *pattern)
{
    struct snap_pattern out = {.regex = SNAP_NONE};
    if (pattern != NULL) {
        out.block = block_put(block, span_of(pattern, pattern_size(pattern)));
        struct span regex = pattern_regex(pattern);
        if (regex.len > 0) {
            out.regex = regex_index(block, regex);
        }
    }
    return out;
}
