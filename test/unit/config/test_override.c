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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overrides_and_stanzas),  cmocka_unit_test(stanzas_are_compared_by_meaning),
        cmocka_unit_test(the_only_site_is_meant), cmocka_unit_test(a_broken_override_is_an_error),
        cmocka_unit_test(json_is_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
