/* SPDX-License-Identifier: MIT */
/* Requests to the admin API: what is answered, and what the backend is asked. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { NO_CALL = -1 };

#define LOCAL " HTTP/1.1\r\nHost: localhost\r\n"
#define TCP " HTTP/1.1\r\nHost: 127.0.0.1:$P\r\n"
#define JSON "Content-Type: application/json\r\n"
#define YAML "Content-Type: text/yaml\r\n"
#define NEW "If-None-Match: *\r\n"
#define READER "Authorization: Bearer reader\r\n"
#define WRITER "Authorization: Bearer writer\r\n"
#define ON "{\"to\":\"https://b/\",\"until\":\"off\"}"
#define DEEP "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["

struct row {
    const char *name;
    bool tcp;
    const char *head;
    const char *content;
    unsigned status;
    int called;         /* the operation; NO_CALL */
    const char *has[3]; /* parts of the answer */
};

static const struct row resources[] = {
    {"all", 0, "GET /v1/detours" LOCAL, NULL, 200, ADMIN_LIST_DETOURS, {"\"detours\":[{"}},
    {"one", 0, "GET /v1/detours/shop/a" LOCAL, NULL, 200, ADMIN_GET_DETOUR, {"ETag: \"7\"\r\n"}},
    {"on", 0, "PUT /v1/detours/shop/a" LOCAL JSON NEW, ON, 200, ADMIN_PUT_DETOUR, {"\"state\""}},
    {"new", 0, "PUT /v1/detours/shop/new" LOCAL JSON NEW, ON, 201, .called = ADMIN_PUT_DETOUR},
    {"off", 0, "DELETE /v1/detours/shop/a" LOCAL, NULL, 200, .called = ADMIN_DELETE_DETOUR},
    {"all off", 0, "DELETE /v1/detours" LOCAL, NULL, 200, .called = ADMIN_DELETE_ALL},
    {"extend", 0, "POST /v1/detours/shop/a/extend" LOCAL JSON, "{\"for\":\"30m\"}", 200,
     .called = ADMIN_EXTEND_DETOUR},
    {"changes", 0, "GET /v1/changes" LOCAL, NULL, 200, .called = ADMIN_LIST_CHANGES},
    {"change", 0, "GET /v1/changes/12" LOCAL, NULL, 200, .called = ADMIN_GET_CHANGE},
    {"revert", 0, "POST /v1/changes/12/revert" LOCAL, NULL, 200, .called = ADMIN_REVERT_CHANGE},
    {"sites", 0, "GET /v1/sites" LOCAL, NULL, 200, .called = ADMIN_LIST_SITES},
    {"pools", 0, "GET /v1/pools" LOCAL, NULL, 200, .called = ADMIN_LIST_POOLS},
    {"server",
     0,
     "GET /v1/pools/eu/servers/a" LOCAL,
     NULL,
     200,
     ADMIN_GET_SERVER,
     {"ETag: \"7\"\r\n"}},
    {"add", 0, "PUT /v1/pools/eu/servers/new" LOCAL JSON NEW, "{\"url\":\"https://a\"}", 201,
     .called = ADMIN_PUT_SERVER},
    {"drain", 0, "PATCH /v1/pools/eu/servers/a" LOCAL JSON, "{\"state\":\"drain\"}", 200,
     .called = ADMIN_PATCH_SERVER},
    {"remove", 0, "DELETE /v1/pools/eu/servers/a" LOCAL, NULL, 200, .called = ADMIN_DELETE_SERVER},
    {"another name", 0, "PUT /v1/pools/eu/servers/a" LOCAL JSON NEW, "{\"name\":\"b\"}", 422,
     .called = NO_CALL},
    {"status", 0, "GET /v1/status" LOCAL, NULL, 200, .called = ADMIN_STATUS},
    {"export",
     0,
     "GET /v1/export" LOCAL,
     NULL,
     200,
     ADMIN_EXPORT,
     {"Content-Type: text/yaml; charset=utf-8\r\n", "\r\n\r\nsites: []\n"}},
    {"diff", 0, "POST /v1/diff" LOCAL YAML, "sites: []\n", 200, .called = ADMIN_DIFF},
    {"reload", 0, "POST /v1/reload" LOCAL, NULL, 200, .called = ADMIN_RELOAD},
    {"document", 0, "GET /v1/openapi.json" LOCAL, NULL, 200, NO_CALL, {"{\"openapi\":\"3.1.0\""}},
    {"health", 0, "GET /healthz" LOCAL, NULL, 200, NO_CALL, {"{\"status\":\"ok\"}"}},
    {"ready", 0, "GET /readyz" LOCAL, NULL, 200, .called = ADMIN_READY},
    {"head", 0, "HEAD /v1/detours" LOCAL, NULL, 200, ADMIN_LIST_DETOURS, {"Content-Length: "}},
    {"tokens", 0, "GET /v1/tokens" LOCAL, NULL, 200, .called = ADMIN_LIST_TOKENS},
    {"token", 0, "PUT /v1/tokens/new" LOCAL JSON, "{\"scope\":\"read\"}", 201,
     .called = ADMIN_PUT_TOKEN},
    {"no token", 0, "DELETE /v1/tokens/ci" LOCAL, NULL, 200, .called = ADMIN_DELETE_TOKEN},
    {"nobody", 0, "GET /v1/detours/shop/nobody" LOCAL, NULL, 501, .called = ADMIN_GET_DETOUR},
    {"no body", 0, "GET /v1/detours/shop/silent" LOCAL, NULL, 204, .called = ADMIN_GET_DETOUR},
    {"backend: 404",
     0,
     "GET /v1/detours/shop/missing" LOCAL,
     NULL,
     404,
     ADMIN_GET_DETOUR,
     {"application/problem+json\r\n", "#/x-problems/not-found\"", "\"status\":404"}},
    {"backend: 409", 0, "PUT /v1/detours/shop/taken" LOCAL JSON NEW, ON, 409,
     .called = ADMIN_PUT_DETOUR},
    {"backend: 507", 0, "DELETE /v1/detours/shop/full" LOCAL, NULL, 507,
     .called = ADMIN_DELETE_DETOUR},
    {"backend: 422",
     0,
     "DELETE /v1/detours/shop/broken" LOCAL,
     NULL,
     422,
     ADMIN_DELETE_DETOUR,
     {"\"detail\":\"2 errors\",\"errors\":[\"to is missing\",\"until is missing\"]}"}},
    {"backend: 503",
     0,
     "GET /v1/detours/shop/odd" LOCAL,
     NULL,
     503,
     ADMIN_GET_DETOUR,
     {"Retry-After: 5\r\n", "\"detail\":\"?"
                            "?\""}},
};

