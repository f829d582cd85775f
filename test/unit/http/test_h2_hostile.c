/* SPDX-License-Identifier: MIT */
/* HTTP/2 under floods, and its uploads: what is bounded, counted, and when resets go. */
#include "h2_blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct span get = B(GET);
static const struct span post = B(POST);
static const struct span cancel = B("\0\0\0\x08");

/* One round of a flood. */
typedef void (*round_fn)(struct peer *peer, uint32_t round);

static void push(struct peer *peer, uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
    struct frame frame = {.type = type, .flags = flags, .id = id, .payload = payload};
    peer_push(peer, &frame);
}

static void rapid_reset(struct peer *peer, uint32_t round)
{
    push(peer, HEADERS, WHOLE, 2 * round + 1, get);
    push(peer, RST_STREAM, 0, 2 * round + 1, cancel);
}

static void provoked_reset(struct peer *peer, uint32_t round)
{
    push(peer, HEADERS, WHOLE, 2 * round + 1, (struct span)B(GET "\x82"));
}

static void provoked_by_length(struct peer *peer, uint32_t round)
{
    push(peer, HEADERS, END_HEADERS, 2 * round + 1, (struct span)B(POST LENGTH("\1", "1")));
    push(peer, DATA, END_STREAM, 2 * round + 1, (struct span)B("ab"));
}

static void provoked_by_window(struct peer *peer, uint32_t round)
{
    push(peer, HEADERS, END_HEADERS, 2 * round + 1, post);
    push(peer, WINDOW_UPDATE, 0, 2 * round + 1, (struct span)B("\x7f\xff\xff\xff"));
}

/* Streams 1 to 199 stay open: their windows are closed. */
static void too_many_streams(struct peer *peer, uint32_t round)
{
    push(peer, HEADERS, WHOLE, 2 * round + 1, get);
}

static void pings(struct peer *peer, uint32_t round)
{
    push(peer, PING, 0, 0, (struct span)B("12345678"));
}

static void settings(struct peer *peer, uint32_t round)
{
    push(peer, SETTINGS, 0, 0, (struct span)B("\0\3\0\0\0\1"));
}

static void priorities(struct peer *peer, uint32_t round)
{
    push(peer, PRIORITY, 0, 2 * round + 1, (struct span)B("\0\0\0\0\x10"));
}

static void window_updates(struct peer *peer, uint32_t round)
{
    push(peer, WINDOW_UPDATE, 0, 0, (struct span)B("\0\0\0\1"));
}

static void unknown_frames(struct peer *peer, uint32_t round)
{
    push(peer, 0x42, 0, 0, (struct span){0});
}

static void empty_data(struct peer *peer, uint32_t round)
{
    if (round == 0) {
        push(peer, HEADERS, END_HEADERS, 1, post);
    }
    push(peer, DATA, 0, 1, (struct span){0});
}

static void padded_data(struct peer *peer, uint32_t round)
{
    static const uint8_t padding[201] = {200};
    if (round == 0) {
        push(peer, HEADERS, END_HEADERS, 1, post);
    }
    push(peer, DATA, PADDED, 1, span_of(padding, sizeof(padding)));
}

static void continuations(struct peer *peer, uint32_t round)
{
    push(peer, round == 0 ? HEADERS : CONTINUATION, round == 0 ? END_STREAM : 0, 1,
         (struct span){0});
}

static void long_block(struct peer *peer, uint32_t round)
{
    static uint8_t field[8000] = {0, 1, 'a', 127, 0xbb, 0x3d}; /* 7,994 octets of value */
    memset(field + 6, 'x', sizeof(field) - 6);
    push(peer, round == 0 ? HEADERS : CONTINUATION, round == 0 ? END_STREAM : 0, 1,
         span_of(field, sizeof(field)));
}

