/* SPDX-License-Identifier: MIT */
/* Detours and how long answers hold: pages, bypass and except, which detour wins, and
 * freshness that never outlives the window. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PERSON "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
#define AT(seconds) (NOW + (seconds)*NS_PER_SECOND)

/* Two windows: from 10:00 until 12:06:40, an hour after NOW; and one that opens then. */
static const char config[] =
    "sites:\n"
    "  - name: shop\n"
    "    hosts: shop.example\n"
    "    routes:\n"
    "      - {name: all, path: '/*', to: 'https://n.example/{+0}', max_age: 2h}\n"
    "detours:\n"
    "  - {name: page, site: shop, path_prefix: /checkout, page: 'https://s.example/up?a=b',\n"
    "     from: '2026-11-18T10:00:00Z', until: '2026-11-18T12:06:40Z', max_age: 1d,\n"
    "     bypass: {clients: [203.0.113.0/24, '2001:db8::/32'], cookie: [ops=letmein, qa=1]},\n"
    "     except: ['/checkout/*.png', '/checkout/:id(\\d+)'], reason: r}\n"
    "  - {name: told, site: shop, path_prefix: /told, page: 'https://s.example/', retry_after: "
    "5m,\n"
    "     until: '2026-11-18T12:06:40Z', reason: r}\n"
    "  - {name: open, site: shop, path_prefix: /open, page: 'https://s.example/', until: off,\n"
    "     max_age: 1h, reason: r}\n"
    "  - {name: to, site: shop, path_prefix: /to, to: 'https://s.example{+path}',\n"
    "     until: '2026-11-18T12:06:40Z', reason: r}\n"
    "  - {name: later, site: shop, path_prefix: /later, to: 'https://s.example/',\n"
    "     from: '2026-11-18T12:06:40Z', until: '2026-11-18T13:00:00Z', reason: r}\n"
    "  - {name: over, site: shop, path_prefix: /over, to: 'https://s.example/',\n"
    "     until: '2026-11-18T11:06:40Z', reason: r}\n";

/* A whole number that may be absent: so that a row says it only where there is one. */
#define SAID(number) ((number) + 1)

struct row {
    const char *name;
    struct ask ask;
    uint16_t status;
    const char *location;
    enum reason reason;
    bool html;
    int64_t retry_after; /* SAID(seconds) */
    bool retry_is_told;
    int64_t max_age; /* SAID(seconds) */
};

