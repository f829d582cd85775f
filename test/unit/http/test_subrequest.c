/* SPDX-License-Identifier: MIT */
/* Which request a proxy's question is about. 10.0.0.0/8 is trusted; X-Forwarded-* are written
 * by the proxies, and Forwarded is not. */
#include "http/subrequest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/h1/parse.h"

struct row {
    const char *name;
    const char *peer; /* 10.0.0.1 without it */
    enum subrequest_form form;
    enum forwarded_family family; /* FORWARDED_X without it */
    bool either;                  /* FORWARDED_EITHER */
    const char *line;             /* of the subrequest; "GET /ask" without it */
    const char *host;             /* of the subrequest; ask.example without it */
    const char *fields[7];
    enum subrequest_result result;
    /* of the original */
    const char *method, *want_host, *path, *query, *client;
    int32_t port; /* 0: none was named */
    bool secure;
};

#define METHOD "X-Forwarded-Method: "
#define URI "X-Forwarded-Uri: "
#define HOST "X-Forwarded-Host: "
#define PROTO "X-Forwarded-Proto: "
#define FOR "X-Forwarded-For: "
#define OMETHOD "X-Original-Method: "
#define OURL "X-Original-URL: "
#define PREFIX "/.well-known/detour/decide"

static const struct row rows[] = {
    {.name = "forwarded",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "POST", URI "/a/b?c=d", HOST "shop.example", PROTO "https", FOR "192.0.2.1"},
     .method = "POST",
     .want_host = "shop.example",
     .path = "/a/b",
     .query = "c=d",
     .client = "192.0.2.1",
     .secure = true},
    {.name = "forwarded: the host of the subrequest where none is forwarded",
     .form = SUBREQUEST_FORWARDED,
     .host = "Shop.example:81",
     .fields = {METHOD "GET", URI "/"},
     .method = "GET",
     .want_host = "shop.example",
     .port = 81,
     .path = "/"},
    {.name = "forwarded: X-Forwarded-Port where the host names none",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/", HOST "SHOP.example", "X-Forwarded-Port: 8443"},
     .method = "GET",
     .want_host = "shop.example",
     .port = 8443,
     .path = "/"},
    {.name = "forwarded: the fields of another form are a client's",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/a", HOST "shop.example", OMETHOD "POST",
                OURL "http://evil.example/b"},
     .method = "GET",
     .want_host = "shop.example",
     .path = "/a"},
    {.name = "forwarded: names without case, methods with it",
     .form = SUBREQUEST_FORWARDED,
     .fields = {"x-FORWARDED-method: get", "X-forwarded-uri: /"},
     .method = "get",
     .want_host = "ask.example",
     .path = "/"},
    {.name = "forwarded: OPTIONS *",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "OPTIONS", URI "*"},
     .method = "OPTIONS",
     .want_host = "ask.example",
     .path = "*"},
    {.name = "forwarded: GET *",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "*"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: an empty query is one",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/?"},
     .method = "GET",
     .want_host = "ask.example",
     .path = "/",
     .query = ""},
    {.name = "forwarded: no method",
     .form = SUBREQUEST_FORWARDED,
     .fields = {URI "/"},
     .result = SUBREQUEST_MISSING},
    {.name = "forwarded: no URI",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", OMETHOD "GET", OURL "/"},
     .result = SUBREQUEST_MISSING},
    {.name = "forwarded: an empty URI",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: two URIs",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/a", URI "/a"},
     .result = SUBREQUEST_DIFFERS},
    {.name = "forwarded: two methods",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", METHOD "POST", URI "/a"},
     .result = SUBREQUEST_DIFFERS},
    {.name = "forwarded: two of a form that is not looked at",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/a", OURL "/b", OURL "/c"},
     .method = "GET",
     .want_host = "ask.example",
     .path = "/a"},
    {.name = "forwarded: an absolute URI",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "http://evil.example/"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: a URI with a fragment",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/a#b"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: a URI with a space",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/a b"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: a URI with a tab",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/a\tb"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: no path",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "a"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: two slashes are a path",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "//evil.example/a"},
     .method = "GET",
     .want_host = "ask.example",
     .path = "//evil.example/a"},
    {.name = "forwarded: CONNECT",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "CONNECT", URI "/"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: no token",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GE T", URI "/"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: an empty method",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD, URI "/"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: a long method",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", URI "/"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: no host",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/", HOST "a@evil"},
     .result = SUBREQUEST_BAD},
    {.name = "forwarded: not trusted",
     .peer = "192.0.2.9",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/", HOST "shop.example", FOR "10.0.0.9"},
     .result = SUBREQUEST_UNTRUSTED},
    {.name = "forwarded: the client is the last one that is not trusted",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/", FOR "10.9.9.9, 192.0.2.7, 10.0.0.2"},
     .method = "GET",
     .want_host = "ask.example",
     .path = "/",
     .client = "192.0.2.7"},
    {.name = "forwarded: Forwarded is a client's",
     .form = SUBREQUEST_FORWARDED,
     .fields = {METHOD "GET", URI "/", FOR "192.0.2.7", "Forwarded: for=10.1.1.1;host=evil"},
     .method = "GET",
     .want_host = "ask.example",
     .path = "/",
     .client = "192.0.2.7"},
    {.name = "forwarded: by RFC 7239",
     .form = SUBREQUEST_FORWARDED,
     .family = FORWARDED_RFC7239,
     .fields = {METHOD "GET", URI "/", "Forwarded: for=192.0.2.7;host=shop.example;proto=https",
                FOR "192.0.2.8", HOST "evil.example"},
     .method = "GET",
     .want_host = "shop.example",
     .path = "/",
     .client = "192.0.2.7",
     .secure = true},

    {.name = "URL",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "PUT", OURL "https://Shop.example:8443/a?b", FOR "192.0.2.1"},
     .method = "PUT",
     .want_host = "shop.example",
     .port = 8443,
     .path = "/a",
     .query = "b",
     .client = "192.0.2.1",
     .secure = true},
    {.name = "URL: nothing else says host and scheme",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "http://shop.example/a", HOST "evil.example", PROTO "https",
                "X-Forwarded-Port: 1", METHOD "POST", URI "/evil"},
     .method = "GET",
     .want_host = "shop.example",
     .path = "/a"},
    {.name = "URL: a path alone",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "/a?b=c", HOST "shop.example", PROTO "https"},
     .method = "GET",
     .want_host = "shop.example",
     .path = "/a",
     .query = "b=c",
     .secure = true},
    {.name = "URL: no path",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "http://shop.example"},
     .method = "GET",
     .want_host = "shop.example",
     .path = "/"},
    {.name = "URL: no path, but a query",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "HTTP://shop.example?a=/b"},
     .method = "GET",
     .want_host = "shop.example",
     .path = "/",
     .query = "a=/b"},
    {.name = "URL: a query with a space",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "HTTP://shop.example?a b"},
     .result = SUBREQUEST_BAD},
    {.name = "URL: OPTIONS *",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "OPTIONS", OURL "http://shop.example*"},
     .method = "OPTIONS",
     .want_host = "shop.example",
     .path = "*"},
    {.name = "URL: GET *",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "http://shop.example*"},
     .result = SUBREQUEST_BAD},
    {.name = "URL: a user",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "http://shop.example@evil.example/"},
     .result = SUBREQUEST_BAD},
    {.name = "URL: a backslash",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "http://shop.example\\.evil.example/"},
     .result = SUBREQUEST_BAD},
    {.name = "URL: a fragment for a path",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "http://shop.example#/"},
     .result = SUBREQUEST_BAD},
    {.name = "URL: no host",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "http:///a"},
     .result = SUBREQUEST_BAD},
    {.name = "URL: another scheme",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "ftp://shop.example/"},
     .result = SUBREQUEST_BAD},
    {.name = "URL: two",
     .form = SUBREQUEST_URL,
     .fields = {OMETHOD "GET", OURL "/a", OURL "/b"},
     .result = SUBREQUEST_DIFFERS},
    {.name = "URL: missing",
     .form = SUBREQUEST_URL,
     .fields = {METHOD "GET", URI "/a"},
     .result = SUBREQUEST_MISSING},

    {.name = "path",
     .form = SUBREQUEST_PATH,
     .line = "POST " PREFIX "/a/b?c=d",
     .host = "shop.example",
     .fields = {PROTO "https", FOR "192.0.2.1"},
     .method = "POST",
     .want_host = "shop.example",
     .path = "/a/b",
     .query = "c=d",
     .client = "192.0.2.1",
     .secure = true},
    {.name = "path: host and port are its own",
     .form = SUBREQUEST_PATH,
     .line = "GET " PREFIX "/",
     .host = "shop.example",
     .fields = {HOST "evil.example:1", "X-Forwarded-Port: 2", METHOD "POST", URI "/evil",
                OURL "/evil", OMETHOD "PUT"},
     .method = "GET",
     .want_host = "shop.example",
     .path = "/"},
    {.name = "path: the base alone",
     .form = SUBREQUEST_PATH,
     .line = "GET " PREFIX,
     .result = SUBREQUEST_MISSING},
    {.name = "path: another one",
     .form = SUBREQUEST_PATH,
     .line = "GET " PREFIX "d/a",
     .result = SUBREQUEST_MISSING},

    {.name = "any: forwarded",
     .fields = {METHOD "GET", URI "/a"},
     .method = "GET",
     .want_host = "ask.example",
     .path = "/a"},
    {.name = "any: URL",
     .fields = {OMETHOD "GET", OURL "/a"},
     .method = "GET",
     .want_host = "ask.example",
     .path = "/a"},
    {.name = "any: path",
     .line = "GET " PREFIX "/a",
     .method = "GET",
     .want_host = "ask.example",
     .path = "/a"},
    {.name = "any: two of them",
     .fields = {METHOD "GET", URI "/a", OMETHOD "GET", OURL "/a"},
     .result = SUBREQUEST_DIFFERS},
    {.name = "any: path and a field",
     .line = "GET " PREFIX "/a",
     .fields = {METHOD "GET", URI "/a"},
     .result = SUBREQUEST_DIFFERS},
    {.name = "any: none", .result = SUBREQUEST_MISSING},
    {.name = "any family: they differ",
     .form = SUBREQUEST_FORWARDED,
     .either = true,
     .fields = {METHOD "GET", URI "/", FOR "192.0.2.7", "Forwarded: for=192.0.2.8"},
     .result = SUBREQUEST_DIFFERS},
};

