/* SPDX-License-Identifier: MIT */
/* Keys: what a key file may hold, and the block that workers get. */
#include "signing/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define K32 "0123456789abcdef0123456789ABCDE+"
#define K128 K32 K32 K32 K32

static void the_first_line_signs(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *key; /* NULL: refused */
        const char *why; /* a part of it */
    } rows[] = {
        {.text = K32, .key = K32},
        {.text = K32 "\n", .key = K32},
        {.text = K32 "!\n" K32 "\n", .key = K32 "!"},
        {.text = K32 "!\n" K32, .key = K32 "!"},
        {.text = K128 "\n", .key = K128},
        {.text = "", .why = "empty"},
        {.text = "\n", .why = "at least 32"},
        {.text = "0123456789abcdef0123456789abcde\n", .why = "at least 32"},
        {.text = K128 "x\n", .why = "at most 128"},
        {.text = K32 "\nshort\n", .why = "at least 32"},
        {.text = K32 "\n\n", .why = "at least 32"},
        {.text = K32 "\n" K32 "\n" K32 "\n", .why = "more than two"},
        {.text = K32 "\r\n", .why = "visible"},
        {.text = K32 " \n", .why = "visible"},
        {.text = " " K32 "\n", .why = "visible"},
        {.text = K32 "\x7f\n", .why = "visible"},
        {.text = K32 "\xc3\xa4\n", .why = "visible"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct signing_key key = {.len = 7};
        const char *why = signing_key_read(span_cstr(rows[i].text), &key);
        if (rows[i].key == NULL) {
            assert_non_null(why);
            assert_non_null(strstr(why, rows[i].why));
            assert_int_equal(key.len, 7);
            continue;
        }
        assert_null(why);
        assert_true(span_eq(span_of(key.bytes, key.len), span_cstr(rows[i].key)));
    }
    struct signing_key key;
    assert_non_null(signing_key_read(span_of(K32 "\0", 33), &key));
}

static struct signing_key key_of(uint64_t id)
{
    struct signing_key key = {.id = id, .len = signing_key_bytes_min};
    memset(key.bytes, (int)(id & 0xff), key.len);
    return key;
}

static void a_block_finds_its_keys(void **state)
{
    (void)state;
    static const uint64_t ids[] = {500, 3, UINT64_MAX, 3, 0, 77};
    enum { count = sizeof(ids) / sizeof(*ids), different = count - 1 };
    struct signing_key keys[count];
    for (size_t i = 0; i < count; i++) {
        keys[i] = key_of(ids[i]);
    }
    void *room = malloc(signing_keys_bytes(count));
    const struct signing_keys *made = signing_keys_make(room, keys, count);
    assert_int_equal(made->count, different);
    const struct signing_keys *opened =
        signing_keys_open(span_of(made, signing_keys_bytes(made->count)));
    assert_ptr_equal(opened, made);
    for (size_t i = 0; i < count; i++) {
        const struct signing_key *found = signing_keys_find(opened, ids[i]);
        assert_non_null(found);
        assert_memory_equal(found, &keys[i], sizeof(*found));
        assert_null(signing_keys_find(opened, ids[i] ^ 0x100));
    }
    assert_null(signing_keys_find(NULL, 3));
    free(room);
}

static void no_keys_are_a_block_too(void **state)
{
    (void)state;
    uint64_t room[2];
    const struct signing_keys *made = signing_keys_make(room, NULL, 0);
    assert_ptr_equal(signing_keys_open(span_of(made, signing_keys_bytes(0))), made);
    assert_null(signing_keys_find(made, 0));
}

static void what_is_no_block_is_refused(void **state)
{
    (void)state;
    const struct signing_key keys[] = {key_of(1), key_of(2)};
    enum { bytes = sizeof(struct signing_keys) + sizeof(keys) };
    uint64_t room[bytes / sizeof(uint64_t)];
    struct signing_keys *made = signing_keys_make(room, keys, 2);
    for (size_t len = 0; len < bytes; len++) {
        assert_null(signing_keys_open(span_of(room, len)));
    }
    assert_non_null(signing_keys_open(span_of(room, bytes)));
    made->keys[1].id = 1;
    assert_null(signing_keys_open(span_of(room, bytes)));
    made->keys[1] = key_of(2);
    made->keys[1].len = signing_key_bytes_max + 1;
    assert_null(signing_keys_open(span_of(room, bytes)));
    made->keys[1].len = signing_key_bytes_min - 1;
    assert_null(signing_keys_open(span_of(room, bytes)));
    made->keys[1].len = signing_key_bytes_max;
    assert_non_null(signing_keys_open(span_of(room, bytes)));
    made->count = UINT32_MAX;
    assert_null(signing_keys_open(span_of(room, bytes)));
    made->count = 2;
    made->magic ^= 1;
    assert_null(signing_keys_open(span_of(room, bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_signs),
        cmocka_unit_test(a_block_finds_its_keys),
        cmocka_unit_test(no_keys_are_a_block_too),
        cmocka_unit_test(what_is_no_block_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
