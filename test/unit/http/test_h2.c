/* SPDX-License-Identifier: MIT */
/* HTTP/2: prefaces, what a request and a response hold, and the end of a connection. */
#include "h2_blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static void test_preface(void **state)
{
    static const struct {
        const char *name;
        struct span bytes;
        int goaway;
    } prefaces[] = {
        {"a request of HTTP/1.1", B("GET / HTTP/1.1\r\n\r\n"), PROTOCOL_ERROR},
        {"one octet wrong", B("PRI * HTTP/2.0\r\n\r\nSM\r\n\rx"), PROTOCOL_ERROR},
        {"no SETTINGS",
         B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x08\6\0\0\0\0\0"
           "12345678"),
         PROTOCOL_ERROR},
        {"an acknowledgement first", B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\1\0\0\0\0"),
         PROTOCOL_ERROR},
        {"only a part", B("PRI * HTTP/2.0\r\n"), -1},
    };
    for (size_t i = 0; i < sizeof(prefaces) / sizeof(prefaces[0]); i++) {
        struct peer peer;
        peer_init(&peer, NULL);
        peer_bytes(&peer, prefaces[i].bytes);
        peer_pull(&peer);
        assert_int_equal(peer.sent[0].type, SETTINGS); /* RFC 9113, 3.4 */
        if (peer_goaway(&peer) != prefaces[i].goaway) {
            fail_msg("%s: %d", prefaces[i].name, peer_goaway(&peer));
        }
        assert_int_equal(h2_ended(peer.session), prefaces[i].goaway != -1);
        peer_fini(&peer);
    }
}

#define REQUEST_BLOCK                                                                      \
    METHOD_POST_ "\x87"                                                                    \
                 "\x04\x08"                                                                \
                 "/a/b?c=d"                                                                \
                 "\x01\x0f"                                                                \
                 "A.Example.:8443" FIELD("\6", "cookie", "\3", "a=1")                      \
                     FIELD("\6", "accept", "\3", "*/*") FIELD("\6", "cookie", "\3", "b=2") \
                         FIELD("\6", "cookie", "\3", "c=3")                                \
                             FIELD("\6", "expect", "\x0c", "100-continue") LENGTH("\2", "17")

static void test_request(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    peer_frame(&peer, HEADERS, END_HEADERS, 1, (struct span)B(REQUEST_BLOCK));
    assert_int_equal(peer.requests, 1);
    assert_string_equal(peer.seen.host, "a.example");
    assert_int_equal(peer.seen.port, 8443);
    assert_string_equal(peer.seen.path, "/a/b");
    assert_string_equal(peer.seen.query, "c=d");
    assert_string_equal(peer.seen.scheme, "https");
    assert_string_equal(peer.seen.cookie, "a=1; b=2; c=3");
    assert_int_equal(peer.seen.field_count, 4); /* one Cookie */
    assert_int_equal(peer.seen.method, METHOD_POST);
    assert_int_equal(peer.seen.version_major, 2);
    assert_int_equal(peer.seen.body, BODY_LENGTH);
    assert_int_equal(peer.seen.content_length, 17);
    assert_true(peer.seen.expect_continue);
    peer_fini(&peer);
}

static size_t put_field(uint8_t *out, const char *name, size_t value_len)
{
    size_t name_len = strlen(name);
    size_t at = 0;
    out[at++] = 0;
    out[at++] = (uint8_t)name_len;
    memcpy(out + at, name, name_len);
    at += name_len;
    out[at++] = 127;
    size_t rest = value_len - 127;
    while (rest >= 128) {
        out[at++] = (uint8_t)(rest | 128);
        rest >>= 7;
    }
    out[at++] = (uint8_t)rest;
    memset(out + at, '/', value_len);
    return at + value_len;
}

static void test_too_large(void **state)
{
    static const struct {
        const char *name;
        size_t value_len;
        int copies;
        int status;
    } sizes[] = {
        {"cookie2", 16000, 1, 307}, {"cookie2", 16384, 1, 431}, {"cookie", 8300, 2, 431},
        {"a", 127, 101, 431},       {":path", 8192, 1, 307},    {":path", 8193, 1, 414},
        {":path", 16300, 1, 414},
    };
    static uint8_t block[65536];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct peer peer;
        struct span start = sizes[i].name[0] == ':' ? (struct span)B(METHOD_GET_ SCHEME AUTHORITY)
                                                    : (struct span)B(GET);
        memcpy(block, start.ptr, start.len);
        size_t len = start.len;
        for (int k = 0; k < sizes[i].copies; k++) {
            len += put_field(block + len, sizes[i].name, sizes[i].value_len);
        }
        peer_init(&peer, NULL);
        peer_hello(&peer);
        size_t first = len < 10000 ? len : 10000;
        peer_frame(&peer, HEADERS, END_STREAM, 1, span_of(block, first));
        peer_frame(&peer, CONTINUATION, END_HEADERS, 1, span_of(block + first, len - first));
        if (peer_status(&peer, 1) != sizes[i].status) {
            fail_msg("%s: %d, goaway %d", sizes[i].name, peer_status(&peer, 1), peer_goaway(&peer));
        }
        peer_frame(&peer, HEADERS, WHOLE, 3, (struct span)B(GET));
        assert_int_equal(peer_status(&peer, 3), 307); /* the connection goes on */
        peer_fini(&peer);
    }
}

