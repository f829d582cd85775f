/* SPDX-License-Identifier: MIT */
/* Where else a client could go, in Link, and where to go as JSON for who asks for it. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char config[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: '/l/*', pool: levels}\n"
    "      - {path: '/o/*', pool: one, max_age: 60s}\n"
    "      - {path: '/j/*', pool: json}\n"
    "      - {path: '/own/*', pool: json, headers: {Cache-Control: 'public, max-age=5'}}\n"
    "      - {path: '/see/*', pool: json, status: 303}\n"
    "      - {path: '/found/*', pool: json, status: 302}\n"
    "      - {path: '/t/*', pool: reach}\n"
    "      - {path: '/s/*', pool: sticky}\n"
    "      - {path: '/none/*', pool: none}\n"
    "      - {path: '/page/*', pool: page}\n"
    "      - {path: '/wait/*', pool: wait}\n"
    "      - {path: '/url/*', pool: url}\n"
    "      - {path: '/all/*', pool: many}\n"
    "      - {path: '/sign/*', pool: signed}\n"
    "      - {path: '/carry/*', pool: carried}\n"
    "pages: {later: {title: Later}}\n"
    "pools:\n"
    "  levels:\n"
    "    link: {max: 2}\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example/m'}\n"
    "      - {name: b, url: 'https://b.example', priority: 2}\n"
    "      - {name: c, url: 'https://c.example', priority: 3}\n"
    "      - {name: d, url: 'https://d.example', priority: 4}\n"
    "  one: {link: true, json: true, servers: [{name: a, url: 'https://a.example'}]}\n"
    "  json:\n"
    "    json: true\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example'}\n"
    "      - {name: b, url: 'https://b.example', priority: 2}\n"
    "  reach:\n"
    "    link: true\n"
    "    servers:\n"
    "      - {name: both, url: 'https://both.example', schemes: [http, https]}\n"
    "      - {name: tls, url: 'https://tls.example', schemes: https, priority: 2}\n"
    "      - {name: six, url: 'https://six.example', family: ipv6, priority: 3}\n"
    "      - {name: plain, url: 'http://plain.example', schemes: http, priority: 4}\n"
    "  sticky:\n"
    "    sticky: {cookie: m, ttl: 1h}\n"
    "    json: true\n"
    "    servers: [{name: a, url: 'https://a.example'}]\n"
    "  none: {json: true, servers: [{name: a, url: 'https://a.example', state: maint}],\n"
    "         fallback: {status: 503, retry_after: 9s}}\n"
    "  page: {json: true, servers: [https://a.example], fallback: {page: 'https://s.example/'}}\n"
    "  wait: {json: true, servers: [https://a.example], fallback: {page: later}}\n"
    "  url: {json: true, link: true, servers: [https://a.example],\n"
    "        fallback: {to: 'https://s.example{+path}'}}\n"
    "  signed: {json: true, link: true, sign: {key_file: k, ttl: 5m, param: t},\n"
    "           servers: [https://a.example, {url: https://b.example, priority: 2}]}\n"
    "  carried: {link: true, avoid: {param: tried, carry: true}, servers: [{name: a, url:\n"
    "            https://a.example}, {name: b, url: https://b.example, priority: 2},\n"
    "            {name: c, url: https://c.example, priority: 3}]}\n"
    "  many: {link: {max: 8}, json: true, servers: [https://a.example, https://b.example,\n"
    "         https://c.example, https://d.example, https://e.example, https://f.example,\n"
    "         https://g.example, https://h.example, https://i.example, https://j.example]}\n";

#define JSON "Accept: application/json\r\n"

/* The values of all Link fields, one a line. */
static struct span links_of(const struct fixture *f)
{
    static char text[32768];
    struct buffer out = buffer_over(text, sizeof(text));
    for (size_t i = 0; i < f->response.field_count; i++) {
        if (span_eq(f->response.fields[i].name, SPAN("Link"))) {
            buffer_put(&out, f->response.fields[i].value);
            buffer_byte(&out, '\n');
        }
    }
    assert_false(out.full);
    return buffer_span(&out);
}

