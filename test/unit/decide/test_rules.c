/* SPDX-License-Identifier: MIT */
/* From a configuration to a decision: what matches, what it does, and who was heard. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char config[] =
    "allowed_targets: ['https://*.example.net', 'https://n.example']\n"
    "trusted_proxies: [10.0.0.0/8]\n"
    "sites:\n"
    "  - name: shop\n"
    "    hosts: [shop.example, '*.shop.example', '[2001:db8::1]']\n"
    "    routes:\n"
    "      - {name: api, path: '/api/v1/*', methods: [GET, POST], to: "
    "'https://n.example/v1/{+0}'}\n"
    "      - {name: old, path_prefix: /old, to: 'https://n.example{+path}', status: 308}\n"
    "      - {name: gone, path: /tea, respond: {status: 410, body: gone}}\n"
    "      - {name: status, path: /status, respond: {status: 404}}\n"
    "      - {name: see, path: /see, to: 'https://n.example/x', status: 303, query: drop}\n"
    "      - {name: blog, path: '/blog/:slug', to: 'https://n.example/p/{slug}?from={host}'}\n"
    "      - {name: raw, path: '/raw/:a', to: 'https://n.example/{+a}'}\n"
    "      - {name: region, path: '/r/:region/*', to: 'https://{region}.example.net/{+0}',\n"
    "         labels: {region: [eu, us]}}\n"
    "      - {name: purge, path: /cache, methods: [PURGE], to: 'https://n.example/purge'}\n"
    "      - {name: ua, path: /ua, when: {headers: {User-Agent: '*Fire*fox*', X-Old: false}},\n"
    "         to: 'https://n.example/firefox'}\n"
    "      - {name: exact, path: /ua, when: {headers: {X-Mode: a}}, to: 'https://n.example/a'}\n"
    "      - {name: present, path: /ua, when: {headers: {X-Mode: true}},\n"
    "         to: 'https://n.example/any'}\n"
    "      - {name: cookie, path: /c, cookies: {beta: 'y*'}, to: 'https://n.example/beta'}\n"
    "      - {name: query, path: /q, query: {lang: 'de*', old: false}, to: "
    "'https://n.example/de'}\n"
    "      - {name: v4, path: /who, clients: [198.51.100.0/24], to: 'https://n.example/v4'}\n"
    "      - {name: v6, path: /who, clients: ['2001:db8::/32'], to: 'https://n.example/v6'}\n"
    "      - {name: sub, host: ':sub.shop.example', path: /sub, to: 'https://n.example/{sub}'}\n"
    "      - {name: vars, path: /vars,\n"
    "         to: 'https://n.example/{scheme}/{port}/{method}{?query}', query: drop}\n"
    "      - {name: slow, path: '/re/:x(a*a*a*a*b)', to: 'https://n.example/re'}\n"
    "      - {name: hidden, path: '/re/*', to: 'https://n.example/hidden'}\n"
    "      - {name: host, path: /h, to: 'https://n.example/{host}'}\n"
    "      - {name: rest, path: /rest, share: 0%, to: 'https://n.example/in',\n"
    "         rest: {to: 'https://n.example/out'}}\n"
    "      - {name: next, path: /next, share: 0%, to: 'https://n.example/in'}\n"
    "      - {name: last, path: /next, to: 'https://n.example/last'}\n"
    "    default: pass\n"
    "  - {name: quiet, hosts: quiet.example}\n"
    "  - {name: to, hosts: to.example, default: {to: 'https://n.example/d{+path}'}}\n"
    "  - name: tls\n"
    "    hosts: tls.example\n"
    "    https_redirect: {status: 308, port: 8443}\n"
    "    default: {to: 'https://n.example/'}\n"
    "  - {name: tls307, hosts: tls307.example, https_redirect: true}\n";

struct row {
    const char *name;
    struct ask ask;
    uint16_t status;
    const char *location; /* NULL: none */
    enum reason reason;
    const char *rule; /* NULL: not looked at */
};

