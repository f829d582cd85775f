/* SPDX-License-Identifier: MIT */
/* Pages of ours: who is shown one, what the paths of tickets get, and that nothing leads off the
 * host. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PERSON "Accept: text/html\r\n"
#define HOUR (INT64_C(3600) * NS_PER_SECOND)

static const char config[] =
    "sites:\n"
    "  - name: a\n"
    "    hosts: [shop.example, other.example]\n"
    "    routes:\n"
    "      - {path: /r, page: up}\n"
    "      - {path: /p, pool: p}\n"
    "      - {path: /held, pool: held}\n"
    "    default: {to: 'https://n.example{+path}'}\n"
    "pools: {p: {servers: [{name: '1', url: 'https://s.example'}], health: off, fallback: {page: "
    "up, status: 302}},\n"
    "        held: {servers: [https://s.example, https://t.example], sticky: {cookie: c, ttl: "
    "1h},\n"
    "               link: true, json: true, health: off}}\n"
    "pages: {up: {title: t}, bots: {in_place: true}}\n"
    "detours:\n"
    "  - {name: w, path_prefix: /w, page: up, until: '2026-11-18T12:06:40Z', reason: why,\n"
    "     headers: {X-A: b}, bypass: {cookie: ops=1}}\n"
    "  - {name: m, path: '/m/:x/y', page: up, until: off, reason: why, retry_after: 5m}\n"
    "  - {name: b, path_prefix: /b, page: bots, until: off, reason: why}\n"
    "  - {name: s, path_prefix: /s, page: 'https://status.example/', until: off, reason: why}\n";

static const struct ticket_key key = {{7}};
static struct fixture *f;
static char line[8000];

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

static const struct decision *ask(const char *request_line, const char *fields)
{
    return fixture_ask(f, &(struct ask){.line = request_line, .fields = fields});
}

/* "GET /.well-known/detour/KIND/" and the ticket of a target. */
static const char *with_ticket(const char *method, const char *kind, const char *target)
{
    uint8_t text[ticket_text_max];
    struct buffer out = buffer_over(text, sizeof(text));
    assert_true(ticket_seal(&key, SPAN("shop.example"), span_cstr(target), &out));
    snprintf(line, sizeof(line), "%s /.well-known/detour/%s/%.*s", method, kind, (int)out.len,
             (const char *)text);
    return line;
}

static void people_are_sent_there(void **state)
{
    static const char *const lines[] = {"GET /w", "HEAD /w/x?y", "GET /m/1/y", "GET /r"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct decision *got = ask(lines[i], PERSON);
        assert_int_equal(got->status, 307);
        assert_true(span_starts(got->location, SPAN(WAIT_PAGE)));
        assert_int_equal(got->max_age_s, -1);
        assert_int_equal(got->retry_after_s, -1);
    }
    assert_int_equal(ask("GET /b/x", PERSON)->status, 503);
    assert_int_equal(f->decision.location.len, 0);
    assert_true(f->decision.retry_after_s >= 60);
}

static void without_a_key_nobody_is(void **state)
{
    (void)state;
    f->context.ticket_key = NULL;
    assert_int_equal(ask("GET /w", PERSON)->status, 503);
    assert_int_equal(ask(with_ticket("GET", "wait", "/w"), PERSON)->status, 404);
    f->context.ticket_key = &key;
}

static void fields_of_a_rule_stay_with_its_answer(void **state)
{
    (void)state;
    fixture_answer(f, &(struct ask){.line = "GET /w", .fields = PERSON});
    fixture_same("307", "X-A", fixture_field(f, "X-A"), "b");
    fixture_same("307", "Retry-After", fixture_field(f, "Retry-After"), "");
    fixture_same("307", "Cache-Control", fixture_field(f, "Cache-Control"), "");
    fixture_answer(f, &(struct ask){.line = with_ticket("GET", "wait", "/w"), .fields = PERSON});
    fixture_same("page", "Cache-Control", fixture_field(f, "Cache-Control"), "no-store");
    fixture_same("page", "X-Robots-Tag", fixture_field(f, "X-Robots-Tag"), "noindex");
}

