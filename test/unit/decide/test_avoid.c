/* SPDX-License-Identifier: MIT */
/* A way out: whom a client names it is not sent to, where it has been is carried along, and whoever
 * is sent back again and again comes to an end. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char config[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: '/plain/*', pool: plain, max_age: 60s}\n"
    "      - {path: '/param/*', pool: param}\n"
    "      - {path: '/carry/*', pool: carry}\n"
    "      - {path: '/drop/*', pool: carry, query: drop}\n"
    "      - {path: '/page/*', pool: page}\n"
    "      - {path: '/none/*', pool: none}\n"
    "      - {path: '/many/*', pool: many}\n"
    "      - {path: '/levels/*', pool: levels}\n"
    "      - {path: '/hash/*', pool: hash}\n"
    "      - {path: '/sticky/*', pool: sticky}\n"
    "pools:\n"
    "  plain:\n"
    "    servers:\n"
    "      - {name: eu1, url: 'https://eu1.example.net'}\n"
    "      - {name: us1, url: 'https://us1.example.net:8443/x'}\n"
    "      - {name: both, url: 'http://both.example.net', schemes: [http, https]}\n"
    "      - {name: port, url: 'https://us1.example.net:9443'}\n"
    "    fallback: {to: 'https://last.example{+path}'}\n"
    "  param:\n"
    "    avoid: {param: tried}\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example'}]\n"
    "    fallback: {to: 'https://last.example{+path}'}\n"
    "  carry:\n"
    "    avoid: {param: tried, carry: true}\n"
    "    servers: [{name: a, url: 'https://a.example'},\n"
    "              {name: 'b:1&x', url: 'https://b.example:1'}]\n"
    "    fallback: {to: 'https://last.example{+path}#f'}\n"
    "  page:\n"
    "    avoid: {param: tried, carry: true}\n"
    "    servers: [{name: a, url: 'https://a.example'}]\n"
    "    fallback: {page: 'https://page.example/?why=none'}\n"
    "  none:\n"
    "    avoid: {param: tried, carry: true}\n"
    "    servers: [{name: a, url: 'https://a.example'}]\n"
    "    fallback: {status: 503, retry_after: 7s}\n"
    "  many:\n"
    "    avoid: {param: tried, carry: true}\n"
    "    servers: ['https://m1.example', 'https://m2.example', 'https://m3.example',\n"
    "              'https://m4.example', 'https://m5.example', 'https://m6.example',\n"
    "              'https://m7.example', 'https://m8.example', 'https://m9.example',\n"
    "              'https://m10.example']\n"
    "    fallback: {to: 'https://last.example{+path}'}\n"
    "  levels:\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example'}\n"
    "      - {name: b, url: 'https://b.example'}\n"
    "      - {name: c, url: 'https://c.example', priority: 2, weight: 3}\n"
    "      - {name: d, url: 'https://d.example', priority: 2, weight: 1}\n"
    "      - {name: e, url: 'https://e.example', priority: 3}\n"
    "  hash:\n"
    "    balance: {hash: path}\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example'}\n"
    "      - {name: b, url: 'https://b.example'}\n"
    "      - {name: c, url: 'https://c.example', priority: 2}\n"
    "      - {name: d, url: 'https://d.example', priority: 2}\n"
    "  sticky:\n"
    "    sticky: {cookie: m, ttl: 1h}\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example'}]\n";

/* ---- who is meant ---- */

/* The servers that sixteen requests come to, each once, in the order of the file. */
static void expect_servers(struct fixture *f, const struct ask *ask, const char *wanted)
{
    const struct snap_pool *pool = NULL;
    char text[256] = "";
    struct buffer got = buffer_over(text, sizeof(text));
    bool seen[16] = {false};
    for (int i = 0; i < 16; i++) {
        fixture_ask(f, ask);
        pool = snapshot_pool(f->snapshot, f->decision.action->kind == SNAP_ACTION_POOL
                                              ? f->decision.action->pool
                                              : 0);
        if (f->decision.server != SNAP_NONE) {
            seen[f->decision.server - pool->first_server] = true;
        }
    }
    for (uint32_t i = 0; i < pool->server_count; i++) {
        struct span name = snapshot_text(
            f->snapshot, snapshot_server(f->snapshot, pool->first_server + i)->identity);
        if (seen[i]) {
            buffer_put(&got, got.len > 0 ? SPAN(" ") : SPAN(""));
            buffer_put(&got, span_from(name, pool->name.len + 1));
        }
    }
    fixture_same(ask->fields != NULL ? ask->fields : ask->line, "servers", buffer_span(&got),
                 wanted);
}