static void alternatives_are_linked(void **state)
{
    static const struct {
        struct ask ask;
        const char *location;
        const char *links;
    } rows[] = {
        {{.line = "GET /l/x%20y?q=1&r"},
         "https://a.example/m/l/x%20y?q=1&r",
         "<https://b.example/l/x%20y?q=1&r>; rel=duplicate; pri=2\n"
         "<https://c.example/l/x%20y?q=1&r>; rel=duplicate; pri=3\n"},
        {{.line = "HEAD /l/x"},
         "https://a.example/m/l/x",
         "<https://b.example/l/x>; rel=duplicate; pri=2\n"
         "<https://c.example/l/x>; rel=duplicate; pri=3\n"},
        /* nothing that is sent has a copy */
        {{.line = "PUT /l/x"}, "https://a.example/m/l/x", ""},
        {{.line = "POST /l/x"}, "https://a.example/m/l/x", ""},
        {{.line = "DELETE /l/x"}, "https://a.example/m/l/x", ""},
        {{.line = "GET /o/x"}, "https://a.example/o/x", ""},
        {{.line = "GET /j/x"}, "https://a.example/j/x", ""},
        /* whom it could be sent to, as it would be */
        {{.line = "GET /t/x"},
         "http://both.example/t/x",
         "<http://plain.example/t/x>; rel=duplicate; pri=2\n"},
        {{.line = "GET /t/x", .secure = true},
         "https://both.example/t/x",
         "<https://tls.example/t/x>; rel=duplicate; pri=2\n"},
        {{.line = "GET /t/x", .secure = true, .from = "2001:db8::1"},
         "https://both.example/t/x",
         "<https://tls.example/t/x>; rel=duplicate; pri=2\n"
         "<https://six.example/t/x>; rel=duplicate; pri=3\n"},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture_answer(f, &rows[i].ask);
        assert_int_equal(f->response.status, 307);
        fixture_same(rows[i].ask.line, "Location", f->response.location, rows[i].location);
        fixture_same(rows[i].ask.line, "Link", links_of(f), rows[i].links);
    }
    fixture_free(&f);
}

static void only_those_who_are_up_are_linked(void **state)
{
    static const struct {
        const char *server;
        enum server_state state;
        const char *links; /* with all changes so far */
    } rows[] = {
        {"levels/b", SERVER_DOWN,
         "<https://c.example/l/x>; rel=duplicate; pri=2\n"
         "<https://d.example/l/x>; rel=duplicate; pri=3\n"},
        {"levels/c", SERVER_DRAIN, "<https://d.example/l/x>; rel=duplicate; pri=2\n"},
        {"levels/d", SERVER_MAINT, ""},
        {"levels/b", SERVER_UP, "<https://b.example/l/x>; rel=duplicate; pri=2\n"},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture_set(f, rows[i].server, rows[i].state, server_weight_ppm_full);
        fixture_answer(f, &(struct ask){.line = "GET /l/x"});
        fixture_same(rows[i].server, "Link", links_of(f), rows[i].links);
    }
    fixture_free(&f);
}

static void who_asks_for_json_is_told(void **state)
{
    static const struct {
        struct ask ask;
        const char *body;
        const char *cache;
    } rows[] = {
        {{.line = "GET /j/x?y=%22", .fields = JSON},
         "{\"url\":\"https://a.example/j/x?y=%22\",\"status\":307,\"method\":\"GET\","
         "\"alternatives\":[{\"url\":\"https://b.example/j/x?y=%22\",\"priority\":2}]}\n",
         "no-store"},
        {{.line = "HEAD /j/", .fields = JSON},
         "{\"url\":\"https://a.example/j/\",\"status\":307,\"method\":\"GET\","
         "\"alternatives\":[{\"url\":\"https://b.example/j/\",\"priority\":2}]}\n",
         "no-store"},
        {{.line = "PUT /j/x", .fields = JSON "Content-Length: 5\r\nExpect: 100-continue\r\n"},
         "{\"url\":\"https://a.example/j/x\",\"status\":307,\"method\":\"PUT\","
         "\"alternatives\":[{\"url\":\"https://b.example/j/x\",\"priority\":2}]}\n",
         "no-store"},
        {{.line = "M'-KE /j/x", .fields = JSON},
         "{\"url\":\"https://a.example/j/x\",\"status\":307,\"method\":\"M'-KE\","
         "\"alternatives\":[{\"url\":\"https://b.example/j/x\",\"priority\":2}]}\n",
         "no-store"},
        /* as a client would go on that is sent there */
        {{.line = "POST /see/x", .fields = JSON},
         "{\"url\":\"https://a.example/see/x\",\"status\":303,\"method\":\"GET\","
         "\"alternatives\":[{\"url\":\"https://b.example/see/x\",\"priority\":2}]}\n",
         "no-store"},
        {{.line = "HEAD /see/x", .fields = JSON},
         "{\"url\":\"https://a.example/see/x\",\"status\":303,\"method\":\"GET\","
         "\"alternatives\":[{\"url\":\"https://b.example/see/x\",\"priority\":2}]}\n",
         "no-store"},
        {{.line = "POST /found/x", .fields = JSON},
         "{\"url\":\"https://a.example/found/x\",\"status\":302,\"method\":\"GET\","
         "\"alternatives\":[{\"url\":\"https://b.example/found/x\",\"priority\":2}]}\n",
         "no-store"},
        {{.line = "PUT /found/x", .fields = JSON},
         "{\"url\":\"https://a.example/found/x\",\"status\":302,\"method\":\"PUT\","
         "\"alternatives\":[{\"url\":\"https://b.example/found/x\",\"priority\":2}]}\n",
         "no-store"},
        /* what a rule says of freshness holds for it too */
        {{.line = "GET /own/x", .fields = JSON},
         "{\"url\":\"https://a.example/own/x\",\"status\":307,\"method\":\"GET\","
         "\"alternatives\":[{\"url\":\"https://b.example/own/x\",\"priority\":2}]}\n",
         "public, max-age=5"},
        {{.line = "GET /o/x", .fields = JSON},
         "{\"url\":\"https://a.example/o/x\",\"status\":307,\"method\":\"GET\","
         "\"alternatives\":[]}\n",
         "private, max-age=60"},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *line = rows[i].ask.line;
        fixture_answer(f, &rows[i].ask);
        assert_int_equal(f->response.status, 200);
        assert_int_equal(f->response.location.len, 0);
        fixture_same(line, "type", f->response.content_type, "application/json");
        fixture_same(line, "body", f->response.body, rows[i].body);
        fixture_same(line, "Cache-Control", fixture_field(f, "Cache-Control"), rows[i].cache);
        fixture_same(line, "Vary", fixture_field(f, "Vary"), "Accept, Detour-Avoid");
        fixture_same(line, "Link", links_of(f), "");
        assert_true(f->decision.location.len > 0);
    }
    fixture_free(&f);
}

