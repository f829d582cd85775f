/* SPDX-License-Identifier: MIT */
/* HTTP/2: each rule of RFC 9113 that a server must hold to is a row of frames. */
#include "h2_blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum what { ANSWER, RESET, CLOSE, NOTHING };

enum { row_frames_max = 6 };

struct row {
    const char *name;
    struct frame frames[row_frames_max];
    enum what what;
    int code; /* of the answer to stream 1, of its reset, or of GOAWAY */
};

static const struct row rows[] = {
    {"a request", {HEAD_GET(1)}, ANSWER, 307},
    {"a request in three pieces",
     {{HEADERS, END_STREAM, 1, B(METHOD_GET_ SCHEME), 0},
      {CONTINUATION, 0, 1, B(PATH), 0},
      {CONTINUATION, END_HEADERS, 1, B(AUTHORITY), 0}},
     ANSWER,
     307},
    {"a padded request", {{HEADERS, WHOLE | PADDED, 1, B("\x03" GET "\0\0\0"), 0}}, ANSWER, 307},
    {"a request with a priority",
     {{HEADERS, WHOLE | PRIORITY_FLAG, 1, B("\0\0\0\0\x10" GET), 0}},
     ANSWER,
     307},
    {"an upload is answered before its body", {HEAD_POST(1)}, ANSWER, 307},

    {"4.1 an unknown type is ignored", {{0x42, 0xff, 0, B("abc"), 0}, HEAD_GET(1)}, ANSWER, 307},
    {"4.1 … on a stream too", {{0x42, 0xff, 9, B("abc"), 0}, HEAD_GET(1)}, ANSWER, 307},
    {"4.1 undefined flags are ignored", {{HEADERS, 0xd7 & ~PADDED, 1, B(GET), 0}}, ANSWER, 307},
    {"4.1 the reserved bit is ignored", {{HEADERS, WHOLE, 0x80000001, B(GET), 0}}, ANSWER, 307},
    {"4.2 a frame beyond 16,384", {{DATA, 0, 1, B(""), 16385}}, CLOSE, FRAME_SIZE_ERROR},
    {"4.2 HEADERS beyond 16,384", {{HEADERS, WHOLE, 1, B(""), 16385}}, CLOSE, FRAME_SIZE_ERROR},
    {"4.3 a bad index", {{HEADERS, WHOLE, 1, B("\xff\x7f"), 0}}, CLOSE, COMPRESSION_ERROR},
    {"4.3 a block that ends early",
     {{HEADERS, WHOLE, 1, B(GET "\x40\x0a"), 0}},
     CLOSE,
     COMPRESSION_ERROR},
    {"4.3 a table size beyond what we said",
     {{HEADERS, WHOLE, 1, B("\x3f\xe1\x7f" GET), 0}},
     CLOSE,
     COMPRESSION_ERROR},
    {"4.3 a stray frame in a header block",
     {{HEADERS, END_STREAM, 1, B(METHOD_GET_), 0}, {PING, 0, 0, B("12345678"), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"4.3 another stream's CONTINUATION",
     {{HEADERS, END_STREAM, 1, B(METHOD_GET_), 0}, {CONTINUATION, END_HEADERS, 3, B(SCHEME), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"4.3 HEADERS in a header block",
     {{HEADERS, END_STREAM, 1, B(METHOD_GET_), 0}, HEAD_GET(3)},
     CLOSE,
     PROTOCOL_ERROR},
    {"5.5 an unknown type in a header block",
     {{HEADERS, END_STREAM, 1, B(METHOD_GET_), 0}, {0x42, 0, 1, B(""), 0}},
     CLOSE,
     PROTOCOL_ERROR},

    {"5.1 DATA on an idle stream", {{DATA, 0, 1, B("a"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"5.1 RST_STREAM on an idle stream",
     {{RST_STREAM, 0, 1, B("\0\0\0\x08"), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"5.1 WINDOW_UPDATE on an idle stream",
     {{WINDOW_UPDATE, 0, 1, B("\0\0\0\x08"), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"5.1 PRIORITY on an idle stream is ignored",
     {{PRIORITY, 0, 5, B("\0\0\0\0\x10"), 0}, HEAD_GET(1)},
     ANSWER,
     307},
    {"5.1 DATA after END_STREAM", {HEAD_GET(1), {DATA, 0, 1, B("a"), 0}}, CLOSE, STREAM_CLOSED},
    {"5.1 HEADERS after END_STREAM", {HEAD_GET(1), HEAD_GET(1)}, CLOSE, STREAM_CLOSED},
    {"5.1 CONTINUATION after END_STREAM",
     {HEAD_GET(1), {CONTINUATION, END_HEADERS, 1, B(""), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"5.1 DATA after the body ended",
     {HEAD_POST(1), {DATA, END_STREAM, 1, B("a"), 0}, {DATA, 0, 1, B("a"), 0}},
     CLOSE,
     STREAM_CLOSED},
    {"5.1 DATA after RST_STREAM of the client's",
     {HEAD_POST(1), {RST_STREAM, 0, 1, B("\0\0\0\x08"), 0}, {DATA, 0, 1, B("a"), 0}},
     CLOSE,
     STREAM_CLOSED},
    {"5.1 WINDOW_UPDATE after the end is ignored",
     {HEAD_GET(1), {WINDOW_UPDATE, 0, 1, B("\0\0\0\x08"), 0}},
     ANSWER,
     307},
    {"5.1 RST_STREAM after the end is ignored",
     {HEAD_GET(1), {RST_STREAM, 0, 1, B("\0\0\0\x08"), 0}},
     ANSWER,
     307},
    {"5.1 DATA after a reset of ours is ignored",
     {{HEADERS, END_HEADERS, 1, B(POST "\x86"), 0}, {DATA, 0, 1, B("a"), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"5.1 trailers after a reset of ours are ignored",
     {{HEADERS, END_HEADERS, 1, B(POST "\x86"), 0}, HEAD_GET(1)},
     RESET,
     PROTOCOL_ERROR},
    {"5.1.1 an even stream", {HEAD_GET(2)}, CLOSE, PROTOCOL_ERROR},
    {"5.1.1 a stream before the last one", {HEAD_GET(5), HEAD_GET(3)}, CLOSE, STREAM_CLOSED},
    {"5.1.1 HEADERS on stream 0", {HEAD_GET(0)}, CLOSE, PROTOCOL_ERROR},

    {"6.1 DATA on stream 0", {{DATA, 0, 0, B("a"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.1 padding as long as DATA",
     {HEAD_POST(1),
      {DATA, PADDED, 1,
       B("\x02"
         "ab"),
       0}},
     ANSWER,
     307},
    {"6.1 padding longer than DATA",
     {HEAD_POST(1),
      {DATA, PADDED, 1,
       B("\x03"
         "ab"),
       0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.1 padded DATA without a length",
     {HEAD_POST(1), {DATA, PADDED, 1, B(""), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.2 padding longer than HEADERS",
     {{HEADERS, WHOLE | PADDED, 1, B("\x40" GET), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.3 PRIORITY on stream 0", {{PRIORITY, 0, 0, B("\0\0\0\0\x10"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.3 PRIORITY of another size",
     {HEAD_POST(1), {PRIORITY, 0, 1, B("\0\0\0\0"), 0}},
     CLOSE,
     FRAME_SIZE_ERROR},
    {"6.3 PRIORITY that depends on itself",
     {HEAD_POST(1), {PRIORITY, 0, 1, B("\x80\0\0\1\x10"), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.3 PRIORITY on another stream, and what comes behind it",
     {{PRIORITY, 0, 3, B("\0\0\0\1\x10"), 0}, HEAD_GET(1)},
     ANSWER,
     307},
    {"6.4 RST_STREAM on stream 0", {{RST_STREAM, 0, 0, B("\0\0\0\x08"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.4 RST_STREAM of another size",
     {HEAD_POST(1), {RST_STREAM, 0, 1, B("\0\0\0"), 0}},
     CLOSE,
     FRAME_SIZE_ERROR},
    {"6.5 SETTINGS on a stream", {{SETTINGS, 0, 1, B(""), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.5 an acknowledgement with a payload",
     {{SETTINGS, ACK, 0, B("\0\1\0\0\0\0"), 0}},
     CLOSE,
     FRAME_SIZE_ERROR},
    {"6.5 SETTINGS of another size",
     {{SETTINGS, 0, 0, B("\0\1\0\0\0"), 0}},
     CLOSE,
     FRAME_SIZE_ERROR},
    {"6.5.2 ENABLE_PUSH of 2", {{SETTINGS, 0, 0, B("\0\2\0\0\0\2"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.5.2 a window beyond 2^31-1",
     {{SETTINGS, 0, 0, B("\0\4\x80\0\0\0"), 0}},
     CLOSE,
     FLOW_CONTROL_ERROR},
    {"6.5.2 MAX_FRAME_SIZE too small",
     {{SETTINGS, 0, 0, B("\0\5\0\0\x3f\xff"), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.5.2 MAX_FRAME_SIZE too large",
     {{SETTINGS, 0, 0, B("\0\5\1\0\0\0"), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.5.2 an unknown setting is ignored",
     {{SETTINGS, 0, 0, B("\xff\xff\0\0\0\1"), 0}, HEAD_GET(1)},
     ANSWER,
     307},
    {"6.5.2 a table of no size",
     {{SETTINGS, 0, 0, B("\0\1\0\0\0\0"), 0}, HEAD_GET(1)},
     ANSWER,
     307},
    {"6.6 PUSH_PROMISE",
     {HEAD_POST(1), {PUSH_PROMISE, END_HEADERS, 1, B("\0\0\0\2" GET), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.7 PING on a stream", {{PING, 0, 1, B("12345678"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.7 PING of another size", {{PING, 0, 0, B("1234567"), 0}}, CLOSE, FRAME_SIZE_ERROR},
    {"6.8 GOAWAY on a stream", {{GOAWAY, 0, 1, B("\0\0\0\0\0\0\0\0"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.9 an increment of 0", {{WINDOW_UPDATE, 0, 0, B("\0\0\0\0"), 0}}, CLOSE, PROTOCOL_ERROR},
    {"6.9 an increment of 0 for a stream",
     {HEAD_POST(1), {WINDOW_UPDATE, 0, 1, B("\0\0\0\0"), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.9 WINDOW_UPDATE of another size",
     {{WINDOW_UPDATE, 0, 0, B("\0\0\1"), 0}},
     CLOSE,
     FRAME_SIZE_ERROR},
    {"6.9.1 the connection's window overflows",
     {{WINDOW_UPDATE, 0, 0, B("\x7f\xff\xff\xff"), 0}},
     CLOSE,
     FLOW_CONTROL_ERROR},
    {"6.9.1 a stream's window overflows",
     {HEAD_POST(1), {WINDOW_UPDATE, 0, 1, B("\x7f\xff\xff\xff"), 0}},
     RESET,
     FLOW_CONTROL_ERROR},
    {"6.10 CONTINUATION without HEADERS",
     {{CONTINUATION, END_HEADERS, 1, B(GET), 0}},
     CLOSE,
     PROTOCOL_ERROR},
    {"6.10 CONTINUATION on stream 0",
     {{HEADERS, END_STREAM, 1, B(METHOD_GET_), 0}, {CONTINUATION, END_HEADERS, 0, B(SCHEME), 0}},
     CLOSE,
     PROTOCOL_ERROR},

    {"8.1 trailers",
     {HEAD_POST(1), {HEADERS, WHOLE, 1, B(FIELD("\1", "a", "\1", "b")), 0}},
     ANSWER,
     307},
    {"8.1 trailers that do not end the stream",
     {HEAD_POST(1), {HEADERS, END_HEADERS, 1, B(FIELD("\1", "a", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.1 a pseudo-header in trailers",
     {HEAD_POST(1), {HEADERS, WHOLE, 1, B(METHOD_GET_), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.1.1 fewer octets than Content-Length",
     {{HEADERS, END_HEADERS, 1, B(POST LENGTH("\1", "3")), 0}, {DATA, END_STREAM, 1, B("ab"), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.1.1 more octets than Content-Length",
     {{HEADERS, END_HEADERS, 1, B(POST LENGTH("\1", "1")), 0}, {DATA, 0, 1, B("ab"), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.1.1 octets in spite of Content-Length: 0",
     {{HEADERS, END_HEADERS, 1, B(POST LENGTH("\1", "0")), 0}, {DATA, 0, 1, B("a"), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.1.1 Content-Length and no body",
     {{HEADERS, WHOLE, 1, B(POST LENGTH("\1", "3")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.1.1 fewer octets before trailers",
     {{HEADERS, END_HEADERS, 1, B(POST LENGTH("\1", "3")), 0},
      {HEADERS, WHOLE, 1, B(FIELD("\1", "a", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.1.1 as many octets",
     {{HEADERS, END_HEADERS, 1, B(POST LENGTH("\1", "3")), 0},
      {DATA, 0, 1, B("ab"), 0},
      {DATA, END_STREAM, 1, B("c"), 0}},
     ANSWER,
     307},
    {"8.2.1 a capital in a name",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\1", "A", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 an empty name",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\0", "", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 a space in a name",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\3", "a b", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 a colon in a name",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\3", "a:b", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 an octet beyond ASCII in a name",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\1", "\xe4", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 CR in a value",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\1", "a", "\3", "b\rc")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 LF in a value",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\1", "a", "\3", "b\nc")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 NUL in a value",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\1", "a", "\3", "b\0c")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 NUL in the path",
     {{HEADERS, WHOLE, 1, B(METHOD_GET_ SCHEME AUTHORITY "\x04\x03/\0b"), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 a space before a value",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\1", "a", "\2", " b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 a tab behind a value",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\1", "a", "\2", "b\t")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.1 an octet beyond ASCII in a value",
     {{HEADERS, WHOLE, 1,
       B(GET FIELD("\1", "a", "\3",
                   "b\xe4"
                   "c")),
       0}},
     ANSWER,
     307},
    {"8.2.2 Connection",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\x0a", "connection", "\5", "close")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.2 Keep-Alive",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\x0a", "keep-alive", "\1", "5")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.2 Proxy-Connection",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\x10", "proxy-connection", "\5", "close")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.2 Transfer-Encoding",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\x11", "transfer-encoding", "\7", "chunked")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.2 Upgrade",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\7", "upgrade", "\3", "h2c")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.2.2 TE: trailers",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\2", "te", "\x08", "trailers")), 0}},
     ANSWER,
     307},
    {"8.2.2 TE: gzip",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\2", "te", "\4", "gzip")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3 an unknown pseudo-header",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\5", ":abcd", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3 a response's pseudo-header",
     {{HEADERS, WHOLE, 1, B(GET "\x88"), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3 :protocol without its setting",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\x09", ":protocol", "\1", "b")), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3 a pseudo-header behind a field",
     {{HEADERS, WHOLE, 1, B(METHOD_GET_ SCHEME AUTHORITY FIELD("\1", "a", "\1", "b") PATH), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3 a pseudo-header twice",
     {{HEADERS, WHOLE, 1, B(GET METHOD_GET_), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3.1 no :method", {{HEADERS, WHOLE, 1, B(SCHEME PATH AUTHORITY), 0}}, RESET, PROTOCOL_ERROR},
    {"8.3.1 no :scheme",
     {{HEADERS, WHOLE, 1, B(METHOD_GET_ PATH AUTHORITY), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3.1 no :path",
     {{HEADERS, WHOLE, 1, B(METHOD_GET_ SCHEME AUTHORITY), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3.1 an empty :path",
     {{HEADERS, WHOLE, 1, B(METHOD_GET_ SCHEME AUTHORITY "\x04\0"), 0}},
     RESET,
     PROTOCOL_ERROR},
    {"8.3.1 nothing at all", {{HEADERS, WHOLE, 1, B(""), 0}}, RESET, PROTOCOL_ERROR},
    {"8.5 CONNECT with a path",
     {{HEADERS, WHOLE, 1,
       B("\x02\7"
         "CONNECT" SCHEME PATH AUTHORITY),
       0}},
     RESET,
     PROTOCOL_ERROR},

    {"CONNECT",
     {{HEADERS, WHOLE, 1,
       B("\x02\7"
         "CONNECT" AUTHORITY),
       0}},
     ANSWER,
     501},
    {"a method that is no token",
     {{HEADERS, WHOLE, 1,
       B("\x02\3"
         "G@T" SCHEME PATH AUTHORITY),
       0}},
     ANSWER,
     400},
    {"a long method",
     {{HEADERS, WHOLE, 1,
       B("\x02\x21"
         "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG" SCHEME PATH AUTHORITY),
       0}},
     ANSWER,
     501},
    {"another scheme",
     {{HEADERS, WHOLE, 1,
       B(METHOD_GET_ "\x06\3"
                     "ftp" PATH AUTHORITY),
       0}},
     ANSWER,
     400},
    {"a relative path",
     {{HEADERS, WHOLE, 1,
       B(METHOD_GET_ SCHEME "\x04\1"
                            "a" AUTHORITY),
       0}},
     ANSWER,
     400},
    {"a fragment",
     {{HEADERS, WHOLE, 1,
       B(METHOD_GET_ SCHEME "\x04\4"
                            "/a#b" AUTHORITY),
       0}},
     ANSWER,
     400},
    {"a space in the query",
     {{HEADERS, WHOLE, 1,
       B(METHOD_GET_ SCHEME "\x04\5"
                            "/?a b" AUTHORITY),
       0}},
     ANSWER,
     400},
    {"an asterisk for GET",
     {{HEADERS, WHOLE, 1,
       B(METHOD_GET_ SCHEME "\x04\1"
                            "*" AUTHORITY),
       0}},
     ANSWER,
     400},
    {"an asterisk for OPTIONS",
     {{HEADERS, WHOLE, 1,
       B("\x02\7"
         "OPTIONS" SCHEME "\x04\1"
         "*" AUTHORITY),
       0}},
     ANSWER,
     307},
    {"no authority", {{HEADERS, WHOLE, 1, B(METHOD_GET_ SCHEME PATH), 0}}, ANSWER, 400},
    {"an empty authority",
     {{HEADERS, WHOLE, 1, B(METHOD_GET_ SCHEME PATH "\x01\0"), 0}},
     ANSWER,
     400},
    {"userinfo in the authority",
     {{HEADERS, WHOLE, 1,
       B(METHOD_GET_ SCHEME PATH "\x01\3"
                                 "a@b"),
       0}},
     ANSWER,
     400},
    {"Host instead of the authority",
     {{HEADERS, WHOLE, 1, B(METHOD_GET_ SCHEME PATH FIELD("\4", "host", "\1", "a")), 0}},
     ANSWER,
     307},
    {"Host twice",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\4", "host", "\1", "a") FIELD("\4", "host", "\1", "a")), 0}},
     ANSWER,
     400},
    {"8.3.1 Host that contradicts",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\4", "host", "\1", "b")), 0}},
     ANSWER,
     400},
    {"8.3.1 Host that agrees but for its case",
     {{HEADERS, WHOLE, 1, B(GET FIELD("\4", "host", "\x09", "A.Example")), 0}},
     ANSWER,
     307},
    {"a bad Content-Length",
     {{HEADERS, END_HEADERS, 1, B(POST LENGTH("\2", "+1")), 0}},
     ANSWER,
     400},
    {"two Content-Lengths",
     {{HEADERS, END_HEADERS, 1, B(POST LENGTH("\1", "1") LENGTH("\1", "1")), 0}},
     ANSWER,
     400},
    {"another expectation",
     {{HEADERS, END_HEADERS, 1, B(POST FIELD("\6", "expect", "\1", "a")), 0}},
     ANSWER,
     417},
    {"Expect: 100-continue",
     {{HEADERS, END_HEADERS, 1, B(POST FIELD("\6", "expect", "\x0c", "100-continue")), 0}},
     ANSWER,
     307},
    {"6.7 a ping is answered", {{PING, 0, 0, B("12345678"), 0}}, NOTHING, 0},
};

static bool is_frame(const struct row *row, size_t i)
{
    const struct frame *frame = &row->frames[i];
    return i == 0 || frame->type != 0 || frame->id != 0 || frame->payload.ptr != NULL;
}

static void check_row(const struct row *row, const struct peer *peer)
{
    int goaway = peer_goaway(peer);
    int reset = peer_reset(peer, 1);
    int status = peer_status(peer, 1);
    bool right = false;
    switch (row->what) {
    case ANSWER:
        right = goaway == -1 && reset == -1 && status == row->code && peer_ended(peer, 1);
        break;
    case RESET:
        right = goaway == -1 && reset == row->code;
        break;
    case CLOSE:
        right = goaway == row->code && h2_ended(peer->session);
        break;
    case NOTHING:
        right = goaway == -1 && reset == -1 && status == 0;
        break;
    }
    if (!right) {
        fail_msg("%s: status %d, reset %d, goaway %d", row->name, status, reset, goaway);
    }
    assert_int_equal(h2_ended(peer->session), row->what == CLOSE);
}

static void send_in_steps(struct peer *peer, const struct frame *frame, size_t step)
{
    uint8_t bytes[1024];
    size_t len = frame_put(frame, bytes);
    for (size_t at = 0; at < len; at += step) {
        peer_bytes(peer, span_of(bytes + at, at + step <= len ? step : len - at));
        peer_pull(peer);
    }
}

static void run_row(const struct row *row, size_t step, size_t room)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer.room = room;
    peer_hello(&peer);
    for (size_t i = 0; i < row_frames_max && is_frame(row, i); i++) {
        send_in_steps(&peer, &row->frames[i], step);
    }
    check_row(row, &peer);
    peer_fini(&peer);
}

static void test_rows_frame_by_frame(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&rows[i], 1024, 4096);
    }
}

static void test_rows_octet_by_octet(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&rows[i], 1, 1);
    }
}

/* Nothing but a reset that comes before its answer has left may change the outcome. */
static void test_rows_at_once(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[4096];
        size_t len = 0;
        struct peer peer;
        bool resets = false;
        peer_init(&peer, NULL);
        peer_hello(&peer);
        for (size_t k = 0; k < row_frames_max && is_frame(&rows[i], k); k++) {
            len += frame_put(&rows[i].frames[k], bytes + len);
            resets |= rows[i].frames[k].type == RST_STREAM;
        }
        peer_bytes(&peer, span_of(bytes, len));
        peer_pull(&peer);
        if (!resets || rows[i].what == CLOSE) {
            check_row(&rows[i], &peer);
        }
        peer_fini(&peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_frame_by_frame),
        cmocka_unit_test(test_rows_at_once),
        cmocka_unit_test(test_rows_octet_by_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