/* A field of 4,000 octets in the dynamic table, then references of one octet. */
static void bomb(struct peer *peer, uint32_t round)
{
    static uint8_t field[4006] = {0x40, 1, 'a', 127, 0xa1, 0x1e};
    static uint8_t references[1000];
    memset(field + 6, 'x', sizeof(field) - 6);
    memset(references, 0xbe, sizeof(references));
    struct span payload =
        round == 0 ? span_of(field, sizeof(field)) : span_of(references, sizeof(references));
    push(peer, round == 0 ? HEADERS : CONTINUATION, round == 0 ? END_STREAM : 0, 1, payload);
}

struct flood {
    const char *name;
    round_fn round;
    uint32_t rounds_max; /* GOAWAY must have come by then */
    bool unread;         /* the client never reads */
};

static const struct flood floods[] = {
    {"rapid reset", rapid_reset, 1000, false},
    {"rapid reset, unread", rapid_reset, 1000, true},
    {"provoked resets", provoked_reset, 1000, false},
    {"provoked resets, unread", provoked_reset, 1000, true},
    {"resets provoked by a length", provoked_by_length, 1000, true},
    {"resets provoked by a window", provoked_by_window, 1000, false},
    {"more streams than allowed", too_many_streams, 1100, true},
    {"PING", pings, 1010, false},
    {"PING, unread", pings, 1010, true},
    {"SETTINGS", settings, 1010, false},
    {"SETTINGS, unread", settings, 1010, true},
    {"PRIORITY", priorities, 1010, false},
    {"WINDOW_UPDATE", window_updates, 1010, false},
    {"unknown frames", unknown_frames, 1010, false},
    {"empty DATA", empty_data, 1010, false},
    {"DATA of padding", padded_data, 1010, false},
    {"CONTINUATION", continuations, 18, false},
    {"a long header block", long_block, 6, false},
    {"HPACK bomb", bomb, 2, false},
};

static void test_floods(void **state)
{
    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        const struct flood *flood = &floods[i];
        struct peer *peer = malloc(sizeof(*peer));
        peer_init(peer, NULL);
        peer_hello(peer);
        for (uint32_t round = 0; round < flood->rounds_max; round++) {
            flood->round(peer, round);
            if (!flood->unread) {
                peer_pull(peer);
            }
        }
        peer_pull(peer);
        if (peer_goaway(peer) < PROTOCOL_ERROR || !h2_ended(peer->session)) {
            fail_msg("%s: goaway %d", flood->name, peer_goaway(peer));
        }
        assert_int_equal(h2_engine_counters(peer->engine)->goaways_sent, 1);
        peer_fini(peer);
        free(peer);
    }
}

/* An honest client does as much, in more time. */
static void test_no_flood(void **state)
{
    struct peer *peer = malloc(sizeof(*peer));
    peer_init(peer, NULL);
    peer_hello(peer);
    for (uint32_t round = 0; round < 1500; round++) {
        peer->sent_count = 0;
        peer->output_len = peer->parsed = 0;
        peer_frame(peer, HEADERS, WHOLE, 2 * round + 1, get);
        assert_int_equal(peer_status(peer, 2 * round + 1), 307);
        peer_frame(peer, WINDOW_UPDATE, 0, 0, (struct span)B("\0\0\0\1"));
        peer_frame(peer, WINDOW_UPDATE, 0, 2 * round + 1, (struct span)B("\0\0\0\1"));
        push(peer, PING, 0, 0, (struct span)B("12345678"));
        peer_pull(peer);
        assert_int_equal(peer_goaway(peer), -1);
    }
    for (uint32_t round = 1500; round < 3000; round++) {
        peer->now_ms += 50;
        peer->sent_count = 0;
        peer->output_len = peer->parsed = 0;
        rapid_reset(peer, round);
        peer_pull(peer);
        assert_int_equal(peer_goaway(peer), -1);
    }
    peer_fini(peer);
    free(peer);
}

