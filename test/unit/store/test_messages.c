/* SPDX-License-Identifier: MIT */
/* Marks and messages: kept, given back, forgotten; and a store of the format before them. */
#include "fixture.h"

#include <lmdb.h>
#include <stdio.h>

#define ASSERT_TEXT(span, text) assert_true(span_eq(span, span_cstr(text)))

static struct store_message message(const char *id, const char *content)
{
    return (struct store_message){.number = 99,
                                  .created_ns = 1790000000000000000,
                                  .url = SPAN("https://ops.example.com/hook"),
                                  .id = span_cstr(id),
                                  .content = span_cstr(content)};
}

static void they_are_kept(void **state)
{
    struct fixture *f = *state;
    struct store_mark *marks;
    struct store_message *messages;
    size_t count = 0;
    const struct store_mark two[] = {{SPAN("shop/b"), SPAN("one")}, {SPAN("shop/a"), SPAN("two")}};
    struct store_message out[] = {message("evt_1", "{}"), message("evt_2", "{\"a\":1}")};
    fixture_open(f);
    assert_int_equal(store_tell(f->store, two, 2, out, 2), ERR_NONE);
    assert_int_equal(out[0].number, 1);
    assert_int_equal(out[1].number, 2);
    fixture_reopen(f);
    assert_int_equal(store_marks(f->store, &f->arena, &marks, &count), ERR_NONE);
    assert_int_equal(count, 2);
    ASSERT_TEXT(marks[0].key, "shop/a");
    ASSERT_TEXT(marks[0].value, "two");
    assert_int_equal(store_messages(f->store, &f->arena, &messages, &count), ERR_NONE);
    assert_int_equal(count, 2);
    assert_int_equal(messages[1].number, 2);
    assert_int_equal(messages[1].created_ns, 1790000000000000000);
    ASSERT_TEXT(messages[1].url, "https://ops.example.com/hook");
    ASSERT_TEXT(messages[1].id, "evt_2");
    ASSERT_TEXT(messages[1].content, "{\"a\":1}");
}

static void they_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct store_mark *marks;
    struct store_message *messages;
    size_t count = 0;
    const struct store_mark both[] = {{SPAN("shop/a"), SPAN("one")}, {SPAN("shop/b"), SPAN("two")}};
    const struct store_mark gone[] = {{.key = SPAN("shop/a")}, {.key = SPAN("never/there")}};
    struct store_message out[] = {message("evt_1", "1"), message("evt_2", "2"),
                                  message("evt_3", "3")};
    const uint64_t numbers[] = {77, 1, 3};
    fixture_open(f);
    assert_int_equal(store_tell(f->store, both, 2, out, 3), ERR_NONE);
    assert_int_equal(store_tell(f->store, gone, 2, NULL, 0), ERR_NONE);
    assert_int_equal(store_messages_forget(f->store, numbers, 3), ERR_NONE);
    fixture_reopen(f);
    assert_int_equal(store_marks(f->store, &f->arena, &marks, &count), ERR_NONE);
    assert_int_equal(count, 1);
    ASSERT_TEXT(marks[0].key, "shop/b");
    assert_int_equal(store_messages(f->store, &f->arena, &messages, &count), ERR_NONE);
    assert_int_equal(count, 1);
    ASSERT_TEXT(messages[0].id, "evt_2");
    assert_int_equal(store_tell(f->store, NULL, 0, out, 1), ERR_NONE);
    assert_int_equal(out[0].number, 3);
}

static void all_or_nothing(void **state)
{
    static char large[store_content_bytes_max + 2];
    struct fixture *f = *state;
    struct store_mark *marks;
    size_t count = 77;
    const struct store_mark good = {SPAN("shop/a"), SPAN("one")};
    const struct store_mark unnamed = {SPAN(""), SPAN("one")};
    memset(large, 'x', sizeof(large) - 1);
    struct store_message out[] = {message("evt_1", "1"), message("evt_2", large)};
    fixture_open(f);
    assert_int_equal(store_tell(f->store, &good, 1, out, 2), ERR_RANGE);
    assert_int_equal(store_tell(f->store, &unnamed, 1, NULL, 0), ERR_RANGE);
    assert_int_equal(store_marks(f->store, &f->arena, &marks, &count), ERR_NONE);
    assert_int_equal(count, 0);
    large[store_content_bytes_max] = 0;
    out[1].content = span_cstr(large);
    assert_int_equal(store_tell(f->store, &good, 1, out, 2), ERR_NONE);
}

/* What format 1 was: the same without two tables. */
static void make_old(const struct fixture *f)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    uint8_t format[4] = {1, 0, 0, 0};
    MDB_val key = {6, "format"};
    MDB_val value = {4, format};
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 8);
    assert_int_equal(mdb_env_open(env, f->file, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &table), 0);
    assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
    assert_int_equal(mdb_dbi_open(txn, "marks", 0, &table), 0);
    assert_int_equal(mdb_drop(txn, table, 1), 0);
    assert_int_equal(mdb_dbi_open(txn, "messages", 0, &table), 0);
    assert_int_equal(mdb_drop(txn, table, 1), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void an_older_format_is_made_new(void **state)
{
    struct fixture *f = *state;
    struct store_override item;
    struct store_message out = message("evt_1", "1");
    const struct store_mark mark = {SPAN("shop/a"), SPAN("one")};
    fixture_open(f);
    apply_one(f, change_set("shop/checkout", "{\"a\":1}", 42));
    store_close(&f->store);
    make_old(f);
    fixture_open(f);
    assert_true(fixture_find(f, "shop/checkout", &item));
    assert_int_equal(store_tell(f->store, &mark, 1, &out, 1), ERR_NONE);
    fixture_reopen(f);
    assert_true(fixture_find(f, "shop/checkout", &item));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(they_are_kept),
        IN_FOLDER(they_are_forgotten),
        IN_FOLDER(all_or_nothing),
        IN_FOLDER(an_older_format_is_made_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
