/* SPDX-License-Identifier: MIT */
/* Requests that are passed on: which origin gets them, and when none does. */
#include "fixture.h"

#include "page/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PERSON "Accept: text/html\r\n"

static const char config[] =
    "listen: ['http://127.0.0.1:1']\n"
    "origins:\n"
    "  shop: {url: 'https://[2001:db8::5]:8443', host: origin, name: app.example, keep_alive: "
    "off,\n"
    "         connections: 7, health: {path: /}}\n"
    "  api: http://10.0.0.6\n"
    "sites:\n"
    "  - name: s\n"
    "    hosts: shop.example\n"
    "    routes:\n"
    "      - {path_prefix: /api, methods: [GET, POST], origin: api}\n"
    "      - {path: /own, origin: 'http://10.0.0.7:8080'}\n"
    "      - {path: /half, share: 0%, rest: {origin: api}, to: 'https://n.example/'}\n"
    "      - {path: /to, to: 'https://n.example/'}\n"
    "    default: {origin: shop}\n"
    "pages: {up: {title: t}}\n"
    "detours:\n"
    "  - {name: d, path_prefix: /api/gone, to: 'https://d.example/', until: off, reason: r}\n"
    "  - {name: p, path: /wait, page: up, until: off, reason: r, bypass: {cookie: ops=1}}\n"
    "  - {name: o, path: /stand, origin: api, until: off, reason: r}\n"
    "  - {name: f, path_prefix: /form, page: up, from: when_origin_fails, reason: r}\n";

static const struct ticket_key key = {{7}};
static struct fixture *f;

static int set_up(void **state)
{
    f = fixture_new(config);
    f->context.ticket_key = &key;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(&f);
    return 0;
}

static struct span origin_name(const struct decision *decision)
{
    if (decision->origin == SNAP_NONE) {
        return SPAN("");
    }
    return snapshot_text(f->snapshot, snapshot_origin(f->snapshot, decision->origin)->name);
}

static const struct {
    const char *line;
    const char *fields;
    const char *origin;
    const char *rule;
    enum reason reason;
    uint16_t status;
} rows[] = {
    {"GET /", NULL, "shop", "s/default", REASON_DEFAULT, 204},
    {"POST /x?y", NULL, "shop", "s/default", REASON_DEFAULT, 204},
    {"HEAD /api/1", NULL, "api", "s/routes/#1", REASON_ROUTE, 204},
    {"DELETE /api/1", NULL, "shop", "s/default", REASON_DEFAULT, 204},
    {"GET //own", NULL, "http://10.0.0.7:8080", "s/routes/#2", REASON_ROUTE, 204},
    {"GET /half", NULL, "api", "s/routes/#3", REASON_REST, 204},
    {"GET /to", NULL, "", "s/routes/#4", REASON_ROUTE, 307},
    {"GET /api/gone", NULL, "", "s/detours/d", REASON_DETOUR, 307},
    {"GET /%61pi/./gone", NULL, "", "s/detours/d", REASON_DETOUR, 307},
    {"POST /wait", PERSON, "", "s/detours/p", REASON_PAGE_OTHERS, 503},
    {"POST /wait", "Cookie: ops=1\r\n", "shop", "s/default", REASON_DEFAULT, 204},
    {"PUT /stand", NULL, "api", "s/detours/o", REASON_DETOUR, 204},
    {"OPTIONS *", NULL, "", "", REASON_OPTIONS, 204},
    {"GET /form", PERSON, "shop", "s/default", REASON_DEFAULT, 204},
};

static void each_goes_where_it_lives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct decision *got =
            fixture_ask(f, &(struct ask){.line = rows[i].line, .fields = rows[i].fields});
        fixture_same(rows[i].line, "origin", origin_name(got), rows[i].origin);
        fixture_same(rows[i].line, "rule", fixture_rule(f), rows[i].rule);
        assert_int_equal(got->reason, rows[i].reason);
        assert_int_equal(got->status, rows[i].status);
        assert_int_equal(got->location.len > 0, rows[i].status == 307);
        bool passed = rows[i].origin[0] != 0;
        assert_int_equal(got->pass, passed);
        assert_int_equal(got->max_age_s, -1);
    }
    assert_int_equal(
        fixture_ask(f, &(struct ask){.line = "GET /", .host = "other.example"})->origin, SNAP_NONE);
}

