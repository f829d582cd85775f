/* SPDX-License-Identifier: MIT */
/* Pools: exact over a cycle, stable under hash, never to those who are down. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char config[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: '/w/*', pool: weighted}\n"
    "      - {path: '/r/*', pool: robin}\n"
    "      - {path: '/p/*', pool: levels}\n"
    "      - {path: '/s/:x/*', pool: strip}\n"
    "      - {path_prefix: /t, pool: strip, query: drop}\n"
    "      - {path: '/all/*', pool: all}\n"
    "      - {path: '/page/*', pool: page}\n"
    "      - {path: '/url/*', pool: url}\n"
    "      - {path: '/climb/*', pool: climb}\n"
    "pools:\n"
    "  weighted:\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example/', weight: 3}\n"
    "      - {name: b, url: 'https://b.example', weight: 1}\n"
    "      - {name: c, url: 'https://c.example', weight: 0}\n"
    "    fallback: {status: 503, retry_after: 30s}\n"
    "  robin:\n"
    "    balance: round-robin\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example', weight: 3}\n"
    "      - {name: b, url: 'https://b.example', weight: 1}\n"
    "      - {name: c, url: 'https://c.example', weight: 2}\n"
    "  levels:\n"
    "    servers:\n"
    "      - {name: third, url: 'https://t.example', priority: 3}\n"
    "      - {name: a, url: 'https://a.example', weight: 2}\n"
    "      - {name: second, url: 'https://s.example', priority: 2}\n"
    "      - {name: b, url: 'https://b.example'}\n"
    "  strip: {path: strip, servers: [{name: m, url: 'https://m.example:81/mirror/'}]}\n"
    "  all: {servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example',\n"
    "        priority: 2}], fallback: all}\n"
    "  page: {servers: [https://a.example], fallback: {page: 'https://s.example/'}}\n"
    "  url: {servers: [https://a.example], fallback: {to: 'https://s.example/x{+path}'}}\n"
    "  climb: {servers: [https://a.example], fallback: {to: 'https://s.example/x/y{+path}'}}\n";

/* How often server `name` was chosen in `count` requests. */
static int share_of(struct fixture *f, const char *line, const char *name, int count)
{
    int chosen = 0;
    for (int i = 0; i < count; i++) {
        fixture_ask(f, &(struct ask){.line = line});
        chosen += span_eq(fixture_server(f), span_cstr(name));
    }
    return chosen;
}

static void weights_are_exact_over_each_cycle(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    for (int cycle = 0; cycle < 5; cycle++) {
        assert_int_equal(share_of(f, "GET /w/x", "weighted/a", 4), 3);
    }
    assert_int_equal(share_of(f, "GET /w/x", "weighted/b", 400), 100);
    assert_int_equal(share_of(f, "GET /w/x", "weighted/c", 400), 0);
    for (int cycle = 0; cycle < 5; cycle++) {
        assert_int_equal(share_of(f, "GET /r/x", "robin/a", 3), 1);
        assert_int_equal(share_of(f, "GET /r/x", "robin/b", 3), 1);
    }
    fixture_free(&f);
}

/* Who is not up loses its turns to the others, and has them back when it is. */
static void only_those_who_are_up_are_chosen(void **state)
{
    static const struct {
        enum server_state state;
        uint32_t ppm;
    } not_up[] = {
        {SERVER_DOWN, 1000000}, {SERVER_DRAIN, 1000000}, {SERVER_MAINT, 1000000}, {SERVER_UP, 0}};
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(not_up) / sizeof(not_up[0]); i++) {
        fixture_set(f, "weighted/a", not_up[i].state, not_up[i].ppm);
        assert_int_equal(share_of(f, "GET /w/x", "weighted/b", 40), 40);
        fixture_set(f, "weighted/a", SERVER_UP, server_weight_ppm_full);
        assert_int_equal(share_of(f, "GET /w/x", "weighted/b", 40), 10);
    }
    fixture_set(f, "robin/b", SERVER_DOWN, 0);
    assert_int_equal(share_of(f, "GET /r/x", "robin/a", 40), 20);
    fixture_free(&f);
}

static void the_first_priority_that_is_up_serves(void **state)
{
    static const struct {
        const char *down;
        const char *serves;
        int of_nine;
    } cases[] = {{NULL, "levels/a", 6},
                 {"levels/b", "levels/a", 9},
                 {"levels/a", "levels/second", 9},
                 {"levels/second", "levels/third", 9}};
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].down != NULL) {
            fixture_set(f, cases[i].down, SERVER_DOWN, 0);
        }
        assert_int_equal(share_of(f, "GET /p/x", cases[i].serves, 9), cases[i].of_nine);
    }
    fixture_set(f, "levels/third", SERVER_DOWN, 0);
    fixture_ask(f, &(struct ask){.line = "GET /p/x"});
    assert_int_equal(f->decision.status, 503);
    assert_int_equal(f->decision.server, SNAP_NONE);
    fixture_free(&f);
}