static const struct row rows[] = {
    {.name = "to",
     .ask = {.line = "GET /api/v1/a/b?c=d"},
     .status = 307,
     .rule = "shop/routes/api",
     .location = "https://n.example/v1/a/b?c=d"},
    {.name = "POST",
     .ask = {.line = "POST /api/v1/x", .fields = "Content-Length: 0\r\n"},
     .status = 307,
     .location = "https://n.example/v1/x"},
    {.name = "HEAD where GET is allowed",
     .ask = {.line = "HEAD /api/v1/x"},
     .status = 307,
     .location = "https://n.example/v1/x"},
    {.name = "a method that is not listed",
     .ask = {.line = "PUT /api/v1/x"},
     .status = 204,
     .reason = REASON_DEFAULT,
     .rule = "shop/default"},
    {.name = "308",
     .ask = {.line = "GET /old/x"},
     .status = 308,
     .location = "https://n.example/old/x"},
    {.name = "the prefix alone",
     .ask = {.line = "GET /old"},
     .status = 308,
     .location = "https://n.example/old"},
    {.name = "the prefix with a slash",
     .ask = {.line = "GET /old/"},
     .status = 308,
     .location = "https://n.example/old/"},
    {.name = "a prefix ends at a segment",
     .ask = {.line = "GET /older"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "doubled slashes and escapes do not slip past",
     .status = 308,
     .ask = {.line = "GET //%6fld/x"},
     .location = "https://n.example//%6fld/x"},
    {.name = "dot segments are resolved first",
     .ask = {.line = "GET /old/../tea"},
     .status = 410,
     .rule = "shop/routes/gone"},
    {.name = "respond with a body", .ask = {.line = "POST /tea"}, .status = 410},
    {.name = "respond without", .ask = {.line = "GET /status"}, .status = 404},
    {.name = "303, and the query dropped",
     .ask = {.line = "POST /see?a=b"},
     .status = 303,
     .location = "https://n.example/x"},
    {.name = "a capture is decoded once and encoded anew",
     .status = 307,
     .ask = {.line = "GET /blog/a%20b%2Fc"},
     .location = "https://n.example/p/a%20b%2Fc?from=shop.example"},
    {.name = "the template's own query wins",
     .ask = {.line = "GET /blog/a?x=y"},
     .status = 307,
     .location = "https://n.example/p/a?from=shop.example"},
    {.name = "{+a} as it was sent",
     .ask = {.line = "GET /raw/%2F%3f+%25"},
     .status = 307,
     .location = "https://n.example/%2F%3f+%25"},
    {.name = "a listed label",
     .ask = {.line = "GET /r/eu/x"},
     .status = 307,
     .location = "https://eu.example.net/x",
     .rule = "shop/routes/region"},
    {.name = "a label that is not listed",
     .ask = {.line = "GET /r/evil/x"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "a label in capitals is another one",
     .ask = {.line = "GET /r/EU/x"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "a label in disguise",
     .ask = {.line = "GET /r/e%2eu/x"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "an extension method",
     .ask = {.line = "PURGE /cache"},
     .status = 307,
     .location = "https://n.example/purge"},
    {.name = "another extension method",
     .ask = {.line = "PURGF /cache"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "not an extension method",
     .ask = {.line = "GET /cache"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "header glob",
     .ask = {.line = "GET /ua", .fields = "user-agent: x Fire-fox/1\r\n"},
     .status = 307,
     .location = "https://n.example/firefox"},
    {.name = "header glob, but one that must be absent",
     .status = 204,
     .reason = REASON_DEFAULT,
     .ask = {.line = "GET /ua", .fields = "User-Agent: Firefox\r\nx-old:\r\n"}},
    {.name = "header exact",
     .ask = {.line = "GET /ua", .fields = "X-Mode: a\r\n"},
     .status = 307,
     .location = "https://n.example/a"},
    {.name = "header present",
     .ask = {.line = "GET /ua", .fields = "X-Mode: A\r\n"},
     .status = 307,
     .location = "https://n.example/any"},
    {.name = "cookie",
     .ask = {.line = "GET /c", .fields = "Cookie: a=b; beta=yes\r\n"},
     .status = 307,
     .location = "https://n.example/beta"},
    {.name = "another cookie",
     .ask = {.line = "GET /c", .fields = "Cookie: beta=no; b=y\r\n"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "query",
     .ask = {.line = "GET /q?x=1&l%61ng=de-AT"},
     .status = 307,
     .location = "https://n.example/de?x=1&l%61ng=de-AT"},
    {.name = "query, but one that must be absent",
     .ask = {.line = "GET /q?lang=de&old"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "no query", .ask = {.line = "GET /q"}, .status = 204, .reason = REASON_DEFAULT},
    {.name = "client v4",
     .ask = {.line = "GET /who", .from = "198.51.100.255"},
     .status = 307,
     .location = "https://n.example/v4"},
    {.name = "client v6",
     .ask = {.line = "GET /who", .from = "2001:db8:1::2"},
     .status = 307,
     .location = "https://n.example/v6"},
    {.name = "another client",
     .ask = {.line = "GET /who", .from = "198.51.101.0"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "a client behind a trusted proxy",
     .status = 307,
     .location = "https://n.example/v4",
     .ask = {.line = "GET /who",
             .from = "10.1.2.3",
             .fields = "X-Forwarded-For: 198.51.100.7\r\n"}},
    {.name = "nobody believes others",
     .status = 204,
     .reason = REASON_DEFAULT,
     .ask = {.line = "GET /who",
             .from = "192.0.2.1",
             .fields = "X-Forwarded-For: 198.51.100.7\r\n"}},
    {.name = "a host capture",
     .ask = {.line = "GET /sub", .host = "Fr.Shop.example"},
     .status = 307,
     .location = "https://n.example/fr"},
    {.name = "a host pattern that does not match",
     .ask = {.line = "GET /sub"},
     .status = 204,
     .reason = REASON_DEFAULT},
    {.name = "built-in variables",
     .ask = {.line = "PATCH /vars?a=b"},
     .status = 307,
     .location = "https://n.example/http/80/PATCH?query=a%3Db"},
    {.name = "an encrypted connection",
     .ask = {.line = "GET /vars", .secure = true},
     .status = 307,
     .location = "https://n.example/https/443/GET"},
    {.name = "a port",
     .ask = {.line = "GET /vars", .host = "shop.example:8307"},
     .status = 307,
     .location = "https://n.example/http/8307/GET"},
    {.name = "an IPv6 host",
     .ask = {.line = "GET /h", .host = "[2001:DB8::1]:81"},
     .status = 307,
     .location = "https://n.example/%5B2001%3Adb8%3A%3A1%5D"},
    {.name = "a trailing dot",
     .ask = {.line = "GET /h", .host = "SHOP.example."},
     .status = 307,
     .location = "https://n.example/shop.example"},
    {.name = "a proxy's host",
     .status = 307,
     .location = "https://n.example/x.shop.example",
     .ask = {.line = "GET /h",
             .host = "internal",
             .from = "10.0.0.1",
             .fields = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Host: X.shop.example\r\n"}},
    {.name = "a proxy's host with a port",
     .status = 307,
     .location = "https://n.example/http/8443/GET",
     .ask = {.line = "GET /vars",
             .host = "internal:8307",
             .from = "10.0.0.1",
             .fields = "X-Forwarded-Host: shop.example:8443\r\nX-Forwarded-Port: 81\r\n"}},
    {.name = "a proxy's host without a port",
     .status = 307,
     .location = "https://n.example/https/443/GET",
     .ask = {.line = "GET /vars",
             .host = "internal:8307",
             .from = "10.0.0.1",
             .fields = "X-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: https\r\n"}},
    {.name = "a proxy's port",
     .status = 307,
     .location = "https://n.example/http/8443/GET",
     .ask = {.line = "GET /vars",
             .host = "internal:8307",
             .from = "10.0.0.1",
             .fields = "X-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 8443\r\n"}},
    {.name = "a proxy's port without a host",
     .status = 307,
     .location = "https://n.example/http/8443/GET",
     .ask = {.line = "GET /vars",
             .host = "shop.example:8307",
             .from = "10.0.0.1",
             .fields = "X-Forwarded-Port: 8443\r\n"}},
    {.name = "a proxy that says no port",
     .status = 307,
     .location = "https://n.example/https/8307/GET",
     .ask = {.line = "GET /vars",
             .host = "shop.example:8307",
             .from = "10.0.0.1",
             .fields = "X-Forwarded-Proto: https\r\n"}},
    {.name = "Forwarded with a port",
     .status = 307,
     .location = "https://n.example/https/8443/GET",
     .ask = {.line = "GET /vars",
             .host = "internal:8307",
             .from = "10.0.0.1",
             .fields = "Forwarded: for=192.0.2.9;proto=https;host=\"shop.example:8443\"\r\n"}},
    {.name = "a stranger's port",
     .status = 307,
     .location = "https://n.example/http/8307/GET",
     .ask = {.line = "GET /vars",
             .host = "shop.example:8307",
             .fields = "X-Forwarded-Host: shop.example:1\r\nX-Forwarded-Port: 8443\r\n"}},
    {.name = "a proxy's bad host",
     .status = 400,
     .reason = REASON_BAD_REQUEST,
     .ask = {.line = "GET /h",
             .from = "10.0.0.1",
             .fields = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Host: a@b\r\n"}},
    {.name = "the rest",
     .ask = {.line = "GET /rest"},
     .status = 307,
     .location = "https://n.example/out",
     .reason = REASON_REST,
     .rule = "shop/routes/rest"},
    {.name = "the rest goes on",
     .ask = {.line = "GET /next"},
     .status = 307,
     .location = "https://n.example/last",
     .rule = "shop/routes/last"},
    {.name = "pass", .ask = {.line = "GET /nothing"}, .status = 204, .reason = REASON_DEFAULT},
    {.name = "404 when nothing is said",
     .ask = {.line = "GET /", .host = "quiet.example"},
     .status = 404,
     .reason = REASON_DEFAULT,
     .rule = "quiet/default"},
    {.name = "a default that redirects",
     .ask = {.line = "GET /x?y", .host = "to.example"},
     .status = 307,
     .location = "https://n.example/d/x?y",
     .reason = REASON_DEFAULT},
    {.name = "no site",
     .ask = {.line = "GET /", .host = "other.example"},
     .status = 421,
     .reason = REASON_NO_SITE,
     .rule = ""},
    {.name = "the domain of a wildcard is not in it",
     .status = 421,
     .reason = REASON_NO_SITE,
     .ask = {.line = "GET /", .host = "example"}},
    {.name = "https asked for in the clear",
     .status = 421,
     .reason = REASON_MISDIRECTED,
     .ask = {.line = "GET https://shop.example/tea"}},
    {.name = "https asked for and had",
     .status = 410,
     .ask = {.line = "GET https://shop.example/tea", .secure = true}},
    {.name = "OPTIONS *",
     .ask = {.line = "OPTIONS *", .host = "any.example"},
     .status = 204,
     .reason = REASON_OPTIONS},
    {.name = "https_redirect",
     .ask = {.line = "POST /a%20b?c", .host = "tls.example:80"},
     .status = 308,
     .location = "https://tls.example:8443/a%20b?c",
     .reason = REASON_HTTPS},
    {.name = "https_redirect, not needed",
     .status = 307,
     .location = "https://n.example/",
     .ask = {.line = "GET /", .host = "tls.example", .secure = true},
     .reason = REASON_DEFAULT},
    {.name = "https_redirect, done by a proxy",
     .status = 307,
     .location = "https://n.example/",
     .ask = {.line = "GET /",
             .host = "tls.example",
             .from = "10.0.0.1",
             .fields = "Forwarded: for=192.0.2.1;proto=https\r\n"},
     .reason = REASON_DEFAULT},
    {.name = "https_redirect with 307",
     .ask = {.line = "GET //evil.example", .host = "tls307.example"},
     .status = 307,
     .location = "https://tls307.example//evil.example",
     .reason = REASON_HTTPS},
    {.name = "ACME passes https_redirect",
     .status = 404,
     .reason = REASON_DEFAULT,
     .ask = {.line = "GET /.well-known/acme-challenge/x", .host = "tls307.example"}},
    {.name = "climbing out of what was declared",
     .status = 400,
     .reason = REASON_LOCATION_ESCAPES,
     .ask = {.line = "GET /api/v1/..;x/admin"},
     .rule = "shop/routes/api"},
    {.name = "no climbing by encoded separators",
     .status = 400,
     .reason = REASON_LOCATION_ESCAPES,
     .ask = {.line = "GET /api/v1/a%2F..%2F..%2F.."}},
    {.name = "no host from the path",
     .ask = {.line = "GET /api/v1///evil.example/"},
     .status = 307,
     .location = "https://n.example/v1/evil.example/"},
};

static void check_row(struct fixture *f, const struct row *row)
{
    const struct decision *got = fixture_ask(f, &row->ask);
    if (got->status != row->status || got->reason != row->reason) {
        fail_msg("%s: %u, %.*s, \"%.*s\"", row->name, got->status,
                 SPAN_ARG(reason_text(got->reason)), SPAN_ARG(got->location));
    }
    if (row->location != NULL || got->location.len > 0) {
        fixture_same(row->name, "Location", got->location,
                     row->location != NULL ? row->location : "");
    }
    if (row->rule != NULL) {
        fixture_same(row->name, "rule", fixture_rule(f), row->rule);
    }
}

static void requests_get_what_the_file_says(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(f, &rows[i]);
    }
    fixture_free(&f);
}

/* With a trace every rule is looked at, one by one; nothing else may change. */
static void a_trace_changes_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    struct decide_trace_row traced[64];
    struct decide_trace trace = {.rows = traced, .row_max = 64};
    f->context.trace = &trace;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        trace.row_count = 0;
        check_row(f, &rows[i]);
        size_t winners = 0;
        for (size_t k = 0; k < trace.row_count; k++) {
            winners += traced[k].lost == LOST_NOT;
        }
        bool by_rule = f->decision.rule != SNAP_NONE &&
                       snapshot_rule(f->snapshot, f->decision.rule)->kind != SNAP_DEFAULT;
        assert_int_equal(winners, by_rule);
    }
    fixture_free(&f);
}

static void losers_say_why(void **state)
{
    static const struct {
        struct ask ask;
        const char *rule;
        enum lost lost;
    } cases[] = {
        {{.line = "GET /old"}, "shop/routes/api", LOST_PATH},
        {{.line = "PUT /api/v1/x"}, "shop/routes/api", LOST_METHOD},
        {{.line = "GET /ua"}, "shop/routes/ua", LOST_HEADER},
        {{.line = "GET /c"}, "shop/routes/cookie", LOST_COOKIE},
        {{.line = "GET /q"}, "shop/routes/query", LOST_QUERY},
        {{.line = "GET /who"}, "shop/routes/v4", LOST_CLIENT},
        {{.line = "GET /sub"}, "shop/routes/sub", LOST_HOST},
        {{.line = "GET /next"}, "shop/routes/next", LOST_SHARE},
        {{.line = "GET /r/evil/x"}, "shop/routes/region", LOST_LABEL},
        {{.line = "GET /ua", .fields = "X-Mode: a\r\n"}, "shop/routes/present", LOST_LATER},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    struct decide_trace_row traced[64];
    struct decide_trace trace = {.rows = traced, .row_max = 64};
    f->context.trace = &trace;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        trace.row_count = 0;
        fixture_ask(f, &cases[i].ask);
        bool found = false;
        for (size_t k = 0; k < trace.row_count; k++) {
            const struct snap_rule *rule = snapshot_rule(f->snapshot, traced[k].rule);
            if (span_eq(snapshot_text(f->snapshot, rule->identity), span_cstr(cases[i].rule))) {
                fixture_same(cases[i].rule, "why", lost_text(traced[k].lost),
                             (const char *)lost_text(cases[i].lost).ptr);
                found = true;
            }
        }
        assert_true(found);
    }
    fixture_free(&f);
}

/* A Location that does not fit is 414, whatever grew. */
static void what_is_too_long_is_414(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    static char line[8000];
    struct ask ask = {.line = line};
    /* Three bytes for each once they are encoded anew. */
    memcpy(line, "GET /blog/", 10);
    memset(line + 10, '\'', 6000);
    fixture_ask(f, &ask);
    assert_int_equal(f->decision.status, 414);
    assert_int_equal(f->decision.reason, REASON_LOCATION_LONG);
    assert_int_equal(f->decision.location.len, 0);
    fixture_free(&f);
}

/* A request that spends its budget is answered 503, and never as if nothing had matched:
 * the rule behind it would have sent it elsewhere. */
static void the_limit_of_expressions_is_503(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    static char line[8000];
    struct ask ask = {.line = line};
    strcpy(line, "GET /re/");
    memset(line + 8, 'a', 6000);
    fixture_ask(f, &ask);
    assert_int_equal(f->decision.reason, REASON_REGEX_LIMIT);
    assert_int_equal(f->decision.status, 503);
    assert_int_equal(f->decision.retry_after_s, 1);
    assert_int_equal(f->decision.location.len, 0);
    /* The next request has a budget of its own. */
    fixture_ask(f, &(struct ask){.line = "GET /re/aab"});
    fixture_same("after it", "Location", f->decision.location, "https://n.example/re");
    fixture_ask(f, &(struct ask){.line = "GET /re/x"});
    fixture_same("no match", "Location", f->decision.location, "https://n.example/hidden");
    /* Nor may an expression that was not compiled be taken for one that did not match. */
    f->context.regexes = NULL;
    fixture_ask(f, &(struct ask){.line = "GET /re/aab"});
    assert_int_equal(f->decision.reason, REASON_REGEX_LIMIT);
    fixture_free(&f);
}

/* Every reason and every way to lose has words of its own. */
static void words_are_there(void **state)
{
    (void)state;
    for (int i = 0; i <= REASON_BAD_REQUEST; i++) {
        assert_true(reason_text((enum reason)i).len > 0);
        for (int k = 0; k < i; k++) {
            assert_false(span_eq(reason_text((enum reason)i), reason_text((enum reason)k)));
        }
    }
    for (int i = 0; i <= LOST_LABEL; i++) {
        assert_true(lost_text((enum lost)i).len > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_what_the_file_says),
        cmocka_unit_test(a_trace_changes_nothing),
        cmocka_unit_test(losers_say_why),
        cmocka_unit_test(what_is_too_long_is_414),
        cmocka_unit_test(the_limit_of_expressions_is_503),
        cmocka_unit_test(words_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
