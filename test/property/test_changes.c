/* SPDX-License-Identifier: MIT */
/* Changes at run time, in any order: what is made of a text that was read once is, to the
 * byte of the snapshot, what reading all of it anew gives. */
#include "compile/compile.h"
#include "config/model.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW (INT64_C(1795000000) * NS_PER_SECOND)

enum { names_count = 12, forms_count = 7, texts = 24, steps = 150 };

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

/* What a detour may be; some have mistakes, or collide with others. %d: its number. */
static const char *const forms[forms_count] = {
    "\"path_prefix\":\"/p%d\",\"to\":\"https://else.example/x\",\"until\":\"off\"",
    "\"path\":\"/q%d/:a\",\"to\":\"https://else.example/{a}\",\"from\":\"2026-01-01T00:00:00Z\","
    "\"until\":\"2026-06-01T00:00:00Z\"",
    "\"path_prefix\":\"/a%d\",\"to\":\"https://a.example/b/\",\"until\":\"off\"",
    "\"path_prefix\":\"/b\",\"to\":\"https://a.example/a%d\",\"until\":\"off\",\"reason\":\"r\"",
    "\"path\":\"/(x|y)%d\",\"page\":\"upgrade\",\"until\":\"off\",\"bypass\":{\"clients\":"
    "[\"10.0.0.0/8\"]}",
    "\"path_prefix\":\"/r%d\",\"pool\":\"mirrors\",\"from\":\"2026-11-01T00:00:00Z\",\"until\":"
    "\"2026-12-30T00:00:00Z\",\"ramp\":\"1h\",\"zone\":\"Europe/Berlin\"",
    "\"path_prefix\":\"/s%d\",\"to\":\"https://else.example/{nobody}\",\"until\":\"off\"",
};

static int put_detour(char *out, size_t size, uint32_t name, uint32_t form)
{
    char body[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof(body), forms[form], (int)name);
#pragma GCC diagnostic pop
    return snprintf(out, size, "{\"name\":\"d%u\",\"site\":\"%s\",%s}", name,
                    name % 3 == 0 ? "other" : "shop", body);
}

static void make_text(char *out, size_t size)
{
    size_t len = (size_t)snprintf(
        out, size,
        "pages: {upgrade: {title: Upgrade}}\n"
        "pools: {mirrors: {servers: [\"https://m1.example\", \"https://m2.example\"]}}\n"
        "sites:\n"
        "  - {name: shop, hosts: [a.example], routes: [{path: /old/*, to: "
        "\"https://else.example/\"}, {path: /c, to: \"https://a.example/p1\"}]}\n"
        "  - {name: other, hosts: [b.example], routes: []}\n"
        "detours:\n");
    size_t first = len;
    for (uint32_t name = 0; name < names_count; name++) {
        if (below(2) == 0) {
            out[len++] = ' ';
            out[len++] = '-';
            out[len++] = ' ';
            len += (size_t)put_detour(out + len, size - len, name, below(forms_count - 1));
            out[len++] = '\n';
        }
    }
    if (len == first) {
        len -= sizeof("detours:");
    }
    out[len] = 0;
}

/* What run time says; stanza 0 in an override stands for "none", 1 for "whatever
 * is there". */
static bool stands(const struct model_override *override, uint64_t stanza_now)
{
    return override->stanza == (stanza_now != 0);
}

struct run_time {
    struct arena arena; /* of the texts */
    struct model_override items[names_count];
    size_t count;
};

static void take_away(struct run_time *r, size_t at)
{
    r->count--;
    for (; at < r->count; at++) {
        r->items[at] = r->items[at + 1];
    }
}

static void change(struct run_time *r)
{
    uint32_t name = below(names_count);
    char text[1024];
    char *key = arena_printf(&r->arena, "%s/d%u", name % 3 == 0 ? "other" : "shop", name);
    size_t at = 0;
    while (at < r->count && !span_eq(r->items[at].key, span_cstr(key))) {
        at++;
    }
    if (at < r->count && below(3) == 0) {
        take_away(r, at);
        return;
    }
    put_detour(text, sizeof(text), name, below(forms_count));
    r->items[at] = (struct model_override){.key = span_cstr(key),
                                           .off = below(4) == 0,
                                           .json = arena_copy(&r->arena, span_cstr(text)),
                                           .stanza = below(2)};
    r->count += at == r->count;
}

