/* SPDX-License-Identifier: MIT */
/* Is the file sound? It is read page by page as LMDB 0.9 lays it out: two meta pages, then trees of
 * pages, of which one holds the records and one the numbers of free pages. Each page may be used
 * once, each key must be greater than the one before, and the sums must be those that are written
 * down. Then LMDB finds nothing that could lead it astray. */
#include "client/file.h"

#include "client/memo.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    page_bytes_least = 512,
    page_bytes_most = 65536,
    depth_most = 16,
    key_bytes_most = 511,
    head_bytes = 16, /* of a page */
    node_bytes = 8,  /* of a node, before its key */
    meta_at = head_bytes,
    meta_bytes = 136,
    tree_bytes = 48,
};

#define FILE_BYTES_MOST (UINT64_C(1) << 33)
#define NO_PAGE UINT64_MAX

enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { NODE_BIG = 1 };
enum { TREE_FREE_FLAGS = 8 }; /* keys that are numbers */

struct tree {
    uint64_t depth;
    uint64_t branches;
    uint64_t leaves;
    uint64_t overflows;
    uint64_t entries;
    uint64_t root;
};

struct meta {
    uint32_t page_bytes;
    uint64_t last_page;
    uint64_t number; /* of the transaction */
    struct tree free;
    struct tree records;
};

struct check {
    int fd;
    char *why;
    enum detour_error error;
    struct meta meta;
    uint8_t *used;              /* a bit for each page */
    uint8_t *pages[depth_most]; /* one for each level of a tree */
    uint8_t value[file_number_bytes + memo_bytes_max];
    bool is_free_tree;
    struct tree seen;
    uint8_t last_key[key_bytes_most];
    size_t last_key_len;
    bool any_key;
    /* of the records */
    bool meta_seen;
    struct file_meta file_meta;
    struct file_meta counted;
    uint64_t orders;
    uint64_t pairs; /* what both sides say of number and key; 0 when they say the same */
};

static bool bad(struct check *check, const char *why)
{
    if (check->error == DETOUR_OK) {
        check->error = DETOUR_ERROR_DAMAGED;
        snprintf(check->why, DETOUR_WHY_BYTES, "%s", why);
    }
    return false;
}

static uint64_t number_at(const uint8_t *bytes, size_t at, size_t count)
{
    uint64_t value = 0;
    memcpy(&value, bytes + at, count); /* LMDB writes as the machine does */
    return value;
}

/* ---- meta pages ---- */

static void tree_read(const uint8_t *bytes, struct tree *out)
{
    *out = (struct tree){
        .depth = number_at(bytes, 6, 2),
        .branches = number_at(bytes, 8, 8),
        .leaves = number_at(bytes, 16, 8),
        .overflows = number_at(bytes, 24, 8),
        .entries = number_at(bytes, 32, 8),
        .root = number_at(bytes, 40, 8),
    };
}

static bool meta_parse(struct check *check, const uint8_t page[meta_at + meta_bytes],
                       struct meta *out)
{
    const uint8_t *meta = page + meta_at;
    if ((number_at(page, 10, 2) & PAGE_META) == 0 || number_at(meta, 0, 4) != 0xBEEFC0DE) {
        return bad(check, "it is no file of this kind");
    }
    if (number_at(meta, 4, 4) != 1) {
        return bad(check, "another version of LMDB has written it");
    }
    *out = (struct meta){
        .page_bytes = (uint32_t)number_at(meta, 24, 4),
        .last_page = number_at(meta, 120, 8),
        .number = number_at(meta, 128, 8),
    };
    tree_read(meta + 24, &out->free);
    tree_read(meta + 24 + tree_bytes, &out->records);
    bool flags = (number_at(meta, 28, 2) & 0x7f) == TREE_FREE_FLAGS &&
                 number_at(meta, 24 + tree_bytes + 4, 2) == 0;
    bool size = out->page_bytes >= page_bytes_least && out->page_bytes <= page_bytes_most &&
                (out->page_bytes & (out->page_bytes - 1)) == 0;
    if (!flags || !size || out->last_page < 1 ||
        out->last_page >= FILE_BYTES_MOST / out->page_bytes) {
        return bad(check, "its first pages make no sense");
    }
    return true;
}

static bool read_at(struct check *check, uint64_t at, uint8_t *out, size_t len)
{
    ssize_t got = pread(check->fd, out, len, (off_t)at);
    if (got < 0) {
        check->error = DETOUR_ERROR_IO;
        return false;
    }
    return got == (ssize_t)len || bad(check, "it is shorter than it should be");
}