static const struct row rows[] = {
    {.name = "a person",
     .ask = {.line = "GET /checkout/cart?x", .fields = PERSON},
     .status = 307,
     .location = "https://s.example/up?a=b",
     .reason = REASON_DETOUR,
     .max_age = SAID(3600)},
    {.name = "a person's HEAD",
     .ask = {.line = "HEAD /checkout", .fields = PERSON},
     .status = 307,
     .location = "https://s.example/up?a=b",
     .reason = REASON_DETOUR,
     .max_age = SAID(3600)},
    {.name = "a program",
     .ask = {.line = "GET /checkout", .fields = "Accept: */*\r\n"},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .retry_after = SAID(3600)},
    {.name = "nobody says what",
     .ask = {.line = "GET /checkout"},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .retry_after = SAID(3600)},
    {.name = "html is refused",
     .ask = {.line = "GET /checkout", .fields = "Accept: text/html;q=0\r\n"},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .retry_after = SAID(3600)},
    {.name = "a form",
     .ask = {.line = "POST /checkout", .fields = PERSON},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .html = true,
     .retry_after = SAID(3600)},
    {.name = "a POST",
     .ask = {.line = "POST /checkout"},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .retry_after = SAID(3600)},
    {.name = "the last half second",
     .ask = {.line = "PUT /checkout", .at_ns = AT(3600) - 1},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .retry_after = SAID(1)},
    {.name = "bypass by address",
     .ask = {.line = "GET /checkout", .from = "203.0.113.9"},
     .status = 307,
     .location = "https://n.example/checkout",
     .max_age = SAID(3600)},
    {.name = "bypass by IPv6 address",
     .ask = {.line = "GET /checkout", .from = "2001:db8::9"},
     .status = 307,
     .location = "https://n.example/checkout",
     .max_age = SAID(3600)},
    {.name = "bypass by cookie",
     .status = 307,
     .location = "https://n.example/checkout",
     .ask = {.line = "GET /checkout", .fields = "Cookie: x=y; ops=letmein\r\n"},
     .max_age = SAID(3600)},
    {.name = "bypass by the other cookie",
     .status = 307,
     .location = "https://n.example/checkout",
     .ask = {.line = "GET /checkout", .fields = "Cookie: qa=1\r\n"},
     .max_age = SAID(3600)},
    {.name = "no bypass by a cookie of another value",
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .ask = {.line = "GET /checkout", .fields = "Cookie: ops=letmeinn; qa=12\r\n"},
     .retry_after = SAID(3600)},
    {.name = "except",
     .ask = {.line = "GET /checkout/a/b.png"},
     .status = 307,
     .location = "https://n.example/checkout/a/b.png",
     .max_age = SAID(3600)},
    {.name = "except by an expression",
     .ask = {.line = "GET /checkout/42"},
     .status = 307,
     .location = "https://n.example/checkout/42",
     .max_age = SAID(3600)},
    {.name = "retry_after as given",
     .ask = {.line = "GET /told"},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .retry_is_told = true,
     .retry_after = SAID(300)},
    {.name = "an open end says a minute",
     .ask = {.line = "GET /open"},
     .status = 503,
     .reason = REASON_PAGE_OTHERS,
     .retry_after = SAID(60)},
    {.name = "an open end gets no freshness",
     .ask = {.line = "GET /open", .fields = PERSON},
     .status = 307,
     .location = "https://s.example/",
     .reason = REASON_DETOUR},
    {.name = "to takes every method",
     .ask = {.line = "DELETE /to/x?y=z"},
     .status = 307,
     .location = "https://s.example/to/x?y=z",
     .reason = REASON_DETOUR},
    {.name = "not yet",
     .ask = {.line = "GET /later"},
     .status = 307,
     .location = "https://n.example/later",
     .max_age = SAID(3600)},
    {.name = "not any more",
     .ask = {.line = "GET /over"},
     .status = 307,
     .location = "https://n.example/over",
     .max_age = SAID(3600)},
    {.name = "freshness ends with the window",
     .status = 307,
     .location = "https://n.example/x",
     .ask = {.line = "GET /x", .at_ns = AT(3590) + 1},
     .max_age = SAID(9)},
    {.name = "nothing is left of it",
     .status = 307,
     .location = "https://n.example/x",
     .ask = {.line = "GET /x", .at_ns = AT(3599) + 1}},
    {.name = "the clock is ahead of control",
     .status = 307,
     .location = "https://n.example/x",
     .ask = {.line = "GET /x", .at_ns = AT(4000)}},
    {.name = "certificates are renewed all the same",
     .status = 307,
     .ask = {.line = "GET /checkout/../.well-known/acme-challenge/t"},
     .max_age = SAID(3600),
     .location = "https://n.example/.well-known/acme-challenge/t"},
};

/* What is computed is never too early, and a quarter too late at most; what was written is said
 * as it was. */
static bool retry_fits(const struct decision *got, const struct row *row)
{
    int64_t least = row->retry_after - 1;
    int64_t more = least / 4 < 4 ? 4 : least / 4 > 60 ? 60 : least / 4;
    more = least < 0 || row->retry_is_told ? 0 : more;
    return got->retry_after_s >= least && got->retry_after_s <= least + more;
}

static void check_row(struct fixture *f, const struct row *row)
{
    const struct decision *got = fixture_ask(f, &row->ask);
    if (got->status != row->status || got->reason != row->reason || got->html != row->html ||
        !retry_fits(got, row) || got->max_age_s != row->max_age - 1) {
        fail_msg("%s: %u, %.*s, html %d, retry %d, age %d, %.*s", row->name, got->status,
                 SPAN_ARG(reason_text(got->reason)), got->html, (int)got->retry_after_s,
                 (int)got->max_age_s, SPAN_ARG(got->location));
    }
    fixture_same(row->name, "Location", got->location, row->location != NULL ? row->location : "");
}

