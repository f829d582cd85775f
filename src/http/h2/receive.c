/* SPDX-License-Identifier: MIT */
/* What nghttp2 tells of frames that arrived or were sent: header blocks become requests,
 * bodies are counted. */
#include "http/h2/flow.h"

#include <stdlib.h>

enum { noise_forgiven = 4 }; /* by each request: WINDOW_UPDATE for its answer, and the like */

static void forgive_noise(struct h2_session *session)
{
    uint32_t max = session->engine->options.noise_max;
    uint32_t left = session->noise.left + noise_forgiven;
    session->noise.left = left < max ? left : max;
}

static struct h2_head *take_head(struct h2_session *session)
{
    struct h2_engine *engine = session->engine;
    struct h2_head *head = engine->spare_head;
    if (!h2_account_has(&session->account, sizeof(*head))) {
        return NULL;
    }
    engine->spare_head = NULL;
    if (head == NULL) {
        head = malloc(sizeof(*head));
    }
    if (head != NULL) {
        session->account.used += sizeof(*head);
    }
    return head;
}

void h2_drop_head(struct h2_session *session)
{
    struct h2_engine *engine = session->engine;
    struct h2_head *head = session->head;
    session->head = NULL;
    session->account.used -= sizeof(*head);
    if (engine->spare_head == NULL) {
        engine->spare_head = head;
    } else {
        free(head);
    }
}

