/* SPDX-License-Identifier: MIT */
/* Requests that flow through over HTTP/2, as streams of one connection: the client is made of
 * frames by hand. */
#include "far.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum type { DATA, HEADERS, RST_STREAM = 3, SETTINGS, GOAWAY = 7, WINDOW_UPDATE };
enum { END_STREAM = 1, END_HEADERS = 4, WHOLE = 5, streams_max = 256 };
enum { INTERNAL_ERROR = 2, CANCEL = 8 };

/* What came for one stream. */
struct stream {
    size_t len;
    size_t heads; /* header blocks */
    bool ended;
    int reset; /* its code; -1: none */
    int64_t window;
    char head[1024]; /* of all header blocks, as octets */
    size_t head_len;
    uint8_t *bytes;
    uint64_t first_octet; /* how many octets of all streams had come before its last one */
};

void *__real_realloc(void *memory, size_t size);

static struct fixture fixture;
static int client;
static struct stream streams[streams_max];
static uint8_t input[1 << 20];
static size_t input_len;
static bool ended;
static bool goaway;
static uint64_t octets;

static size_t piece; /* octets sent at once; 0: all */

static void send_octets(struct span octets_)
{
    while (piece > 0 && octets_.len > piece) {
        client_send(&fixture, client, span_slice(octets_, 0, piece));
        octets_ = span_from(octets_, piece);
    }
    client_send(&fixture, client, octets_);
}

static void send_frame(uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
    static uint8_t out[9 + 65536];
    out[0] = (uint8_t)(payload.len >> 16);
    out[1] = (uint8_t)(payload.len >> 8);
    out[2] = (uint8_t)payload.len;
    out[3] = type;
    out[4] = flags;
    for (int i = 0; i < 4; i++) {
        out[5 + i] = (uint8_t)(id >> (24 - 8 * i));
    }
    if (payload.len > 0) {
        memcpy(out + 9, payload.ptr, payload.len);
    }
    send_octets(span_of(out, 9 + payload.len));
}

static void send_word(uint8_t type, uint32_t id, uint32_t word)
{
    const uint8_t bytes[4] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8),
                              (uint8_t)word};
    send_frame(type, 0, id, span_of(bytes, 4));
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t len = strlen(text);
    *at++ = (uint8_t)len;
    memcpy(at, text, len);
    return at + len;
}

static uint8_t *put_field(uint8_t *at, const char *name, const char *value)
{
    *at++ = 0;
    return put_text(put_text(at, name), value);
}

/* method: 2 GET, 3 POST; else HEAD. field: "name" and value, or NULL. */
static void ask(uint32_t id, const char *method, const char *path, bool last, const char *name,
                const char *value)
{
    uint8_t block[512];
    uint8_t *at = block;
    at = put_field(at, ":method", method);
    at = put_field(at, ":scheme", "http");
    at = put_field(at, ":authority", "a.example");
    at = put_field(at, ":path", path);
    if (name != NULL) {
        at = put_field(at, name, value);
    }
    send_frame(HEADERS, last ? WHOLE : END_HEADERS, id, span_of(block, (size_t)(at - block)));
}

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void take_data(struct stream *stream, const uint8_t *at, size_t len)
{
    stream->bytes = __real_realloc(stream->bytes, stream->len + len + 1);
    memcpy(stream->bytes + stream->len, at, len);
    stream->len += len;
    stream->bytes[stream->len] = 0;
    octets += len;
    stream->first_octet = octets;
}

static void take_frame(const uint8_t *at, size_t len)
{
    uint32_t id = word_at(at + 5) & 0x7fffffff;
    uint8_t type = at[3];
    uint8_t flags = at[4];
    assert_true(id < streams_max);
    struct stream *stream = &streams[id];
    if (type == DATA) {
        take_data(stream, at + 9, len);
    } else if (type == HEADERS) {
        stream->heads++;
        assert_true(stream->head_len + len < sizeof(stream->head));
        memcpy(stream->head + stream->head_len, at + 9, len);
        stream->head_len += len;
    } else if (type == RST_STREAM) {
        stream->reset = (int)word_at(at + 9);
    } else if (type == WINDOW_UPDATE) {
        stream->window += word_at(at + 9);
    } else if (type == SETTINGS && (flags & 1) == 0) {
        send_frame(SETTINGS, 1, 0, (struct span){0});
    } else if (type == GOAWAY) {
        goaway = true;
    }
    stream->ended |= type <= HEADERS && (flags & END_STREAM) != 0;
}

