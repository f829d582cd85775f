/* SPDX-License-Identifier: MIT */
/* Detours of the file, and what run time says instead: who wins, and how it is read. */
#include "config/model.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW (INT64_C(1795000000) * NS_PER_SECOND)
#define SITE "sites:\n  - {name: shop, hosts: [a.example], routes: []}\n"
#define STANZA                                                                                    \
    "  - {name: x, site: shop, path_prefix: /x, to: \"https://b.example/\", until: off, reason: " \
    "r}\n"
#define LIVE                                                                                     \
    "{\"name\":\"x\",\"site\":\"shop\",\"path_prefix\":\"/live\",\"to\":\"https://c.example/\"," \
    "\"until\":\"off\",\"reason\":\"r\"}"

static bool same_stanza(const struct model_override *override, uint64_t stanza_now)
{
    return override->stanza == stanza_now;
}

static bool always(const struct model_override *override, uint64_t stanza_now)
{
    (void) override;
    (void)stanza_now;
    return true;
}

struct fixture {
    struct arena arena;
    struct problems problems;
    struct model_override items[4];
    struct model_overrides overrides;
};

static const struct model *load(struct fixture *f, const char *text)
{
    arena_init(&f->arena, 0);
    problems_init(&f->problems, &f->arena, "t.yaml");
    f->overrides.items = f->items;
    f->overrides.stands = same_stanza;
    return model_load_live(span_cstr(text), &f->overrides, NOW, &f->problems);
}

/* The hash of a stanza, as the file itself gives it. */
static uint64_t stanza_of(const char *text)
{
    struct fixture f = {0};
    const struct model *model = load(&f, text);
    assert_non_null(model);
    uint64_t stanza = model->detours[0].stanza;
    arena_fini(&f.arena);
    return stanza;
}

struct merging {
    const char *name;
    const char *text;
    bool off;
    int above;          /* 0: no stanza, 1: the one that stands in STANZA, 2: another one */
    const char *prefix; /* of the only detour; NULL: there is none */
    bool stands;
};

static const struct merging mergings[] = {
    {"instead of the file's", SITE "detours:\n" STANZA, false, 1, "/live", true},
    {"the file has changed", SITE "detours:\n" STANZA, false, 2, "/x", false},
    {"the file has got one", SITE "detours:\n" STANZA, false, 0, "/x", false},
    {"off", SITE "detours:\n" STANZA, true, 1, NULL, true},
    {"off, and the file has changed", SITE "detours:\n" STANZA, true, 2, "/x", false},
    {"beside the file", SITE, false, 0, "/live", true},
    {"the file has lost it", SITE, false, 1, NULL, false},
    {"off, and the file has lost it", SITE, true, 1, NULL, false},
};

static void overrides_and_stanzas(void **state)
{
    (void)state;
    uint64_t stanza = stanza_of(SITE "detours:\n" STANZA);
    for (size_t i = 0; i < sizeof(mergings) / sizeof(mergings[0]); i++) {
        const struct merging *m = &mergings[i];
        struct fixture f = {.overrides = {.count = 1}};
        f.items[0] = (struct model_override){.key = SPAN("shop/x"),
                                             .off = m->off,
                                             .json = SPAN(LIVE),
                                             .stanza = stanza * (m->above > 0) + (m->above == 2)};
        const struct model *model = load(&f, m->text);
        assert_non_null(model);
        bool as_wanted =
            model->detour_count == (m->prefix != NULL) && f.items[0].stands == m->stands;
        if (as_wanted && m->prefix != NULL) {
            as_wanted = span_eq(model->detours[0].rule.prefix, span_cstr(m->prefix)) &&
                        model->detours[0].live == m->stands;
        }
        if (!as_wanted) {
            fail_msg("%s: %zu detours, stands %d", m->name, model->detour_count, f.items[0].stands);
        }
        arena_fini(&f.arena);
    }
}

/* What is written otherwise is the same stanza; what means something else is not. */
static void stanzas_are_compared_by_meaning(void **state)
{
    (void)state;
    uint64_t stanza = stanza_of(SITE "detours:\n" STANZA);
    assert_int_equal(stanza, stanza_of(SITE "detours:\n"
                                            "  - until: \"off\"  # for now\n"
                                            "    site: shop\n"
                                            "    name: 'x'\n"
                                            "    to: https://b.example/\n"
                                            "    path_prefix: /x\n"
                                            "    reason: r\n"));
    assert_int_not_equal(stanza,
                         stanza_of(SITE "detours:\n"
                                        "  - {name: x, site: shop, path_prefix: /y, to: "
                                        "\"https://b.example/\", until: off, reason: r}\n"));
}

