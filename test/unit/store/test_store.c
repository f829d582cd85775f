/* SPDX-License-Identifier: MIT */
/* What the store keeps and gives back: overrides, history, secrets, tokens, bounds. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define ASSERT_TEXT(span, text) assert_true(span_eq(span, span_cstr(text)))

/* ---- the merge rule ---- */

static void merge_follows_the_table(void **state)
{
    static const struct {
        const char *why;
        enum store_kind kind;
        uint64_t stanza;
        uint64_t now;
        enum store_verdict verdict;
    } rows[] = {
        {"set above a stanza that is as it was", STORE_SET, 7, 7, STORE_STANDS},
        {"set above a stanza that was edited", STORE_SET, 7, 8, STORE_DROPPED},
        {"set above a stanza that was taken out", STORE_SET, 7, 0, STORE_DROPPED},
        {"set without a stanza", STORE_SET, 0, 0, STORE_STANDS},
        {"set, and the file has one by now", STORE_SET, 0, 7, STORE_DROPPED},
        {"off, and a reload resurrects nothing", STORE_OFF, 7, 7, STORE_STANDS},
        {"off, and the stanza was edited", STORE_OFF, 7, 8, STORE_DROPPED},
        {"off, and the stanza was taken out", STORE_OFF, 7, 0, STORE_DROPPED},
        {"off without anything", STORE_OFF, 0, 0, STORE_DROPPED},
        {"off without anything, and the file has one", STORE_OFF, 0, 7, STORE_DROPPED},
        {"nothing", STORE_NONE, 0, 0, STORE_DROPPED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct store_value value = {.kind = rows[i].kind, .stanza = rows[i].stanza};
        if (store_merge(&value, rows[i].now) != rows[i].verdict) {
            fail_msg("%s", rows[i].why);
        }
    }
}

/* ---- changes ---- */

static void a_change_is_kept_with_all_it_says(void **state)
{
    struct fixture *f = *state;
    struct store_override item;
    struct store_change kept;
    fixture_open(f);
    assert_int_equal(apply_one(f, change_set("shop/checkout", "{\"a\":1}", 42)), 1);
    fixture_reopen(f);
    assert_true(fixture_find(f, "shop/checkout", &item));
    ASSERT_TEXT(item.key, "shop/checkout");
    ASSERT_TEXT(item.value.json, "{\"a\":1}");
    assert_int_equal(item.value.kind, STORE_SET);
    assert_int_equal(item.value.stanza, 42);
    assert_int_equal(item.number, 1);
    assert_int_equal(item.created_ns, 1790000000000000000);
    assert_int_equal(store_change_find(f->store, 1, &f->arena, &kept), ERR_NONE);
    assert_int_equal(kept.number, 1);
    assert_int_equal(kept.time_ns, 1790000000000000000);
    assert_int_equal(kept.who.via, STORE_VIA_SOCKET);
    assert_int_equal(kept.who.uid, 1000);
    assert_int_equal(kept.subject, STORE_DETOUR);
    assert_int_equal(kept.cause, STORE_BY_COMMAND);
    ASSERT_TEXT(kept.who.name, "anna");
    ASSERT_TEXT(kept.owner, "payments");
    ASSERT_TEXT(kept.why, "database upgrade");
    ASSERT_TEXT(kept.key, "shop/checkout");
    assert_int_equal(kept.before.kind, STORE_NONE);
    assert_int_equal(kept.after.kind, STORE_SET);
    ASSERT_TEXT(kept.after.json, "{\"a\":1}");
}

/* Set, changed, off, taken away, taken away again: each knows what was before it. */
static void a_change_knows_what_was_before(void **state)
{
    struct fixture *f = *state;
    struct store_override item;
    struct store_change *items;
    size_t count;
    fixture_open(f);
    apply_one(f, change_set("s/d", "1", 5));
    struct store_change later = change_set("s/d", "2", 6);
    later.time_ns++;
    apply_one(f, later);
    assert_true(fixture_find(f, "s/d", &item));
    assert_int_equal(item.changed_ns - item.created_ns, 1);
    assert_int_equal(item.number, 2);
    apply_one(f, change_off("s/d", 6));
    apply_one(f, change_none("s/d"));
    struct store_change revert = change_none("s/d");
    revert.cause = STORE_BY_REVERT;
    revert.reverts = 4;
    apply_one(f, revert);
    assert_false(fixture_find(f, "s/d", &item));
    assert_int_equal(store_history(f->store, 0, 100, &f->arena, &items, &count), ERR_NONE);
    assert_int_equal(count, 5);
    static const struct {
        enum store_kind before, after;
        const char *before_json;
        uint64_t before_stanza;
    } rows[] = {{STORE_NONE, STORE_NONE, "", 0},
                {STORE_OFF, STORE_NONE, "", 6},
                {STORE_SET, STORE_OFF, "2", 6},
                {STORE_SET, STORE_SET, "1", 5},
                {STORE_NONE, STORE_SET, "", 0}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(items[i].number, 5 - i);
        assert_int_equal(items[i].before.kind, rows[i].before);
        assert_int_equal(items[i].after.kind, rows[i].after);
        assert_int_equal(items[i].before.stanza, rows[i].before_stanza);
        ASSERT_TEXT(items[i].before.json, rows[i].before_json);
    }
    assert_int_equal(items[0].cause, STORE_BY_REVERT);
    assert_int_equal(items[0].reverts, 4);
}

static void overrides_come_by_key(void **state)
{
    struct fixture *f = *state;
    struct store_override *items;
    size_t count = 9;
    fixture_open(f);
    assert_int_equal(store_overrides(f->store, &f->arena, &items, &count), ERR_NONE);
    assert_int_equal(count, 0);
    apply_one(f, change_set("b/x", "1", 0));
    apply_one(f, change_set("a/y", "2", 0));
    apply_one(f, change_off("a/x", 3));
    assert_int_equal(store_overrides(f->store, &f->arena, &items, &count), ERR_NONE);
    assert_int_equal(count, 3);
    ASSERT_TEXT(items[0].key, "a/x");
    ASSERT_TEXT(items[1].key, "a/y");
    ASSERT_TEXT(items[2].key, "b/x");
    assert_int_equal(items[0].value.kind, STORE_OFF);
}

static void a_batch_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t first = 77;
    fixture_open(f);
    apply_one(f, change_set("s/before", "1", 0));
    uint64_t digest = fixture_digest(f);
    struct store_change batch[] = {change_set("s/a", "1", 0), change_set("s/a", "2", 0),
                                   change_set("", "3", 0)};
    assert_int_equal(store_apply(f->store, batch, 3, &first), ERR_RANGE);
    assert_int_equal(first, 77);
    assert_true(fixture_digest(f) == digest);
    assert_int_equal(store_apply(f->store, batch, 2, &first), ERR_NONE);
    assert_int_equal(first, 2);
    struct store_change kept;
    assert_int_equal(store_change_find(f->store, 3, &f->arena, &kept), ERR_NONE);
    ASSERT_TEXT(kept.before.json, "1");
    ASSERT_TEXT(kept.after.json, "2");
    assert_int_equal(store_change_find(f->store, 4, &f->arena, &kept), ERR_NOTFOUND);
}

