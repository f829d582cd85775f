/* SPDX-License-Identifier: MIT */
/* The compiled expressions of a snapshot: what is old moves over, what is new is compiled,
 * and a failure changes nothing. */
#include "fixture.h"

#include "decide/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char before[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: '/a/:x(\\d+)', methods: GET, to: 'https://n.example/a'}\n"
    "      - {path: '/b/:x([a-f]+)', to: 'https://n.example/b'}\n"
    "      - {path: '/a/:x(\\d+)', to: 'https://n.example/again'}\n";
static const char after[] = "sites:\n"
                            "  - hosts: shop.example\n"
                            "    routes:\n"
                            "      - {path: '/c/:x([x-z])', to: 'https://n.example/c'}\n"
                            "      - {path: '/b/:x([a-f]+)', to: 'https://n.example/b'}\n";

/* The place of the expression that the rule for /b uses. */
static uint32_t b_of(const struct fixture *f, const char *identity)
{
    for (uint32_t i = 0; i < f->snapshot->rules.count; i++) {
        const struct snap_rule *rule = snapshot_rule(f->snapshot, i);
        if (span_eq(snapshot_text(f->snapshot, rule->identity), span_cstr(identity))) {
            return rule->path.regex;
        }
    }
    return SNAP_NONE;
}

static void equal_expressions_are_there_once(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(before);
    assert_int_equal(f->snapshot->regexes.count, 2);
    assert_int_equal(b_of(f, "shop.example/routes/#1"), b_of(f, "shop.example/routes/#3"));
    fixture_free(&f);
}

static void what_is_old_moves_over(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(before);
    struct fixture *g = fixture_new(after);
    uint32_t old_b = b_of(f, "shop.example/routes/#2");
    uint32_t new_b = b_of(g, "shop.example/routes/#2");
    const struct regex *compiled = regex_set_at(f->regexes, old_b);
    assert_non_null(compiled);
    regex_set_free(&g->regexes);
    assert_int_equal(regex_set_new(g->snapshot, f->regexes, &g->regexes), ERR_NONE);
    assert_ptr_equal(regex_set_at(g->regexes, new_b), compiled);
    assert_null(regex_set_at(f->regexes, old_b));
    regex_set_free(&f->regexes); /* what has moved lives on */
    assert_null(f->regexes);
    g->context.regexes = g->regexes;
    fixture_ask(g, &(struct ask){.line = "GET /b/cafe"});
    fixture_same("b", "Location", g->decision.location, "https://n.example/b");
    fixture_ask(g, &(struct ask){.line = "GET /b/xyz"});
    assert_int_equal(g->decision.status, 404);
    fixture_ask(g, &(struct ask){.line = "GET /c/y"});
    fixture_same("c", "Location", g->decision.location, "https://n.example/c");
    fixture_free(&f);
    fixture_free(&g);
}

/* A source that does not compile: the old set must still serve. */
static void a_failure_changes_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(before);
    struct fixture *g = fixture_new(after);
    uint32_t new_c = b_of(g, "shop.example/routes/#1");
    struct snap_ref *refs = (struct snap_ref *)(g->bytes + g->snapshot->regexes.off);
    memset(g->bytes + refs[new_c].off, '(', refs[new_c].len);
    struct regex_set *set = NULL;
    assert_int_equal(regex_set_new(g->snapshot, f->regexes, &set), ERR_SYNTAX);
    assert_null(set);
    fixture_ask(f, &(struct ask){.line = "GET /b/cafe"});
    fixture_same("b", "Location", f->decision.location, "https://n.example/b");
    fixture_free(&f);
    fixture_free(&g);
}

static void an_empty_set_has_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_new("sites: [{hosts: shop.example}]\n");
    assert_null(regex_set_at(f->regexes, 0));
    assert_null(regex_set_at(NULL, 0));
    struct regex_set *next = NULL;
    assert_int_equal(regex_set_new(f->snapshot, f->regexes, &next), ERR_NONE);
    regex_set_free(&next);
    regex_set_free(&next);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_expressions_are_there_once),
        cmocka_unit_test(what_is_old_moves_over),
        cmocka_unit_test(a_failure_changes_nothing),
        cmocka_unit_test(an_empty_set_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