/* LMDB takes the one with the larger number; the even ones are in the first page. */
static bool metas_read(struct check *check)
{
    uint8_t page[meta_at + meta_bytes];
    struct meta first;
    struct meta second;
    if (!read_at(check, 0, page, sizeof(page)) || !meta_parse(check, page, &first) ||
        !read_at(check, first.page_bytes, page, sizeof(page)) ||
        !meta_parse(check, page, &second)) {
        return false;
    }
    check->meta = first.number >= second.number ? first : second;
    bool numbers = first.number % 2 == 0 || first.number == second.number;
    bool near = first.number == second.number + 1 || second.number == first.number + 1 ||
                (first.number == 0 && second.number == 0);
    if (!numbers || !near || first.page_bytes != second.page_bytes) {
        return bad(check, "its first pages make no sense");
    }
    return true;
}

/* ---- pages ---- */

/* Each page belongs to one thing. */
static bool claim(struct check *check, uint64_t page, uint64_t count)
{
    if (page < 2 || page > check->meta.last_page || count > check->meta.last_page + 1 - page) {
        return bad(check, "a page lies outside of it");
    }
    for (uint64_t i = page; i < page + count; i++) {
        uint8_t bit = (uint8_t)(1 << (i % 8));
        if ((check->used[i / 8] & bit) != 0) {
            return bad(check, "a page is used twice");
        }
        check->used[i / 8] |= bit;
    }
    return true;
}

struct node {
    struct span key;
    uint64_t flags;
    uint64_t child;    /* of a branch */
    uint64_t data_len; /* of a leaf */
    const uint8_t *data;
};

static size_t node_count(const uint8_t *page)
{
    return (size_t)(number_at(page, 12, 2) - head_bytes) / 2;
}

/* False: it does not lie within its page. */
static bool node_read(const struct check *check, const uint8_t *page, size_t index, bool leaf,
                      struct node *out)
{
    size_t page_bytes = check->meta.page_bytes;
    size_t at = number_at(page, head_bytes + 2 * index, 2);
    if (at < number_at(page, 14, 2) || at % 2 != 0 || at + node_bytes > page_bytes) {
        return false;
    }
    size_t key_len = number_at(page, at + 6, 2);
    size_t room = page_bytes - at - node_bytes;
    if (key_len > key_bytes_most || key_len > room) {
        return false;
    }
    *out = (struct node){
        .key = span_of(page + at + node_bytes, key_len),
        .flags = number_at(page, at + 4, 2),
        .child = number_at(page, at, 4) | number_at(page, at + 4, 2) << 32,
        .data_len = number_at(page, at, 4),
        .data = page + at + node_bytes + key_len,
    };
    size_t data_len = (out->flags & NODE_BIG) != 0 ? sizeof(uint64_t) : out->data_len;
    return !leaf || (out->flags <= NODE_BIG && data_len <= room - key_len);
}

/* Keys that are numbers are compared as such. */
static int key_compare(const struct check *check, struct span a, struct span b)
{
    if (check->is_free_tree) {
        uint64_t number_a = number_at(a.ptr, 0, 8);
        uint64_t number_b = number_at(b.ptr, 0, 8);
        return (number_a > number_b) - (number_a < number_b);
    }
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool key_is_next(struct check *check, struct span key, bool or_same)
{
    if (key.len == 0 || (check->is_free_tree && key.len != sizeof(uint64_t))) {
        return bad(check, "a key is wrong");
    }
    if (check->any_key) {
        int order = key_compare(check, key, span_of(check->last_key, check->last_key_len));
        if (order < 0 || (order == 0 && !or_same)) {
            return bad(check, "its keys are in disorder");
        }
    }
    memcpy(check->last_key, key.ptr, key.len);
    check->last_key_len = key.len;
    check->any_key = true;
    return true;
}

/* ---- values ---- */

/* The numbers of free pages: how many, then they, falling. */
static bool free_value(struct check *check, const uint8_t *data, uint64_t len)
{
    uint64_t count = len >= 8 ? number_at(data, 0, 8) : UINT64_MAX;
    uint64_t above = NO_PAGE;
    if (len % 8 != 0 || count >= len / 8) {
        return bad(check, "its free pages are listed wrongly");
    }
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t page = number_at(data, 8 * i, 8);
        if (page >= above || !claim(check, page, 1)) {
            return bad(check, "its free pages are listed wrongly");
        }
        above = page;
    }
    return true;
}

