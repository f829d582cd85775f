/* SPDX-License-Identifier: MIT */
/* Finding the site of a host, and the candidates for a path. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- hosts ---- */

static void hosts_find_their_site(void **state)
{
    static const struct {
        const char *host;
        const char *site;
    } cases[] = {
        {"a.example", "exact"},
        {"www.a.example", "one"},
        {"x.y.a.example", "one"},
        {"deep.sub.a.example", "two"},
        {"x.deep.sub.a.example", "two"},
        {"sub.a.example", "one"},
        {"b.a.example", "exact"},
        {"x.b.a.example", "one"},
        {"[2001:db8::1]", "address"},
        {"192.0.2.1", "address"},
        {"xn--bcher-kva.example", "address"},
        {"example", "all"},
        {"za.example", "all"},
        {"[2001:db8::2]", "all"},
        {"0.192.0.2.1", "all"},
        {".a.example", "all"},
        {"a.example.", "all"}, /* a host is canonical already */
        {"A.example", "all"},
        {"", "all"},
        {"*", "all"},
    };
    (void)state;
    struct fixture *f =
        fixture_new("sites:\n"
                    "  - {name: exact, hosts: [a.example, b.a.example.]}\n"
                    "  - {name: one, hosts: ['*.a.example']}\n"
                    "  - {name: two, hosts: ['*.sub.a.example']}\n"
                    "  - {name: address, hosts: ['[2001:db8::1]', 192.0.2.1, BÜCHER.example]}\n"
                    "  - {name: all, hosts: '*'}\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t site = snapshot_site_for(f->snapshot, span_cstr(cases[i].host));
        assert_int_not_equal(site, SNAP_NONE);
        struct span name = snapshot_text(f->snapshot, snapshot_site(f->snapshot, site)->name);
        /* ".a.example" stands in the table for the wildcard; no request can hold it. */
        if (cases[i].host[0] != '.') {
            fixture_same(cases[i].host, "site", name, cases[i].site);
        }
    }
    fixture_free(&f);
}

static void unknown_hosts_have_no_site(void **state)
{
    (void)state;
    struct fixture *f = fixture_new("sites: [{hosts: a.example}]\n");
    assert_int_equal(snapshot_site_for(f->snapshot, SPAN("a.example")), 0);
    assert_int_equal(snapshot_site_for(f->snapshot, SPAN("b.example")), SNAP_NONE);
    assert_int_equal(snapshot_site_for(f->snapshot, SPAN("")), SNAP_NONE);
    fixture_free(&f);
}

/* As many as collide in the table. */
static void many_hosts_are_all_found(void **state)
{
    (void)state;
    enum { hosts = 2000 };
    static char text[hosts * 64];
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    buffer_printf(&out, "sites:\n");
    for (int i = 0; i < hosts; i++) {
        buffer_printf(&out, "  - {hosts: '%sh%d.example'}\n", i % 2 ? "*." : "", i);
    }
    assert_false(out.full);
    text[out.len] = 0;
    struct fixture *f = fixture_new(text);
    for (uint32_t i = 0; i < hosts; i++) {
        char host[64];
        int len = snprintf(host, sizeof(host), "%sh%u.example", i % 2 ? "x.y." : "", i);
        assert_int_equal(snapshot_site_for(f->snapshot, span_of(host, (size_t)len)), i);
        len = snprintf(host, sizeof(host), "%sh%u.example", i % 2 ? "" : "x.", i);
        assert_int_equal(snapshot_site_for(f->snapshot, span_of(host, (size_t)len)), SNAP_NONE);
    }
    fixture_free(&f);
}

/* ---- candidates ---- */

static const char routes[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: /, to: 'https://n.example/'}\n"                /* 0 */
    "      - {path: /a, to: 'https://n.example/'}\n"               /* 1 */
    "      - {path: /a/, to: 'https://n.example/'}\n"              /* 2 */
    "      - {path: '/:x/b', to: 'https://n.example/'}\n"          /* 3 */
    "      - {path: '/a/b/c', to: 'https://n.example/'}\n"         /* 4 */
    "      - {path: '/a/:y/c', to: 'https://n.example/'}\n"        /* 5 */
    "      - {path: '/a/b*', to: 'https://n.example/'}\n"          /* 6: hangs on /a */
    "      - {path_prefix: /a/p, to: 'https://n.example/'}\n"      /* 7 */
    "      - {path: '/o*', to: 'https://n.example/'}\n"            /* 8: hangs on / */
    "      - {path: '/:x/', to: 'https://n.example/'}\n"           /* 9 */
    "      - {methods: PUT, to: 'https://n.example/'}\n"           /* 10: any path */
    "      - {path: '*.png', to: 'https://n.example/'}\n"          /* 11 */
    "      - {path: '/r/:n(\\d+)/z', to: 'https://n.example/'}\n"; /* 12: hangs on /r */

