/* SPDX-License-Identifier: MIT */
/* The tree of nodes: kinds, places, and what is refused. */
#include "config/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct problems problems;
};

static const struct node *read_into(struct fixture *f, struct span text)
{
    arena_init(&f->arena, 0);
    problems_init(&f->problems, &f->arena, "t");
    return yaml_read(text, &f->arena, &f->problems);
}

static void test_a_tree_knows_its_places(void **state)
{
    struct fixture f;
    const struct node *root = read_into(&f, SPAN("a: 1\n"
                                                 "list:\n"
                                                 "  - x\n"
                                                 "  - {k: \"v w\"}\n"
                                                 "none:\n"));
    assert_non_null(root);
    assert_int_equal(root->kind, NODE_MAP);
    assert_int_equal(root->count, 3);
    const struct node *a = root->first;
    assert_true(a->plain);
    assert_int_equal(a->place.line, 1);
    assert_int_equal(a->place.column, 4);
    const struct node *list = a->next;
    assert_int_equal(list->kind, NODE_LIST);
    assert_int_equal(list->key->place.line, 2);
    const struct node *x = list->first;
    assert_true(span_eq(x->label, SPAN("list")));
    const struct node *v = x->next->first;
    assert_true(span_eq(v->text, SPAN("v w")));
    assert_false(v->plain);
    assert_int_equal(v->place.line, 4);
    assert_int_equal(node_place_at(v, 2).column, v->place.column + 3);
    assert_int_equal(list->next->kind, NODE_NULL);
    arena_fini(&f.arena);
}

static void test_escapes_move_no_place(void **state)
{
    struct fixture f;
    const struct node *root = read_into(&f, SPAN("a: \"x\\ty\"\n"));
    assert_non_null(root);
    assert_int_equal(root->first->lead, NODE_NOT_VERBATIM);
    assert_int_equal(node_place_at(root->first, 2).column, 4);
    arena_fini(&f.arena);
}

static void test_an_empty_text_is_nothing(void **state)
{
    struct fixture f;
    const struct node *root = read_into(&f, SPAN("# only this\n"));
    assert_non_null(root);
    assert_int_equal(root->kind, NODE_NULL);
    arena_fini(&f.arena);
    root = read_into(&f, (struct span){0});
    assert_non_null(root);
    arena_fini(&f.arena);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
        const char *says;
    } rows[] = {
        {.text = "a: [b", .line = 1, .says = "not YAML"},
        {.text = "a: &x b", .line = 1, .says = "anchors"},
        {.text = "a: *x", .line = 1, .says = "quotes"},
        {.text = "\na: *.example.com", .line = 2, .says = "quotes"},
        {.text = "a: !!binary b", .line = 1, .says = "tag"},
        {.text = "a: !x b", .line = 1, .says = "tag"},
        {.text = "a: 1\n---\nb: 2", .line = 2, .says = "document"},
        {.text = "? [a]\n: b", .line = 1, .says = "key"},
        {.text = "a: \xff", .line = 1, .says = "UTF-8"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        const struct node *root = read_into(&f, span_cstr(rows[i].text));
        if (root != NULL || f.problems.count != 1 ||
            f.problems.items[0].place.line < rows[i].line ||
            strstr(f.problems.items[0].text, rows[i].says) == NULL) {
            problems_print(&f.problems, stderr);
            fail_msg("%s", rows[i].text);
        }
        arena_fini(&f.arena);
    }
}

static void test_keys_that_stand_twice_are_all_found(void **state)
{
    struct fixture f;
    const struct node *root = read_into(&f, SPAN("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n"));
    assert_non_null(root);
    assert_int_equal(f.problems.error_count, 3);
    arena_fini(&f.arena);

    char text[4000];
    size_t len = 0;
    for (int i = 0; i < 200; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "k%d: 1\n", i == 150 ? 7 : i);
    }
    assert_non_null(read_into(&f, span_of(text, len)));
    assert_int_equal(f.problems.error_count, 1);
    assert_int_equal(f.problems.items[0].place.line, 151);
    arena_fini(&f.arena);
}

static void test_depth_is_bounded(void **state)
{
    struct fixture f;
    char text[1000];
    for (size_t depth = 30; depth < 200; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        const struct node *root = read_into(&f, span_of(text, 2 * depth));
        assert_int_equal(root != NULL, depth <= yaml_depth_max);
        arena_fini(&f.arena);
    }
}

static void test_no_memory_is_a_problem(void **state)
{
    struct fixture f;
    struct span text = SPAN("a: [1, 2, 3, {b: c}]\nd: \"e\"\n");
    for (size_t bytes = 1; bytes < 3000; bytes += 7) {
        struct arena small;
        arena_init(&f.arena, 0);
        arena_init(&small, bytes);
        problems_init(&f.problems, &f.arena, "t");
        const struct node *root = yaml_read(text, &small, &f.problems);
        assert_true((root == NULL) == (f.problems.error_count > 0));
        arena_fini(&small);
        arena_fini(&f.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tree_knows_its_places),
        cmocka_unit_test(test_escapes_move_no_place),
        cmocka_unit_test(test_an_empty_text_is_nothing),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_keys_that_stand_twice_are_all_found),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_no_memory_is_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