static void servers_are_called_by_many_names(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *left;
        bool plain; /* the client came over http */
    } cases[] = {
        {"", "eu1 us1 both port", false},
        {"Detour-Avoid: eu1\r\n", "us1 both port", false},
        {"Detour-Avoid: EU1\r\n", "us1 both port", false}, /* it could be a host */
        {"detour-avoid: eu1.example.net\r\n", "us1 both port", false},
        {"Detour-Avoid: EU1.Example.NET.:443\r\n", "us1 both port", false},
        {"Detour-Avoid: https://eu1.example.net/plain/x?y\r\n", "us1 both port", false},
        {"Detour-Avoid: \"https://eu1.example.net/a,b\"\r\n", "us1 both port", false},
        {"Detour-Avoid: us1\r\n", "eu1 both port", false},
        {"Detour-Avoid: us1.example.net\r\n", "eu1 both", false}, /* the host of two */
        {"Detour-Avoid: us1.example.net:9443\r\n", "eu1 us1 both", false},
        {"Detour-Avoid: https://us1.example.net:8443\r\n", "eu1 both port", false},
        {"Detour-Avoid: http://both.example.net/a\r\n", "eu1 us1 port", false},
        {"Detour-Avoid: https://both.example.net/a\r\n", "eu1 us1 port", true},
        {"Detour-Avoid: eu1, us1 ,, both\r\n", "port", false},
        {"Detour-Avoid: eu1\r\nX: y\r\nDetour-Avoid: us1,both\r\n", "port", false},
        {"Detour-Avoid: eu11, eu, eu1:443, http://eu1.example.net, ftp://eu1.example.net\r\n",
         "eu1 us1 both port", false}, /* none of them */
        {"Detour-Avoid: *\r\n", "", false},
        {"Detour-Avoid: *plain\r\n", "eu1 us1 both port", false},
        {"Detour-Avoid:\r\n", "eu1 us1 both port", false},
        {"Detour-Avoid: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,eu1\r\n", "us1 both port", false},
        {"Detour-Avoid: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\r\n", "", false}, /* too many */
        {"X-Detour-Avoid: eu1\r\nDetour-Avoidx: us1\r\n", "eu1 us1 both port", false},
    };
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask ask = {
            .line = "GET /plain/x", .fields = cases[i].field, .secure = !cases[i].plain};
        expect_servers(f, &ask, cases[i].left);
    }
    fixture_free(&f);
}

static void a_parameter_says_the_same_where_the_pool_names_it(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *left;
        const char *location; /* of the last one */
    } cases[] = {
        {"GET /param/x?tried=a", "b", "https://b.example/param/x"},
        {"GET /param/x?tried=b&q=1", "a", "https://a.example/param/x?q=1"},
        {"GET /param/x?q=1&%74ried=%62&r", "a", "https://a.example/param/x?q=1&r"},
        {"GET /param/x?tried=https://a.example/param/x%3Fy", "b", "https://b.example/param/x"},
        {"GET /param/x?tried=a%2C+b&q", "", "https://last.example/param/x?q"},
        {"GET /param/x?tried=a&tried=b", "", "https://last.example/param/x"},
        {"GET /param/x?tried=*", "", "https://last.example/param/x"},
        {"GET /param/x?tried=c&tried", "a b", NULL},
        {"GET /plain/x?tried=eu1", "eu1 us1 both port", NULL}, /* it names none */
    };
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask ask = {.line = cases[i].line, .secure = true};
        expect_servers(f, &ask, cases[i].left);
        if (cases[i].location != NULL) {
            fixture_same(ask.line, "Location", f->decision.location, cases[i].location);
        }
    }
    struct ask both = {.line = "GET /param/x?tried=a", .fields = "Detour-Avoid: b\r\n"};
    expect_servers(f, &both, "");
    fixture_free(&f);
}

/* ---- where it has been ---- */