static const struct {
    const char *target;
    const char *fields;
    enum reason page;   /* what the page's URL gets */
    const char *status; /* what the script hears */
    int64_t at_ns;
} tickets[] = {
    {"/w?a=b", PERSON, REASON_WAIT, "{\"over\":false,\"until\":1795003600000}\n", 0},
    {"/w?a=b", NULL, REASON_WAIT, "{\"over\":false,\"until\":1795003600000}\n", 0},
    {"/w", "Cookie: ops=1\r\n", REASON_WAIT_OVER, "{\"over\":true}\n", 0},
    {"/b", NULL, REASON_WAIT, "{\"over\":false}\n", 0},
    {"/r", NULL, REASON_WAIT, "{\"over\":false}\n", 0},
    {"/m/1/y", NULL, REASON_WAIT, "{\"over\":false}\n", 0},
    {"/m/1", NULL, REASON_WAIT_OVER, "{\"over\":true}\n", 0},
    {"/p?q", NULL, REASON_WAIT_OVER, "{\"over\":true}\n", 0}, /* the pool has somebody */
    {"/s", PERSON, REASON_WAIT_OVER, "{\"over\":true}\n", 0}, /* a page, but none of ours */
    {"/else?x=%0d%0a", NULL, REASON_WAIT_OVER, "{\"over\":true}\n", 0},
    {"/w/../else", NULL, REASON_WAIT_OVER, "{\"over\":true}\n", 0},
    {"/else/..//w", NULL, REASON_WAIT, "{\"over\":false,\"until\":1795003600000}\n", 0},
};

static void tickets_are_asked_about_anew(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tickets) / sizeof(*tickets); i++) {
        const char *target = tickets[i].target;
        bool over = tickets[i].page == REASON_WAIT_OVER;
        const struct decision *got = ask(with_ticket("GET", "wait", target), tickets[i].fields);
        if (got->reason != tickets[i].page || got->status != (over ? 307 : 200)) {
            fail_msg("%s: %u, %.*s", target, got->status, SPAN_ARG(reason_text(got->reason)));
        }
        fixture_same(target, "Location", got->location, over ? target : "");
        assert_int_equal(got->rule == SNAP_NONE, over);
        fixture_answer(f, &(struct ask){.line = with_ticket("GET", "status", target),
                                        .fields = tickets[i].fields});
        assert_int_equal(f->decision.reason, REASON_WAIT_STATUS);
        assert_int_equal(f->decision.rule, SNAP_NONE);
        assert_int_equal(f->response.status, 200);
        fixture_same(target, "status", f->response.body, tickets[i].status);
    }
}

static void an_empty_pool_waits(void **state)
{
    (void)state;
    fixture_set(f, "p/1", SERVER_DOWN, 0);
    assert_int_equal(ask("GET /p?q", PERSON)->status, 302);
    assert_true(span_starts(f->decision.location, SPAN(WAIT_PAGE)));
    assert_int_equal(ask(with_ticket("GET", "wait", "/p?q"), NULL)->reason, REASON_WAIT);
    fixture_answer(f, &(struct ask){.line = "POST /p", .fields = PERSON});
    assert_int_equal(f->response.status, 503);
    assert_non_null(strstr((const char *)f->response.body.ptr, "nothing was done"));
    fixture_set(f, "p/1", SERVER_UP, server_weight_ppm_full);
    assert_int_equal(ask(with_ticket("GET", "wait", "/p?q"), NULL)->reason, REASON_WAIT_OVER);
}

/* What the pool says to who comes there is not said to who is only taken back. */
static void nothing_of_a_pool_is_left_behind(void **state)
{
    static const char *const fields[] = {NULL, PERSON, "Accept: application/json\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        fixture_answer(
            f, &(struct ask){.line = with_ticket("GET", "wait", "/held"), .fields = fields[i]});
        assert_int_equal(f->decision.reason, REASON_WAIT_OVER);
        assert_int_equal(f->response.status, 307);
        fixture_same("held", "Location", f->response.location, "/held");
        assert_null(fixture_field(f, "Set-Cookie").ptr);
        assert_null(fixture_field(f, "Link").ptr);
        assert_null(fixture_field(f, "Vary").ptr);
    }
    fixture_answer(f, &(struct ask){.line = "GET /held"});
    assert_non_null(fixture_field(f, "Set-Cookie").ptr);
    assert_non_null(fixture_field(f, "Link").ptr);
}