static void texts_are_bounded(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(store_value_bytes_max + 2);
    uint64_t number;
    memset(text, 'x', store_value_bytes_max + 1);
    text[store_value_bytes_max + 1] = '\0';
    fixture_open(f);
    const struct {
        size_t offset;
        size_t max;
    } rows[] = {{offsetof(struct store_change, key), store_key_bytes_max},
                {offsetof(struct store_change, owner), store_name_bytes_max},
                {offsetof(struct store_change, why), store_why_bytes_max},
                {offsetof(struct store_change, who.name), store_name_bytes_max},
                {offsetof(struct store_change, after.json), store_value_bytes_max}};
    struct store_change largest = change_set("s/d", "1", 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct store_change one = change_set("s/d", "1", 0);
        memcpy((char *)&one + rows[i].offset, &(struct span){(uint8_t *)text, rows[i].max + 1},
               sizeof(struct span));
        assert_int_equal(store_apply(f->store, &one, 1, &number), ERR_RANGE);
        memcpy((char *)&largest + rows[i].offset, &(struct span){(uint8_t *)text, rows[i].max},
               sizeof(struct span));
    }
    apply_one(f, largest);
    apply_one(f, largest); /* with the largest before, too */
    fixture_reopen(f);
    struct store_change kept;
    assert_int_equal(store_change_find(f->store, 2, &f->arena, &kept), ERR_NONE);
    assert_int_equal(kept.before.json.len, store_value_bytes_max);
    assert_int_equal(kept.key.len, store_key_bytes_max);
    struct store_change empty = change_set("s/e", "", 0);
    assert_int_equal(store_apply(f->store, &empty, 1, &number), ERR_RANGE);
    assert_int_equal(store_apply(f->store, &empty, 0, &number), ERR_RANGE);
    free(text);
}