static void detours_send_around(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(f, &rows[i]);
    }
    fixture_free(&f);
}

/* A window opens and closes by a new snapshot alone. */
static void windows_open_and_close(void **state)
{
    static const struct {
        int64_t at_ns;
        const char *path;
        const char *location;
        int64_t change_ns;
    } cases[] = {
        {AT(-4001), "GET /to", "https://s.example/to", AT(-4000)},
        {AT(-4001), "GET /over", "https://s.example/", AT(-4000)},
        {AT(-4000), "GET /over", "https://s.example/", AT(3600)},
        {AT(0), "GET /over", "https://n.example/over", AT(3600)},
        {AT(3600) - 1, "GET /to", "https://s.example/to", AT(3600)},
        {AT(3600), "GET /to", "https://n.example/to", SNAP_NEVER},
        {AT(3600), "GET /later", "https://s.example/", SNAP_NEVER},
        {AT(6800), "GET /later", "https://n.example/later", SNAP_NEVER},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_compile(f, cases[i].at_ns);
        fixture_ask(f, &(struct ask){.line = cases[i].path, .at_ns = cases[i].at_ns});
        fixture_same(cases[i].path, "Location", f->decision.location, cases[i].location);
        assert_int_equal(snapshot_site(f->snapshot, 0)->change_ns, cases[i].change_ns);
    }
    /* Nothing will change any more: what was asked for is given in full. */
    fixture_ask(f, &(struct ask){.line = "GET /x", .at_ns = AT(6800)});
    assert_int_equal(f->decision.max_age_s, 7200);
    fixture_free(&f);
}

/* One route that may be remembered for a day and one detour that opens in an hour. */
static struct fixture *fixture_pair(const char *route, const char *detour)
{
    char text[2048];
    int len = snprintf(text, sizeof(text),
                       "sites:\n"
                       "  - name: shop\n"
                       "    hosts: [shop.example, '*.shop.example']\n"
                       "    https_redirect: {status: 308}\n"
                       "    routes: [{%s, to: 'https://n.example/', max_age: 1d}]\n"
                       "    default: {respond: {status: 404}, max_age: 1d}\n"
                       "  - {name: other, hosts: other.example,\n"
                       "     routes: [{path: '*', to: 'https://n.example/', max_age: 1d}]}\n"
                       "detours:\n"
                       "  - {name: d, site: shop, %s, to: 'https://s.example/', reason: r,\n"
                       "     from: '2026-11-18T12:06:40Z', until: '2026-11-18T13:00:00Z'}\n",
                       route, detour);
    assert_true(len > 0 && (size_t)len < sizeof(text));
    return fixture_new(text);
}

static bool is_clipped(const struct fixture *f)
{
    int64_t age = f->decision.max_age_s;
    if (age != 3600 && age != 86400) {
        fail_msg("an age of %d", (int)age);
    }
    return age == 3600;
}

