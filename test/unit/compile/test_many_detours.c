/* SPDX-License-Identifier: MIT */
/* A thousand active detours cost a request next to nothing: how many rules are looked at for
 * a path does not grow with those of other paths. */
#include "compile/compile.h"

#include "base/buffer.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW (INT64_C(1795000000) * NS_PER_SECOND)

enum { many = 1000, text_bytes_max = 1 << 20 };

struct fixture {
    struct arena arena;
    const struct snapshot *snapshot;
    uint8_t *bytes;
};

static void add_detours(struct buffer *text, const char *form)
{
    for (int i = 0; i < many; i++) {
        buffer_printf(text, "  - {name: d%d, site: shop, ", i);
        for (const char *at = form; *at != 0; at++) {
            if (*at == '#') {
                buffer_printf(text, "%d", i);
            } else {
                buffer_byte(text, (uint8_t)*at);
            }
        }
        buffer_printf(text, ", to: \"https://else.example/\", until: off, reason: r}\n");
    }
}

static void make(struct fixture *f, const char *form)
{
    uint8_t *room = malloc(text_bytes_max);
    struct buffer text = buffer_over(room, text_bytes_max);
    struct problems problems;
    size_t len;
    buffer_printf(&text, "sites:\n  - {name: shop, hosts: [a.example], routes: []}\ndetours:\n"
                         "  - {name: it, site: shop, path_prefix: /asked, to: "
                         "\"https://else.example/\", until: off, reason: r}\n");
    add_detours(&text, form);
    assert_false(text.full);
    arena_init(&f->arena, 0);
    problems_init(&problems, &f->arena, "t.yaml");
    const struct model *model = model_load(buffer_span(&text), NOW, &problems);
    if (model == NULL) {
        fail_msg("%s", problems.items[0].text);
        return;
    }
    assert_int_equal(snapshot_compile(model, NULL, 1, NOW, &f->bytes, &len), ERR_NONE);
    f->snapshot = snapshot_open(span_of(f->bytes, len));
    free(room);
}

static void end(struct fixture *f)
{
    free(f->bytes);
    arena_fini(&f->arena);
}

static size_t looked_at(const struct fixture *f, const char *path)
{
    struct candidates candidates;
    size_t count = 0;
    candidates_init(&candidates, f->snapshot, &snapshot_site(f->snapshot, 0)->detours,
                    span_cstr(path), false);
    while (candidates_next(&candidates) != SNAP_NONE) {
        count++;
    }
    return count;
}

static const struct {
    const char *form; /* of each of the thousand; # is its number */
    size_t asked;     /* rules that are looked at for /asked/x/y */
    size_t other;     /* … and for /other */
} cases[] = {
    {.form = "path_prefix: /d#", .asked = 1, .other = 0},
    {.form = "path_prefix: /a/b/c/d#", .asked = 1, .other = 0},
    {.form = "path_prefix: /asked/d#", .asked = 1, .other = 0},
    {.form = "path: \"/d#/:name\"", .asked = 1, .other = 0},
    {.form = "path: \"/asked/:name/d#\"", .asked = 1, .other = 0},
    {.form = "path: \"/:name/d#/*\"", .asked = 1, .other = 0},
    {.form = "path: \"/d#/*\"", .asked = 1, .other = 0},
};

static void test_others_are_not_looked_at(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f = {0};
        make(&f, cases[i].form);
        assert_int_equal(snapshot_site(f.snapshot, 0)->detours.count, many + 1);
        size_t asked = looked_at(&f, "/asked/x/y");
        size_t other = looked_at(&f, "/other");
        if (asked != cases[i].asked || other != cases[i].other) {
            fail_msg("%s: %zu and %zu", cases[i].form, asked, other);
        }
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_others_are_not_looked_at)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