/* ---- many ---- */

struct many {
    struct store_change *changes;
    char (*keys)[32];
    char *text;
};

static struct many many_new(size_t count, size_t bytes, size_t first_key)
{
    struct many many = {.changes = calloc(count, sizeof(*many.changes)),
                        .keys = calloc(count, sizeof(*many.keys)),
                        .text = malloc(bytes + 1)};
    memset(many.text, 'x', bytes);
    many.text[bytes] = '\0';
    for (size_t i = 0; i < count; i++) {
        snprintf(many.keys[i], sizeof(many.keys[i]), "s/%zu", first_key + i);
        many.changes[i] = change_set(many.keys[i], many.text, 0);
    }
    return many;
}

static void many_free(struct many *many)
{
    free(many->changes);
    free(many->keys);
    free(many->text);
}

/* Far more than fits the map that it begins with. */
static void it_grows(void **state)
{
    struct fixture *f = *state;
    struct store_override *items;
    size_t count;
    uint64_t number;
    fixture_open(f);
    for (size_t i = 0; i < 3; i++) {
        struct many many = many_new(100, 60000, 100 * i);
        assert_int_equal(store_apply(f->store, many.changes, 100, &number), ERR_NONE);
        assert_int_equal(number, 100 * i + 1);
        many_free(&many);
    }
    fixture_reopen(f);
    assert_int_equal(store_overrides(f->store, &f->arena, &items, &count), ERR_NONE);
    assert_int_equal(count, 300);
    apply_one(f, change_none("s/0"));
}

static void overrides_are_bounded_in_sum(void **state)
{
    struct fixture *f = *state;
    uint64_t number;
    size_t held = 0;
    fixture_open(f);
    enum err err = ERR_NONE;
    while (err == ERR_NONE) {
        struct many many = many_new(200, store_value_bytes_max, held);
        err = store_apply(f->store, many.changes, 200, &number);
        held += err == ERR_NONE ? 200 : 0;
        many_free(&many);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_int_equal(held, 400); /* 512 would be 32 MiB without their frames */
    apply_one(f, change_none("s/1"));
    fixture_reopen(f);
    struct many many = many_new(store_batch_max + 1, 1, 0);
    assert_int_equal(store_apply(f->store, many.changes, store_batch_max + 1, &number), ERR_LIMIT);
    many_free(&many);
}

/* Pages of every size show all that is kept, once; the oldest are forgotten. */
static void history_is_paged_and_forgets(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;
    fixture_open(f);
    struct many many = many_new(4000, 10, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(store_apply(f->store, many.changes, 4000, &number), ERR_NONE);
    }
    many_free(&many);
    uint64_t expected = 12000;
    uint64_t below = 0;
    for (;;) {
        struct store_change *items;
        size_t count;
        assert_int_equal(
            store_history(f->store, below, below == 0 ? 7 : 5000, &f->arena, &items, &count),
            ERR_NONE);
        if (count == 0) {
            break;
        }
        assert_true(count <= store_page_max);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(items[i].number, expected--);
        }
        below = items[count - 1].number;
        arena_fini(&f->arena);
    }
    assert_int_equal(expected, 12000 - store_history_max);
    struct store_change kept;
    assert_int_equal(store_change_find(f->store, 2000, &f->arena, &kept), ERR_NOTFOUND);
    assert_int_equal(store_change_find(f->store, 2001, &f->arena, &kept), ERR_NONE);
    fixture_reopen(f);
    assert_int_equal(apply_one(f, change_none("s/1")), 12001);
}