/* Until nothing has come for a while. */
static void turn(void)
{
    int idle = 0;
    while (!ended && idle < 10) {
        fixture_turn(&fixture);
        ssize_t got = recv(client, input + input_len, sizeof(input) - input_len, MSG_DONTWAIT);
        idle = got < 0 && errno == EAGAIN ? idle + 1 : 0;
        ended = got == 0 || (got < 0 && errno != EAGAIN);
        input_len += got > 0 ? (size_t)got : 0;
        size_t from = 0;
        while (input_len - from >= 9) {
            const uint8_t *at = input + from;
            size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
            if (input_len - from < 9 + len) {
                break;
            }
            take_frame(at, len);
            from += 9 + len;
        }
        memmove(input, input + from, input_len - from);
        input_len -= from;
    }
}

/* … and until this is so; 10 seconds are never over. */
static void turn_until(const bool *what)
{
    for (int i = 0; i < 5000 && !*what; i++) {
        turn();
        usleep(*what ? 0 : 2000);
    }
    assert_true(*what);
}

static void turn_to_window(uint32_t id, int64_t window)
{
    for (int i = 0; i < 5000 && streams[id].window < window; i++) {
        turn();
        usleep(streams[id].window < window ? 2000 : 0);
    }
    assert_true(streams[id].window >= window);
}