/* 10 MB that arrive are discarded, and the window follows. */
static void test_upload(void **state)
{
    static const uint8_t chunk[16384];
    struct peer *peer = malloc(sizeof(*peer));
    struct h2_options options = {.stream_window_bytes = 65535, .window_bytes = 100000};
    peer_init(peer, &options);
    peer_hello(peer);
    peer_frame(peer, HEADERS, END_HEADERS, 1, post);
    assert_int_equal(peer_status(peer, 1), 307);
    assert_true(peer_ended(peer, 1));
    uint64_t window = 65535;
    size_t seen = peer->sent_count;
    for (int i = 0; i < 640; i++) {
        peer_frame(peer, DATA, i == 639 ? END_STREAM : 0, 1, span_of(chunk, sizeof(chunk)));
        window -= sizeof(chunk);
        for (; seen < peer->sent_count; seen++) {
            const struct frame *frame = &peer->sent[seen];
            window +=
                frame->type == WINDOW_UPDATE && frame->id == 1 ? word_at(frame->payload.ptr) : 0;
        }
        assert_true(window >= sizeof(chunk) && window <= 65535);
    }
    assert_int_equal(peer_reset(peer, 1), -1);
    assert_int_equal(h2_engine_counters(peer->engine)->bodies_drained, 1);
    assert_true(h2_idle(peer->session));
    peer_fini(peer);
    free(peer);
}

static void tick(struct peer *peer, uint64_t later_ms)
{
    peer->now_ms += later_ms;
    h2_tick(peer->session, peer->now_ms);
    peer_pull(peer);
}

static void test_late_reset(void **state)
{
    struct peer peer;
    const struct h2_counters *counters;
    peer_init(&peer, NULL);
    counters = h2_engine_counters(peer.engine);
    peer_hello(&peer);
    peer_frame(&peer, HEADERS, END_HEADERS, 1, post);
    tick(&peer, 1000);
    assert_int_equal(peer_reset(&peer, 1), -1); /* not flushed */
    h2_flushed(peer.session, peer.now_ms);
    assert_int_equal(h2_next_ms(peer.session), peer.now_ms + 200);
    tick(&peer, 199);
    assert_int_equal(peer_reset(&peer, 1), -1);
    peer_frame(&peer, DATA, 0, 1, (struct span)B("abc"));
    tick(&peer, 1);
    assert_int_equal(peer_reset(&peer, 1), NO_ERROR);
    assert_int_equal(counters->bodies_cut, 1);
    assert_int_equal(counters->resets_sent, 1);
    /* What was under way is no fault of the client's. */
    peer_frame(&peer, DATA, 0, 1, (struct span)B("abc"));
    peer_frame(&peer, HEADERS, WHOLE, 1, (struct span)B("\0\1a\1b"));
    peer_frame(&peer, HEADERS, END_HEADERS, 3, post);
    assert_int_equal(peer_status(&peer, 3), 307);
    h2_flushed(peer.session, peer.now_ms);
    tick(&peer, 200);
    assert_int_equal(peer_reset(&peer, 3), NO_ERROR);
    assert_int_equal(counters->bodies_not_sent, 1);
    assert_int_equal(peer_goaway(&peer), -1);
    peer_fini(&peer);
}

/* A reset that comes in the middle of the trailers. */
static void test_late_reset_in_trailers(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    peer_frame(&peer, HEADERS, END_HEADERS, 1, post);
    h2_flushed(peer.session, peer.now_ms);
    peer_frame(&peer, HEADERS, END_STREAM, 1, (struct span)B("\0\1a\1b"));
    assert_false(h2_idle(peer.session));
    tick(&peer, 200);
    assert_int_equal(peer_reset(&peer, 1), NO_ERROR);
    peer_frame(&peer, CONTINUATION, END_HEADERS, 1, (struct span)B("\0\1c\1d"));
    assert_true(h2_idle(peer.session));
    tick(&peer, 20000);
    peer_frame(&peer, HEADERS, WHOLE, 3, get);
    assert_int_equal(peer_status(&peer, 3), 307);
    assert_int_equal(peer_goaway(&peer), -1);
    peer_fini(&peer);
}