/* All that are kept, read in pages that are not too large. */
static size_t count_in_pages(struct fixture *f)
{
    uint64_t below = 0;
    size_t total = 0;
    size_t count;
    do {
        struct store_change *items;
        size_t bytes = 0;
        assert_int_equal(store_history(f->store, below, store_page_max, &f->arena, &items, &count),
                         ERR_NONE);
        for (size_t i = 0; i < count; i++) {
            bytes += items[i].before.json.len + items[i].after.json.len;
            below = items[i].number;
        }
        assert_in_range(bytes, 0, store_page_bytes_max + 2 * store_value_bytes_max);
        total += count;
        arena_fini(&f->arena);
    } while (count > 0);
    return total;
}

static void history_forgets_by_bytes(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;
    fixture_open(f);
    struct many many = many_new(200, store_value_bytes_max, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(store_apply(f->store, many.changes, 200, &number), ERR_NONE);
    }
    many_free(&many);
    /* Each has 128 KiB, before and after. */
    assert_in_range(count_in_pages(f), 500, 512);
    fixture_reopen(f);
}

/* ---- secrets ---- */

static void secrets_are_made_once(void **state)
{
    struct fixture *f = *state;
    uint8_t first[store_secret_bytes];
    uint8_t second[store_secret_bytes];
    uint8_t other[store_secret_bytes];
    fixture_open(f);
    assert_int_equal(store_secret(f->store, SPAN("tickets"), first), ERR_NONE);
    assert_int_equal(store_secret(f->store, SPAN("links"), other), ERR_NONE);
    fixture_reopen(f);
    assert_int_equal(store_secret(f->store, SPAN("tickets"), second), ERR_NONE);
    assert_memory_equal(first, second, sizeof(first));
    assert_memory_not_equal(first, other, sizeof(first));
    assert_int_equal(store_secret(f->store, SPAN(""), first), ERR_RANGE);
    for (int i = 2; i <= store_secrets_max; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(store_secret(f->store, span_cstr(name), first),
                         i < store_secrets_max ? ERR_NONE : ERR_LIMIT);
    }
}

/* ---- tokens ---- */

static struct store_change by(const char *name)
{
    return change_none(name);
}