static const struct row paths[] = {
    {"nothing", 0, "GET /" LOCAL, NULL, 404, .called = NO_CALL},
    {"slash at the end", 0, "GET /v1/detours/" LOCAL, NULL, 404, .called = NO_CALL},
    {"two slashes", 0, "GET /v1//detours" LOCAL, NULL, 404, .called = NO_CALL},
    {"empty site", 0, "GET /v1/detours//a" LOCAL, NULL, 404, .called = NO_CALL},
    {"too few", 0, "GET /v1/detours/shop" LOCAL, NULL, 404, .called = NO_CALL},
    {"too many", 0, "GET /v1/detours/shop/a/b" LOCAL, NULL, 404, .called = NO_CALL},
    {"far too many", 0, "GET /v1/detours/a/b/c/d/e/f/g/h/i/j/k" LOCAL, NULL, 404,
     .called = NO_CALL},
    {"a variable's name", 0, "GET /v1/changes/{number}" LOCAL, NULL, 404, .called = NO_CALL},
    {"number 0", 0, "GET /v1/changes/0" LOCAL, NULL, 404, .called = NO_CALL},
    {"no number", 0, "GET /v1/changes/1a" LOCAL, NULL, 404, .called = NO_CALL},
    {"too large a number", 0, "GET /v1/changes/18446744073709551616" LOCAL, NULL, 404,
     .called = NO_CALL},
    {"escaped letters", 0, "GET /v%31/%64etours" LOCAL, NULL, 200, .called = ADMIN_LIST_DETOURS},
    {"dots", 0, "GET /v1/../v1/detours" LOCAL, NULL, 400, .called = NO_CALL},
    {"dot", 0, "GET /v1/./detours" LOCAL, NULL, 400, .called = NO_CALL},
    {"escaped dots", 0, "GET /v1/detours/%2e%2E/a" LOCAL, NULL, 400, .called = NO_CALL},
    {"dots at the end", 0, "GET /v1/detours/shop/.." LOCAL, NULL, 400, .called = NO_CALL},
    {"dots far out", 0, "GET /a/b/c/d/e/f/g/h/i/j/.." LOCAL, NULL, 400, .called = NO_CALL},
    {"escaped slash", 0, "GET /v1/detours/shop%2Fa/b" LOCAL, NULL, 400, .called = NO_CALL},
    {"backslash", 0, "GET /v1/detours/..%5ca/b" LOCAL, NULL, 400, .called = NO_CALL},
    {"NUL", 0, "GET /v1/detours/shop/a%00" LOCAL, NULL, 400, .called = NO_CALL},
    {"newline", 0, "GET /v1/detours/shop/a%0a" LOCAL, NULL, 400, .called = NO_CALL},
    {"no UTF-8", 0, "GET /v1/detours/shop/a%ff" LOCAL, NULL, 400, .called = NO_CALL},
    {"half an escape", 0, "GET /v1/detours/shop/a%4" LOCAL, NULL, 400, .called = NO_CALL},
    {"asterisk", 0, "OPTIONS *" LOCAL, NULL, 400, .called = NO_CALL},
    {"method", 0, "POST /v1/detours" LOCAL, NULL, 405, NO_CALL, {"Allow: GET, HEAD, DELETE\r\n"}},
    {"unknown method", 0, "BREW /v1/reload" LOCAL, NULL, 405, NO_CALL, {"Allow: POST\r\n"}},
    {"options",
     0,
     "OPTIONS /v1/detours/a/b" LOCAL,
     NULL,
     405,
     NO_CALL,
     {"Allow: GET, HEAD, PUT, DELETE\r\n"}},
    {"head of a write", 0, "HEAD /v1/reload" LOCAL, NULL, 405, .called = NO_CALL},
};