/* All candidates for a path, as "0 3 5". */
static struct span list(const struct fixture *f, const char *path, bool linear, char *memory)
{
    struct candidates candidates;
    struct buffer out = buffer_over(memory, 2048);
    candidates_init(&candidates, f->snapshot, &snapshot_site(f->snapshot, 0)->routes,
                    span_cstr(path), linear);
    for (uint32_t rule = candidates_next(&candidates); rule != SNAP_NONE;
         rule = candidates_next(&candidates)) {
        buffer_printf(&out, out.len > 0 ? " %u" : "%u", rule);
    }
    assert_false(out.full);
    return buffer_span(&out);
}

static void candidates_are_few_and_in_order(void **state)
{
    static const struct {
        const char *path;
        const char *rules;
    } cases[] = {
        {"/", "0 8 10 11"},          {"/a", "1 6 8 10 11"},      {"/a/", "1 2 6 8 9 10 11"},
        {"/a/b", "1 3 6 8 10 11"},   {"/a/b/", "1 3 6 8 10 11"}, {"/a/b/c", "1 3 4 5 6 8 10 11"},
        {"/a/x/c", "1 5 6 8 10 11"}, {"/a/p", "1 6 7 8 10 11"},  {"/a/p/c/d", "1 5 6 7 8 10 11"},
        {"/z/b/c", "3 8 10 11"},     {"/z/", "8 9 10 11"},       {"/r/7/z", "8 10 11 12"},
        {"/o", "8 10 11"},           {"/ab", "8 10 11"},
    };
    (void)state;
    struct fixture *f = fixture_new(routes);
    char memory[2048];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_same(cases[i].path, "rules", list(f, cases[i].path, false, memory), cases[i].rules);
        fixture_same(cases[i].path, "rules one by one", list(f, cases[i].path, true, memory),
                     "0 1 2 3 4 5 6 7 8 9 10 11 12");
    }
    fixture_free(&f);
}

/* Fewer rules than are worth an index are tried one by one. */
static void few_rules_have_no_index(void **state)
{
    (void)state;
    struct fixture *f = fixture_new("sites:\n"
                                    "  - hosts: shop.example\n"
                                    "    routes:\n"
                                    "      - {path: /a, to: 'https://n.example/'}\n"
                                    "      - {path: /b, to: 'https://n.example/'}\n");
    char memory[2048];
    assert_int_equal(snapshot_site(f->snapshot, 0)->routes.nodes.count, 0);
    fixture_same("/b", "rules", list(f, "/b", false, memory), "0 1");
    fixture_free(&f);
}

/* Patterns for each combination of "a" and ":x" in `forks` segments, then "a" for the
 * rest, with a rule for each depth: deeper ones first. Gives how many. */
static int put_combinations(struct buffer *out, int forks, int depth)
{
    int count = 0;
    for (int len = depth; len > 0; len--) {
        int bits = len < forks ? len : forks;
        for (int mask = 0; mask < 1 << bits; mask++, count++) {
            buffer_printf(out, "      - {path: '");
            for (int at = 0; at < len; at++) {
                if (at < forks && mask >> at & 1) {
                    buffer_printf(out, "/:x%d", at);
                } else {
                    buffer_printf(out, "/a");
                }
            }
            buffer_printf(out, "/*', to: 'https://n.example/{+0}'}\n");
        }
    }
    return count;
}

/* The walk has room for so many nodes and lists; where they are more, no rule is lost. */
static void too_many_ways_are_tried_one_by_one(void **state)
{
    static const struct {
        int forks;
        int depth;
        bool linear;
    } cases[] = {
        {4, 5, false}, /* 2 + 4 + 8 + 16 + 16 lists of 48, 16 nodes of 16 */
        {4, 6, true},  /* 62 lists */
        {5, 5, true},  /* 32 nodes side by side */
    };
    (void)state;
    static char text[32768];
    char memory[2048];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out = buffer_over(text, sizeof(text) - 1);
        buffer_printf(&out, "sites:\n  - hosts: shop.example\n    routes:\n"
                            "      - {path: /b, to: 'https://n.example/'}\n");
        int count = put_combinations(&out, cases[i].forks, cases[i].depth);
        assert_false(out.full);
        text[out.len] = 0;
        struct fixture *f = fixture_new(text);
        char wanted[2048] = "";
        int len = 0;
        for (int rule = cases[i].linear ? 0 : 1; rule <= count; rule++) {
            len +=
                snprintf(wanted + len, sizeof(wanted) - (size_t)len, len > 0 ? " %d" : "%d", rule);
        }
        fixture_same("many", "rules", list(f, "/a/a/a/a/a/a/a", false, memory), wanted);
        fixture_ask(f, &(struct ask){.line = "GET /z/z/z/z/z/x"});
        /* Only the rule whose forks are all variables matches: the last of its depth. */
        struct span location = f->decision.location;
        assert_true(cases[i].forks == 4 ? span_eq(location, SPAN("https://n.example/z/x"))
                                        : span_eq(location, SPAN("https://n.example/x")));
        fixture_free(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_find_their_site),
        cmocka_unit_test(unknown_hosts_have_no_site),
        cmocka_unit_test(many_hosts_are_all_found),
        cmocka_unit_test(candidates_are_few_and_in_order),
        cmocka_unit_test(few_rules_have_no_index),
        cmocka_unit_test(too_many_ways_are_tried_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