static void paths_are_appended(void **state)
{
    static const struct {
        const char *line;
        const char *location;
    } cases[] = {
        {"GET /w/a%20b/%7e%2f?c=d", "https://a.example/w/a%20b/%7e%2f?c=d"},
        {"POST /w/", "https://a.example/w/"},
        {"GET /s/x/y/z?q", "https://m.example:81/mirror/x/y/z?q"},
        {"GET //s/%78/y", "https://m.example:81/mirror/%78/y"},
        {"GET /t/a/b?q", "https://m.example:81/mirror/a/b"},
        {"GET /t", "https://m.example:81/mirror"},
        {"GET /t/", "https://m.example:81/mirror/"},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_rewind(f);
        fixture_ask(f, &(struct ask){.line = cases[i].line});
        fixture_same(cases[i].line, "Location", f->decision.location, cases[i].location);
        assert_int_equal(f->decision.status, 307);
        assert_true(f->decision.depends_on_client);
    }
    fixture_free(&f);
}

static void an_empty_pool_falls_back(void **state)
{
    static const struct {
        struct ask ask;
        uint16_t status;
        const char *location;
        int64_t retry_after;
    } cases[] = {
        {{.line = "GET /w/x"}, 503, "", 30},
        {{.line = "GET /r/x"}, 503, "", -1},
        {{.line = "GET /page/x"}, 503, "", 60},
        {{.line = "GET /page/x", .fields = "Accept: text/html\r\n"}, 307, "https://s.example/", -1},
        {{.line = "GET /url/x?y"}, 307, "https://s.example/x/url/x?y", -1},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (uint32_t i = 0; i < f->slots; i++) {
        atomic_store(&f->live[i].word, server_live_word(SERVER_DOWN, server_weight_ppm_full));
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_ask(f, &cases[i].ask);
        assert_int_equal(f->decision.reason, REASON_POOL_EMPTY);
        assert_int_equal(f->decision.status, cases[i].status);
        int64_t more = cases[i].retry_after == 60 ? 15 : 0; /* it is computed, so it differs */
        assert_true(f->decision.retry_after_s >= cases[i].retry_after &&
                    f->decision.retry_after_s <= cases[i].retry_after + more);
        assert_int_equal(f->decision.server, SNAP_NONE);
        fixture_same(cases[i].ask.line, "Location", f->decision.location, cases[i].location);
    }
    /* `all`: better a server that seems to be down than none; the best ones first. */
    assert_int_equal(share_of(f, "GET /all/x", "all/a", 5), 5);
    fixture_set(f, "all/b", SERVER_UP, server_weight_ppm_full);
    assert_int_equal(share_of(f, "GET /all/x", "all/b", 5), 5);
    /* A fallback that refuses the request says why. */
    fixture_ask(f, &(struct ask){.line = "GET /climb/..;/..;/..;"});
    assert_int_equal(f->decision.status, 400);
    assert_int_equal(f->decision.reason, REASON_LOCATION_ESCAPES);
    fixture_free(&f);
}

static const char ten[] = "sites:\n"
                          "  - hosts: shop.example\n"
                          "    routes:\n"
                          "      - {path: '/p/*', pool: path}\n"
                          "      - {path: /c, pool: client}\n"
                          "      - {path: /h, pool: header}\n"
                          "      - {path: /k, pool: cookie}\n"
                          "      - {path: '/v/*', pool: heavy}\n"
                          "pools:\n";

/* Pools with the same ten servers but the one to be left out, and one with weights. */
static struct fixture *hash_fixture(int left_out)
{
    static const struct {
        const char *name;
        const char *key;
    } pools[] = {{"path", "path"},
                 {"client", "client"},
                 {"header", "{header: X-Key}"},
                 {"cookie", "{cookie: id}"}};
    static char text[8192];
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    buffer_put(&out, span_cstr(ten));
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        buffer_printf(&out, "  %s:\n    balance: hash\n    hash: %s\n    servers:\n", pools[i].name,
                      pools[i].key);
        for (int k = 0; k < 10; k++) {
            if (k == left_out) {
                continue;
            }
            buffer_printf(&out, "      - {name: s%d, url: 'https://s%d.example'}\n", k, k);
        }
    }
    buffer_printf(&out, "  heavy: {balance: hash, servers: [{name: a, url: 'https://a.example',"
                        " weight: 3}, {name: b, url: 'https://b.example'}]}\n");
    assert_false(out.full);
    text[out.len] = 0;
    return fixture_new(text);
}

enum { keys = 2000 };

