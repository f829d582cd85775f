/* SPDX-License-Identifier: MIT */
/* Tickets on what clients of a pool are given, and how long caches may keep it. */
#include "fixture.h"

#include "tls/mac.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char config[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: '/s/*', pool: signed, max_age: 1h}\n"
    "      - {path: '/short/*', pool: signed, max_age: 10s}\n"
    "      - {path: '/see/*', pool: signed, status: 303}\n"
    "      - {path: '/found/*', pool: signed, status: 302}\n"
    "      - {path: '/json/*', pool: json}\n"
    "      - {path: '/carry/*', pool: carry}\n"
    "      - {path: '/gone/*', pool: gone}\n"
    "      - {path: '/plain/*', pool: plain, max_age: 1h}\n"
    "      - {path: '/other/*', pool: other}\n"
    "pools:\n"
    "  signed: {sign: {key_file: a.key, ttl: 1m}, servers: [https://a.example/m]}\n"
    "  json: {sign: {key_file: a.key, ttl: 1m}, json: true, link: true,\n"
    "         servers: [{name: a, url: 'https://a.example'},\n"
    "                   {name: b, url: 'https://b.example:81', priority: 2}]}\n"
    "  carry: {sign: {key_file: a.key, ttl: 1m}, avoid: {param: tried, carry: true},\n"
    "          servers: [{name: a, url: 'https://a.example'}]}\n"
    "  gone: {sign: {key_file: a.key}, servers: [{name: a, url: 'https://a.example', state: "
    "maint}],\n"
    "         fallback: {to: 'https://z.example/'}}\n"
    "  plain: {servers: [https://a.example]}\n"
    "  other: {sign: {key_file: b.key, param: t}, servers: [https://a.example]}\n";

static const char key_a[] = "0123456789abcdef0123456789abcdef";
static const char key_b[] = "fedcba9876543210fedcba9876543210";

static struct signing_key key_of(const char *file, const char *text)
{
    struct signing_key key = {.id = signing_key_id(span_cstr(file)), .len = (uint32_t)strlen(text)};
    memcpy(key.bytes, text, key.len);
    return key;
}

static const struct signing_keys *keys(void)
{
    static uint64_t room[(sizeof(struct signing_keys) + 2 * sizeof(struct signing_key)) / 8];
    const struct signing_key both[] = {key_of("a.key", key_a), key_of("b.key", key_b)};
    return signing_keys_make(room, both, 2);
}

/* Text with each "{METHOD HOST PATH}" replaced by its ticket of this moment. */
static const char *with_tickets(const char *text, const char *key, int64_t expires_s)
{
    static char out[4096];
    struct buffer made = buffer_over(out, sizeof(out) - 1);
    for (const char *at = text; *at != '\0'; at++) {
        char method[16];
        char host[64];
        char path[64];
        int len = 0;
        if (sscanf(at, "{%15s %63s %63[^}]}%n", method, host, path, &len) < 3 || len == 0) {
            buffer_byte(&made, (uint8_t)*at);
            continue;
        }
        char what[256];
        uint8_t code[mac_bytes];
        snprintf(what, sizeof(what), "%s\n%s\n%s\n%lld", method, host, path, (long long)expires_s);
        struct span part = span_cstr(what);
        mac_make_with(span_cstr(key), &part, 1, code);
        buffer_printf(&made, "%lld-", (long long)expires_s);
        for (size_t i = 0; i < sizeof(code); i++) {
            buffer_printf(&made, "%02x", code[i]);
        }
        at += len - 1;
    }
    assert_false(made.full);
    out[made.len] = '\0';
    return out;
}