static bool has_octets(const struct frame *frame, struct span wanted)
{
    for (size_t at = 0; at + wanted.len <= frame->payload.len; at++) {
        if (memcmp(frame->payload.ptr + at, wanted.ptr, wanted.len) == 0) {
            return true;
        }
    }
    return false;
}

static void test_response(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    response_add(&peer.answer, SPAN("Cache-Control"), SPAN("no-store"));
    response_add(&peer.answer, SPAN("X-Thing"), SPAN("seven"));
    response_add(&peer.answer, SPAN("Connection"), SPAN("evil"));
    response_add(&peer.answer, SPAN("X-Split"), SPAN("a\r\nb"));
    peer.answer.content_type = SPAN("text/plain");
    peer.answer.body = SPAN("moved");
    peer_frame(&peer, HEADERS, WHOLE, 1, (struct span)B(GET));
    const struct frame *head = peer_find(&peer, HEADERS, 1);
    const struct frame *data = peer_find(&peer, DATA, 1);
    assert_int_equal(peer_status(&peer, 1), 307);
    assert_true(has_octets(head, SPAN("Sun, 06 Nov 1994 08:49:37 GMT")));
    assert_true(has_octets(head, SPAN("https://b.example/x")));
    assert_true(has_octets(head, SPAN("x-thing\5seven")));
    assert_true(has_octets(head, SPAN("\x0f\x09\x08no-store")));
    assert_true(has_octets(head, SPAN("\x0f\x0d\0015"))); /* Content-Length: 5 */
    assert_false(has_octets(head, SPAN("evil")));
    assert_false(has_octets(head, SPAN("x-split")));
    assert_int_equal(head->flags, END_HEADERS);
    assert_true(span_eq(data->payload, SPAN("moved")) && data->flags == END_STREAM);
    peer_frame(&peer, HEADERS, WHOLE, 3,
               (struct span)B("\x02\4"
                              "HEAD" SCHEME PATH AUTHORITY));
    assert_true(has_octets(peer_find(&peer, HEADERS, 3), SPAN("\x0f\x0d\0015")));
    assert_null(peer_find(&peer, DATA, 3));
    peer.answer.location = SPAN("/a\r\nb");
    peer_frame(&peer, HEADERS, WHOLE, 5, (struct span)B(GET));
    assert_int_equal(peer_status(&peer, 5), 500);
    peer_fini(&peer);
}

/* RFC 7541, 4.2: what the client's SETTINGS made of the table is told in the next block. */
static void test_table_size(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    peer_frame(&peer, SETTINGS, 0, 0, (struct span)B("\0\1\0\0\0\0\0\1\0\0\x0f\0"));
    peer_frame(&peer, HEADERS, WHOLE, 1, (struct span)B(GET));
    const struct frame *head = peer_find(&peer, HEADERS, 1);
    assert_int_equal(head->payload.ptr[0], 0x20);
    assert_int_equal(head->payload.ptr[1], 0x3f);
    assert_int_equal(peer_status(&peer, 1), 307);
    peer_frame(&peer, HEADERS, WHOLE, 3, (struct span)B(GET));
    assert_int_equal(peer_find(&peer, HEADERS, 3)->payload.ptr[0], 8);
    peer_fini(&peer);
}

static void test_shutdown(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    peer_frame(&peer, HEADERS, WHOLE, 1, (struct span)B(GET));
    h2_shutdown(peer.session, peer.now_ms);
    h2_shutdown(peer.session, peer.now_ms);
    peer_pull(&peer);
    assert_int_equal(word_at(peer_find(&peer, GOAWAY, 0)->payload.ptr), INT32_MAX);
    peer_frame(&peer, HEADERS, WHOLE, 3, (struct span)B(GET));
    assert_int_equal(peer_status(&peer, 3), 307);
    assert_false(h2_ended(peer.session));
    peer.now_ms = h2_next_ms(peer.session);
    h2_tick(peer.session, peer.now_ms);
    while (peer_count(&peer, GOAWAY, 0) < 2) {
        peer_pull(&peer);
        peer.now_ms = h2_next_ms(peer.session);
        assert_true(peer.now_ms != UINT64_MAX || peer_count(&peer, GOAWAY, 0) == 2);
        h2_tick(peer.session, peer.now_ms);
    }
    assert_int_equal(word_at(peer_find(&peer, GOAWAY, 0)->payload.ptr), 3);
    assert_int_equal(peer_goaway(&peer), NO_ERROR);
    assert_true(h2_ended(peer.session));
    peer_fini(&peer);
}

static void test_close_begins_shutdown(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    assert_true(h2_idle(peer.session));
    peer.answer.close = true;
    peer_frame(&peer, HEADERS, END_HEADERS, 1, (struct span)B(POST));
    assert_int_equal(peer_goaway(&peer), NO_ERROR);
    assert_int_equal(peer_status(&peer, 1), 307);
    assert_false(h2_idle(peer.session));
    assert_false(h2_ended(peer.session));
    peer_fini(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preface),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_response),
        cmocka_unit_test(test_table_size),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_close_begins_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