static const struct row queries[] = {
    {"page", 0, "GET /v1/changes?below=9&limit=1000" LOCAL, NULL, 200,
     .called = ADMIN_LIST_CHANGES},
    {"limit 0", 0, "GET /v1/changes?limit=0" LOCAL, NULL, 400, NO_CALL, {"limit"}},
    {"limit", 0, "GET /v1/changes?limit=1001" LOCAL, NULL, 400, .called = NO_CALL},
    {"twice", 0, "GET /v1/changes?limit=1&limit=1" LOCAL, NULL, 400, NO_CALL, {"twice"}},
    {"unknown", 0, "POST /v1/changes/1/revert?dryrun=true" LOCAL, NULL, 400, .called = NO_CALL},
    {"not here", 0, "GET /v1/detours?dry_run=true" LOCAL, NULL, 400, .called = NO_CALL},
    {"no value", 0, "POST /v1/changes/1/revert?dry_run" LOCAL, NULL, 400, .called = NO_CALL},
    {"another value", 0, "POST /v1/changes/1/revert?dry_run=1" LOCAL, NULL, 400, .called = NO_CALL},
    {"false", 0, "POST /v1/changes/1/revert?dry_run=false" LOCAL, NULL, 200,
     .called = ADMIN_REVERT_CHANGE},
    {"nothing", 0, "POST /v1/changes/1/revert?&&" LOCAL, NULL, 200, .called = ADMIN_REVERT_CHANGE},
    {"dry reload", 0, "POST /v1/reload?dry_run=true" LOCAL, NULL, 200, .called = ADMIN_RELOAD},
    {"control", 0, "POST /v1/changes/1/revert?why=a%1b%5bm" LOCAL, NULL, 400, .called = NO_CALL},
    {"C1 control", 0, "POST /v1/changes/1/revert?why=%c2%9b" LOCAL, NULL, 400, .called = NO_CALL},
    {"no UTF-8", 0, "POST /v1/changes/1/revert?why=%c0%80" LOCAL, NULL, 400, .called = NO_CALL},
};