static void test_resets_of_uploads_are_forgiven(void **state)
{
    struct peer *peer = malloc(sizeof(*peer));
    peer_init(peer, NULL);
    peer_hello(peer);
    for (uint32_t i = 0; i < 1200; i++) {
        peer_frame(peer, HEADERS, END_HEADERS, 2 * i + 1, post);
        h2_flushed(peer->session, peer->now_ms);
        if (i % 2 == 0) {
            peer_frame(peer, RST_STREAM, 0, 2 * i + 1, cancel);
        } else {
            h2_tick(peer->session, peer->now_ms + 200);
            peer_pull(peer);
        }
    }
    assert_int_equal(peer_goaway(peer), -1);
    assert_int_equal(h2_engine_counters(peer->engine)->bodies_not_sent, 1200);
    peer_fini(peer);
    free(peer);
}

static void test_drain_bound(void **state)
{
    static const uint8_t chunk[16384];
    struct peer peer;
    struct h2_options options = {.drain_bytes = 100000, .late_reset_ms = 50000, .drain_ms = 700};
    peer_init(&peer, &options);
    peer_hello(&peer);
    peer_frame(&peer, HEADERS, END_HEADERS, 1, post);
    h2_flushed(peer.session, peer.now_ms);
    for (int i = 0; i < 6; i++) {
        peer_frame(&peer, DATA, 0, 1, span_of(chunk, sizeof(chunk)));
    }
    assert_int_equal(peer_reset(&peer, 1), -1);
    peer_frame(&peer, DATA, 0, 1, span_of(chunk, sizeof(chunk)));
    assert_int_equal(peer_reset(&peer, 1), NO_ERROR);
    peer_frame(&peer, HEADERS, END_HEADERS, 3, post);
    h2_flushed(peer.session, peer.now_ms);
    tick(&peer, 700);
    assert_int_equal(peer_reset(&peer, 3), NO_ERROR);
    peer_fini(&peer);
}

/* With a window of no size: a body waits, is sent as the window opens, or is cut. */
static void test_closed_window(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    peer.answer.body = SPAN("moved");
    peer_frame(&peer, SETTINGS, 0, 0, (struct span)B("\0\4\0\0\0\0"));
    peer_frame(&peer, HEADERS, WHOLE, 1, get);
    peer_frame(&peer, HEADERS, WHOLE, 3, get);
    peer.answer.body = SPAN("other"); /* the first one was copied */
    assert_int_equal(peer_status(&peer, 1), 307);
    assert_false(peer_ended(&peer, 1));
    peer_frame(&peer, WINDOW_UPDATE, 0, 1, (struct span)B("\0\0\0\2"));
    peer_frame(&peer, WINDOW_UPDATE, 0, 1, (struct span)B("\0\0\0\3"));
    assert_true(peer_ended(&peer, 1));
    assert_true(span_eq(peer_find(&peer, DATA, 1)->payload, SPAN("ved")));
    assert_true(h2_next_ms(peer.session) <= peer.now_ms + 10000);
    tick(&peer, 9999);
    assert_int_equal(peer_reset(&peer, 3), CANCEL);
    assert_true(h2_idle(peer.session));
    peer_fini(&peer);
}

/* Octets of a window that trickle in do not keep an answer alive. */
static void test_trickling_window(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    peer_hello(&peer);
    peer.answer.body = SPAN("moved to another place");
    peer_frame(&peer, SETTINGS, 0, 0, (struct span)B("\0\4\0\0\0\0"));
    peer_frame(&peer, HEADERS, WHOLE, 1, get);
    for (int i = 0; i < 10 && peer_reset(&peer, 1) == -1; i++) {
        peer_frame(&peer, WINDOW_UPDATE, 0, 1, (struct span)B("\0\0\0\1"));
        tick(&peer, 1000);
    }
    assert_int_equal(peer_reset(&peer, 1), CANCEL);
    peer_fini(&peer);
}