/* A site need not be named where there is one only. */
static void the_only_site_is_meant(void **state)
{
    (void)state;
    const char *text =
        SITE "detours:\n"
             "  - {name: x, path_prefix: /x, to: \"https://b.example/\", until: off, reason: r}\n";
    struct fixture f = {.overrides = {.count = 1}};
    f.items[0] =
        (struct model_override){.key = SPAN("shop/x"), .off = true, .stanza = stanza_of(text)};
    const struct model *model = load(&f, text);
    assert_non_null(model);
    assert_int_equal(model->detour_count, 0);
    arena_fini(&f.arena);
}

static void a_broken_override_is_an_error(void **state)
{
    (void)state;
    struct fixture f = {.overrides = {.count = 1}};
    f.items[0] = (struct model_override){
        .key = SPAN("shop/x"),
        .json = SPAN("{\"name\":\"x\",\"pool\":\"gone\",\"until\":\"off\"}")};
    assert_null(load(&f, SITE));
    assert_int_equal(f.problems.error_count, 1);
    assert_int_equal(f.problems.items[0].place.line, 0);
    assert_non_null(strstr(f.problems.items[0].text, "gone"));
    arena_fini(&f.arena);
}

static void json_is_what_was_read(void **state)
{
    (void)state;
    struct fixture f = {0};
    const struct model *model =
        load(&f, SITE "detours:\n"
                      "  - {name: x, path: \"/a/:b\", to: \"https://b.example/{b}\", until: off,\n"
                      "     note: false, status: 302, bypass: {clients: [10.0.0.0/8]}, reason: \"a "
                      "\\\"b\\\"\"}\n");
    assert_non_null(model);
    assert_true(
        span_eq(model->detours[0].json,
                SPAN("{\"bypass\":{\"clients\":[\"10.0.0.0/8\"]},\"name\":\"x\","
                     "\"note\":false,\"path\":\"/a/:b\",\"reason\":\"a \\\"b\\\"\",\"status\":302,"
                     "\"to\":\"https://b.example/{b}\",\"until\":\"off\"}")));
    assert_false(model->detours[0].live);
    arena_fini(&f.arena);
}

/* ---- servers ---- */

#define POOL                                             \
    SITE "allowed_targets: [\"https://*.example\"]\n"    \
         "pools:\n  p:\n    health: off\n    servers:\n" \
         "      - {name: a, url: \"https://a.example\", weight: 3}\n      - https://b.example\n"

struct server_row {
    const char *name;
    const char *key;
    const char *json;    /* NULL: removed */
    bool above;          /* the stanza of the server `a` */
    bool drops;          /* it does not stand */
    const char *error;   /* part of it; NULL: none */
    const char *servers; /* their names, and what is wanted of them */
};

static const struct server_row server_rows[] = {
    {"added", "/p/c", "{\"name\":\"c\",\"url\":\"https://c.example\"}",
     .servers = "a:3:0 b.example:1:0 c:1:0 "},
    {"replaced", "/p/a", "{\"name\":\"a\",\"url\":\"https://a.example\",\"state\":\"drain\"}",
     .above = true, .servers = "a:1:1 b.example:1:0 "},
    {"removed", "/p/a", NULL, .above = true, .servers = "b.example:1:0 "},
    {"the file wins", "/p/a", "{\"name\":\"a\",\"url\":\"https://x.example\"}", .drops = true,
     .servers = "a:3:0 b.example:1:0 "},
    {"not allowed", "/p/c", "{\"name\":\"c\",\"url\":\"https://c.test\"}",
     .error = "server p/c of run time: the target"},
    {"twice", "/p/c", "{\"name\":\"c\",\"url\":\"https://b.example\"}",
     .error = "server p/c of run time: the server https://b.example stands twice"},
    {"no such pool", "/q/c", "{\"name\":\"c\",\"url\":\"https://c.example\"}",
     .error = "server q/c of run time: the file has no pool"},
    {"no such state", "/p/c", "{\"name\":\"c\",\"url\":\"https://c.example\",\"state\":\"up\"}",
     .error = "server p/c of run time: `state` must be"},
};

static uint64_t stanza_of_server(const char *text)
{
    struct fixture f = {0};
    const struct model *model = load(&f, text);
    assert_non_null(model);
    uint64_t stanza = model->pools[0].servers[0].stanza;
    arena_fini(&f.arena);
    return stanza;
}