static void a_location_tells_where_its_client_has_been(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *fields;
        const char *location; /* NULL: refused, as a loop */
    } cases[] = {
        {"GET /carry/x?tried=b.example", NULL, "https://a.example/carry/x?tried=b.example,a"},
        {"GET /carry/x?q&tried=b%3A1%26x", NULL, "https://a.example/carry/x?q&tried=b%3A1%26x,a"},
        {"GET /carry/x?tried=a", NULL, "https://b.example:1/carry/x?tried=a,b%3A1%26x"},
        {"GET /drop/x?q=1&tried=a", NULL, "https://b.example:1/drop/x?tried=a,b%3A1%26x"},
        {"GET /carry/x?", "Detour-Avoid: a\r\n", "https://b.example:1/carry/x?tried=b%3A1%26x"},
        {"GET /carry/x?tried=&tried=a", NULL, "https://b.example:1/carry/x?tried=a,b%3A1%26x"},
        {"GET /carry/x?tried=other,*other&tried=a", NULL,
         "https://b.example:1/carry/x?tried=other,*other,a,b%3A1%26x"},
        {"GET /carry/x?tried=a,b.example&q", NULL,
         "https://last.example/carry/x?q&tried=a,b.example,*carry#f"},
        {"GET /carry/x", "Detour-Avoid: *\r\n", "https://last.example/carry/x?tried=*carry#f"},
        {"GET /carry/x?tried=1,2,3,4,5,6,7,8", NULL,
         "https://last.example/carry/x?tried=1,2,3,4,5,6,7,8,*carry#f"},
        {"GET /carry/x?tried=a,b.example,*carry", NULL, NULL},
        {"GET /carry/x?tried=%2Acarry", NULL, NULL},
        {"GET /carry/x?tried=*", NULL, NULL},
        /* A quotation mark hides nothing of what stands behind it. */
        {"GET /carry/x?tried=%22,a", NULL, "https://b.example:1/carry/x?tried=%22,a,b%3A1%26x"},
        {"GET /carry/x?tried=%22a%5C,a,b.example", NULL,
         "https://last.example/carry/x?tried=%22a%5C,a,b.example,*carry#f"},
        {"GET /carry/x?tried=%22,a,*carry", NULL, NULL},
        {"GET /carry/x?tried=%22a%22,,+%22x", NULL,
         "https://b.example:1/carry/x?tried=%22a%22,,+%22x,b%3A1%26x"},
        {"GET /carry/x?tried=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", NULL, NULL},
        {"GET /page/x?tried=a", "Accept: text/html\r\n",
         "https://page.example/?why=none&tried=a,*page"},
    };
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask ask = {.line = cases[i].line, .fields = cases[i].fields};
        fixture_answer(f, &ask);
        if (cases[i].location != NULL) {
            fixture_same(ask.line, "Location", f->response.location, cases[i].location);
            continue;
        }
        assert_int_equal(f->response.status, 508);
        assert_int_equal(f->decision.reason, REASON_LOOP);
        fixture_same(ask.line, "Location", f->response.location, "");
        fixture_same(ask.line, "cache", fixture_field(f, "Cache-Control"), "no-store");
        fixture_same(ask.line, "type", f->response.content_type, "application/problem+json");
    }
    fixture_free(&f);
}

/* Servers that all send the client back with its query. */
static void whoever_is_sent_back_comes_to_an_end(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int servers;
        uint16_t end;
    } cases[] = {{"/carry/x", 2, 508}, {"/many/x", 8, 508}, {"/none/x", 1, 503}};
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[1024];
        int sent = 0;
        bool seen[64] = {false};
        snprintf(line, sizeof(line), "GET %s", cases[i].path);
        for (int turn = 0; turn < 40; turn++) {
            fixture_answer(f, &(struct ask){.line = line});
            if (f->decision.location.len == 0) {
                break;
            }
            if (f->decision.server != SNAP_NONE) {
                assert_false(seen[f->decision.server]);
                seen[f->decision.server] = true;
                sent++;
            }
            size_t question = span_find(f->response.location, 0, '?');
            size_t end = span_find(f->response.location, question, '#');
            snprintf(line, sizeof(line), "GET %s%.*s", cases[i].path,
                     SPAN_ARG(span_slice(f->response.location, question, end)));
        }
        assert_int_equal(sent, cases[i].servers);
        assert_int_equal(f->response.status, cases[i].end);
    }
    fixture_free(&f);
}

/* ---- the last resort ---- */

static void who_cannot_reach_the_last_resort_waits(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *fields;
        bool waits;
    } cases[] = {
        {"GET /param/x?tried=a,b,last.example", NULL, true},
        {"GET /param/x?tried=a,b", "Detour-Avoid: https://last.example/param/x\r\n", true},
        {"GET /carry/x?tried=a,b.example", "Detour-Avoid: last.example:443\r\n", true},
        {"GET /param/x?tried=a,b,last.example:80", NULL, false},
        {"GET /param/x?tried=a,b,http://last.example", NULL, false},
        {"GET /param/x?tried=a,b,example", NULL, false},
    };
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_answer(f, &(struct ask){.line = cases[i].line, .fields = cases[i].fields});
        assert_int_equal(f->decision.reason, REASON_POOL_EMPTY);
        assert_int_equal(f->response.status, cases[i].waits ? 503 : 307);
        assert_int_equal(f->response.location.len > 0, !cases[i].waits);
        assert_int_equal(fixture_field(f, "Retry-After").ptr != NULL, cases[i].waits);
        assert_int_equal(f->decision.hold, false);
    }
    fixture_free(&f);
}