static bool meta_value(struct check *check, struct span value)
{
    uint32_t format;
    if (!file_meta_format(value, &format)) {
        return bad(check, "it does not say its format");
    }
    if (format > file_format) {
        check->error = DETOUR_ERROR_NEWER;
        snprintf(check->why, DETOUR_WHY_BYTES, "its format is %u, and this library knows %d",
                 format, file_format);
        return false;
    }
    check->meta_seen = true;
    return file_meta_decode(value, &check->file_meta) || bad(check, "its sums are damaged");
}

/* A record knows its number, and under that number stands its key. */
static void pair_take(struct check *check, const uint8_t number[file_number_bytes],
                      const uint8_t key[file_key_bytes])
{
    uint8_t pair[file_number_bytes + file_key_bytes];
    memcpy(pair, number, file_number_bytes);
    memcpy(pair + file_number_bytes, key, file_key_bytes);
    check->pairs ^= hash_bytes(span_of(pair, sizeof(pair)), 0);
}

static bool order_value(struct check *check, struct span key, struct span value)
{
    uint8_t number[file_number_bytes];
    if (value.len != file_key_bytes) {
        return bad(check, "a record is damaged");
    }
    for (size_t i = 0; i < file_number_bytes; i++) {
        number[i] = key.ptr[file_order_bytes - 1 - i];
    }
    if (file_number(number) >= check->file_meta.next) {
        return bad(check, "a record is damaged");
    }
    check->orders++;
    pair_take(check, number, value.ptr);
    return true;
}

static bool record_value(struct check *check, struct span key, struct span value)
{
    static_assert(sizeof(struct memo) < 32768, "on the stack");
    struct memo record;
    uint8_t wanted[file_key_bytes];
    if (value.len < file_number_bytes ||
        !memo_decode(span_from(value, file_number_bytes), &record)) {
        return bad(check, "a record is damaged");
    }
    file_key(record.url, wanted);
    if (!span_eq(key, span_of(wanted, sizeof(wanted)))) {
        return bad(check, "a record stands where another belongs");
    }
    check->counted.count++;
    check->counted.bytes += value.len;
    pair_take(check, value.ptr, key.ptr);
    return true;
}

/* The first key is that of the meta record: 'm' comes before 'o' and 'u'. */
static bool any_value(struct check *check, struct span key, struct span value)
{
    if (key.len == 1 && key.ptr[0] == 'm') {
        return meta_value(check, value);
    }
    if (!check->meta_seen) {
        return bad(check, "it does not say its format");
    }
    if (key.len == file_order_bytes && key.ptr[0] == 'o') {
        return order_value(check, key, value);
    }
    if (key.len == file_key_bytes && key.ptr[0] == 'u') {
        return record_value(check, key, value);
    }
    return bad(check, "it holds what does not belong there");
}

/* The pages of one large value. */
static bool overflow_read(struct check *check, uint64_t page, uint64_t len, uint8_t *out)
{
    uint8_t head[head_bytes];
    uint64_t page_bytes = check->meta.page_bytes;
    uint64_t count = (head_bytes - 1 + len) / page_bytes + 1;
    if (!claim(check, page, count) || !read_at(check, page * page_bytes, head, sizeof(head))) {
        return false;
    }
    if (number_at(head, 0, 8) != page || number_at(head, 10, 2) != PAGE_OVERFLOW ||
        number_at(head, 12, 4) != count) {
        return bad(check, "a page is not what it should be");
    }
    check->seen.overflows += count;
    return read_at(check, page * page_bytes + head_bytes, out, len);
}

static bool value_check(struct check *check, struct span key, const uint8_t *data, uint64_t len)
{
    return check->is_free_tree ? free_value(check, data, len)
                               : any_value(check, key, span_of(data, len));
}

static bool big_value(struct check *check, const struct node *node)
{
    uint64_t page = number_at(node->data, 0, 8);
    if (!check->is_free_tree && node->data_len > sizeof(check->value)) {
        return bad(check, "a record is damaged");
    }
    if (node->data_len > FILE_BYTES_MOST / 8) {
        return bad(check, "its free pages are listed wrongly");
    }
    uint8_t *heap = NULL;
    if (check->is_free_tree) {
        heap = malloc(node->data_len + 1);
        if (heap == NULL) {
            check->error = DETOUR_ERROR_MEMORY;
            return false;
        }
    }
    uint8_t *value = heap != NULL ? heap : check->value;
    bool good = overflow_read(check, page, node->data_len, value) &&
                value_check(check, node->key, value, node->data_len);
    free(heap);
    return good;
}

