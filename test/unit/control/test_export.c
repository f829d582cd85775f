/* SPDX-License-Identifier: MIT */
/* What is in force as a file that means the same, and what differs between two. */
#include "control/api/export.h"

#include "base/clock.h"
#include "config/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SITE                                                                 \
    "sites: [{name: a, hosts: [a.example], routes: [{name: r, path: /, to: " \
    "\"https://b.example/\"}]}]\n"
#define DETOUR(name, more) \
    "{name: " name ", site: a, path: /d, to: \"https://d.example/\", until: off" more "}"

static const int64_t now_ns = 1800000000LL * NS_PER_SECOND;

static const struct model *load(const char *text, struct model_overrides *overrides,
                                struct arena *arena)
{
    struct problems problems;
    problems_init(&problems, arena, "test");
    const struct model *model = model_load_live(span_cstr(text), overrides, now_ns, &problems);
    for (size_t i = 0; model == NULL && i < problems.count; i++) {
        print_error("%s\n", problems.items[i].text);
    }
    assert_non_null(model);
    return model;
}

static bool always(const struct model_override *override, uint64_t stanza_now)
{
    return true;
}

static void an_export_means_the_same(void **state)
{
    static const struct {
        const char *what;
        const char *text;
        const char *key, *json; /* of run time; NULL: nothing */
        bool off;
        size_t detours;
    } rows[] = {
        {.what = "a file alone", .text = SITE},
        {.what = "with a detour", .text = SITE "detours: [" DETOUR("x", "") "]", .detours = 1},
        {.what = "one of run time",
         .text = SITE,
         .key = "a/y",
         .json = DETOUR("y", ", reason: \"say \\\"no\\\", or: {\xc3\xa4} # \\\\ 'x' \\t\""),
         .detours = 1},
        {.what = "one that is off",
         .text = SITE "detours: [" DETOUR("x", "") "]",
         .key = "a/x",
         .off = true},
        {.what = "lists in lists, empty ones, numbers and words",
         .text = SITE "workers: 2\ndetours: [" DETOUR(
             "\"on\"", ", reason: \"1\", methods: [GET], "
                       "bypass: {clients: [192.0.2.0/24, \"2001:db8::/32\"]}") "]\n",
         .detours = 1},
        {.what = "keys that look like something else",
         .text = SITE "pools: {\"on\": {servers: [{url: \"https://s.example\"}]}, "
                      "\"1\": {servers: [{url: \"https://t.example\"}]}}\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct model_override one = {.key = span_cstr(rows[i].key != NULL ? rows[i].key : ""),
                                     .off = rows[i].off,
                                     .json = span_cstr(rows[i].json != NULL ? rows[i].json : "")};
        struct model_overrides overrides = {
            .items = &one, .count = rows[i].key != NULL, .stands = always};
        struct arena arena;
        arena_init(&arena, 0);
        const struct model *model = load(rows[i].text, &overrides, &arena);
        if (rows[i].json != NULL) {
            /* As the store has it: JSON. */
            json_t *list = model_text_to_json(span_cstr(rows[i].json));
            char *json = json_dumps(list, JSON_COMPACT);
            one.json = arena_copy(&arena, span_cstr(json));
            free(json);
            json_decref(list);
            model = load(rows[i].text, &overrides, &arena);
        }
        char *yaml = export_yaml(span_cstr(rows[i].text), model);
        assert_non_null(yaml);
        const struct model *again = load(yaml, NULL, &arena);
        json_t *changes = export_diff(span_cstr(rows[i].text), model, span_cstr(yaml), again);
        if (json_array_size(changes) != 0 || again->detour_count != rows[i].detours) {
            fail_msg("%s: %s\n%s", rows[i].what, yaml, json_dumps(changes, 0));
        }
        json_decref(changes);
        free(yaml);
        arena_fini(&arena);
    }
}

#define POOL(name, more) "\"" name "\": {servers: [{name: s, url: \"https://s.example\"" more "}]}"

static void differences_are_named(void **state)
{
    static const struct {
        const char *from, *to;
        const char *changes; /* "what resource name; …" in the order they come */
    } rows[] = {
        {SITE, SITE, ""},
        {SITE "# a word\n", "\n\n" SITE, ""},
        {SITE, SITE "workers: 2\n", "added setting workers; "},
        {SITE "workers: 1\n", SITE "workers: 2\n", "changed setting workers; "},
        {SITE "workers: 1\n", SITE, "removed setting workers; "},
        {SITE, SITE "detours: [" DETOUR("x", "") "]", "added detour x; "},
        {SITE "detours: [" DETOUR("x", "") "]", SITE, "removed detour x; "},
        {SITE "detours: [" DETOUR("x", "") "]", SITE "detours: [" DETOUR("x", ", reason: r") "]",
         "changed detour x; "},
        {SITE "detours: [" DETOUR("x", "") ", " DETOUR("y", "") "]",
         SITE "detours: [" DETOUR("z", "") ", " DETOUR("y", ", owner: o") "]",
         "removed detour x; changed detour y; added detour z; "},
        {SITE "pools: {" POOL("p", "") "}", SITE "pools: {" POOL("p", "") "}", ""},
        {SITE, SITE "pools: {" POOL("p", "") "}", "added pool p; "},
        {SITE "pools: {" POOL("p", "") "}", SITE, "removed pool p; "},
        {SITE "pools: {" POOL("p", "") "}", SITE "pools: {" POOL("q", "") "}",
         "removed pool p; added pool q; "},
        {SITE "pools: {" POOL("p", "") "}", SITE "pools: {" POOL("p", ", weight: 3") "}",
         "changed server p/s; "},
        {SITE "pools: {" POOL("p", "") "}",
         SITE "pools: {p: {balance: hash, servers: [{name: s, url: \"https://s.example\"}]}}",
         "changed pool p; "},
        {SITE,
         "sites: [{name: a, hosts: [a.example, b.example], routes: [{name: r, path: /, to: "
         "\"https://c.example/\"}]}]\n",
         "changed route a/r; changed site a; "},
        {SITE,
         "sites: [{name: a, hosts: [a.example], routes: [{path: /n, to: \"https://c.example/\"}]}]",
         "removed route a/r; added route a//n; "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512] = "";
        size_t index;
        json_t *one;
        struct arena arena;
        arena_init(&arena, 0);
        json_t *changes = export_diff(span_cstr(rows[i].from), load(rows[i].from, NULL, &arena),
                                      span_cstr(rows[i].to), load(rows[i].to, NULL, &arena));
        json_array_foreach(changes, index, one)
        {
            static const char *const keys[] = {"what", "resource", "name"};
            for (size_t k = 0; k < 3; k++) {
                strcat(text, json_string_value(json_object_get(one, keys[k])));
                strcat(text, k < 2 ? " " : "; ");
            }
        }
        assert_string_equal(text, rows[i].changes);
        json_decref(changes);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_export_means_the_same),
        cmocka_unit_test(differences_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
