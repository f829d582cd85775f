/* SPDX-License-Identifier: MIT */
/* Request heads: each rule of RFC 9112 that a server must hold to is a row. */
#include "http/h1/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST "Host: a.example\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST

struct bad_row {
    const char *name;
    struct span head;
    uint16_t status;
};

#define BAD(name_, head_, status_)                                                              \
    {                                                                                           \
        .name = name_, .head = {(const uint8_t *)(head_), sizeof(head_) - 1}, .status = status_ \
    }

static const struct bad_row bad_rows[] = {
    BAD("2.2 bare CR before a request", "\rGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("2.2 bare LF before a request", "\n" GET "\r\n", 400),
    BAD("2.2 five empty lines before a request", "\r\n\r\n\r\n\r\n\r\n" GET "\r\n", 400),
    BAD("2.2 bare LF ends the request line", "GET / HTTP/1.1\n" HOST "\r\n", 400),
    BAD("2.2 bare LF ends a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    BAD("2.2 bare LF as the empty line", GET "\n", 400),
    BAD("2.2 bare CR in a value", GET "A: b\rc\r\n\r\n", 400),
    BAD("2.2 bare CR in the target", "GET /a\rb HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("2.2 CR CR LF", GET "A: b\r\r\n\r\n", 400),
    BAD("2.2 white space before the first field", "GET / HTTP/1.1\r\n A: b\r\n" HOST "\r\n", 400),
    BAD("2.3 version 0.9", "GET / HTTP/0.9\r\n" HOST "\r\n", 400),
    BAD("2.3 no version", "GET /\r\n\r\n", 400),
    BAD("2.3 version 2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505),
    BAD("2.3 the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    BAD("2.3 version 3.1", "GET / HTTP/3.1\r\n" HOST "\r\n", 505),
    BAD("2.3 version in lower case", "GET / http/1.1\r\n" HOST "\r\n", 400),
    BAD("2.3 two digits", "GET / HTTP/1.10\r\n" HOST "\r\n", 400),
    BAD("2.3 no digits", "GET / HTTP/1.x\r\n" HOST "\r\n", 400),
    BAD("2.3 another protocol", "GET / ICAP/1.1\r\n" HOST "\r\n", 400),
    BAD("3 two spaces after the method", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3 two spaces before the version", "GET /  HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3 a space behind the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400),
    BAD("3 a space in front", " GET / HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3 tab for space", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3 no target", "GET HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3 an empty line of text", " \r\n\r\n", 400),
    BAD("3.1 method is no token", "G@T / HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.1 method beyond ASCII", "G\xc3\xa4T / HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.1 long method", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n", 501),
    BAD("3.1 long method, bare LF", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\n" HOST "\r\n",
        400),
    BAD("3.2 NUL in the target", "GET /a\0b HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2 a control in the target", "GET /a\x01 HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2 tab in the target", "GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2 DEL in the target", "GET /a\x7f HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2 a space in the query", "GET /?a b HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2 a fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2 a fragment after a query", "GET /a?b#c HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2 no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", 400),
    BAD("3.2 no field at all", "GET / HTTP/1.1\r\n\r\n", 400),
    BAD("3.2 two Hosts", GET HOST "\r\n", 400),
    BAD("3.2 two Hosts in 1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400),
    BAD("3.2 an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    BAD("3.2 a list as Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    BAD("3.2 userinfo in Host", "GET / HTTP/1.1\r\nHost: a@evil\r\n\r\n", 400),
    BAD("3.2 path in Host", "GET / HTTP/1.1\r\nHost: a/evil\r\n\r\n", 400),
    BAD("3.2 quote in Host", "GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n", 400),
    BAD("3.2 bad Host in 1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400),
    BAD("3.2 bad port in Host", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400),
    BAD("3.2.1 a relative target", "GET a/b HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.1 a query alone", "GET ?a HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.2 another scheme", "GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.2 no authority", "GET http:///a HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.2 one slash", "GET http:/a HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.2 userinfo", "GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.2 backslash", "GET http://a\\@evil/ HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.2 no Host beside it", "GET http://a.example/ HTTP/1.1\r\n\r\n", 400),
    BAD("3.2.2 a bad Host beside it", "GET http://a.example/ HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    BAD("3.2.3 CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 501),
    BAD("3.2.3 authority-form", "GET a.example:443 HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.4 asterisk for GET", "GET * HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.4 asterisk with more", "OPTIONS *a HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("3.2.4 asterisk with a query", "OPTIONS *?a HTTP/1.1\r\n" HOST "\r\n", 400),
    BAD("5 no colon", GET "Abc\r\n\r\n", 400),
    BAD("5 no name", GET ": a\r\n\r\n", 400),
    BAD("5 a name that is no token", GET "A(b: c\r\n\r\n", 400),
    BAD("5 NUL in a name", GET "A\0b: c\r\n\r\n", 400),
    BAD("5 NUL in a value", GET "A: b\0c\r\n\r\n", 400),
    BAD("5 a control in a value", GET "A: b\x1b[31m\r\n\r\n", 400),
    BAD("5 DEL in a value", GET "A: b\x7f\r\n\r\n", 400),
    BAD("5.1 space before the colon", "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n", 400),
    BAD("5.1 tab before the colon", GET "A\t: b\r\n\r\n", 400),
    BAD("5.2 obs-fold", GET "A: b\r\n c\r\n\r\n", 400),
    BAD("5.2 obs-fold by tab", GET "A: b\r\n\tc\r\n\r\n", 400),
    BAD("6.1 TE with CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
    BAD("6.1 CL with TE", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    BAD("6.1 TE in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    BAD("6.1 an unknown coding first", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    BAD("6.1 chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    BAD("6.1 two fields", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400),
    BAD("6.3 chunked not final", POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    BAD("6.3 not chunked", POST "Transfer-Encoding: gzip\r\n\r\n", 400),
    BAD("6.3 identity", POST "Transfer-Encoding: identity\r\n\r\n", 400),
    BAD("6.3 empty coding", POST "Transfer-Encoding:\r\n\r\n", 400),
    BAD("6.3 chunked with a parameter", POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400),
    BAD("6.3 chunked in quotes", POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400),
    BAD("6.3 vertical tab before chunked", POST "Transfer-Encoding: \vchunked\r\n\r\n", 400),
    BAD("6.3 CL differs", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
    BAD("6.3 CL repeated", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400),
    BAD("6.3 CL list", POST "Content-Length: 3, 3\r\n\r\n", 400),
    BAD("6.3 CL plus", POST "Content-Length: +1\r\n\r\n", 400),
    BAD("6.3 CL minus", POST "Content-Length: -1\r\n\r\n", 400),
    BAD("6.3 CL hex", POST "Content-Length: 0x1\r\n\r\n", 400),
    BAD("6.3 CL empty", POST "Content-Length: \r\n\r\n", 400),
    BAD("6.3 CL inner space", POST "Content-Length: 1 0\r\n\r\n", 400),
    BAD("6.3 CL too great", POST "Content-Length: 9223372036854775808\r\n\r\n", 400),
    BAD("6.3 CL wraps", POST "Content-Length: 18446744073709551617\r\n\r\n", 400),
    BAD("9110 10.1.1 unknown expectation", POST "Expect: tea\r\n\r\n", 417),
    BAD("9110 10.1.1 one of two unknown", POST "Expect: 100-continue, tea\r\n\r\n", 417),
};

static enum h1_result parse(struct span bytes, struct h1_head *head, size_t *used, uint16_t *status)
{
    size_t scanned = 0;
    return h1_parse(bytes, &scanned, head, used, status);
}

static void bad_heads_get_their_status(void **state)
{
    (void)state;
    static struct h1_head head;
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        const struct bad_row *row = &bad_rows[i];
        size_t used = 0;
        uint16_t status = 0;
        enum h1_result result = parse(row->head, &head, &used, &status);
        if (result != H1_BAD || status != row->status) {
            fail_msg("%s: result %d, status %u, not %u", row->name, (int)result, status,
                     row->status);
        }
    }
}

struct good_row {
    const char *name;
    struct span head;
    const char *method, *scheme, *host, *path, *query; /* query NULL: none */
    int32_t port;                                      /* 0: none was named */
    uint64_t length;
    size_t fields;
    enum method as;
    enum body_kind body;
    bool minor_0, closes, expects;
};

#define HEAD(text) .head = {(const uint8_t *)(text), sizeof(text) - 1}

static const struct good_row good_rows[] = {
    {.name = "2.2 four empty lines first", HEAD("\r\n\r\n\r\n\r\n" GET "\r\n"), .fields = 1},
    {.name = "2.3 1.0 without Host",
     HEAD("GET / HTTP/1.0\r\n\r\n"),
     .host = "",
     .minor_0 = true,
     .closes = true},
    {.name = "2.3 1.5 is 1.1", HEAD("GET / HTTP/1.5\r\n" HOST "\r\n"), .fields = 1},
    {.name = "3.1 method without a name",
     HEAD("M-SEARCH / HTTP/1.1\r\n" HOST "\r\n"),
     .method = "M-SEARCH",
     .as = METHOD_OTHER,
     .fields = 1},
    {.name = "3.1 methods are case-sensitive",
     HEAD("get / HTTP/1.1\r\n" HOST "\r\n"),
     .method = "get",
     .as = METHOD_OTHER,
     .fields = 1},
    {.name = "3.1 32 octets",
     HEAD("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST "\r\n"),
     .method = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF",
     .as = METHOD_OTHER,
     .fields = 1},
    {.name = "3.2 Host's case, port, dot",
     HEAD("GET / HTTP/1.1\r\nhOST:\tA.Example.:80 \r\n\r\n"),
     .port = 80,
     .fields = 1},
    {.name = "3.2 an IP literal",
     HEAD("GET / HTTP/1.1\r\nHost: [::1]:8307\r\n\r\n"),
     .host = "[::1]",
     .port = 8307,
     .fields = 1},
    {.name = "3.2.1 path and query",
     HEAD("GET /a/b?c=d?e HTTP/1.1\r\n" HOST "\r\n"),
     .path = "/a/b",
     .query = "c=d?e",
     .fields = 1},
    {.name = "3.2.1 an empty query",
     HEAD("GET /a? HTTP/1.1\r\n" HOST "\r\n"),
     .path = "/a",
     .query = "",
     .fields = 1},
    {.name = "3.2.1 two slashes",
     HEAD("GET //evil/a HTTP/1.1\r\n" HOST "\r\n"),
     .path = "//evil/a",
     .fields = 1},
    {.name = "3.2.1 what is encoded later",
     HEAD("GET /\"<>\\^`{|}\xc3\xa4%zz HTTP/1.1\r\n" HOST "\r\n"),
     .path = "/\"<>\\^`{|}\xc3\xa4%zz",
     .fields = 1},
    {.name = "3.2.2 absolute-form wins over Host",
     HEAD("GET http://B.example:81/c?d HTTP/1.1\r\n" HOST "\r\n"),
     .scheme = "http",
     .host = "b.example",
     .port = 81,
     .path = "/c",
     .query = "d",
     .fields = 1},
    {.name = "3.2.2 https, empty path",
     HEAD("GET HTTPS://b.example HTTP/1.1\r\n" HOST "\r\n"),
     .scheme = "HTTPS",
     .host = "b.example",
     .fields = 1},
    {.name = "3.2.2 empty path and a query with slashes",
     HEAD("GET http://b.example?a/b HTTP/1.1\r\n" HOST "\r\n"),
     .scheme = "http",
     .host = "b.example",
     .query = "a/b",
     .fields = 1},
    {.name = "3.2.2 in 1.0 without Host",
     HEAD("GET http://b.example/ HTTP/1.0\r\n\r\n"),
     .scheme = "http",
     .host = "b.example",
     .minor_0 = true,
     .closes = true},
    {.name = "3.2.4 OPTIONS *",
     HEAD("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
     .method = "OPTIONS",
     .as = METHOD_OPTIONS,
     .path = "*",
     .fields = 1},
    {.name = "5 obs-text and tab in a value",
     HEAD(GET "A: \xe4\tb\r\nB:\r\nC: \t \r\n\r\n"),
     .fields = 4},
    {.name = "6.1 chunked",
     HEAD(POST "Transfer-Encoding: Chunked \r\n\r\n"),
     .method = "POST",
     .as = METHOD_POST,
     .body = BODY_CHUNKED,
     .fields = 2},
    {.name = "6.2 length",
     HEAD(POST "Content-Length: 9223372036854775807\r\n\r\n"),
     .method = "POST",
     .as = METHOD_POST,
     .body = BODY_LENGTH,
     .length = UINT64_C(9223372036854775807),
     .fields = 2},
    {.name = "6.2 length 0 is no body",
     HEAD(POST "Content-Length: 0\r\n\r\n"),
     .method = "POST",
     .as = METHOD_POST,
     .fields = 2},
    {.name = "6.2 GET with a body",
     HEAD(GET "Content-Length: 5\r\n\r\n"),
     .body = BODY_LENGTH,
     .length = 5,
     .fields = 2},
    {.name = "9.3 close", HEAD(GET "Connection: foo, Close\r\n\r\n"), .closes = true, .fields = 2},
    {.name = "9.3 close wins",
     HEAD(GET "Connection: close\r\nConnection: keep-alive\r\n\r\n"),
     .closes = true,
     .fields = 3},
    {.name = "9.3 keep-alive in 1.0",
     HEAD("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
     .host = "",
     .minor_0 = true,
     .fields = 1},
    {.name = "9.3 a longer word is not close", HEAD(GET "Connection: closed\r\n\r\n"), .fields = 2},
    {.name = "9110 10.1.1 expect",
     HEAD(POST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n"),
     .method = "POST",
     .as = METHOD_POST,
     .body = BODY_LENGTH,
     .length = 1,
     .expects = true,
     .fields = 3},
    {.name = "9110 10.1.1 expect without content",
     HEAD(GET "Expect: 100-continue\r\n\r\n"),
     .fields = 2},
    {.name = "9110 10.1.1 expect in 1.0 is ignored",
     HEAD("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n"),
     .method = "POST",
     .as = METHOD_POST,
     .host = "",
     .body = BODY_LENGTH,
     .length = 1,
     .minor_0 = true,
     .closes = true,
     .fields = 2},
};

static void same(const char *row, const char *what, struct span have, const char *want)
{
    if (!span_eq(have, span_cstr(want))) {
        fail_msg("%s: %s is '%.*s', not '%s'", row, what, SPAN_ARG(have), want);
    }
}

static void same_number(const char *row, const char *what, int64_t have, int64_t want)
{
    if (have != want) {
        fail_msg("%s: %s is %lld, not %lld", row, what, (long long)have, (long long)want);
    }
}

static void check_good(const struct good_row *row, const struct request *request)
{
    same(row->name, "method", request->method_name, row->method != NULL ? row->method : "GET");
    same(row->name, "scheme", request->absolute_scheme, row->scheme != NULL ? row->scheme : "");
    same(row->name, "host", request->host, row->host != NULL ? row->host : "a.example");
    same(row->name, "path", request->path, row->path != NULL ? row->path : "/");
    same(row->name, "query", request->query, row->query != NULL ? row->query : "");
    same_number(row->name, "has query", request->query.ptr != NULL, row->query != NULL);
    same_number(row->name, "method", request->method, row->as);
    same_number(row->name, "port", request->port, row->port != 0 ? row->port : -1);
    same_number(row->name, "minor", request->version_minor, row->minor_0 ? 0 : 1);
    same_number(row->name, "body", request->body, row->body);
    same_number(row->name, "length", (int64_t)request->content_length, (int64_t)row->length);
    same_number(row->name, "keep-alive", request->keep_alive, !row->closes);
    same_number(row->name, "expect", request->expect_continue, row->expects);
    same_number(row->name, "fields", (int64_t)request->field_count, (int64_t)row->fields);
}

static void good_heads_are_understood(void **state)
{
    (void)state;
    static struct h1_head head;
    for (size_t i = 0; i < sizeof(good_rows) / sizeof(good_rows[0]); i++) {
        const struct good_row *row = &good_rows[i];
        size_t used = 0;
        uint16_t status = 0;
        enum h1_result result = parse(row->head, &head, &used, &status);
        if (result != H1_DONE || used != row->head.len) {
            fail_msg("%s: result %d, status %u, used %zu", row->name, (int)result, status, used);
        }
        check_good(row, &head.request);
    }
}

static void fields_are_where_they_were_sent(void **state)
{
    (void)state;
    static struct h1_head head;
    size_t used = 0;
    uint16_t status = 0;
    struct span bytes = SPAN(
        GET "COOKIE:  a=b \r\norigin:null\r\nAccept: */*\r\nCookie: c=d\r\n"
            "Forwarded: for=_a\r\nX-Forwarded-For: 1.2.3.4\r\nDETOUR-Avoid: eu1\r\nX-Empty:\r\n\r\n"
            "GET / ");
    assert_int_equal(parse(bytes, &head, &used, &status), H1_DONE);
    assert_int_equal(used, bytes.len - 6);
    const struct request *request = &head.request;
    assert_ptr_equal(request->fields, head.fields);
    assert_int_equal(request->field_count, 9);
    same("fields", "name", request->fields[1].name, "COOKIE");
    same("fields", "value", request->fields[1].value, "a=b");
    same("fields", "empty value", request->fields[8].value, "");
    same("known", "cookie", request->known.cookie, "a=b");
    same("known", "origin", request->known.origin, "null");
    same("known", "accept", request->known.accept, "*/*");
    same("known", "forwarded", request->known.forwarded, "for=_a");
    same("known", "x-forwarded-for", request->known.x_forwarded_for, "1.2.3.4");
    same("known", "detour-avoid", request->known.detour_avoid, "eu1");
}

/* prefix, count times unit, suffix. */
static struct span repeated(const char *prefix, const char *unit, size_t count, const char *suffix)
{
    static char text[65536];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", prefix);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + len, unit, strlen(unit));
        len += strlen(unit);
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", suffix);
    return span_of(text, len);
}

struct limit_row {
    const char *name, *prefix, *unit, *suffix;
    size_t count;
    enum h1_result result;
    uint16_t status;
};

static const struct limit_row limit_rows[] = {
    {"target of 8192", "GET /", "a", " HTTP/1.1\r\n" HOST "\r\n", 8191, H1_DONE, 0},
    {"target of 8193", "GET /", "a", " HTTP/1.1\r\n" HOST "\r\n", 8192, H1_BAD, 414},
    {"query of 8193", "GET /?", "a", " HTTP/1.1\r\n" HOST "\r\n", 8192, H1_BAD, 414},
    {"target of 40 KiB", "GET /", "a", " HTTP/1.1\r\n" HOST "\r\n", 40960, H1_BAD, 414},
    {"target without end", "GET /", "a", "", 20000, H1_BAD, 414},
    {"method without end", "", "A", "", 20000, H1_BAD, 501},
    {"spaces without end", "", " ", "", 20000, H1_BAD, 400},
    {"version without end", "GET / ", "a", "", 20000, H1_BAD, 400},
    {"100 fields", GET, "A: b\r\n", "\r\n", 99, H1_DONE, 0},
    {"101 fields", GET, "A: b\r\n", "\r\n", 100, H1_BAD, 431},
    {"5000 tiny fields", GET, "A:\r\n", "\r\n", 5000, H1_BAD, 431},
    {"40 KiB field", GET "A: ", "b", "\r\n\r\n", 40960, H1_BAD, 431},
    {"40 KiB name", GET, "b", ": a\r\n\r\n", 40960, H1_BAD, 431},
    {"field without end", GET "A: ", "b", "", 16000, H1_MORE, 0},
    /* GET and HOST are 33 octets, "A: " and the two ends 7. */
    {"head of 16384", GET "A: ", "b", "\r\n\r\n", 16384 - 40, H1_DONE, 0},
    {"head of 16385", GET "A: ", "b", "\r\n\r\n", 16384 - 39, H1_BAD, 431},
};

static void limits_are_answered(void **state)
{
    (void)state;
    static struct h1_head head;
    for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        const struct limit_row *row = &limit_rows[i];
        struct span bytes = repeated(row->prefix, row->unit, row->count, row->suffix);
        size_t used = 0;
        uint16_t status = 0;
        enum h1_result result = parse(bytes, &head, &used, &status);
        if (result != row->result || status != row->status) {
            fail_msg("%s: result %d, status %u", row->name, (int)result, status);
        }
    }
}

static void controls_are_refused_before_the_line_ends(void **state)
{
    (void)state;
    static struct h1_head head;
    size_t used = 0;
    uint16_t status = 0;
    struct span hello = SPAN("\x16\x03\x01\x02\x00\x01\x00");
    assert_int_equal(parse(hello, &head, &used, &status), H1_BAD);
    assert_int_equal(status, 400);
    assert_int_equal(parse(SPAN("GET /a\r"), &head, &used, &status), H1_MORE);
    assert_int_equal(parse(SPAN("GET /a\rb"), &head, &used, &status), H1_BAD);
}

static void a_bad_head_tells_what_came_before(void **state)
{
    (void)state;
    static struct h1_head head;
    size_t used = 0;
    uint16_t status = 0;
    struct span bytes = SPAN("PUT /a?b HTTP/1.0\r\nUser-Agent: x\r\nBad Name: y\r\n\r\n");
    assert_int_equal(parse(bytes, &head, &used, &status), H1_BAD);
    same("bad", "method", head.request.method_name, "PUT");
    same("bad", "path", head.request.path, "/a");
    same("bad", "query", head.request.query, "b");
    assert_int_equal(head.request.version_minor, 0);
    assert_int_equal(head.request.field_count, 1);
    assert_int_equal(parse(SPAN("@ / HTTP/1.1\r\n"), &head, &used, &status), H1_BAD);
    assert_null(head.request.method_name.ptr);
    assert_null(head.request.path.ptr);
}

/* A head that trickles in is looked at from *scanned on: a line end that is hidden from
 * there on is not noticed. */
static void what_was_scanned_is_not_looked_at_again(void **state)
{
    (void)state;
    static struct h1_head head;
    size_t used = 0;
    uint16_t status = 0;
    size_t scanned = 0;
    struct span bytes = SPAN("GET /abc HTTP/1.1");
    assert_int_equal(h1_parse(bytes, &scanned, &head, &used, &status), H1_MORE);
    assert_int_equal(scanned, bytes.len);
    head.request.port = 4711;
    scanned = 8;
    assert_int_equal(h1_parse(bytes, &scanned, &head, &used, &status), H1_MORE);
    assert_int_equal(scanned, bytes.len);
    assert_int_equal(head.request.port, 4711);
    scanned = 0;
    assert_int_equal(h1_parse(SPAN(""), &scanned, &head, &used, &status), H1_MORE);
    assert_int_equal(scanned, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_heads_get_their_status),
        cmocka_unit_test(good_heads_are_understood),
        cmocka_unit_test(fields_are_where_they_were_sent),
        cmocka_unit_test(limits_are_answered),
        cmocka_unit_test(controls_are_refused_before_the_line_ends),
        cmocka_unit_test(a_bad_head_tells_what_came_before),
        cmocka_unit_test(what_was_scanned_is_not_looked_at_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