static const struct row preconditions[] = {
    {"none", 0, "PUT /v1/detours/shop/a" LOCAL JSON, ON, 428, NO_CALL, {"If-None-Match"}},
    {"match", 0, "PUT /v1/detours/s/a" LOCAL JSON "If-Match: \"7\"\r\n", ON, 200,
     .called = ADMIN_PUT_DETOUR},
    {"both", 0, "PUT /v1/detours/s/a" LOCAL JSON NEW "If-Match: \"7\"\r\n", ON, 400,
     .called = NO_CALL},
    {"two", 0, "PUT /v1/detours/s/a" LOCAL JSON "If-Match: \"7\", \"8\"\r\n", ON, 400,
     .called = NO_CALL},
    {"twice", 0, "PUT /v1/detours/s/a" LOCAL JSON "If-Match: *\r\nIf-Match: *\r\n", ON, 400,
     .called = NO_CALL},
    {"no tag", 0, "DELETE /v1/detours/s/a" LOCAL "If-Match: 7\r\n", NULL, 400, .called = NO_CALL},
    {"not of all", 0, "DELETE /v1/detours" LOCAL "If-Match: \"7\"\r\n", NULL, 400,
     .called = NO_CALL},
    {"none of a tag", 0, "PUT /v1/detours/s/a" LOCAL JSON "If-None-Match: \"7\"\r\n", ON, 400,
     .called = NO_CALL},
    {"get: same",
     0,
     "GET /v1/detours/s/a" LOCAL "If-None-Match: \"6\", W/\"7\"\r\n",
     NULL,
     304,
     ADMIN_GET_DETOUR,
     {"ETag: \"7\"\r\n"}},
    {"get: any", 0, "GET /v1/detours/s/a" LOCAL NEW, NULL, 304, .called = ADMIN_GET_DETOUR},
    {"get: other", 0, "GET /v1/detours/s/a" LOCAL "If-None-Match: \"77\", \"x\"\r\n", NULL, 200,
     .called = ADMIN_GET_DETOUR},
    {"get: missing", 0, "GET /v1/detours/s/missing" LOCAL NEW, NULL, 404,
     .called = ADMIN_GET_DETOUR},
    {"get: no tags", 0, "GET /v1/detours/s/a" LOCAL "If-None-Match: 7\r\n", NULL, 400,
     .called = NO_CALL},
    {"get without tags", 0, "GET /v1/sites" LOCAL NEW, NULL, 200, .called = ADMIN_LIST_SITES},
};

#define PUT "PUT /v1/detours/shop/a" LOCAL NEW

static const struct row contents[] = {
    {"no type", 0, PUT, ON, 415, NO_CALL, {"application/json"}},
    {"another type", 0, PUT "Content-Type: text/plain\r\n", ON, 415, .called = NO_CALL},
    {"longer type", 0, PUT "Content-Type: application/jsonp\r\n", ON, 415, .called = NO_CALL},
    {"charset", 0, PUT "Content-Type: Application/JSON ; charset=UTF-8\r\n", ON, 200,
     .called = ADMIN_PUT_DETOUR},
    {"another charset", 0, PUT "Content-Type: application/json; charset=latin1\r\n", ON, 415,
     .called = NO_CALL},
    {"two types", 0, PUT JSON JSON, ON, 415, .called = NO_CALL},
    {"coded", 0, PUT JSON "Content-Encoding: gzip\r\n", ON, 415, .called = NO_CALL},
    {"nothing", 0, PUT JSON, NULL, 400, .called = NO_CALL},
    {"no JSON", 0, PUT JSON, "{\"to\":", 400, NO_CALL, {"line 1"}},
    {"no object", 0, PUT JSON, "[1]", 400, .called = NO_CALL},
    {"two values", 0, PUT JSON, ON ON, 400, .called = NO_CALL},
    {"a member twice", 0, PUT JSON, "{\"a\":1,\"a\":2}", 400, .called = NO_CALL},
    {"no UTF-8", 0, PUT JSON, "{\"a\":\"\xff\"}", 400, .called = NO_CALL},
    {"NUL", 0, PUT JSON, "{\"a\":\"\\u0000\"}", 400, .called = NO_CALL},
    {"half a pair", 0, PUT JSON, "{\"a\":\"\\ud800\"}", 400, .called = NO_CALL},
    {"deep", 0, PUT JSON, "{\"a\":" DEEP, 400, NO_CALL, {"levels deep"}},
    {"deep in quotes", 0, PUT JSON, "{\"a\":\"\\\"" DEEP "\"}", 200, .called = ADMIN_PUT_DETOUR},
    {"the same name", 0, PUT JSON, "{\"site\":\"shop\",\"name\":\"a\"}", 200,
     .called = ADMIN_PUT_DETOUR},
    {"another name", 0, PUT JSON, "{\"name\":\"b\"}", 422, NO_CALL, {"\"name is not"}},
    {"another site", 0, PUT JSON, "{\"site\":1}", 422, .called = NO_CALL},
    {"reason", 0, PUT JSON, "{\"reason\":\"a\\u001b\"}", 422, .called = NO_CALL},
    {"not asked for", 0, "DELETE /v1/detours/shop/a" LOCAL, "x", 400, .called = NO_CALL},
    {"with a GET", 0, "GET /v1/sites" LOCAL, "x", 400, .called = NO_CALL},
    {"diff as JSON", 0, "POST /v1/diff" LOCAL JSON, "{}", 415, NO_CALL, {"text/yaml"}},
    {"diff", 0, "POST /v1/diff" LOCAL "Content-Type: application/yaml\r\n", "{}", 200,
     .called = ADMIN_DIFF},
    {"chunked",
     0,
     PUT JSON "Transfer-Encoding: chunked\r\n",
     NULL,
     411,
     NO_CALL,
     {"#/x-problems/no-length\""}},
    {"too long", 0, PUT JSON "Content-Length: 65537\r\n", NULL, 413, NO_CALL, {"too-large\""}},
    {"bad head", 0, "GET /v1/sites HTTP/1.1\r\nHost: a b\r\n", NULL, 400, .called = NO_CALL},
};