static struct span head_of(const struct row *row, char room[4096])
{
    int len = snprintf(room, 4096, "%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 7\r\n",
                       row->line != NULL ? row->line : "GET /ask",
                       row->host != NULL ? row->host : "ask.example");
    for (size_t i = 0; i < 7 && row->fields[i] != NULL; i++) {
        len += snprintf(room + len, 4096 - (size_t)len, "%s\r\n", row->fields[i]);
    }
    len += snprintf(room + len, 4096 - (size_t)len, "\r\n");
    return span_of(room, (size_t)len);
}

static void expect_text(const char *name, const char *what, struct span have, const char *want)
{
    if (want == NULL ? have.ptr != NULL : !span_eq(have, span_cstr(want))) {
        fail_msg("%s: %s is \"%.*s\", not \"%s\"", name, what, (int)have.len, have.ptr,
                 want != NULL ? want : "");
    }
}

static void expect_original(const struct row *row, const struct subrequest *found)
{
    const struct request *request = &found->request;
    uint8_t client[16];
    expect_text(row->name, "method", request->method_name, row->method);
    expect_text(row->name, "host", request->host, row->want_host);
    expect_text(row->name, "path", request->path, row->path);
    expect_text(row->name, "query", request->query, row->query);
    assert_true(address_parse(span_cstr(row->client != NULL ? row->client : "10.0.0.1"), client));
    assert_memory_equal(found->client.address, client, sizeof(client));
    if (request->port != (row->port != 0 ? row->port : -1) || found->client.secure != row->secure) {
        fail_msg("%s: port %d, secure %d", row->name, (int)request->port, found->client.secure);
    }
    assert_int_equal(request->body, BODY_NONE);
    assert_int_equal(request->content_length, 0);
}

static void reads(void **state)
{
    struct cidr trusted;
    assert_true(cidr_parse(span_cstr("10.0.0.0/8"), &trusted));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct row *row = &rows[i];
        static struct h1_head head;
        char room[4096];
        size_t scanned = 0;
        size_t used;
        uint16_t status;
        struct subrequest found;
        struct client peer = {.port = 99};
        struct forwarded_trust trust = {
            .proxies = &trusted,
            .proxy_count = 1,
            .family = row->either || row->family != FORWARDED_EITHER ? row->family : FORWARDED_X};
        assert_true(
            address_parse(span_cstr(row->peer != NULL ? row->peer : "10.0.0.1"), peer.address));
        assert_int_equal(h1_parse(head_of(row, room), &scanned, &head, &used, &status), H1_DONE);
        enum subrequest_result result =
            subrequest_read(&head.request, &peer, &trust, row->form, &found);
        if (result != row->result) {
            fail_msg("%s: %d, not %d", row->name, (int)result, (int)row->result);
        }
        if (result == SUBREQUEST_READ) {
            expect_original(row, &found);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