static void nobody_else_is_told(void **state)
{
    static const struct {
        struct ask ask;
        const char *vary;
    } rows[] = {
        {{.line = "GET /j/x"}, "Accept, Detour-Avoid"},
        {{.line = "GET /j/x", .fields = "Accept: */*\r\n"}, "Accept, Detour-Avoid"},
        {{.line = "GET /j/x", .fields = "Accept: text/html, application/json;q=0.9\r\n"},
         "Accept, Detour-Avoid"},
        {{.line = "GET /j/x", .fields = "Accept: application/json;q=0\r\n"},
         "Accept, Detour-Avoid"},
        {{.line = "GET /o/x", .fields = "Accept: */*\r\n"}, "Accept, Detour-Avoid"},
        {{.line = "GET /l/x", .fields = JSON}, ""}, /* the pool tells nobody */
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture_answer(f, &rows[i].ask);
        assert_int_equal(f->response.status, 307);
        assert_true(f->response.location.len > 0);
        fixture_same(rows[i].ask.line, "Vary", fixture_field(f, "Vary"), rows[i].vary);
    }
    fixture_free(&f);
}

static void a_fallback_is_told_if_it_is_a_url(void **state)
{
    static const struct {
        struct ask ask;
        uint16_t status;
        const char *type;
        const char *body; /* NULL: not looked at */
    } rows[] = {
        {{.line = "PUT /url/x", .fields = JSON},
         200,
         "application/json",
         "{\"url\":\"https://s.example/url/x\",\"status\":307,\"method\":\"PUT\","
         "\"alternatives\":[]}\n"},
        {{.line = "GET /none/x", .fields = JSON}, 503, "application/problem+json", NULL},
        {{.line = "GET /page/x", .fields = JSON}, 503, "application/problem+json", NULL},
        {{.line = "GET /wait/x", .fields = JSON}, 503, "application/problem+json", NULL},
        {{.line = "GET /page/x", .fields = "Accept: text/html, application/json\r\n"},
         503,
         "application/problem+json",
         NULL},
        {{.line = "GET /page/x", .fields = "Accept: text/html, application/json;q=0.9\r\n"},
         307,
         "text/html; charset=utf-8",
         NULL},
        {{.line = "GET /url/x"}, 307, "text/html; charset=utf-8", NULL},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (uint32_t i = 0; i < f->slots; i++) {
        atomic_store(&f->live[i].word, server_live_word(SERVER_DOWN, 0));
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *line = rows[i].ask.line;
        fixture_answer(f, &rows[i].ask);
        assert_int_equal(f->decision.reason, REASON_POOL_EMPTY);
        assert_int_equal(f->response.status, rows[i].status);
        fixture_same(line, "type", f->response.content_type, rows[i].type);
        fixture_same(line, "Link", links_of(f), "");
        if (rows[i].body != NULL) {
            fixture_same(line, "body", f->response.body, rows[i].body);
        }
        assert_int_equal(fixture_field(f, "Retry-After").len > 0, rows[i].status == 503);
    }
    fixture_free(&f);
}

static void who_is_told_is_held_too(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    fixture_answer(f, &(struct ask){.line = "GET /s/x", .fields = JSON});
    assert_int_equal(f->response.status, 200);
    assert_true(span_starts(fixture_field(f, "Set-Cookie"), SPAN("m=")));
    fixture_free(&f);
}

/* A ticket is for one host, and what a client has tried is what it was given. */
static void each_url_has_its_own_parameters(void **state)
{
    static struct signing_key key = {.len = 32, .bytes = "0123456789abcdef0123456789abcdef"};
    static uint64_t room[64];
    (void)state;
    key.id = signing_key_id(SPAN("k"));
    struct fixture *f = fixture_new(config);
    f->context.signing = signing_keys_make(room, &key, 1);
    const struct response *r =
        fixture_answer(f, &(struct ask){.line = "GET /sign/x?t=1&u", .fields = JSON});
    static char text[2048];
    snprintf(text, sizeof(text), "%.*s", SPAN_ARG(r->body));
    const char *expires = strstr(text, "\"expires\":\"2026-11-18T11:11:40Z\"");
    const char *first = strstr(text, "\"https://a.example/sign/x?u&t=1795000300-");
    const char *second = strstr(text, "\"https://b.example/sign/x?u&t=1795000300-");
    assert_true(expires != NULL && first != NULL && second != NULL);
    assert_memory_not_equal(first + 41, second + 41, 64);
    fixture_answer(f, &(struct ask){.line = "GET /sign/x"});
    assert_true(
        span_starts(fixture_field(f, "Link"), SPAN("<https://b.example/sign/x?t=1795000300-")));
    f->context.signing = NULL;
    fixture_answer(f, &(struct ask){.line = "GET /sign/x", .fields = JSON});
    fixture_same("no keys", "body", f->response.body,
                 "{\"url\":\"https://a.example/sign/x\",\"status\":307,\"method\":\"GET\","
                 "\"alternatives\":[{\"url\":\"https://b.example/sign/x\",\"priority\":2}]}\n");
    fixture_answer(f, &(struct ask){.line = "GET /carry/x?q&tried=a"});
    fixture_same("carry", "Location", f->response.location,
                 "https://b.example/carry/x?q&tried=a,b");
    fixture_same("carry", "Link", fixture_field(f, "Link"),
                 "<https://c.example/carry/x?q&tried=a,c>; rel=duplicate; pri=2");
    fixture_answer(f, &(struct ask){.line = "GET /l/x", .fields = "Detour-Avoid: a, c\r\n"});
    fixture_same("avoid", "Location", f->response.location, "https://b.example/l/x");
    fixture_same("avoid", "Link", links_of(f), "<https://d.example/l/x>; rel=duplicate; pri=2\n");
    fixture_free(&f);
}

/* What does not fit is not named, and a Location that is refused names nothing. */
static void there_is_an_end_to_what_is_named(void **state)
{
    static char line[9000];
    static char escape[] = "GET /l/..;/..;/..;";
    (void)state;
    struct fixture *f = fixture_new(config);
    fixture_answer(f, &(struct ask){.line = "GET /all/x"});
    assert_int_equal(f->decision.alternative_count, 8);
    snprintf(line, sizeof(line), "GET /all/%0600d", 0);
    fixture_answer(f, &(struct ask){.line = line});
    assert_int_equal(f->decision.alternative_count, 3);
    assert_in_range(links_of(f).len, 3 * 600, decide_links_bytes_max);
    snprintf(line, sizeof(line), "GET /all/%03000d", 0);
    fixture_answer(f, &(struct ask){.line = line});
    assert_int_equal(f->response.status, 307);
    assert_int_equal(f->decision.alternative_count, 0);
    fixture_answer(f, &(struct ask){.line = line, .fields = JSON});
    assert_int_equal(f->response.status, 200);
    assert_int_equal(f->decision.alternative_count, 2);
    assert_in_range(f->response.body.len, 3 * 3000, 3 * 3000 + 500);
    snprintf(line, sizeof(line), "GET /all/%08160d", 0);
    fixture_answer(f, &(struct ask){.line = line, .fields = JSON});
    assert_int_equal(f->response.status, 200);
    assert_int_equal(f->decision.alternative_count, 0);
    fixture_answer(f, &(struct ask){.line = escape, .fields = JSON});
    assert_int_equal(f->response.status, 400);
    fixture_same(escape, "Link", links_of(f), "");
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternatives_are_linked),
        cmocka_unit_test(only_those_who_are_up_are_linked),
        cmocka_unit_test(who_asks_for_json_is_told),
        cmocka_unit_test(nobody_else_is_told),
        cmocka_unit_test(a_fallback_is_told_if_it_is_a_url),
        cmocka_unit_test(who_is_told_is_held_too),
        cmocka_unit_test(each_url_has_its_own_parameters),
        cmocka_unit_test(there_is_an_end_to_what_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