static const struct row hosts[] = {
    {"localhost", 0, "GET /v1/sites HTTP/1.1\r\nHost: localhost\r\n", NULL, 200,
     .called = ADMIN_LIST_SITES},
    {"detour", 0, "GET /v1/sites HTTP/1.1\r\nHost: Detour\r\n", NULL, 200,
     .called = ADMIN_LIST_SITES},
    {"none", 0, "GET /v1/sites HTTP/1.0\r\n", NULL, 200, .called = ADMIN_LIST_SITES},
    {"a name", 0, "GET /v1/sites HTTP/1.1\r\nHost: evil.example\r\n", NULL, 403, NO_CALL, {"Host"}},
    {"target", 0, "GET http://evil.example/v1/sites" LOCAL, NULL, 403, .called = NO_CALL},
    {"origin", 0, "GET /v1/sites" LOCAL "Origin: http://localhost\r\n", NULL, 403,
     .called = NO_CALL},
    {"tcp", 1, "GET /v1/sites" TCP READER, NULL, 200, .called = ADMIN_LIST_SITES},
    {"tcp: localhost", 1, "GET /v1/sites HTTP/1.1\r\nHost: LOCALHOST:$P\r\n" READER, NULL, 200,
     .called = ADMIN_LIST_SITES},
    {"tcp: ::1", 1, "GET /v1/sites HTTP/1.1\r\nHost: [::1]:$P\r\n" READER, NULL, 200,
     .called = ADMIN_LIST_SITES},
    {"tcp: no port", 1, "GET /v1/sites HTTP/1.1\r\nHost: 127.0.0.1\r\n" READER, NULL, 403,
     .called = NO_CALL},
    {"tcp: a name", 1, "GET /v1/sites HTTP/1.1\r\nHost: evil.example:$P\r\n" READER, NULL, 403,
     .called = NO_CALL},
    {"tcp: detour", 1, "GET /v1/sites HTTP/1.1\r\nHost: detour:$P\r\n" READER, NULL, 403,
     .called = NO_CALL},
    {"tcp: another", 1, "GET /v1/sites HTTP/1.1\r\nHost: 192.0.2.1:$P\r\n" READER, NULL, 403,
     .called = NO_CALL},
    {"tcp: none", 1, "GET /v1/sites HTTP/1.0\r\n" READER, NULL, 403, .called = NO_CALL},
    {"tcp: health", 1, "GET /healthz HTTP/1.1\r\nHost: evil.example:$P\r\n", NULL, 403,
     .called = NO_CALL},
    {"own origin", 1, "GET /v1/sites" TCP READER "Origin: http://127.0.0.1:$P\r\n", NULL, 200,
     .called = ADMIN_LIST_SITES},
    {"other port", 1, "GET /v1/sites" TCP READER "Origin: http://127.0.0.1\r\n", NULL, 403,
     .called = NO_CALL},
    {"other scheme", 1, "GET /v1/sites" TCP READER "Origin: https://127.0.0.1:$P\r\n", NULL, 403,
     .called = NO_CALL},
    {"other host", 1, "GET /v1/sites" TCP READER "Origin: http://localhost:$P\r\n", NULL, 403,
     .called = NO_CALL},
    {"null", 1, "GET /v1/sites" TCP READER "Origin: null\r\n", NULL, 403, .called = NO_CALL},
    {"two", 1,
     "GET /v1/sites" TCP READER "Origin: http://127.0.0.1:$P\r\nOrigin: http://127.0.0.1:$P\r\n",
     NULL, 403, .called = NO_CALL},
};