static void tokens_are_known_by_their_text(void **state)
{
    struct fixture *f = *state;
    char reader[store_token_text_bytes];
    char writer[store_token_text_bytes];
    struct store_token found;
    struct store_change change = by("dashboard");
    fixture_open(f);
    assert_int_equal(store_token_add(f->store, &change, STORE_SCOPE_READ, reader), ERR_NONE);
    assert_int_equal(store_token_add(f->store, &change, STORE_SCOPE_WRITE, writer), ERR_AGAIN);
    change = by("deploy");
    assert_int_equal(store_token_add(f->store, &change, STORE_SCOPE_WRITE, writer), ERR_NONE);
    assert_int_equal(strlen(reader), store_token_text_bytes - 1);
    assert_string_not_equal(reader, writer);
    fixture_reopen(f);
    assert_int_equal(store_token_check(f->store, span_cstr(writer), &f->arena, &found), ERR_NONE);
    ASSERT_TEXT(found.name, "deploy");
    assert_int_equal(found.scope, STORE_SCOPE_WRITE);
    assert_int_equal(store_token_check(f->store, span_cstr(reader), &f->arena, &found), ERR_NONE);
    ASSERT_TEXT(found.name, "dashboard");
    assert_int_equal(found.scope, STORE_SCOPE_READ);
    for (size_t i = 0; i < store_token_text_bytes - 1; i++) {
        char wrong[store_token_text_bytes];
        memcpy(wrong, writer, sizeof(wrong));
        wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
        assert_int_equal(store_token_check(f->store, span_cstr(wrong), &f->arena, &found),
                         ERR_NOTFOUND);
    }
    assert_int_equal(store_token_check(f->store, SPAN(""), &f->arena, &found), ERR_NOTFOUND);
}

static void tokens_come_and_go_in_the_history(void **state)
{
    struct fixture *f = *state;
    char text[store_token_text_bytes];
    struct store_token *tokens;
    struct store_token found;
    struct store_change *items;
    size_t count;
    struct store_change change = by("deploy");
    fixture_open(f);
    assert_int_equal(store_token_add(f->store, &change, STORE_SCOPE_WRITE, text), ERR_NONE);
    assert_int_equal(store_tokens(f->store, &f->arena, &tokens, &count), ERR_NONE);
    assert_int_equal(count, 1);
    ASSERT_TEXT(tokens[0].name, "deploy");
    assert_int_equal(store_token_remove(f->store, &change), ERR_NONE);
    assert_int_equal(store_token_remove(f->store, &change), ERR_NOTFOUND);
    assert_int_equal(store_token_check(f->store, span_cstr(text), &f->arena, &found), ERR_NOTFOUND);
    assert_int_equal(store_history(f->store, 0, 10, &f->arena, &items, &count), ERR_NONE);
    assert_int_equal(count, 2);
    assert_int_equal(items[0].subject, STORE_TOKEN);
    assert_int_equal(items[0].after.kind, STORE_NONE);
    ASSERT_TEXT(items[0].before.json, "\"write\"");
    ASSERT_TEXT(items[1].after.json, "\"write\"");
    assert_int_equal(items[1].before.kind, STORE_NONE);
    struct span file = fixture_read_file(f);
    assert_null(memmem(file.ptr, file.len, text, strlen(text)));
    assert_null(memmem(file.ptr, file.len, text + 8, 16));
    free((void *)(uintptr_t)file.ptr);
}

static void tokens_are_bounded(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    for (int i = 0; i <= store_tokens_max; i++) {
        char text[store_token_text_bytes];
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        struct store_change change = by(name);
        assert_int_equal(store_token_add(f->store, &change, STORE_SCOPE_READ, text),
                         i < store_tokens_max ? ERR_NONE : ERR_LIMIT);
    }
    fixture_reopen(f);
}

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_follows_the_table),
        IN_FOLDER(a_change_is_kept_with_all_it_says),
        IN_FOLDER(a_change_knows_what_was_before),
        IN_FOLDER(overrides_come_by_key),
        IN_FOLDER(a_batch_is_all_or_nothing),
        IN_FOLDER(texts_are_bounded),
        IN_FOLDER(it_grows),
        IN_FOLDER(overrides_are_bounded_in_sum),
        IN_FOLDER(history_is_paged_and_forgets),
        IN_FOLDER(history_forgets_by_bytes),
        IN_FOLDER(secrets_are_made_once),
        IN_FOLDER(tokens_are_known_by_their_text),
        IN_FOLDER(tokens_come_and_go_in_the_history),
        IN_FOLDER(tokens_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