/* ---- trees ---- */

static bool leaf_check(struct check *check, const uint8_t *page)
{
    check->seen.leaves++;
    for (size_t i = 0; i < node_count(page); i++) {
        struct node node;
        if (!node_read(check, page, i, true, &node)) {
            return bad(check, "a page is not what it should be");
        }
        check->seen.entries++;
        if (!key_is_next(check, node.key, i == 0)) {
            return false;
        }
        bool good = (node.flags & NODE_BIG) != 0
                        ? big_value(check, &node)
                        : value_check(check, node.key, node.data, node.data_len);
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool page_read(struct check *check, uint64_t number, size_t level, bool leaf)
{
    uint8_t *page = check->pages[level];
    size_t page_bytes = check->meta.page_bytes;
    if (!claim(check, number, 1) || !read_at(check, number * page_bytes, page, page_bytes)) {
        return false;
    }
    uint64_t lower = number_at(page, 12, 2);
    uint64_t upper = number_at(page, 14, 2);
    uint64_t kind = leaf ? PAGE_LEAF : PAGE_BRANCH;
    bool good = number_at(page, 0, 8) == number && number_at(page, 10, 2) == kind &&
                lower % 2 == 0 && lower > head_bytes && lower <= upper && upper <= page_bytes &&
                (leaf || node_count(page) >= 2);
    return good || bad(check, "a page is not what it should be");
}

/* The first key of a branch means nothing: whatever is smaller than the second goes there. The
 * others are at most the first of what lies below them. */
static bool tree_check(struct check *check, uint64_t number, size_t level, size_t depth)
{
    bool leaf = level + 1 == depth;
    if (!page_read(check, number, level, leaf)) {
        return false;
    }
    const uint8_t *page = check->pages[level];
    if (leaf) {
        return leaf_check(check, page);
    }
    check->seen.branches++;
    for (size_t i = 0; i < node_count(page); i++) {
        struct node node;
        if (!node_read(check, page, i, false, &node)) {
            return bad(check, "a page is not what it should be");
        }
        if ((i > 0 && !key_is_next(check, node.key, false)) ||
            !tree_check(check, node.child, level + 1, depth)) {
            return false;
        }
    }
    return true;
}

static bool tree_agrees(const struct tree *a, const struct tree *b)
{
    return a->branches == b->branches && a->leaves == b->leaves && a->overflows == b->overflows &&
           a->entries == b->entries;
}

static bool whole_tree(struct check *check, const struct tree *tree, bool is_free_tree)
{
    check->is_free_tree = is_free_tree;
    check->seen = (struct tree){0};
    check->any_key = false;
    if (tree->root == NO_PAGE) {
        return tree_agrees(tree, &check->seen) || bad(check, "its pages are counted wrongly");
    }
    if (tree->depth == 0 || tree->depth > depth_most) {
        return bad(check, "its pages are counted wrongly");
    }
    if (!tree_check(check, tree->root, 0, tree->depth)) {
        return false;
    }
    return tree_agrees(tree, &check->seen) || bad(check, "its pages are counted wrongly");
}

static bool sums_agree(struct check *check)
{
    bool good = !check->meta_seen || (check->counted.count == check->file_meta.count &&
                                      check->counted.bytes == check->file_meta.bytes &&
                                      check->orders == check->file_meta.count && check->pairs == 0);
    return good || bad(check, "a record is missing");
}

static bool memory_take(struct check *check)
{
    check->used = calloc(1, check->meta.last_page / 8 + 1);
    bool good = check->used != NULL;
    for (size_t i = 0; i < depth_most && good; i++) {
        check->pages[i] = malloc(check->meta.page_bytes);
        good = check->pages[i] != NULL;
    }
    if (!good) {
        check->error = DETOUR_ERROR_MEMORY;
    }
    return good;
}

enum detour_error file_check(int fd, char *why)
{
    struct check *check = calloc(1, sizeof(*check));
    if (check == NULL) {
        return DETOUR_ERROR_MEMORY;
    }
    check->fd = fd;
    check->why = why;
    bool good = metas_read(check) && memory_take(check) &&
                whole_tree(check, &check->meta.free, true) &&
                whole_tree(check, &check->meta.records, false) && sums_agree(check);
    enum detour_error error = good ? DETOUR_OK : check->error;
    for (size_t i = 0; i < depth_most; i++) {
        free(check->pages[i]);
    }
    free(check->used);
    free(check);
    return error;
}