static const struct row tokens[] = {
    {"none",
     1,
     "GET /v1/sites" TCP,
     NULL,
     401,
     NO_CALL,
     {"WWW-Authenticate: Bearer realm=\"detour\"\r\n"}},
    {"wrong",
     1,
     "GET /v1/sites" TCP "Authorization: Bearer x\r\n",
     NULL,
     401,
     NO_CALL,
     {"error=\"invalid_token\""}},
    {"basic", 1, "GET /v1/sites" TCP "Authorization: Basic cmVhZGVy\r\n", NULL, 401,
     .called = NO_CALL},
    {"empty", 1, "GET /v1/sites" TCP "Authorization: Bearer \r\n", NULL, 401, .called = NO_CALL},
    {"twice", 1, "GET /v1/sites" TCP READER READER, NULL, 401, .called = NO_CALL},
    {"case", 1, "GET /v1/sites" TCP "Authorization: bEARER  reader\r\n", NULL, 200,
     .called = ADMIN_LIST_SITES},
    {"read", 1, "GET /v1/detours" TCP READER, NULL, 200, .called = ADMIN_LIST_DETOURS},
    {"diff", 1, "POST /v1/diff" TCP READER YAML, "a: b", 200, .called = ADMIN_DIFF},
    {"read only",
     1,
     "DELETE /v1/detours" TCP READER,
     NULL,
     403,
     NO_CALL,
     {"error=\"insufficient_scope\", scope=\"write\""}},
    {"dry", 1, "DELETE /v1/detours?dry_run=true" TCP READER, NULL, 403, .called = NO_CALL},
    {"write", 1, "DELETE /v1/detours" TCP WRITER, NULL, 200, .called = ADMIN_DELETE_ALL},
    {"what is not there", 1, "GET /v1/nothing" TCP, NULL, 401, .called = NO_CALL},
    {"what is not there", 1, "GET /v1/nothing" TCP READER, NULL, 404, .called = NO_CALL},
    {"document", 1, "GET /v1/openapi.json" TCP, NULL, 401, .called = NO_CALL},
    {"health", 1, "GET /healthz" TCP, NULL, 200, .called = NO_CALL},
    {"ready", 1, "GET /readyz" TCP, NULL, 200, .called = ADMIN_READY},
};

static void check_row(const struct row *row)
{
    struct fixture f;
    fixture_init(&f, !row->tcp);
    struct reply_text *reply = exchange(&f, row->head, row->content);
    bool good = reply->status == row->status && f.calls == (row->called != NO_CALL) &&
                (row->called == NO_CALL || (int)f.call.operation == row->called) &&
                strstr(reply->bytes, "\r\nCache-Control: no-store\r\n") != NULL &&
                strstr(reply->bytes, "\r\nX-Content-Type-Options: nosniff\r\n") != NULL;
    for (size_t i = 0; i < 3 && row->has[i] != NULL; i++) {
        good = good && strstr(reply->bytes, row->has[i]) != NULL;
    }
    bool bare = reply->status == 204 || reply->status == 304 || memcmp(row->head, "HEAD", 4) == 0;
    good = good && bare == (reply->body[0] == 0);
    good = good && (reply->status < 400 || bare ||
                    strstr(reply->bytes, "application/problem+json\r\n") != NULL);
    if (!good) {
        fail_msg("%s, %u calls: %s", row->name, f.calls, reply->bytes);
    }
    fixture_fini(&f);
}