static void who_comes_back_from_a_page_is_told_where_to_go(void **state)
{
    char line[512];
    uint8_t text[ticket_text_max];
    static const char *const kinds[] = {"wait", "status"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buffer out = buffer_over(text, sizeof(text));
        assert_true(ticket_seal(&key, SPAN("shop.example"), SPAN("/cart?x"), &out));
        snprintf(line, sizeof(line), "GET /.well-known/detour/%s/%.*s", kinds[i], (int)out.len,
                 (const char *)text);
        const struct decision *got = fixture_ask(f, &(struct ask){.line = line, .fields = PERSON});
        assert_int_equal(got->origin, SNAP_NONE);
        assert_false(got->pass);
        assert_int_equal(got->reason, i == 0 ? REASON_WAIT_OVER : REASON_WAIT_STATUS);
    }
}

static void one_that_fails_opens_its_detour(void **state)
{
    (void)state;
    struct origin_live *live = f->model->origins[0].live;
    const struct ask form = {.line = "GET /form/1", .fields = PERSON};
    live->failing = (struct schedule_trigger){.pulled = true, .since_ns = NOW - 1};
    fixture_compile(f, NOW);
    assert_int_equal(fixture_ask(f, &form)->reason, REASON_DETOUR);
    assert_int_equal(f->decision.status, 307);
    assert_int_equal(f->decision.max_age_s, -1);
    assert_int_equal(f->decision.origin, SNAP_NONE);
    assert_int_equal(snapshot_rule(f->snapshot, f->decision.rule)->until_ns, SNAP_NEVER);
    assert_int_equal(fixture_ask(f, &(struct ask){.line = "GET /", .fields = PERSON})->origin, 0);
    live->failing = (struct schedule_trigger){0};
    fixture_compile(f, NOW);
    assert_int_equal(fixture_ask(f, &form)->origin, 0);
}

static void a_record_says_what_the_file_said(void **state)
{
    (void)state;
    const struct snap_origin *shop = snapshot_origin(f->snapshot, 0);
    union snap_socket_address address;
    uint32_t count;
    const struct snap_address *addresses = snapshot_addresses(f->snapshot, shop, &count);
    fixture_same("shop", "url", snapshot_text(f->snapshot, shop->url),
                 "https://[2001:db8::5]:8443");
    fixture_same("shop", "authority", snapshot_text(f->snapshot, shop->authority),
                 "[2001:db8::5]:8443");
    fixture_same("shop", "name", snapshot_text(f->snapshot, shop->tls_name), "app.example");
    assert_int_equal(shop->flags, SNAP_ORIGIN_TLS | SNAP_ORIGIN_VERIFY | SNAP_ORIGIN_OWN_HOST);
    assert_int_equal(shop->keep_alive_ms, 0);
    assert_int_equal(shop->connections_max, 7);
    assert_int_equal(count, 1);
    assert_int_equal(snapshot_socket_address(&addresses[0], &address), sizeof(address.v6));
    assert_int_equal(address.v6.sin6_family, AF_INET6);
    assert_int_equal(ntohs(address.v6.sin6_port), 8443);
    const struct snap_origin *api = snapshot_origin(f->snapshot, 1);
    addresses = snapshot_addresses(f->snapshot, api, &count);
    assert_int_equal(snapshot_socket_address(&addresses[0], &address), sizeof(address.v4));
    assert_int_equal(ntohs(address.v4.sin_port), 80);
    assert_int_equal(ntohl(address.v4.sin_addr.s_addr), 0x0a000006);
    assert_int_equal(api->keep_alive_ms, 4000);
    assert_int_equal(api->flags & (SNAP_ORIGIN_TLS | SNAP_ORIGIN_OWN_HOST), 0);
}

/* Addresses come and go; who is connected stays so. Other authorities are another matter. */
static void a_key_stands_for_what_connections_are(void **state)
{
    (void)state;
    struct origin_live *live = f->model->origins[0].live;
    uint64_t key_before = snapshot_origin(f->snapshot, 0)->key;
    assert_int_not_equal(key_before, snapshot_origin(f->snapshot, 1)->key);
    live->address_count = 0;
    fixture_compile(f, NOW);
    assert_int_equal(snapshot_origin(f->snapshot, 0)->addresses.count, 0);
    assert_true(snapshot_origin(f->snapshot, 0)->key == key_before);
    live->authorities = SPAN("another");
    fixture_compile(f, NOW);
    assert_true(snapshot_origin(f->snapshot, 0)->key != key_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_goes_where_it_lives),
        cmocka_unit_test(who_comes_back_from_a_page_is_told_where_to_go),
        cmocka_unit_test(one_that_fails_opens_its_detour),
        cmocka_unit_test(a_record_says_what_the_file_said),
        cmocka_unit_test(a_key_stands_for_what_connections_are),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