static void check_server_row(const struct server_row *row)
{
    char text[256] = "";
    struct fixture f = {.overrides = {.count = 1}};
    f.items[0] =
        (struct model_override){.key = span_cstr(row->key),
                                .off = row->json == NULL,
                                .json = row->json != NULL ? span_cstr(row->json) : SPAN(""),
                                .stanza = row->above   ? stanza_of_server(POOL)
                                          : row->drops ? 5
                                                       : 0};
    const struct model *model = load(&f, POOL);
    if (row->error != NULL) {
        assert_null(model);
        assert_non_null(strstr(f.problems.items[0].text, row->error));
        arena_fini(&f.arena);
        return;
    }
    assert_non_null(model);
    const struct model_pool *pool = &model->pools[0];
    for (size_t i = 0; i < pool->server_count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%.*s:%u:%d ", SPAN_ARG(pool->servers[i].name),
                 pool->servers[i].weight, (int)pool->servers[i].wish);
    }
    assert_string_equal(text, row->servers);
    assert_true(f.items[0].seen);
    assert_int_equal(f.items[0].stands, !row->drops);
    arena_fini(&f.arena);
}

static void servers_of_run_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(server_rows) / sizeof(server_rows[0]); i++) {
        print_message("%s\n", server_rows[i].name);
        check_server_row(&server_rows[i]);
    }
}

/* A server that leads back here is no server, whenever it is named. */
static void servers_that_lead_back(void **state)
{
    (void)state;
#define OWN                                                                                        \
    "listen: http://127.0.0.1:8307\nsites:\n"                                                      \
    "  - {name: one, hosts: [one.example], routes: [{path: '/a/*', pool: p},\n"                    \
    "     {path: '/b/*', to: 'https://two.example{+path}'}], default: {respond: {status: 404}}}\n" \
    "  - {name: two, hosts: [two.example], routes: [{name: r, path: '/b/*', pool: s}],\n"          \
    "     default: {respond: {status: 404}}}\n"                                                    \
    "pools:\n  p: {health: off, servers: [https://a.example]}\n"                                   \
    "  q: {health: off, servers: [https://a.example]}\n"                                           \
    "  s: {health: off, servers: [https://a.example]}\n"
#define DETOUR "detours:\n  - {name: d, site: two, path: '/d/*', pool: q, until: off, reason: r}\n"
    static const struct {
        const char *name;
        const char *text;
        const char *key;
        const char *url;
        const char *error; /* NULL: it is a server */
    } rows[] = {
        {"elsewhere", OWN DETOUR, "/p/x", "https://x.example", NULL},
        {"another port", OWN DETOUR, "/p/x", "http://one.example:81", NULL},
        {"a path that is answered", OWN DETOUR, "/p/x", "https://two.example/x", NULL},
        {"itself", OWN DETOUR, "/p/x", "http://one.example:8307",
         "server p/x of run time: `one/routes/#1` leads back to itself by the server `x` of"},
        {"instead of the file's", OWN DETOUR, "/p/a.example", "https://one.example",
         "server p/a.example of run time: `one/routes/#1` leads back"},
        {"round by another site", OWN DETOUR, "/s/x", "https://one.example",
         "server s/x of run time: `two/routes/r` leads back to itself by the server `x` of"},
        {"a detour's", OWN DETOUR, "/q/x", "https://two.example",
         "server q/x of run time: `two/detours/d` leads back to itself by the server `x` of"},
        {"without the detour", OWN, "/q/x", "https://two.example", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char json[256];
        struct fixture f = {.overrides = {.count = 1}};
        print_message("%s\n", rows[i].name);
        snprintf(json, sizeof(json), "{\"name\":\"%s\",\"url\":\"%s\"}", rows[i].key + 3,
                 rows[i].url);
        f.items[0] =
            (struct model_override){.key = span_cstr(rows[i].key), .json = span_cstr(json)};
        f.overrides.items = f.items;
        f.overrides.stands = always;
        arena_init(&f.arena, 0);
        problems_init(&f.problems, &f.arena, "t.yaml");
        const struct model *model =
            model_load_live(span_cstr(rows[i].text), &f.overrides, NOW, &f.problems);
        const char *first = f.problems.count > 0 ? f.problems.items[0].text : "";
        if ((model != NULL) != (rows[i].error == NULL) ||
            (rows[i].error != NULL && strncmp(first, rows[i].error, strlen(rows[i].error)) != 0)) {
            fail_msg("%s", first);
        }
        arena_fini(&f.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overrides_and_stanzas),  cmocka_unit_test(stanzas_are_compared_by_meaning),
        cmocka_unit_test(the_only_site_is_meant), cmocka_unit_test(a_broken_override_is_an_error),
        cmocka_unit_test(json_is_what_was_read),  cmocka_unit_test(servers_of_run_time),
        cmocka_unit_test(servers_that_lead_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