#define TABLE(rows)                                                   \
    static void rows##_are_answered(void **state)                     \
    {                                                                 \
        (void)state;                                                  \
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) { \
            check_row(&rows[i]);                                      \
        }                                                             \
    }

TABLE(resources)
TABLE(paths)
TABLE(queries)
TABLE(preconditions)
TABLE(contents)
TABLE(hosts)
TABLE(tokens)

/* ---- what the backend sees ---- */

static void calls_say_what_was_asked(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, true);
    exchange(&f,
             "PUT /v1/detours/sh%6Fp/a%2Bb?dry_run=true&owner=pay+ments&why=%C3%BC" LOCAL JSON
             "If-Match: \"18446744073709551615\"\r\n",
             "{\"reason\":\"r\"}");
    assert_true(f.call.actor.local && f.call.actor.may_write);
    assert_int_equal(f.call.actor.uid, geteuid());
    assert_string_equal(f.site, "shop");
    assert_string_equal(f.name, "a+b");
    assert_string_equal(f.owner, "pay ments");
    assert_string_equal(f.why, "\xc3\xbc");
    assert_true(f.call.dry_run && f.call.has_if_match && !f.call.if_none && !f.call.if_exists);
    assert_true(f.call.if_match == UINT64_MAX);
    assert_string_equal(f.content, "{\"reason\":\"r\",\"site\":\"shop\",\"name\":\"a+b\"}");

    exchange(&f, PUT JSON, "{\"owner\":\"o\",\"reason\":\"r\"}");
    assert_true(f.call.if_none && !f.call.dry_run && !f.call.has_if_match);
    assert_string_equal(f.owner, "o");
    assert_string_equal(f.why, "r");

    exchange(&f, "DELETE /v1/detours/shop/a" LOCAL "If-Match: *\r\n", NULL);
    assert_true(f.call.if_exists && !f.call.has_if_match);
    exchange(&f, "DELETE /v1/detours/shop/a" LOCAL "If-Match: W/\"7\"\r\n", NULL);
    assert_true(f.call.has_if_match && f.call.if_match == 0);
    exchange(&f, "DELETE /v1/detours/shop/a" LOCAL "If-Match: \"07\"\r\n", NULL);
    assert_true(f.call.has_if_match && f.call.if_match == 0);

    exchange(&f, "GET /v1/changes" LOCAL, NULL);
    assert_int_equal(f.call.limit, 100);
    assert_int_equal(f.call.below, 0);
    exchange(&f, "GET /v1/changes?limit=3&below=18446744073709551615" LOCAL, NULL);
    assert_int_equal(f.call.limit, 3);
    assert_true(f.call.below == UINT64_MAX);
    exchange(&f, "GET /v1/changes/42" LOCAL, NULL);
    assert_int_equal(f.call.number, 42);
    exchange(&f, "POST /v1/diff" LOCAL YAML, "a: b\n");
    assert_string_equal(f.text, "a: b\n");
    fixture_fini(&f);
}

static void tokens_have_names(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, false);
    exchange(&f, "GET /v1/sites" TCP WRITER, NULL);
    assert_string_equal(f.token, "ops");
    assert_true(!f.call.actor.local && f.call.actor.may_write);
    exchange(&f, "GET /v1/sites" TCP READER, NULL);
    assert_string_equal(f.token, "watch");
    assert_false(f.call.actor.may_write);
    fixture_fini(&f);
}

/* Also with the right token, and only what needs one. */
static void guessing_ends(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, false);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(exchange(&f, "GET /v1/sites" TCP, NULL)->status, 401);
    }
    for (int i = 0; i < 10; i++) {
        const char *wrong = "GET /v1/sites" TCP "Authorization: Bearer x\r\n";
        assert_int_equal(exchange(&f, wrong, NULL)->status, 401);
    }
    assert_int_equal(f.tokens, 10);
    struct reply_text *reply = exchange(&f, "GET /v1/sites" TCP WRITER, NULL);
    assert_int_equal(reply->status, 429);
    const char *after = strstr(reply->bytes, "Retry-After: ");
    assert_non_null(after);
    unsigned long seconds = strtoul(after + strlen("Retry-After: "), NULL, 10);
    assert_true(seconds > 0 && seconds <= 60);
    assert_int_equal(f.tokens, 10);
    assert_int_equal(f.calls, 0);
    assert_int_equal(exchange(&f, "GET /healthz" TCP, NULL)->status, 200);
    fixture_fini(&f);
}