static void test_slow_head(void **state)
{
    struct peer peer;
    peer_init(&peer, NULL);
    assert_true(h2_next_ms(peer.session) <= peer.now_ms + 10000);
    tick(&peer, 10000);
    assert_int_equal(peer_goaway(&peer), ENHANCE_YOUR_CALM); /* no preface */
    peer_fini(&peer);
    peer_init(&peer, NULL);
    peer_hello(&peer);
    tick(&peer, 100000);
    assert_int_equal(peer_goaway(&peer), -1); /* idle is the caller's business */
    peer_frame(&peer, HEADERS, END_STREAM, 1, (struct span)B("\x82"));
    assert_true(h2_next_ms(peer.session) <= peer.now_ms + 10000);
    tick(&peer, 9999);
    assert_int_equal(peer_goaway(&peer), ENHANCE_YOUR_CALM);
    peer_fini(&peer);
}

/* Answers that nobody takes: streams are refused before the memory is spent. */
static void test_memory(void **state)
{
    static uint8_t body[20000];
    struct peer *peer = malloc(sizeof(*peer));
    peer_init(peer, NULL);
    peer_hello(peer);
    peer->answer.body = span_of(body, sizeof(body));
    peer_frame(peer, SETTINGS, 0, 0, (struct span)B("\0\4\0\0\0\0"));
    int answered = 0;
    for (uint32_t i = 0; i < 40; i++) {
        peer_frame(peer, HEADERS, WHOLE, 2 * i + 1, get);
        answered += peer_status(peer, 2 * i + 1) == 307;
    }
    assert_int_equal(peer_goaway(peer), -1);
    assert_int_equal(peer_status(peer, 1), 307);
    assert_int_equal(peer_reset(peer, 79), REFUSED_STREAM);
    assert_in_range(answered, 5, 13);
    peer_frame(peer, SETTINGS, 0, 0, (struct span)B("\0\4\0\1\0\0"));
    peer_frame(peer, WINDOW_UPDATE, 0, 0, (struct span)B("\0\x0f\0\0"));
    assert_true(peer_ended(peer, 1));
    peer_frame(peer, HEADERS, WHOLE, 101, get);
    assert_int_equal(peer_status(peer, 101), 307);
    peer_fini(peer);
    free(peer);
}

static void answer_simply(void *context, const struct request *request, uint16_t bad_status,
                          struct response *response)
{
    response->status = 307;
    response->body = SPAN("moved");
}

/* Each allocation fails in turn: the connection ends in order, or never begins. */
static void test_no_memory(void **state)
{
    static const struct frame frames[] = {
        {SETTINGS, 0, 0, {0}, 0},
        {HEADERS, WHOLE, 1, B(GET), 0},
        {HEADERS, END_HEADERS, 3, B(POST), 0},
        {PING, 0, 0, B("12345678"), 0},
        {RST_STREAM, 0, 3, B("\0\0\0\x08"), 0},
    };
    uint8_t bytes[256];
    uint8_t output[1024];
    int began = 0;
    int answered = 0;
    for (uint32_t max = 100; max < 80000; max += 61) {
        struct h2_options options = {.memory_bytes_max = max};
        struct h2_engine *engine = h2_engine_new(&options, answer_simply);
        struct h2_session *session = h2_new(engine, NULL, 0);
        for (size_t i = 0; session != NULL && i < sizeof(frames) / sizeof(frames[0]); i++) {
            struct buffer out = buffer_over(output, sizeof(output));
            h2_receive(session, i == 0 ? SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") : SPAN(""), 0);
            h2_receive(session, span_of(bytes, frame_put(&frames[i], bytes)), 0);
            assert_false(h2_send(session, &out));
        }
        began += session != NULL;
        answered += h2_engine_counters(engine)->requests == 2;
        h2_free(&session);
        h2_engine_free(&engine);
    }
    assert_in_range(began, 100, 1300);
    assert_in_range(answered, 100, began - 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_no_flood),
        cmocka_unit_test(test_upload),
        cmocka_unit_test(test_late_reset),
        cmocka_unit_test(test_late_reset_in_trailers),
        cmocka_unit_test(test_resets_of_uploads_are_forgiven),
        cmocka_unit_test(test_drain_bound),
        cmocka_unit_test(test_closed_window),
        cmocka_unit_test(test_trickling_window),
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