/* ---- by balance ---- */

static void the_next_priorities_are_asked(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *fields;
        const char *left;
    } cases[] = {
        {"GET /levels/x", NULL, "a b"},
        {"GET /levels/x", "Detour-Avoid: a\r\n", "b"},
        {"GET /levels/x", "Detour-Avoid: a,b\r\n", "c d"},
        {"GET /levels/x", "Detour-Avoid: a,b,c\r\n", "d"},
        {"GET /levels/x", "Detour-Avoid: c,a,d,b\r\n", "e"},
        {"GET /levels/x", "Detour-Avoid: c,a,d,b,e\r\n", ""},
    };
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_servers(f, &(struct ask){.line = cases[i].path, .fields = cases[i].fields},
                       cases[i].left);
    }
    int c = 0;
    for (int i = 0; i < 400; i++) {
        fixture_ask(f, &(struct ask){.line = "GET /levels/x", .fields = "Detour-Avoid: a,b\r\n"});
        c += span_eq(fixture_server(f), SPAN("levels/c"));
    }
    assert_in_range(c, 290, 310); /* three of four */
    fixture_free(&f);
}

/* The same one each time, whoever is asked: also of the priority behind. */
static void under_hash_the_next_in_rank_is_the_same_one(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    int others = 0;
    for (int key = 0; key < 64; key++) {
        char line[32];
        char fields[64] = "Detour-Avoid: a,b\r\n";
        char before[64] = "";
        snprintf(line, sizeof(line), "GET /hash/%d", key);
        for (int round = 0; round < 3; round++) {
            fixture_ask(f, &(struct ask){.line = line, .fields = fields});
            struct span chosen = fixture_server(f);
            if (round > 0) {
                fixture_same(line, "server", chosen, before);
            }
            snprintf(before, sizeof(before), "%.*s", SPAN_ARG(chosen));
            others += span_eq(chosen, SPAN("hash/d"));
            assert_true(span_eq(chosen, SPAN("hash/c")) || span_eq(chosen, SPAN("hash/d")));
        }
        fixture_ask(f, &(struct ask){.line = line});
        const char *other = span_eq(fixture_server(f), SPAN("hash/a")) ? "hash/b" : "hash/a";
        snprintf(fields, sizeof(fields), "Detour-Avoid: %s\r\n", *(other + 5) == 'b' ? "a" : "b");
        fixture_ask(f, &(struct ask){.line = line, .fields = fields});
        fixture_same(line, "the next in rank", fixture_server(f), other);
    }
    assert_in_range(others, 30, 162);
    fixture_free(&f);
}

static void a_cookie_lets_go(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    char fields[128];
    fixture_answer(f, &(struct ask){.line = "GET /sticky/x"});
    struct span cookie = fixture_field(f, "Set-Cookie");
    bool a = span_eq(fixture_server(f), SPAN("sticky/a"));
    snprintf(fields, sizeof(fields), "Cookie: %.*s\r\nDetour-Avoid: %s\r\n",
             (int)span_find(cookie, 0, ';'), (const char *)cookie.ptr, a ? "a" : "b");
    fixture_answer(f, &(struct ask){.line = "GET /sticky/x", .fields = fields});
    fixture_same("avoided", "server", fixture_server(f), a ? "sticky/b" : "sticky/a");
    assert_non_null(fixture_field(f, "Set-Cookie").ptr);
    snprintf(fields + strlen(fields) - 3, 8, "c\r\n");
    fixture_answer(f, &(struct ask){.line = "GET /sticky/x", .fields = fields});
    fixture_same("held", "server", fixture_server(f), a ? "sticky/a" : "sticky/b");
    assert_null(fixture_field(f, "Set-Cookie").ptr);
    fixture_free(&f);
}

static void caches_are_told(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    fixture_answer(f, &(struct ask){.line = "GET /plain/x", .secure = true});
    fixture_same("plain", "Vary", fixture_field(f, "Vary"), "Detour-Avoid");
    fixture_answer(f, &(struct ask){.line = "GET /param/x"});
    assert_null(fixture_field(f, "Vary").ptr);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_called_by_many_names),
        cmocka_unit_test(a_parameter_says_the_same_where_the_pool_names_it),
        cmocka_unit_test(a_location_tells_where_its_client_has_been),
        cmocka_unit_test(whoever_is_sent_back_comes_to_an_end),
        cmocka_unit_test(who_cannot_reach_the_last_resort_waits),
        cmocka_unit_test(the_next_priorities_are_asked),
        cmocka_unit_test(under_hash_the_next_in_rank_is_the_same_one),
        cmocka_unit_test(a_cookie_lets_go),
        cmocka_unit_test(caches_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
