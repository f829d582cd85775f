/* SPDX-License-Identifier: MIT */
/* HTTP/2 connections. What is answered depends on the bytes alone, not on how they were
 * split; each request holds what HTTP/1.1 would have let through; what is sent is a sound
 * sequence of frames. The first octet chooses: 1 puts the preface in front, 2 closes the
 * window of streams, 4 lets time pass, and gives bodies. */
#include "http/field.h"
#include "http/h2/session.h"

#include <assert.h>
#include <stdlib.h>

enum { output_max = 4 << 20, streams_max = 100000 };

struct run {
    int requests;
    uint8_t choice;
    uint8_t *output;
    size_t len;
};

static void check_host(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        assert(c == ascii_lower(c) && c > ' ' && c < 0x7f);
        assert(strchr("@/\\?#\"<>,;%", c) == NULL);
    }
}

static void check_request(const struct request *request)
{
    assert(request->version_major == 2 && request->field_count <= request_fields_max);
    assert(request->path.len > 0 && (request->path.ptr[0] == '/' || request->path.len == 1));
    assert(request->path.len + request->query.len <= request_target_bytes_max);
    assert(request->host.len > 0 && request->method != METHOD_CONNECT);
    assert(request->body != BODY_LENGTH || request->content_length > 0);
    assert(!request->expect_continue || request->body != BODY_NONE);
    check_host(request->host);
    size_t total = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        const struct field *field = &request->fields[i];
        assert(field->name.len > 0 && field->name.ptr[0] != ':');
        assert(field_value_valid(field->value));
        assert(span_trim(field->value).len == field->value.len ||
               span_eq_ci(field->name, SPAN("cookie")));
        for (size_t k = 0; k < field->name.len; k++) {
            assert(field->name.ptr[k] == ascii_lower(field->name.ptr[k]));
        }
        total += field->name.len + field->value.len;
    }
    assert(total <= request_head_bytes_max);
}

static void answer(void *context, const struct request *request, uint16_t bad_status,
                   struct response *response)
{
    struct run *run = context;
    run->requests++;
    assert(response->status == 0 && response->field_count == 0);
    if (bad_status != 0) {
        assert(bad_status >= 400 && bad_status <= 505);
        response->status = bad_status;
        return;
    }
    check_request(request);
    response->status = 307;
    response->location = SPAN("https://b.example/");
    if ((run->choice & 4) != 0) {
        response->content_type = SPAN("text/plain");
        response->body = SPAN("moved to another place");
    }
}

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* RFC 9113, 5.1: HEADERS, then DATA, END_STREAM once, RST_STREAM last; GOAWAY at the end of
 * a connection. */
static void check_output(const struct run *run)
{
    enum { FRESH, ANSWERED, ENDED, RESET };
    uint8_t *states = calloc(streams_max, 1);
    bool gone = false;
    assert(states != NULL);
    for (size_t at = 0; at < run->len;) {
        const uint8_t *frame = run->output + at;
        assert(run->len - at >= 9);
        uint32_t length = word_at(frame) >> 8;
        uint32_t id = word_at(frame + 5);
        assert(length <= 16384 && run->len - at >= 9 + length && !gone);
        uint8_t *state = &states[id < streams_max ? id : 0];
        switch (frame[3]) {
        case 0:
            assert(id % 2 == 1 && (id >= streams_max || *state == ANSWERED));
            break;
        case 1:
            assert(id % 2 == 1 && (id >= streams_max || *state == FRESH) && frame[4] >= 4);
            *state = ANSWERED;
            break;
        case 3:
            assert(length == 4 && id > 0 && (id >= streams_max || *state != RESET));
            *state = RESET;
            break;
        case 4:
        case 6:
        case 8:
            assert(frame[3] == 8 || id == 0);
            break;
        case 7:
            gone = word_at(frame + 13) != 0;
            break;
        default:
            abort();
        }
        if (frame[3] <= 1 && (frame[4] & 1) != 0) {
            *state = ENDED;
        }
        at += 9 + length;
    }
    free(states);
}

static void receive_all(struct h2_session *session, struct span bytes, size_t step)
{
    for (size_t at = 0; at < bytes.len; at += step) {
        h2_receive(session, span_slice(bytes, at, at + step < bytes.len ? at + step : bytes.len),
                   1000);
    }
}

static void send_all(struct h2_session *session, struct run *run, size_t room)
{
    bool more = true;
    while (more) {
        assert(run->len < output_max);
        size_t left = output_max - run->len;
        struct buffer out = buffer_over(run->output + run->len, room < left ? room : left);
        more = h2_send(session, &out);
        assert(!out.full && (!more || out.len == out.cap));
        run->len += out.len;
    }
}

static void run_once(struct span bytes, size_t step, size_t room, struct run *run)
{
    struct h2_options options = {.memory_bytes_max = 1 << 20};
    struct h2_engine *engine = h2_engine_new(&options, answer);
    struct h2_session *session = h2_new(engine, run, 1000);
    assert(session != NULL);
    if ((run->choice & 1) != 0) {
        receive_all(session, SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), step);
        receive_all(session,
                    (run->choice & 2) != 0 ? SPAN("\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0")
                                           : SPAN("\0\0\0\4\0\0\0\0\0"),
                    step);
    }
    receive_all(session, bytes, step);
    send_all(session, run, room);
    h2_flushed(session, 1000);
    if ((run->choice & 4) != 0) {
        h2_tick(session, 100000);
        assert(h2_next_ms(session) > 100000);
        send_all(session, run, room);
    }
    if (h2_ended(session)) {
        size_t len = run->len;
        receive_all(session, bytes, step);
        send_all(session, run, room);
        assert(run->len == len);
    }
    assert((uint64_t)run->requests == h2_engine_counters(engine)->requests);
    h2_free(&session);
    h2_engine_free(&engine);
}

/* After the client's GOAWAY the connection is over as soon as no stream is open: whether
 * requests behind it are seen is a matter of when they come. */
static bool says_goaway(struct span bytes, size_t at)
{
    for (; bytes.len > at && bytes.len - at >= 9; at += 9 + (word_at(bytes.ptr + at) >> 8)) {
        if (bytes.ptr[at + 3] == 7) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t whole_output[output_max];
    static uint8_t split_output[output_max];
    if (size == 0) {
        return 0;
    }
    struct run whole = {.choice = data[0], .output = whole_output};
    struct run split = {.choice = data[0], .output = split_output};
    struct span bytes = span_of(data + 1, size - 1);
    run_once(bytes, 65536, 65536, &whole);
    run_once(bytes, 1 + data[0] / 8, 1 + data[0] / 4, &split);
    if (!says_goaway(bytes, (data[0] & 1) != 0 ? 0 : 24)) {
        assert(whole.requests == split.requests && whole.len == split.len);
        assert(memcmp(whole_output, split_output, whole.len) == 0);
    }
    check_output(&whole);
    check_output(&split);
    return 0;
}