static void it_is_over_when_the_snapshot_says_so(void **state)
{
    (void)state;
    fixture_compile(f, NOW + HOUR);
    const struct decision *got = ask(with_ticket("GET", "wait", "/w/x?y"), PERSON);
    assert_int_equal(got->reason, REASON_WAIT_OVER);
    fixture_same("over", "Location", got->location, "/w/x?y");
    fixture_compile(f, NOW);
}

static void what_is_none_gets_404(void **state)
{
    static const char *const lines[] = {
        "GET /.well-known/detour/",        "GET /.well-known/detour/wait/",
        "GET /.well-known/detour/wait",    "GET /.well-known/detour/status/",
        "GET /.well-known/detour/x",       "GET /.well-known/detour/wait/AAAA",
        "HEAD /.well-known//detour/wait/", "GET /x/../.well-known/detour/status/A"};
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        assert_int_equal(ask(lines[i], PERSON)->status, 404);
        assert_int_equal(f->decision.reason, REASON_TICKET);
        assert_true(f->decision.html);
    }
    assert_int_equal(ask(with_ticket("POST", "wait", "/w"), NULL)->status, 405);
    assert_int_equal(ask(with_ticket("DELETE", "status", "/w"), NULL)->status, 405);
    fixture_ask(f,
                &(struct ask){.line = with_ticket("GET", "wait", "/w"), .host = "other.example"});
    assert_int_equal(f->decision.status, 404);
    /* Not below it. */
    assert_int_equal(ask("GET /.well-known/detours", NULL)->status, 307);
    assert_int_equal(ask("GET /.well-known/detour", NULL)->status, 307);
}

/* Where a reader comes out who went in with this target. */
static void round_trip(const char *target, const char *wanted)
{
    char request_line[4000];
    snprintf(request_line, sizeof(request_line), "GET %s", target);
    const struct decision *got = ask(request_line, PERSON);
    assert_int_equal(got->status, 307);
    assert_true(span_starts(got->location, SPAN(WAIT_PAGE)));
    snprintf(line, sizeof(line), "GET %.*s", SPAN_ARG(got->location));
    fixture_compile(f, NOW + HOUR);
    got = ask(line, "Cookie: ops=1\r\n");
    assert_int_equal(got->reason, REASON_WAIT_OVER);
    fixture_same(target, "Location", got->location, wanted);
    fixture_compile(f, NOW);
}

static void nobody_is_led_off_the_host(void **state)
{
    char text[4000] = "/w/";
    (void)state;
    round_trip("/w/a%20b;c?d=e&f=%2F", "/w/a%20b;c?d=e&f=%2F");
    round_trip("/w?", "/w?");
    round_trip("//w", "/w");
    round_trip("//evil.example/..//w?x", "/w?x");
    round_trip("/\\evil.example/../w", "/%5Cevil.example/../w");
    round_trip("/w/\\x", "/w/%5Cx");
    memset(text + 3, 'a', 2045);
    round_trip(text, text);
    text[2048] = 'a';
    round_trip(text, "/w");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_are_sent_there),
        cmocka_unit_test(without_a_key_nobody_is),
        cmocka_unit_test(fields_of_a_rule_stay_with_its_answer),
        cmocka_unit_test(tickets_are_asked_about_anew),
        cmocka_unit_test(an_empty_pool_waits),
        cmocka_unit_test(nothing_of_a_pool_is_left_behind),
        cmocka_unit_test(it_is_over_when_the_snapshot_says_so),
        cmocka_unit_test(what_is_none_gets_404),
        cmocka_unit_test(nobody_is_led_off_the_host),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