static void setup_limits(const struct serve_limits *limits)
{
    far_reset();
    fixture_init_limits(&fixture, limits, false);
    fixture.pass = far_handle;
    memset(streams, 0, sizeof(streams));
    for (size_t i = 0; i < streams_max; i++) {
        streams[i].reset = -1;
        streams[i].window = 65535;
    }
    input_len = 0;
    octets = 0;
    ended = goaway = false;
    client = client_open(&fixture);
    client_send(&fixture, client, SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    send_frame(SETTINGS, 0, 0, (struct span){0});
    turn();
}

static void setup(void)
{
    struct serve_limits limits = fixture_limits();
    setup_limits(&limits);
}

static void teardown(void)
{
    close(client);
    fixture_fini(&fixture);
    for (size_t i = 0; i < far_count; i++) {
        assert_null(fars[i].exchange);
    }
    for (size_t i = 0; i < streams_max; i++) {
        free(streams[i].bytes);
    }
    far_reset();
}

static bool head_has(uint32_t id, const char *text)
{
    return memmem(streams[id].head, streams[id].head_len, text, strlen(text)) != NULL;
}

static void check_body(uint32_t id, const char *body)
{
    turn_until(&streams[id].ended);
    assert_int_equal(streams[id].reset, -1);
    assert_string_equal(streams[id].bytes != NULL ? (char *)streams[id].bytes : "", body);
}

static void test_answers(void **state)
{
    (void)state;
    setup();
    ask(1, "GET", "/echo", true, NULL, NULL);
    ask(3, "POST", "/count", false, NULL, NULL);
    send_frame(DATA, 0, 3, SPAN("abc"));
    send_frame(DATA, END_STREAM, 3, SPAN("defg"));
    ask(5, "POST", "/echo/length", false, "content-length", "5");
    send_frame(DATA, END_STREAM, 5, SPAN("hello"));
    ask(7, "HEAD", "/count", true, NULL, NULL);
    ask(9, "GET", "/nothing", true, NULL, NULL);
    ask(11, "GET", "/answer", true, NULL, NULL);
    ask(13, "POST", "/count/take", false, NULL, NULL);
    send_frame(DATA, END_STREAM, 13, SPAN("one at a time"));
    ask(15, "POST", "/count/refuse", false, NULL, NULL);
    send_frame(DATA, END_STREAM, 15, SPAN("again"));
    turn();
    check_body(1, "");
    assert_true(head_has(1, "x-far\x03yes"));
    assert_true(head_has(1, "location\x06/there"));
    assert_false(head_has(1, "999"));
    check_body(3, "7");
    check_body(5, "hello");
    check_body(7, "");
    check_body(9, "");
    check_body(11, "bad");
    check_body(13, "13");
    check_body(15, "5");
    assert_int_equal(fars[6].calls, 13);
    assert_false(goaway);
    teardown();
}

static void test_interim_answers_and_trailers(void **state)
{
    (void)state;
    setup();
    ask(1, "POST", "/count/continue/inform", false, "expect", "100-continue");
    turn();
    assert_int_equal(streams[1].heads, 2);
    assert_true(head_has(1, "100") && head_has(1, "103") && head_has(1, "link"));
    uint8_t block[128];
    uint8_t *at = put_field(put_field(block, "x-check", "1"), "host", "evil");
    send_frame(DATA, 0, 1, SPAN("ab"));
    send_frame(HEADERS, WHOLE, 1, span_of(block, (size_t)(at - block)));
    turn();
    check_body(1, "2");
    assert_string_equal(fars[0].trailer, "x-check=1");
    assert_int_equal(fars[0].trailer_count, 1);
    ask(3, "GET", "/echo/trailers", true, NULL, NULL);
    turn();
    check_body(3, "");
    assert_int_equal(streams[3].heads, 2);
    assert_true(head_has(3, "x-sum\x02"
                            "42"));
    teardown();
}

/* A far side that takes nothing: its stream stands still, others go on. */
static void test_one_stands_still(void **state)
{
    (void)state;
    static uint8_t block[16384];
    setup();
    ask(1, "POST", "/late/count", false, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        send_frame(DATA, 0, 1, span_of(block, sizeof(block)));
    }
    send_frame(DATA, 0, 1, span_of(block, sizeof(block) - 1));
    turn();
    assert_int_equal(streams[1].window, 65535); /* all of it is used, and nothing granted */
    assert_int_equal(fars[0].content_len, 0);
    ask(3, "POST", "/count", false, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        send_frame(DATA, 0, 3, span_of(block, sizeof(block)));
        turn_to_window(3, (i + 2) * (int64_t)sizeof(block));
    }
    send_frame(DATA, END_STREAM, 3, (struct span){0});
    turn();
    check_body(3, "1638400");
    exchange_resume(fars[0].exchange);
    turn_to_window(1, 65536);
    assert_int_equal(fars[0].content_len, 65535);
    send_frame(DATA, END_STREAM, 1, SPAN("."));
    turn();
    check_body(1, "65536");
    teardown();
}

/* More than the window is an error of the client's, and bounded for that. */
static void test_beyond_the_window(void **state)
{
    (void)state;
    static uint8_t block[16384];
    setup();
    ask(1, "POST", "/late/count", false, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        send_frame(DATA, 0, 1, span_of(block, sizeof(block)));
    }
    turn_until(&fars[0].gone);
    turn();
    assert_true(streams[1].reset >= 0 || goaway);
    teardown();
}

static void test_early_answer_opens_the_window(void **state)
{
    (void)state;
    static uint8_t block[16384];
    setup();
    ask(1, "POST", "/early/length", false, NULL, NULL);
    turn_to_window(1, INT32_MAX);
    for (int i = 0; i < 20; i++) {
        send_frame(DATA, i == 19 ? END_STREAM : 0, 1, span_of(block, sizeof(block)));
    }
    turn();
    check_body(1, "early");
    assert_int_equal(fars[0].content_len, 0);
    assert_int_equal(fixture.counters.bodies_drained, 1);
    teardown();
}

static void test_abort_and_reset(void **state)
{
    (void)state;
    setup();
    ask(1, "GET", "/abort", true, NULL, NULL);
    ask(3, "GET", "/silent", true, NULL, NULL);
    ask(5, "GET", "/silent", true, NULL, NULL);
    turn();
    assert_int_equal(streams[1].reset, INTERNAL_ERROR);
    assert_false(streams[1].ended);
    send_word(RST_STREAM, 3, CANCEL);
    turn_until(&fars[1].gone);
    assert_false(fars[2].gone);
    shutdown(client, SHUT_WR);
    turn_until(&fars[2].gone);
    teardown();
}

static void test_wrong_length(void **state)
{
    (void)state;
    setup();
    ask(1, "POST", "/count", false, "content-length", "5");
    send_frame(DATA, END_STREAM, 1, SPAN("abc"));
    turn_until(&fars[0].gone);
    turn();
    assert_int_equal(streams[1].reset, 1);
    teardown();
}

/* Many at once share the line: none waits for another's end. */
static void test_many_are_fair(void **state)
{
    (void)state;
    enum { many = 8 };
    setup();
    for (uint32_t i = 0; i < many; i++) {
        ask(1 + 2 * i, "GET", "/large/length", true, NULL, NULL);
        send_word(WINDOW_UPDATE, 1 + 2 * i, 1 << 30);
    }
    send_word(WINDOW_UPDATE, 0, 1 << 30);
    turn();
    uint64_t first_end = UINT64_MAX;
    for (uint32_t i = 0; i < many; i++) {
        struct stream *stream = &streams[1 + 2 * i];
        turn_until(&stream->ended);
        assert_int_equal(stream->len, far_large_bytes);
        for (size_t at = 0; at < stream->len; at++) {
            assert_true(stream->bytes[at] == far_large_octet(at));
        }
        first_end = stream->first_octet < first_end ? stream->first_octet : first_end;
    }
    assert_true(first_end > octets * 3 / 4);
    teardown();
}

/* A client that grants no window: the far side is stopped, and others are served. */
static void test_no_window(void **state)
{
    (void)state;
    setup();
    ask(1, "GET", "/large", true, NULL, NULL);
    send_word(WINDOW_UPDATE, 0, 1 << 20);
    turn();
    assert_int_equal(streams[1].len, 65535);
    assert_true(fars[0].large_left > far_large_bytes - 65535 - 2 * 32768);
    ask(3, "GET", "/count", true, NULL, NULL);
    turn();
    check_body(3, "0");
    send_word(WINDOW_UPDATE, 1, 100000);
    turn();
    assert_int_equal(streams[1].len, 165535);
    send_word(RST_STREAM, 1, CANCEL);
    turn_until(&fars[0].gone);
    teardown();
}

static void test_slow_client_is_the_clients_fault(void **state)
{
    (void)state;
    struct serve_limits limits = fixture_limits();
    limits.linger_idle_ms = 60;
    limits.write_timeout_ms = 60;
    setup_limits(&limits);
    ask(1, "POST", "/count", false, NULL, NULL);
    ask(3, "GET", "/large", true, NULL, NULL);
    ask(5, "GET", "/silent", true, NULL, NULL);
    ask(7, "POST", "/late/count", false, NULL, NULL);
    for (int i = 0; i < 400 && !(fars[0].gone && fars[1].gone); i++) {
        fixture_turn_ms(&fixture, 5);
    }
    turn();
    assert_true(fars[0].gone);
    assert_true(fars[1].gone);
    assert_int_equal(streams[1].reset, CANCEL);
    assert_int_equal(streams[3].reset, CANCEL);
    assert_false(fars[2].gone); /* it is the far side that is slow */
    assert_false(fars[3].gone);
    teardown();
}

static void test_drain_waits(void **state)
{
    (void)state;
    setup();
    ask(1, "POST", "/late/count", false, NULL, NULL);
    turn();
    server_drain(fixture.server, fixture_on_empty);
    for (int i = 0; i < 300 && !goaway; i++) {
        fixture_turn_ms(&fixture, 5);
        turn();
    }
    assert_true(goaway);
    assert_int_equal(fixture.emptied, 0);
    exchange_resume(fars[0].exchange);
    send_frame(DATA, END_STREAM, 1, SPAN("12345"));
    turn();
    check_body(1, "5");
    close(client);
    client = -1;
    for (int i = 0; i < 400 && fixture.emptied == 0; i++) {
        fixture_turn_ms(&fixture, 5);
    }
    assert_int_equal(fixture.emptied, 1);
    teardown();
}

static void test_server_ends_under_way(void **state)
{
    (void)state;
    setup();
    ask(1, "GET", "/silent", true, NULL, NULL);
    ask(3, "GET", "/large", true, NULL, NULL);
    turn();
    server_free(&fixture.server);
    assert_true(fars[0].gone && fars[1].gone);
    teardown();
}

static void test_pieces(void **state)
{
    for (piece = 1; piece < 12; piece += 5) {
        test_answers(state);
        test_interim_answers_and_trailers(state);
    }
    piece = 0;
}

/* Whatever allocation fails, each exchange ends, and what looks whole is. */
static void test_no_memory(void **state)
{
    (void)state;
    unsigned whole = 0;
    for (unsigned number = 1; number < 200 && whole < 3; number++) {
        setup();
        uint8_t block[128];
        uint8_t *at = put_field(block, "x-check", "1");
        send_word(WINDOW_UPDATE, 0, 1 << 20);
        far_fails = number;
        ask(1, "POST", "/late/count/trailers/continue", false, "expect", "100-continue");
        send_frame(DATA, 0, 1, SPAN("ab"));
        send_frame(HEADERS, WHOLE, 1, span_of(block, (size_t)(at - block)));
        ask(3, "GET", "/large", true, NULL, NULL);
        ask(5, "GET", "/answer", true, NULL, NULL);
        for (int i = 0; i < 5000 && far_count < 3 && far_fails > 0; i++) {
            turn();
            usleep(far_count < 3 ? 1000 : 0);
        }
        turn();
        for (size_t i = 0; i < far_count; i++) {
            if (fars[i].exchange != NULL && strstr(fars[i].path, "/late") != NULL) {
                exchange_resume(fars[i].exchange);
            }
        }
        turn();
        bool failed = far_fails == 0;
        far_fails = 0;
        bool complete = !failed || streams[1].ended;
        if (!failed) {
            check_body(1, "2");
            check_body(5, "bad");
            assert_string_equal(fars[0].trailer, "x-check=1");
        } else if (streams[1].ended && streams[1].len > 0) {
            assert_string_equal((char *)streams[1].bytes, "2");
        }
        whole += complete && !failed;
        teardown();
    }
    assert_int_equal(whole, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_interim_answers_and_trailers),
        cmocka_unit_test(test_one_stands_still),
        cmocka_unit_test(test_beyond_the_window),
        cmocka_unit_test(test_early_answer_opens_the_window),
        cmocka_unit_test(test_abort_and_reset),
        cmocka_unit_test(test_wrong_length),
        cmocka_unit_test(test_many_are_fair),
        cmocka_unit_test(test_no_window),
        cmocka_unit_test(test_slow_client_is_the_clients_fault),
        cmocka_unit_test(test_drain_waits),
        cmocka_unit_test(test_server_ends_under_way),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