static int on_begin_headers(nghttp2_session *wire, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    if (session->head != NULL) {
        h2_drop_head(session);
    }
    session->head = take_head(session);
    if (session->head == NULL) {
        return h2_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    h2_head_begin(session->head, frame->hd.stream_id, frame->headers.cat != NGHTTP2_HCAT_REQUEST);
    session->waits_since_ms = session->now_ms;
    return 0;
}

static int on_header(nghttp2_session *wire, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    struct h2_session *session = user_data;
    if (session->head == NULL ||
        h2_head_add(session->head, span_of(name, name_len), span_of(value, value_len))) {
        return 0;
    }
    return h2_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* The client has ended a body. RFC 9113, 8.1.1: it is as long as was said. */
static int end_body(struct h2_session *session, struct h2_stream *stream)
{
    if (stream == NULL || !stream->body_open || stream->reset) {
        return 0;
    }
    if (stream->has_length && stream->received != stream->length) {
        stream->reset = true;
        return h2_reset_for_fault(session, stream->id, NGHTTP2_PROTOCOL_ERROR);
    }
    stream->body_open = false;
    session->open_bodies--;
    session->unflushed -= stream->state == STREAM_ANSWERED;
    if (h2_flows(stream)) {
        h2_flow_content_end(stream);
    } else {
        session->engine->counters.bodies_drained++;
    }
    return 0;
}

static int end_trailers(struct h2_session *session, enum h2_verdict verdict)
{
    struct h2_stream *stream = h2_find_stream(session, session->head->stream_id);
    if (verdict == HEAD_FINE) {
        if (stream != NULL && h2_flows(stream)) {
            h2_flow_trailers(stream, session->head);
        }
        return end_body(session, stream);
    }
    if (stream != NULL) {
        stream->reset = true;
    }
    return h2_reset_for_fault(session, session->head->stream_id, NGHTTP2_PROTOCOL_ERROR);
}

static int end_headers(struct h2_session *session, const nghttp2_frame *frame)
{
    bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    uint16_t status = 0;
    struct h2_head *head = session->head;
    if (head == NULL) {
        return 0;
    }
    enum h2_verdict verdict = h2_head_finish(head, last, &status);
    int result;
    if (head->trailers) {
        result = end_trailers(session, verdict);
    } else if (verdict == HEAD_MALFORMED) {
        result = h2_reset_for_fault(session, head->stream_id, NGHTTP2_PROTOCOL_ERROR);
    } else {
        forgive_noise(session);
        result = h2_answer(session, status, last);
    }
    h2_drop_head(session);
    return result;
}

/* Resets of an answer that was given already cost nothing that a request does not. */
static int receive_reset(struct h2_session *session, const nghttp2_frame *frame)
{
    const struct h2_stream *stream = h2_find_stream(session, frame->hd.stream_id);
    session->engine->counters.resets_received++;
    return stream != NULL && stream->state != STREAM_ANSWERING ? 0 : h2_count_reset(session);
}

static int on_frame_recv(nghttp2_session *wire, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return end_headers(session, frame);
    case NGHTTP2_DATA:
        return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0
                   ? end_body(session, h2_find_stream(session, frame->hd.stream_id))
                   : 0;
    case NGHTTP2_RST_STREAM:
        return receive_reset(session, frame);
    case NGHTTP2_SETTINGS:
        session->preface_seen = true;
        return 0;
    default:
        return 0;
    }
}

/* Window for as much again, of the connection and of the stream, if that is still there. */
static int grant(struct h2_session *session, int32_t stream_id, size_t len)
{
    int error = nghttp2_session_consume(session->wire, stream_id, len);
    return error == 0 ? 0 : h2_fail(session, h2_fault_of(error));
}

/* The stream's window is granted as its owner takes: see flow.c. */
static int pass_on(struct h2_session *session, struct h2_stream *stream, struct span bytes)
{
    int error = nghttp2_session_consume_connection(session->wire, bytes.len);
    h2_flow_content(stream, bytes);
    return error == 0 ? 0 : h2_fail(session, h2_fault_of(error));
}

static bool too_many(const struct h2_session *session, const struct h2_stream *stream)
{
    uint64_t before = stream->passing != NULL ? stream->passing->drained_from : 0;
    return stream->state == STREAM_FLUSHED &&
           stream->received - before > session->engine->options.drain_bytes;
}

static int on_data_chunk(nghttp2_session *wire, uint8_t flags, int32_t stream_id,
                         const uint8_t *data, size_t len, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = h2_find_stream(session, stream_id);
    if (stream == NULL || stream->reset) {
        return grant(session, stream_id, len);
    }
    stream->received += len;
    if (stream->has_length && stream->received > stream->length) {
        stream->reset = true;
        grant(session, stream_id, len);
        return h2_reset_for_fault(session, stream_id, NGHTTP2_PROTOCOL_ERROR);
    }
    if (h2_flows(stream)) {
        return pass_on(session, stream, span_of(data, len));
    }
    session->engine->counters.body_bytes += len;
    if (too_many(session, stream)) {
        h2_reset_late(session, stream);
    }
    return grant(session, stream_id, len);
}

/* nghttp2 resets the stream, or ends the connection, and tells it. */
static int on_invalid_frame(nghttp2_session *wire, const nghttp2_frame *frame, int error,
                            void *user_data)
{
    struct h2_session *session = user_data;
    if (frame->hd.stream_id > session->lenient_id) {
        session->lenient_id = frame->hd.stream_id;
    }
    return h2_count_reset(session);
}

static int on_stream_close(nghttp2_session *wire, int32_t stream_id, uint32_t code, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = h2_find_stream(session, stream_id);
    if (stream != NULL) {
        h2_close_stream(session, stream);
    }
    return 0;
}

static void note_answered(struct h2_session *session, struct h2_stream *stream, uint8_t flags)
{
    if (stream->body_open && (flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        stream->state = STREAM_ANSWERED;
        session->unflushed++;
    }
}

static int on_frame_send(nghttp2_session *wire, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_counters *counters = &session->engine->counters;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        session->leaving = h2_find_stream(session, frame->hd.stream_id);
        note_answered(session, session->leaving, frame->hd.flags);
        break;
    case NGHTTP2_DATA:
        if (session->open_bodies > 0) {
            note_answered(session, h2_find_stream(session, frame->hd.stream_id), frame->hd.flags);
        }
        break;
    case NGHTTP2_RST_STREAM:
        counters->resets_sent++;
        break;
    case NGHTTP2_GOAWAY:
        counters->goaways_sent += frame->goaway.error_code != NGHTTP2_NO_ERROR;
        break;
    default:
        break;
    }
    return 0;
}

void h2_set_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}