/* The server of key number i, by path. */
static uint32_t server_of(struct fixture *f, int key)
{
    char line[64];
    snprintf(line, sizeof(line), "GET /p/key-%d", key);
    fixture_ask(f, &(struct ask){.line = line});
    assert_int_not_equal(f->decision.server, SNAP_NONE);
    return f->decision.server;
}

static void a_server_that_leaves_takes_only_its_own_keys(void **state)
{
    (void)state;
    struct fixture *f = hash_fixture(-1);
    static uint32_t before[keys];
    int of_server[16] = {0};
    for (int i = 0; i < keys; i++) {
        before[i] = server_of(f, i);
        of_server[before[i]]++;
        assert_int_equal(server_of(f, i), before[i]);
    }
    for (int k = 0; k < 10; k++) {
        assert_in_range(of_server[k], keys / 10 - 60, keys / 10 + 60);
    }
    fixture_set(f, "path/s3", SERVER_DOWN, 0);
    int elsewhere[16] = {0};
    for (int i = 0; i < keys; i++) {
        uint32_t now = server_of(f, i);
        if (before[i] == 3) {
            assert_int_not_equal(now, 3);
            elsewhere[now]++;
        } else {
            assert_int_equal(now, before[i]);
        }
    }
    for (int k = 0; k < 10; k++) { /* and everybody takes some of them */
        assert_true(k == 3 || elsewhere[k] > 5);
    }
    fixture_set(f, "path/s3", SERVER_UP, server_weight_ppm_full);
    for (int i = 0; i < keys; i++) {
        assert_int_equal(server_of(f, i), before[i]);
    }
    fixture_free(&f);
}

/* The same holds for one that is taken out of the file, where the others move up: what
 * counts is who they are, not where they stand. */
static void a_server_that_is_deleted_moves_nobody_else(void **state)
{
    (void)state;
    struct fixture *f = hash_fixture(-1);
    struct fixture *g = hash_fixture(3);
    for (int i = 0; i < keys; i++) {
        bool own = server_of(f, i) == 3;
        server_of(g, i);
        assert_int_equal(span_eq(fixture_server(f), fixture_server(g)), !own);
    }
    fixture_free(&f);
    fixture_free(&g);
}

static void weights_count_under_hash(void **state)
{
    (void)state;
    struct fixture *f = hash_fixture(-1);
    int of_a = 0;
    for (int i = 0; i < 4000; i++) {
        char line[64];
        snprintf(line, sizeof(line), "GET /v/%d", i);
        fixture_ask(f, &(struct ask){.line = line});
        of_a += span_eq(fixture_server(f), SPAN("heavy/a"));
    }
    assert_in_range(of_a, 3000 - 120, 3000 + 120);
    fixture_free(&f);
}

static void the_key_is_what_was_configured(void **state)
{
    (void)state;
    struct fixture *f = hash_fixture(-1);
    bool differs[3] = {false};
    uint32_t first[3] = {0};
    for (int i = 0; i < 40; i++) {
        char from[32], field[64], cookie[64];
        snprintf(from, sizeof(from), "192.0.2.%d", i);
        snprintf(field, sizeof(field), "X-Key: %d\r\n", i);
        snprintf(cookie, sizeof(cookie), "Cookie: x=1; id=%d\r\n", i);
        const struct ask asks[3] = {{.line = "GET /c", .from = from},
                                    {.line = "GET /h", .fields = field, .from = "192.0.2.250"},
                                    {.line = "GET /k", .fields = cookie, .from = "192.0.2.250"}};
        for (int k = 0; k < 3; k++) {
            uint32_t chosen = fixture_ask(f, &asks[k])->server;
            first[k] = i == 0 ? chosen : first[k];
            differs[k] = differs[k] || chosen != first[k];
            struct ask again = asks[k];
            again.line = k == 0 ? "POST /c?x" : k == 1 ? "POST /h?x" : "POST /k?x";
            assert_int_equal(fixture_ask(f, &again)->server, chosen);
            again.from = k == 0 ? from : "198.51.100.1"; /* the key alone has a say */
            assert_int_equal(fixture_ask(f, &again)->server, chosen);
        }
    }
    assert_true(differs[0] && differs[1] && differs[2]);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_exact_over_each_cycle),
        cmocka_unit_test(only_those_who_are_up_are_chosen),
        cmocka_unit_test(the_first_priority_that_is_up_serves),
        cmocka_unit_test(paths_are_appended),
        cmocka_unit_test(an_empty_pool_falls_back),
        cmocka_unit_test(a_server_that_leaves_takes_only_its_own_keys),
        cmocka_unit_test(a_server_that_is_deleted_moves_nobody_else),
        cmocka_unit_test(weights_count_under_hash),
        cmocka_unit_test(the_key_is_what_was_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