/* An answer ends with a detour that could take it, not with any detour of the site. */
static void only_what_concerns_an_answer_clips_it(void **state)
{
    static const struct {
        const char *route;
        const char *detour;
        const char *line;
        const char *host;
        bool clipped;
    } cases[] = {
        {"path: /a", "path: /a", "GET /a", NULL, true},
        {"path: /a", "path: /b", "GET /a", NULL, false},
        {"path: /a", "path: /ab", "GET /a", NULL, false},
        {"path: /a", "path_prefix: /a", "GET /a", NULL, true},
        {"path: /a", "path_prefix: /a/b", "GET /a", NULL, false},
        {"path: /a/b", "path: /a", "GET /a/b", NULL, false},
        {"path: /a/b/c", "path_prefix: /a", "GET /a/b/c", NULL, true},
        {"path: /a/b/c", "query: {x: y}", "GET /a/b/c", NULL, true},
        {"path_prefix: /a", "path: /a/b/c", "GET /a", NULL, true},
        {"path_prefix: /a", "path_prefix: /a/b/c", "GET /a", NULL, true},
        {"path_prefix: /a", "path_prefix: /b/c", "GET /a", NULL, false},
        {"path: '/a/*'", "path: /a/b", "GET /a/x", NULL, true},
        {"path: '/a/*'", "path: /b/a", "GET /a/x", NULL, false},
        {"path: '/:x/b'", "path: /a/b", "GET /a/b", NULL, true},
        {"path: '/a/:x/c'", "path: /a/b/d", "GET /a/b/c", NULL, true}, /* may be too early */
        {"path: '/a/:x/c'", "path: /b/b/c", "GET /a/b/c", NULL, false},
        {"path: '*'", "path: /a", "GET /b", NULL, true},
        {"path: /", "path: /a", "GET /", NULL, false},
        {"path: /a/", "path: /a", "GET /a/", NULL, false},
        {"path: /a/", "path_prefix: /a", "GET /a/", NULL, true},
        {"path: /a", "path: '/a{/:x}?'", "GET /a", NULL, true},
        {"path: /a/b", "path: '/a{/:x}?'", "GET /a/b", NULL, true},
        {"path: /a/b", "path: '/(a|b)/b'", "GET /a/b", NULL, true},
        {"path: '/%61%2f'", "path: '/a%2F'", "GET /a%2f", NULL, true},
        {"path: /a, host: x.shop.example", "path: /a, host: x.shop.example", "GET /a",
         "x.shop.example", true},
        {"path: /a, host: x.shop.example", "path: /a, host: y.shop.example", "GET /a",
         "x.shop.example", false},
        {"path: /a, host: x.shop.example", "path: /a, host: X.shop.example", "GET /a",
         "x.shop.example", true},
        {"path: /a, host: x.shop.example", "path: /a, host: ':x.shop.example'", "GET /a",
         "x.shop.example", true},
        {"path: /a, host: x.shop.example", "path: /a", "GET /a", "x.shop.example", true},
        {"path: /a", "path: /a, host: x.shop.example", "GET /a", NULL, true},
        {"path: /a", "path: /a, methods: [POST, PUT]", "GET /a", NULL, false},
        {"path: /a, methods: POST", "path: /a, methods: [PUT]", "POST /a", NULL, false},
        {"path: /a", "path: /a, methods: [HEAD]", "GET /a", NULL, true},
        {"path: /a", "path: /a, methods: [PURGE]", "GET /a", NULL, true},
        {"path: /a, methods: [GET]", "path: /a, methods: [POST]", "HEAD /a", NULL, false},
        /* What answers wherever nothing else does concerns every detour; so does https. */
        {"path: /a", "path: /b", "GET /c", NULL, true},
        {"path: /a", "path: /b", "GET /a", "other.example", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_pair(cases[i].route, cases[i].detour);
        fixture_ask(f, &(struct ask){.line = cases[i].line, .host = cases[i].host, .secure = true});
        if (is_clipped(f) != cases[i].clipped) {
            fail_msg("%s beside %s: an age of %d", cases[i].route, cases[i].detour,
                     (int)f->decision.max_age_s);
        }
        fixture_free(&f);
    }
    struct fixture *f = fixture_pair("path: /a", "path: /b");
    fixture_ask(f, &(struct ask){.line = "GET /a", .at_ns = AT(3600) - 1500000000});
    assert_int_equal(f->decision.reason, REASON_HTTPS);
    assert_int_equal(f->decision.max_age_s, 1);
    /* What is called permanent is remembered where nothing is said. */
    fixture_ask(f, &(struct ask){.line = "GET /a", .at_ns = AT(3600) - 500000000});
    assert_int_equal(f->decision.max_age_s, 0);
    fixture_free(&f);
}

/* Whatever the two look like: an answer that the detour takes away was not to be
 * remembered for longer. */
static void freshness_never_outlives_an_answer(void **state)
{
    static const char *const paths[] = {
        "path: /",
        "path: '*'",
        "path: '/*'",
        "path_prefix: /a",
        "path: /a",
        "path: /a/",
        "path: '/a/*'",
        "path_prefix: /a/b",
        "path: /a/b",
        "path: '/a{/b}?'",
        "path: '/:x/b'",
        "path: '/a/:x'",
        "path: '/a*'",
        "path: '/a{/:x}*'",
        "path: '{/a}?/b'",
        "path: '/(a|b)/:x'",
        "path: '/:x?/b'",
        "path: '/a/{:x/}?b'",
        "path: '/a-:x'",
        "path: '/%61/b'",
        "path: '/a/:x+'",
        "path_prefix: /a/b/",
        "path: '/a/b/:x(\\d+)?'",
    };
    static const char *const asked[] = {
        "GET /",      "GET /a",  "GET /a/",  "GET /b",     "GET /a/b",   "GET /a/b/", "GET /b/b",
        "GET /a/b/c", "GET /ab", "GET /a-b", "GET /a/b/7", "GET /a/c/b", "GET /a//b", "GET /A/b/c"};
    enum { path_count = sizeof(paths) / sizeof(paths[0]) };
    (void)state;
    size_t taken = 0;
    for (size_t i = 0; i < path_count * path_count; i++) {
        const char *route = paths[i / path_count];
        const char *detour = paths[i % path_count];
        struct fixture *f = fixture_pair(route, detour);
        for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++) {
            struct ask ask = {.line = asked[k], .secure = true};
            fixture_compile(f, NOW);
            fixture_ask(f, &ask);
            int64_t age = f->decision.max_age_s;
            fixture_compile(f, AT(3600));
            ask.at_ns = AT(3600);
            fixture_ask(f, &ask);
            if (f->decision.reason == REASON_DETOUR && ++taken && age > 3600) {
                fail_msg("%s: %s beside %s", asked[k], route, detour);
            }
        }
        fixture_free(&f);
    }
    assert_true(taken > 1000);
}