struct made {
    struct arena arena;
    struct problems problems;
    struct model_override items[names_count];
    struct model_overrides overrides;
    const struct model *model;
    uint8_t *bytes;
    size_t len;
};

static void made_begin(struct made *m, const struct run_time *r)
{
    *m = (struct made){.overrides = {.items = m->items, .count = r->count, .stands = stands}};
    memcpy(m->items, r->items, sizeof(m->items));
    arena_init(&m->arena, 0);
    problems_init(&m->problems, &m->arena, "t.yaml");
}

static void made_compile(struct made *m, int64_t now_ns)
{
    if (m->model != NULL) {
        assert_int_equal(snapshot_compile(m->model, NULL, 1, now_ns, &m->bytes, &m->len), ERR_NONE);
    }
}

static void made_end(struct made *m)
{
    free(m->bytes);
    arena_fini(&m->arena);
}

static void assert_same_problems(const struct problems *a, const struct problems *b)
{
    assert_int_equal(a->error_count, b->error_count);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].severity, b->items[i].severity);
        assert_int_equal(a->items[i].place.line, b->items[i].place.line);
        assert_string_equal(a->items[i].text, b->items[i].text);
    }
}

static void assert_same(const struct made *again, const struct made *fresh)
{
    assert_same_problems(&again->problems, &fresh->problems);
    assert_int_equal(again->model == NULL, fresh->model == NULL);
    assert_int_equal(again->len, fresh->len);
    if (again->model != NULL) {
        assert_memory_equal(again->bytes, fresh->bytes, fresh->len);
    }
    for (size_t i = 0; i < again->overrides.count; i++) {
        assert_int_equal(again->items[i].seen, fresh->items[i].seen);
        assert_int_equal(again->items[i].stands, fresh->items[i].stands);
    }
}

/* What is refused is dropped, as control does; what is good is built upon. */
static size_t run(const char *text)
{
    struct arena arena;
    struct run_time now = {0};
    struct model_live live = {0};
    size_t good = 0;
    arena_init(&arena, 0);
    arena_init(&now.arena, 0);
    struct model_text *read = model_text_read(span_cstr(text), &arena, "t.yaml");
    assert_non_null(read);
    for (int step = 0; step < steps; step++) {
        struct run_time trial = now;
        struct model_live shared;
        struct made again;
        struct made fresh;
        int64_t now_ns = NOW + step * NS_PER_SECOND;
        change(&trial);
        now.arena = trial.arena;
        made_begin(&again, &trial);
        made_begin(&fresh, &trial);
        assert_int_equal(model_live_share(&live, &shared), ERR_NONE);
        again.model = model_of_text(read, &again.overrides, now_ns, &again.problems, &shared);
        fresh.model = model_load_live(span_cstr(text), &fresh.overrides, now_ns, &fresh.problems);
        made_compile(&again, now_ns);
        made_compile(&fresh, now_ns);
        assert_same(&again, &fresh);
        if (again.model != NULL) {
            model_live_fini(&live);
            live = shared;
            now = trial;
            good++;
        } else {
            model_live_fini(&shared);
        }
        made_end(&again);
        made_end(&fresh);
    }
    model_live_fini(&live);
    arena_fini(&now.arena);
    arena_fini(&arena);
    return good;
}

static void test_changes_are_as_if_read_anew(void **state)
{
    size_t good = 0;
    for (uint64_t seed = 1; seed <= texts; seed++) {
        char text[16384];
        random_state = seed;
        make_text(text, sizeof(text));
        good += run(text);
    }
    /* Neither all nor none of them are refused. */
    assert_in_range(good, texts * steps / 2, texts * steps * 99 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes_are_as_if_read_anew)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
