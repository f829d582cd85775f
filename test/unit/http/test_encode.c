/* SPDX-License-Identifier: MIT */
/* Responses: the exact bytes, and that nothing splits them. */
#include "http/h1/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

#define S(text)                                   \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define NOTE .content_type = S("text/plain"), .body = S("go")
#define NOTE_FIELDS "Content-Type: text/plain\r\nContent-Length: 2\r\n"

struct row {
    const char *name;
    struct response response;
    struct h1_encoding encoding;
    const char *bytes;
};

static const struct row rows[] = {
    {.name = "the typical answer",
     .response = {.status = 307,
                  .location = S("https://b.example/x"),
                  NOTE,
                  .field_count = 1,
                  .fields = {{S("X-Redirect-By"), S("a b")}}},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 307 Temporary Redirect\r\n" DATE "Location: https://b.example/x\r\n"
              "X-Redirect-By: a b\r\n" NOTE_FIELDS "\r\ngo"},
    {.name = "9110 9.3.2 HEAD has the same fields",
     .response = {.status = 308, .location = S("https://b.example/"), NOTE},
     .encoding = {.version_minor = 1, .head = true},
     .bytes = "HTTP/1.1 308 Permanent Redirect\r\n" DATE
              "Location: https://b.example/\r\n" NOTE_FIELDS "\r\n"},
    {.name = "no content at all",
     .response = {.status = 404},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 404 Not Found\r\n" DATE "Content-Length: 0\r\n\r\n"},
    {.name = "9112 9.6 close",
     .response = {.status = 400, .close = true},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 400 Bad Request\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n"},
    {.name = "9112 9.6 close by the connection",
     .response = {.status = 400},
     .encoding = {.close = true},
     .bytes = "HTTP/1.1 400 Bad Request\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n"},
    {.name = "9112 9.3 keep-alive is said to 1.0",
     .response = {.status = 200, NOTE},
     .encoding = {.version_minor = 0},
     .bytes = "HTTP/1.1 200 OK\r\n" DATE NOTE_FIELDS "Connection: keep-alive\r\n\r\ngo"},
    {.name = "9110 8.6 no length on 204",
     .response = {.status = 204, NOTE},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 204 No Content\r\n" DATE "\r\n"},
    {.name = "9110 15.3.6 length 0 on 205",
     .response = {.status = 205, NOTE},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 205 Reset Content\r\n" DATE "Content-Length: 0\r\n\r\n"},
    {.name = "9110 15.4.5 no content on 304",
     .response = {.status = 304, NOTE},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 304 Not Modified\r\n" DATE "\r\n"},
    {.name = "9110 15.2 a 1xx is bare",
     .response = {.status = 100, NOTE, .close = true},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 100 Continue\r\n\r\n"},
    {.name = "9112 4 an unknown status keeps its space",
     .response = {.status = 599},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 599 \r\n" DATE "Content-Length: 0\r\n\r\n"},
    {.name = "9112 11.1 what is not valid is left out",
     .response = {.status = 200,
                  .field_count = 7,
                  .fields = {{S("A"), S("b\r\nX: y")},
                             {S("B\r\nX"), S("y")},
                             {S("C D"), S("y")},
                             {S(""), S("y")},
                             {S("E"), S("y\0")},
                             {S("F"), S("\x7f")},
                             {S("G"), S("\xc3\xa4\t")}}},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 200 OK\r\n" DATE "G: \xc3\xa4\t\r\nContent-Length: 0\r\n\r\n"},
    {.name = "9112 6 nothing else may frame",
     .response = {.status = 200,
                  .field_count = 6,
                  .fields = {{S("content-length"), S("5")},
                             {S("Transfer-Encoding"), S("chunked")},
                             {S("Connection"), S("close")},
                             {S("LOCATION"), S("https://evil/")},
                             {S("Date"), S("now")},
                             {S("Etag"), S("")}}},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 200 OK\r\n" DATE "Etag: \r\nContent-Length: 0\r\n\r\n"},
    {.name = "a Content-Type that is not valid",
     .response = {.status = 200, .content_type = S("text/plain\nX: y"), .body = S("go")},
     .encoding = {.version_minor = 1},
     .bytes = "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\n\r\ngo"},
};

static void bytes_are_these(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t memory[1024];
        struct buffer out = buffer_over(memory, sizeof(memory));
        struct h1_encoding encoding = rows[i].encoding;
        encoding.date = date;
        h1_encode(&rows[i].response, &encoding, &out);
        if (out.full || !span_eq(buffer_span(&out), span_cstr(rows[i].bytes))) {
            fail_msg("%s:\n%.*s", rows[i].name, SPAN_ARG(buffer_span(&out)));
        }
    }
}

static void a_bad_location_is_a_500(void **state)
{
    (void)state;
    static const struct span bad[] = {
        S("https://b.example/\r\nX: y"),
        S("https://b.example/a b"),
        S("https://b.example/\t"),
        S("https://b.example/\x7f"),
        S("https://b.example/\xc3\xa4"),
        S("/\n"),
        S("/\0"),
    };
    struct h1_encoding encoding = {.date = date, .version_minor = 1};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t memory[1024];
        struct buffer out = buffer_over(memory, sizeof(memory));
        struct response response = {.status = 307,
                                    .location = bad[i],
                                    NOTE,
                                    .field_count = 1,
                                    .fields = {{S("Cache-Control"), S("max-age=9")}}};
        h1_encode(&response, &encoding, &out);
        struct span want =
            SPAN("HTTP/1.1 500 Internal Server Error\r\n" DATE "Content-Length: 0\r\n\r\n");
        if (!span_eq(buffer_span(&out), want)) {
            fail_msg("%zu:\n%.*s", i, SPAN_ARG(buffer_span(&out)));
        }
    }
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    size_t len = strlen(rows[0].bytes);
    struct h1_encoding encoding = {.date = date, .version_minor = 1};
    for (size_t cap = 2; cap < len + 2; cap++) {
        uint8_t memory[1024] = "ab";
        struct buffer out = {.ptr = memory, .len = 2, .cap = cap};
        h1_encode(&rows[0].response, &encoding, &out);
        assert_true(out.full);
        assert_int_equal(out.len, 2);
    }
    uint8_t memory[1024];
    struct buffer out = {.ptr = memory, .len = 2, .cap = len + 2};
    h1_encode(&rows[0].response, &encoding, &out);
    assert_false(out.full);
    assert_int_equal(out.len, len + 2);
}

static const struct field flow_fields[] = {
    {S("Server"), S("origin")}, {S("Location"), S("/there")},
    {S("Connection"), S("X")},  {S("Content-Length"), S("9")},
    {S("Upgrade"), S("h2c")},   {S("Transfer-Encoding"), S("gzip")},
    {S("Bad name"), S("1")},    {S("Bad-Value"), S("a\r\nX: y")},
};

struct flow_row {
    const char *name;
    struct h1_flow_head head;
    const char *bytes;
};

#define FLOW_FIELDS .fields = flow_fields, .field_count = 8, .version_minor = 1
#define FLOW_LINES "Server: origin\r\nLocation: /there\r\n"

static const struct flow_row flow_rows[] = {
    {"chunks",
     {.status = 200, .framing = H1_FRAMING_CHUNKED, FLOW_FIELDS},
     "HTTP/1.1 200 OK\r\n" FLOW_LINES DATE "Transfer-Encoding: chunked\r\n\r\n"},
    {"a length",
     {.status = 404, .framing = H1_FRAMING_LENGTH, .content_length = 5000000000, FLOW_FIELDS},
     "HTTP/1.1 404 Not Found\r\n" FLOW_LINES DATE "Content-Length: 5000000000\r\n\r\n"},
    {"its own date",
     {.status = 200,
      .framing = H1_FRAMING_CLOSE,
      .close = true,
      .version_minor = 0,
      .fields = &(const struct field){S("date"), S("now")},
      .field_count = 1},
     "HTTP/1.1 200 OK\r\ndate: now\r\nConnection: close\r\n\r\n"},
    {"HTTP/1.0 stays",
     {.status = 200, .framing = H1_FRAMING_LENGTH, .version_minor = 0},
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
    {"an interim answer",
     {.status = 103, .framing = H1_FRAMING_NONE, .close = true, FLOW_FIELDS},
     "HTTP/1.1 103 Early Hints\r\n" FLOW_LINES "\r\n"},
    {"a tunnel",
     {.status = 101,
      .framing = H1_FRAMING_NONE,
      .upgrade = S("websocket"),
      .close = true,
      FLOW_FIELDS},
     "HTTP/1.1 101 Switching Protocols\r\n" FLOW_LINES
     "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
};

static void test_flow_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(flow_rows) / sizeof(flow_rows[0]); i++) {
        char bytes[512];
        struct h1_flow_head head = flow_rows[i].head;
        size_t len = strlen(flow_rows[i].bytes);
        head.date = date;
        struct buffer out = buffer_over(bytes, sizeof(bytes));
        h1_encode_flow_head(&head, &out);
        if (out.full || out.len != len || memcmp(bytes, flow_rows[i].bytes, len) != 0) {
            fail_msg("%s: '%.*s'", flow_rows[i].name, (int)out.len, bytes);
        }
        for (size_t cap = 0; cap < len; cap++) { /* all or nothing */
            struct buffer small = buffer_over(bytes, cap);
            h1_encode_flow_head(&head, &small);
            assert_true(small.full && small.len == 0);
        }
    }
}

static void test_chunks(void **state)
{
    (void)state;
    char bytes[256];
    struct buffer out = buffer_over(bytes, sizeof(bytes));
    h1_encode_chunk_head(10, &out);
    h1_encode_chunk_head(65536, &out);
    h1_encode_chunk_head(SIZE_MAX, &out);
    const char *heads = "a\r\n10000\r\nffffffffffffffff\r\n";
    assert_int_equal(out.len, strlen(heads));
    assert_memory_equal(bytes, heads, out.len);
    out = buffer_over(bytes, sizeof(bytes));
    h1_encode_last_chunk(flow_fields, 8, &out);
    const char *last = "0\r\nServer: origin\r\nUpgrade: h2c\r\n\r\n";
    assert_int_equal(out.len, strlen(last));
    assert_memory_equal(bytes, last, out.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_these),
        cmocka_unit_test(a_bad_location_is_a_500),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(test_flow_heads),
        cmocka_unit_test(test_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