static const char ages[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    https_redirect: {status: 301}\n"
    "    routes:\n"
    "      - {path: /301, to: 'https://n.example/', status: 301}\n"
    "      - {path: /308, to: 'https://n.example/', status: 308}\n"
    "      - {path: /308d, to: 'https://n.example/', status: 308, max_age: 1d}\n"
    "      - {path: /302, to: 'https://n.example/', status: 302}\n"
    "      - {path: /303, to: 'https://n.example/', status: 303, max_age: 1m}\n"
    "      - {path: /307, to: 'https://n.example/'}\n"
    "      - {path: /410, respond: {status: 410}, max_age: 1m}\n"
    "      - {path: /pool, pool: p, max_age: 1m}\n"
    "      - {path: /share, share: 0%, to: 'https://n.example/', max_age: 1m, rest: 503}\n"
    "      - {path: /cookie, cookies: {a: true}, to: 'https://n.example/', max_age: 1m}\n"
    "      - {path: /client, clients: [192.0.2.0/24], to: 'https://n.example/', max_age: 1m}\n"
    "      - {path: /page, page: 'https://s.example/', max_age: 1m}\n"
    "      - {path: /climb/*, to: 'https://n.example/a/{+0}', max_age: 1m}\n"
    "pools: {p: [https://s.example]}\n";

static void freshness_is_what_was_said(void **state)
{
    static const struct {
        struct ask ask;
        int64_t max_age;
        bool private;
        uint32_t vary;
    } cases[] = {
        {.ask = {.line = "GET /301"}, .max_age = 3600},
        {.ask = {.line = "GET /308"}, .max_age = 3600},
        {.ask = {.line = "GET /308d"}, .max_age = 86400},
        {.ask = {.line = "GET /302"}, .max_age = -1},
        {.ask = {.line = "GET /303"}, .max_age = 60},
        {.ask = {.line = "GET /307"}, .max_age = -1},
        {.ask = {.line = "GET /410"}, .max_age = 60},
        {.ask = {.line = "GET /pool"}, .max_age = 60, .private = true, .vary = VARY_AVOID},
        {.ask = {.line = "GET /cookie", .fields = "Cookie: a=b\r\n"},
         .max_age = 60,
         .vary = VARY_COOKIE},
        {.ask = {.line = "GET /client"}, .max_age = 60, .private = true},
        {.ask = {.line = "GET /page", .fields = PERSON}, .max_age = 60, .vary = VARY_ACCEPT},
        /* What is not the answer that was asked to be remembered is not remembered. */
        {.ask = {.line = "GET /page"}, .max_age = -1, .vary = VARY_ACCEPT},
        {.ask = {.line = "GET /climb/..;x"}, .max_age = -1},
    };
    (void)state;
    struct fixture *f = fixture_new(ages);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask ask = cases[i].ask;
        ask.secure = true;
        fixture_ask(f, &ask);
        if (f->decision.max_age_s != cases[i].max_age ||
            f->decision.depends_on_client != cases[i].private ||
            f->decision.vary != cases[i].vary) {
            fail_msg("%s: age %d, private %d, vary %u", ask.line, (int)f->decision.max_age_s,
                     f->decision.depends_on_client, f->decision.vary);
        }
    }
    fixture_ask(f, &(struct ask){.line = "GET /"});
    assert_int_equal(f->decision.reason, REASON_HTTPS);
    assert_int_equal(f->decision.max_age_s, 3600);
    /* A pool that has nobody now may have somebody in a second. */
    fixture_set(f, "p/s.example", SERVER_DOWN, 0);
    fixture_ask(f, &(struct ask){.line = "GET /pool", .secure = true});
    assert_int_equal(f->decision.reason, REASON_POOL_EMPTY);
    assert_int_equal(f->decision.max_age_s, -1);
    fixture_free(&f);
}

