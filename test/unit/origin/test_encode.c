/* SPDX-License-Identifier: MIT */
/* What is sent to an origin in place of a request. */
#include "origin/encode.h"

#include "http/h1/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PROXIES                                                                                \
    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.example\r\n" \
    "Forwarded: for=192.0.2.1;host=\"a.example\";proto=http\r\nVia: 1.1 detour\r\n"
#define HOST "Host: a.example\r\n"

struct encode_case {
    const char *in;
    const char *out; /* NULL: see result */
    enum encode_result result;
    const char *upgrade;
    bool trusted;
    const char *own_host;
};

static const struct encode_case cases[] = {
    {.in = "GET /a?b HTTP/1.1\r\n" HOST "\r\n", .out = "GET /a?b HTTP/1.1\r\n" HOST PROXIES "\r\n"},
    {.in = "GET /? HTTP/1.1\r\nHost: A.Example.:80\r\n\r\n",
     .out = "GET /? HTTP/1.1\r\nHost: a.example:80\r\n" PROXIES "\r\n"},
    {.in = "GET http://a.example HTTP/1.1\r\nHost: b.example\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST PROXIES "\r\n"},
    {.in = "GET / HTTP/1.1\r\n" HOST "\r\n",
     .out = "GET / HTTP/1.1\r\nHost: app:81\r\n" PROXIES "\r\n",
     .own_host = "app:81"},
    {.in =
         "GET / HTTP/1.1\r\n" HOST "Connection: a, close\r\nA: 1\r\nB: 2\r\nKeep-Alive: 3\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST "B: 2\r\n" PROXIES "\r\n"},
    {.in = "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
     .out = "POST / HTTP/1.1\r\n" HOST PROXIES "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"},
    {.in = "POST / HTTP/1.1\r\n" HOST "Connection: content-length\r\nContent-Length: 5\r\n\r\n",
     .out = "POST / HTTP/1.1\r\n" HOST PROXIES "Content-Length: 5\r\n\r\n"},
    {.in = "PUT / HTTP/1.1\r\n" HOST "\r\n",
     .out = "PUT / HTTP/1.1\r\n" HOST PROXIES "Content-Length: 0\r\n\r\n"},
    {.in = "BREW / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
     .out = "BREW / HTTP/1.1\r\n" HOST PROXIES "Transfer-Encoding: chunked\r\n\r\n"},
    {.in = "GET / HTTP/1.1\r\n" HOST "Cookie: a\r\nX: y\r\nCookie: b\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST "Cookie: a; b\r\nX: y\r\n" PROXIES "\r\n"},
    {.in = "GET / HTTP/1.1\r\n" HOST "Connection: TE\r\nTE: gzip, trailers\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST PROXIES "TE: trailers\r\nConnection: TE\r\n\r\n"},
    {.in = "GET / HTTP/1.1\r\n" HOST "TE: trailers\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST PROXIES "\r\n"},
    {.in = "GET / HTTP/1.1\r\n" HOST
           "Connection: Upgrade\r\nUpgrade: h2c, websocket, TLS/1.0, x\r\n\r\n",
     .out =
         "GET / HTTP/1.1\r\n" HOST PROXIES "Upgrade: websocket, x\r\nConnection: upgrade\r\n\r\n",
     .upgrade = "websocket, x"},
    {.in = "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST PROXIES "\r\n"},
    {.in = "GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST PROXIES "\r\n"},
    {.in =
         "GET / HTTP/1.1\r\n" HOST "X_Forwarded_Host: x\r\nX-Real-IP: 1\r\nX-Forwarded-Port: 1\r\n"
         "FORWARDED: for=1\r\nX-Forward: 1\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST "X-Forward: 1\r\n" PROXIES "\r\n"},
    {.in = "GET / HTTP/1.1\r\n" HOST
           "X-Forwarded-Host: x\r\nX-Real-IP: 1\r\nX-Forwarded-Port: 1\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST "X-Real-IP: 1\r\nX-Forwarded-Port: 1\r\n" PROXIES "\r\n",
     .trusted = true},
    {.in = "OPTIONS /x HTTP/1.1\r\n" HOST "Max-Forwards: 3\r\n\r\n",
     .out = "OPTIONS /x HTTP/1.1\r\n" HOST "Max-Forwards: 2\r\n" PROXIES "\r\n"},
    {.in = "OPTIONS /x HTTP/1.1\r\n" HOST "Max-Forwards: 0\r\n\r\n", .result = ENCODE_FORWARDS},
    {.in = "GET / HTTP/1.1\r\n" HOST "Max-Forwards: 0\r\n\r\n",
     .out = "GET / HTTP/1.1\r\n" HOST "Max-Forwards: 0\r\n" PROXIES "\r\n"},
    {.in =
         "GET / HTTP/1.1\r\n" HOST "Via: 1.1 detour, 1.1 detour\r\nVia: 1.1 detour, 1.1 detour\r\n"
         "Via: 1.1 detour, 2 detour, 1.1 detour, 1.0 detour\r\n\r\n",
     .result = ENCODE_LOOP},
    {.in = "GET / HTTP/1.1\r\n" HOST
           "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,"
           "a,b,c,d,e,f,g\r\n\r\n",
     .result = ENCODE_BAD},
};

static const struct client client = {
    .address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};

static struct encode_asked asked_for(const struct request *request, const struct encode_case *c)
{
    return (struct encode_asked){
        .request = request,
        .peer = &client,
        .client = &client,
        .peer_trusted = c->trusted,
        .host = SPAN("a.example"),
        .port = -1,
        .own_host = span_cstr(c->own_host),
        .authority = SPAN("origin.example"),
    };
}

static void parse(const char *text, struct h1_head *head)
{
    size_t scanned = 0;
    size_t used = 0;
    uint16_t status = 0;
    assert_int_equal(h1_parse(span_cstr(text), &scanned, head, &used, &status), H1_DONE);
}

static void writes_anew(void **state)
{
    static uint8_t room[encode_bytes_max];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct encode_case *c = &cases[i];
        struct h1_head head;
        struct span upgrade = {0};
        struct buffer out = buffer_over(room, sizeof(room));
        parse(c->in, &head);
        struct encode_asked asked = asked_for(&head.request, c);
        assert_int_equal(request_encode(&asked, &out, &upgrade), c->result);
        if (c->out != NULL && !span_eq(buffer_span(&out), span_cstr(c->out))) {
            fail_msg("%s became %.*s", c->in, SPAN_ARG(buffer_span(&out)));
        }
        assert_true(span_eq(upgrade, span_cstr(c->upgrade)));
    }
}

static void names_whom_it_came_through(void **state)
{
    static uint8_t room[encode_bytes_max];
    static const struct client far_client = {.address = {0x20, 1, 0xd, 0xb8, [15] = 7},
                                             .secure = true};
    struct h1_head head;
    struct span upgrade;
    struct buffer out = buffer_over(room, sizeof(room));
    parse("GET / HTTP/1.0\r\n\r\n", &head);
    struct encode_asked asked = {.request = &head.request,
                                 .peer = &client,
                                 .client = &far_client,
                                 .peer_trusted = true,
                                 .host = SPAN("b.example"),
                                 .port = 8443,
                                 .authority = SPAN("origin.example")};
    assert_int_equal(request_encode(&asked, &out, &upgrade), ENCODE_DONE);
    struct span wanted = SPAN("GET / HTTP/1.1\r\nHost: origin.example\r\n"
                              "X-Forwarded-For: 2001:db8::7, 192.0.2.1\r\n"
                              "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example:8443\r\n"
                              "Forwarded: for=\"[2001:db8::7]\";host=\"b.example:8443\";"
                              "proto=https, for=192.0.2.1\r\nVia: 1.0 detour\r\n\r\n");
    assert_true(span_eq(buffer_span(&out), wanted));
}

/* What no parser of ours lets through is stopped here all the same. */
static void a_line_is_looked_at_once_more(void **state)
{
    static uint8_t room[encode_bytes_max];
    static const struct field fields[] = {
        {SPAN("a"), SPAN("b\r\nEvil: 1")},
        {SPAN("a b"), SPAN("c")},
        {SPAN(""), SPAN("c")},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        struct request request = {.method = METHOD_GET,
                                  .method_name = SPAN("GET"),
                                  .version_major = 2,
                                  .host = SPAN("a.example"),
                                  .port = -1,
                                  .path = SPAN("/"),
                                  .fields = &fields[i],
                                  .field_count = 1};
        struct encode_asked asked = asked_for(&request, &cases[0]);
        struct span upgrade;
        struct buffer out = buffer_over(room, sizeof(room));
        assert_int_equal(request_encode(&asked, &out, &upgrade), ENCODE_BAD);
        request.field_count = 0;
        request.path = SPAN("/ HTTP/1.1\r\nX: ");
        out.len = 0;
        assert_int_equal(request_encode(&asked, &out, &upgrade), ENCODE_BAD);
    }
}

static void what_has_no_room_is_too_long(void **state)
{
    struct h1_head head;
    struct span upgrade;
    uint8_t room[512];
    parse("GET / HTTP/1.1\r\n" HOST "A: b\r\n\r\n", &head);
    struct encode_asked asked = asked_for(&head.request, &cases[0]);
    struct buffer whole = buffer_over(room, sizeof(room));
    assert_int_equal(request_encode(&asked, &whole, &upgrade), ENCODE_DONE);
    for (size_t cap = 0; cap < whole.len; cap++) {
        uint8_t *small = malloc(cap + 1);
        struct buffer out = buffer_over(small, cap);
        assert_int_equal(request_encode(&asked, &out, &upgrade), ENCODE_LONG);
        free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_anew),
        cmocka_unit_test(names_whom_it_came_through),
        cmocka_unit_test(a_line_is_looked_at_once_more),
        cmocka_unit_test(what_has_no_room_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