/* What listens on all addresses is reached by any of them, but by no name. */
static void a_wildcard_listener_takes_addresses(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_tcp(&f, "0.0.0.0", false);
    const char *address = "GET /v1/sites HTTP/1.1\r\nHost: 192.0.2.1:$P\r\n" READER;
    const char *v6 = "GET /v1/sites HTTP/1.1\r\nHost: [2001:db8::1]:$P\r\n" READER;
    const char *name = "GET /v1/sites HTTP/1.1\r\nHost: evil.example:$P\r\n" READER;
    const char *number = "GET /v1/sites HTTP/1.1\r\nHost: 2130706433:$P\r\n" READER;
    assert_int_equal(exchange(&f, address, NULL)->status, 200);
    assert_int_equal(exchange(&f, v6, NULL)->status, 200);
    assert_int_equal(exchange(&f, name, NULL)->status, 403);
    assert_int_equal(exchange(&f, number, NULL)->status, 403);
    fixture_fini(&f);
}

/* ---- later ---- */

static void answers_come_later(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *end; /* what becomes of it */
        unsigned status;
        const char *has;
    } rows[] = {
        {"GET /v1/detours/shop/later" LOCAL, "done", 200, "\"state\":\"active\""},
        {"GET /v1/detours/shop/later" LOCAL "If-None-Match: \"7\"\r\n", "done", 304, "ETag"},
        {"DELETE /v1/detours/shop/later" LOCAL NEW, "done", 200, "\"state\""},
        {"DELETE /v1/detours/shop/later" LOCAL, "full", 507, "#/x-problems/no-space\""},
        {"GET /v1/detours/shop/later" LOCAL, "odd", 503, "Retry-After: 5\r\n"},
        {"HEAD /v1/detours/shop/later" LOCAL, "done", 200, "Content-Length: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        fixture_init(&f, true);
        int fd = client_open(&f);
        client_send(&f, fd, rows[i].head, NULL);
        for (int turn = 0; turn < 1000 && f.pending == NULL; turn++) {
            fixture_turn_ms(&f, 1);
        }
        assert_non_null(f.pending);
        finish_later(&f, rows[i].end);
        struct reply_text *reply = client_read(&f, fd);
        assert_int_equal(reply->status, rows[i].status);
        assert_non_null(strstr(reply->bytes, rows[i].has));
        assert_non_null(strstr(reply->bytes, "\r\nCache-Control: no-store\r\n"));
        assert_int_equal(f.calls, 1);
        fixture_fini(&f);
    }
}

static void nobody_waits_any_more(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, true);
    int fd = client_open(&f);
    client_send(&f, fd, "GET /v1/detours/shop/later" LOCAL, NULL);
    fixture_turn_ms(&f, 20);
    close(fd);
    fixture_turn_ms(&f, 20);
    finish_later(&f, "done");
    fd = client_open(&f);
    client_send(&f, fd, "GET /v1/detours/shop/later" LOCAL, NULL);
    fixture_turn_ms(&f, 20);
    assert_non_null(f.pending);
    close(fd);
    fixture_fini(&f); /* answers when server and API are gone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resources_are_answered),
        cmocka_unit_test(paths_are_answered),
        cmocka_unit_test(queries_are_answered),
        cmocka_unit_test(preconditions_are_answered),
        cmocka_unit_test(contents_are_answered),
        cmocka_unit_test(hosts_are_answered),
        cmocka_unit_test(tokens_are_answered),
        cmocka_unit_test(calls_say_what_was_asked),
        cmocka_unit_test(tokens_have_names),
        cmocka_unit_test(guessing_ends),
        cmocka_unit_test(a_wildcard_listener_takes_addresses),
        cmocka_unit_test(answers_come_later),
        cmocka_unit_test(nobody_waits_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