/* The most specific one, then the newest. Names say who should win: 1 before 2. */
static void the_most_specific_detour_wins(void **state)
{
    static const char *const wanted[] = {
        "shop/detours/deep",  "shop/detours/exact", "shop/detours/newer", "shop/detours/below",
        "shop/detours/above", "shop/detours/any",   "shop/detours/whole"};
    (void)state;
    struct fixture *f = fixture_new(
        "sites: [{name: shop, hosts: shop.example}]\n"
        "detours:\n"
        "  - {name: whole, site: shop, to: 'https://n.example/', until: off, reason: r}\n"
        "  - {name: above, site: shop, path_prefix: /a/b, to: 'https://n.example/', until: off,\n"
        "     from: '2026-01-01T00:00:00Z', reason: r}\n"
        "  - {name: deep, site: shop, path_prefix: /a/b/c, to: 'https://n.example/', until: off,\n"
        "     reason: r}\n"
        "  - {name: newer, site: shop, path_prefix: /a/b, to: 'https://n.example/', until: off,\n"
        "     from: '2026-02-01T00:00:00Z', reason: r}\n"
        "  - {name: any, site: shop, path: '/a/:x', to: 'https://n.example/', until: off,\n"
        "     reason: r}\n"
        "  - {name: below, site: shop, path: '/a/b/*', to: 'https://n.example/', until: off,\n"
        "     from: '2026-01-01T00:00:00Z', reason: r}\n"
        "  - {name: exact, site: shop, path: /a/b, to: 'https://n.example/', until: off,\n"
        "     reason: r}\n");
    struct snap_ruleset set = snapshot_site(f->snapshot, 0)->detours;
    assert_int_equal(set.count, 7);
    for (uint32_t i = 0; i < set.count; i++) {
        const struct snap_rule *rule = snapshot_rule(f->snapshot, set.first + i);
        fixture_same("order", wanted[i], snapshot_text(f->snapshot, rule->identity), wanted[i]);
    }
    fixture_ask(f, &(struct ask){.line = "GET /a/b/c/d"});
    fixture_same("deep", "rule", fixture_rule(f), "shop/detours/deep");
    fixture_ask(f, &(struct ask){.line = "GET /a/b"});
    fixture_same("exact", "rule", fixture_rule(f), "shop/detours/exact");
    fixture_ask(f, &(struct ask){.line = "GET /a/b/x"});
    fixture_same("newer", "rule", fixture_rule(f), "shop/detours/newer");
    fixture_ask(f, &(struct ask){.line = "GET /a/x"});
    fixture_same("any", "rule", fixture_rule(f), "shop/detours/any");
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detours_send_around),
        cmocka_unit_test(windows_open_and_close),
        cmocka_unit_test(only_what_concerns_an_answer_clips_it),
        cmocka_unit_test(freshness_never_outlives_an_answer),
        cmocka_unit_test(freshness_is_what_was_said),
        cmocka_unit_test(the_most_specific_detour_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