static void urls_are_signed(void **state)
{
    static const struct {
        struct ask ask;
        const char *location;
        const char *key;   /* NULL: the first */
        int32_t ttl_s;     /* 0: a minute */
        const char *other; /* the one alternative; NULL: none */
        const char *cached;
    } rows[] = {
        {.ask = {.line = "GET /s/x%20y?q"},
         .location = "https://a.example/m/s/x%20y?q&ticket={GET a.example /m/s/x%20y}",
         .cached = "private, max-age=30"},
        {.ask = {.line = "GET /short/x"},
         .location = "https://a.example/m/short/x?ticket={GET a.example /m/short/x}",
         .cached = "private, max-age=10"},
        {.ask = {.line = "HEAD /see/"},
         .location = "https://a.example/m/see/?ticket={GET a.example /m/see/}"},
        {.ask = {.line = "PUT /s/x"},
         .location = "https://a.example/m/s/x?ticket={PUT a.example /m/s/x}",
         .cached = "private, max-age=30"},
        {.ask = {.line = "DELETE /see/x"},
         .location = "https://a.example/m/see/x?ticket={GET a.example /m/see/x}"},
        {.ask = {.line = "POST /found/x"},
         .location = "https://a.example/m/found/x?ticket={GET a.example /m/found/x}"},
        {.ask = {.line = "PUT /found/x"},
         .location = "https://a.example/m/found/x?ticket={PUT a.example /m/found/x}"},
        {.ask = {.line = "PURGE /found/x"},
         .location = "https://a.example/m/found/x?ticket={PURGE a.example /m/found/x}"},
        /* a client's own */
        {.ask = {.line = "GET /see/x?ticket=1-ff&Ticket=2&b"},
         .location = "https://a.example/m/see/x?b&ticket={GET a.example /m/see/x}"},
        /* each URL for its own host, and the key of its own pool */
        {.ask = {.line = "GET /json/x?q"},
         .location = "https://a.example/json/x?q&ticket={GET a.example /json/x}",
         .other =
             "<https://b.example:81/json/x?q&ticket={GET b.example:81 /json/x}>; rel=duplicate; "
             "pri=2"},
        {.ask = {.line = "GET /other/x?ticket=1"},
         .location = "https://a.example/other/x?ticket=1&t={GET a.example /other/x}",
         .key = key_b,
         .ttl_s = 300},
        {.ask = {.line = "GET /carry/x"},
         .location = "https://a.example/carry/x?tried=a&ticket={GET a.example /carry/x}"},
        /* no ticket where there is no server of the pool */
        {.ask = {.line = "GET /gone/x"}, .location = "https://z.example/"},
        {.ask = {.line = "GET /plain/x?ticket=1"},
         .location = "https://a.example/plain/x?ticket=1",
         .cached = "private, max-age=3600"},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    f->context.signing = keys();
    fixture_set(f, "gone/a", SERVER_MAINT, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *key = rows[i].key != NULL ? rows[i].key : key_a;
        int64_t expires_s = NOW_S + (rows[i].ttl_s != 0 ? rows[i].ttl_s : 60);
        const struct response *r = fixture_answer(f, &rows[i].ask);
        bool has = strchr(rows[i].location, '{') != NULL;
        fixture_same(rows[i].ask.line, "Location", r->location,
                     with_tickets(rows[i].location, key, expires_s));
        assert_int_equal(f->decision.expires_s, has ? expires_s : 0);
        if (rows[i].other != NULL) {
            fixture_same(rows[i].ask.line, "Link", fixture_field(f, "Link"),
                         with_tickets(rows[i].other, key, expires_s));
        }
        if (rows[i].cached != NULL) {
            fixture_same(rows[i].ask.line, "Cache-Control", fixture_field(f, "Cache-Control"),
                         rows[i].cached);
        }
    }
    fixture_free(&f);
}

/* A ticket for "/s/..%2Fx" would be one for "/x" wherever an escaped slash is one. */
static void no_ticket_for_another_path(void **state)
{
    static const struct {
        const char *line;
        uint16_t status;
    } cases[] = {
        {"GET /s/..%2Fx", 400},     {"GET /s/%2e%2e%5cx", 400}, {"GET /json/a%2f..%2f..%2fx", 400},
        {"GET /plain/..%2Fx", 307}, {"GET /gone/..%2Fx", 307},  {"GET /s/a%2Fb", 307},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    f->context.signing = keys();
    fixture_set(f, "gone/a", SERVER_MAINT, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct ask ask = {.line = cases[i].line};
        const struct response *r = fixture_answer(f, &ask);
        if (r->status != cases[i].status) {
            fail_msg("%s: %u", ask.line, r->status);
        }
        assert_int_equal(r->location.len > 0, r->status == 307);
    }
    fixture_free(&f);
}

static void what_is_told_as_json_is_signed(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    f->context.signing = keys();
    const struct response *r = fixture_answer(
        f, &(struct ask){.line = "PUT /json/x", .fields = "Accept: application/json\r\n"});
    const char *url = with_tickets(
        "\"url\":\"https://a.example/json/x?ticket={PUT a.example /json/x}\"", key_a, NOW_S + 60);
    assert_int_equal(r->status, 200);
    assert_non_null(memmem(r->body.ptr, r->body.len, url, strlen(url)));
    assert_non_null(memmem(r->body.ptr, r->body.len, "\"expires\":\"2026-11-18T11:07:40Z\"", 32));
    fixture_free(&f);
}

/* Explain has no keys, and shows the rest of the Location as it is. */
static void without_keys_there_is_no_ticket(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    const struct response *r = fixture_answer(f, &(struct ask){.line = "GET /s/x?ticket=1&q"});
    fixture_same("no keys", "Location", r->location, "https://a.example/m/s/x?q");
    assert_int_equal(f->decision.expires_s, 0);
    fixture_free(&f);
}

static void a_ticket_that_does_not_fit_is_414(void **state)
{
    static char line[8000];
    static char path[location_bytes_max];
    static char yaml[location_bytes_max + 512];
    (void)state;
    /* so that the ticket, with its 83 bytes, ends where the buffer does */
    enum { path_bytes = 7000, base_bytes = location_bytes_max - 83 - path_bytes - 18 };
    static_assert(base_bytes > 0, "there is a path to fill");
    for (int more = 0; more < 2; more++) {
        memset(path, 'p', sizeof(path));
        snprintf(yaml, sizeof(yaml),
                 "sites: [{hosts: shop.example, routes: [{path: '/*', pool: a}]}]\n"
                 "pools: {a: {sign: {key_file: a.key}, servers: ['https://a.example/%.*s']}}\n",
                 (int)base_bytes + more, path);
        snprintf(line, sizeof(line), "GET /%.*s", path_bytes - 1, path);
        struct fixture *f = fixture_new(yaml);
        f->context.signing = keys();
        fixture_answer(f, &(struct ask){.line = line});
        assert_int_equal(f->response.status, more == 0 ? 307 : 414);
        fixture_free(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_signed),
        cmocka_unit_test(no_ticket_for_another_path),
        cmocka_unit_test(what_is_told_as_json_is_signed),
        cmocka_unit_test(without_keys_there_is_no_ticket),
        cmocka_unit_test(a_ticket_that_does_not_fit_is_414),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
