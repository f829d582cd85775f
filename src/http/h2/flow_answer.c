/* SPDX-License-Identifier: MIT */
/* The answer of a stream that flows through. At most h2_answer_held_max of it waits, beside the
 * session's account. */
#include "http/h2/flow.h"

#include "http/status.h"

#include <assert.h>
#include <stdlib.h>

static void due(const struct h2_stream *stream)
{
    const struct h2_passing *passing = stream->passing;
    if (passing->owner != NULL) {
        passing->session->engine->flow->due(passing->owner);
    }
}

static void fail(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    passing->content_over = true;
    if (!stream->reset) {
        stream->reset = true;
        h2_reset_stream(passing->session, stream->id, NGHTTP2_INTERNAL_ERROR);
    }
}

static ssize_t read_answer(nghttp2_session *wire, int32_t stream_id, uint8_t *out, size_t room,
                           uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    const struct h2_session *session = user_data;
    struct h2_stream *stream = source->ptr;
    struct h2_passing *passing = stream->passing;
    size_t left = passing->out_len - passing->out_sent;
    if (left == 0 && !passing->ended) {
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t len = left < room ? left : room;
    if (len > 0) {
        memcpy(out, passing->out + passing->out_sent, len);
    }
    passing->out_sent += len;
    h2_note_progress(session, stream, len);
    if (len < left) {
        return (ssize_t)len;
    }
    free(passing->out);
    passing->out = NULL;
    passing->out_len = passing->out_sent = 0;
    if (!passing->ended) {
        due(stream);
        return (ssize_t)len;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (passing->last != NULL && nghttp2_submit_trailer(wire, stream_id, &h2_stand_in, 1) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        h2_queue_block(passing, passing->last);
        passing->last = NULL;
    }
    return (ssize_t)len;
}

static void inform(struct h2_stream *stream, uint16_t status, const struct field *fields,
                   size_t count)
{
    struct h2_passing *passing = stream->passing;
    const struct h2_said said = {status, fields, count, H2_LENGTH_UNKNOWN};
    struct h2_block *block = stream->reset ? NULL : h2_make_block(passing->session, &said);
    if (block == NULL) {
        return; /* it is only for information */
    }
    h2_queue_block(passing, block);
    int error = nghttp2_submit_headers(passing->session->wire, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                       &h2_stand_in, 1, NULL);
    if (error < 0) {
        h2_fail(passing->session, h2_fault_of(error));
    }
}

void h2_stream_continue(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    if (passing->awaits_continue) {
        passing->awaits_continue = false;
        passing->came_ms = passing->session->now_ms;
        inform(stream, 100, NULL, 0);
    }
}

void h2_stream_inform(struct h2_stream *stream, uint16_t status, const struct field *fields,
                      size_t count)
{
    inform(stream, status, fields, count);
}

void h2_flow_submit(struct h2_stream *stream)
{
    struct h2_session *session = stream->passing->session;
    stream->passing->begun = false;
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_answer};
    int error = nghttp2_submit_response(session->wire, stream->id, &h2_stand_in, 1,
                                        stream->passing->mute ? NULL : &provider);
    if (error != 0) {
        h2_fail(session, h2_fault_of(error));
    }
}

void h2_stream_begin(struct h2_stream *stream, uint16_t status, const struct field *fields,
                     size_t count, uint64_t length)
{
    struct h2_passing *passing = stream->passing;
    bool says_length = length != H2_LENGTH_UNKNOWN && status != 204 && status != 101;
    const struct h2_said said = {status, fields, count, says_length ? length : H2_LENGTH_UNKNOWN};
    if (stream->reset) {
        return;
    }
    struct h2_block *block = status != 101 ? h2_make_block(passing->session, &said) : NULL;
    if (block == NULL) { /* RFC 9113, 8.6: HTTP/2 knows no 101 */
        fail(stream);
        return;
    }
    h2_queue_block(passing, block);
    passing->mute = passing->head || !status_has_content(status);
    passing->left = passing->mute ? 0 : length;
    /* Some clients look for no window any more when they have seen an answer: see
     * serve/http2.c. */
    if (status >= 300) {
        h2_open_window(passing->session, stream);
    }
    passing->begun = true; /* h2_stream_end may follow, which opens the window before it */
}

bool h2_stream_writable(const struct h2_stream *stream)
{
    const struct h2_passing *passing = stream->passing;
    return passing->out_len - passing->out_sent < h2_answer_held_max;
}

static bool grow_out(struct h2_passing *passing, size_t len)
{
    size_t left = passing->out_len - passing->out_sent;
    if (passing->out_sent > 0) {
        memmove(passing->out, passing->out + passing->out_sent, left);
        passing->out_len = left;
        passing->out_sent = 0;
    }
    if (passing->out == NULL || passing->out_cap < left + len) {
        uint8_t *grown = realloc(passing->out, left + len);
        if (grown == NULL) {
            return false;
        }
        passing->out = grown;
        passing->out_cap = left + len;
    }
    return true;
}

static void append(struct h2_stream *stream, struct span bytes)
{
    struct h2_passing *passing = stream->passing;
    struct h2_session *session = passing->session;
    if (passing->out_len == passing->out_sent) {
        stream->moved_ms = session->now_ms;
        h2_schedule(session, session->now_ms + session->engine->options.stall_ms);
    }
    if (!grow_out(passing, bytes.len)) {
        fail(stream);
        return;
    }
    memcpy(passing->out + passing->out_len, bytes.ptr, bytes.len);
    passing->out_len += bytes.len;
    nghttp2_session_resume_data(session->wire, stream->id); /* an error: it does not wait */
}

size_t h2_stream_write(struct h2_stream *stream, struct span bytes)
{
    struct h2_passing *passing = stream->passing;
    size_t waiting = passing->out_len - passing->out_sent;
    if (stream->reset || passing->mute) {
        return bytes.len;
    }
    size_t room = waiting < h2_answer_held_max ? h2_answer_held_max - waiting : 0;
    size_t len = bytes.len < room ? bytes.len : room;
    if (len > 0) {
        assert(passing->left >= len);
        passing->left -= passing->left != H2_LENGTH_UNKNOWN ? len : 0;
        append(stream, span_slice(bytes, 0, len));
    }
    return stream->reset ? bytes.len : len;
}

/* Whatever still comes of the content is nobody's. */
static void end_content(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    passing->content_over = true;
    passing->over = true;
    h2_flow_drop_content(stream);
    stream->began_ms = passing->session->now_ms;
    passing->drained_from = stream->received;
    h2_open_window(passing->session, stream);
}

void h2_stream_end(struct h2_stream *stream, const struct field *trailers, size_t count)
{
    struct h2_passing *passing = stream->passing;
    const struct h2_said said = {0, trailers, count, H2_LENGTH_UNKNOWN};
    end_content(stream);
    passing->ended = true;
    if (stream->reset) {
        return;
    }
    if (passing->left > 0 && passing->left != H2_LENGTH_UNKNOWN) {
        fail(stream);
        return;
    }
    passing->last = count > 0 && !passing->mute ? h2_make_block(passing->session, &said) : NULL;
    if (passing->begun) {
        h2_flow_submit(stream);
    } else {
        nghttp2_session_resume_data(passing->session->wire, stream->id);
    }
}

void h2_stream_answer(struct h2_stream *stream, const struct response *response)
{
    struct field fields[response_fields_max + 2];
    size_t count = 0;
    if (response->location.len > 0) {
        fields[count++] = (struct field){SPAN("location"), response->location};
    }
    if (response->content_type.len > 0 && status_has_content(response->status)) {
        fields[count++] = (struct field){SPAN("content-type"), response->content_type};
    }
    for (size_t i = 0; i < response->field_count; i++) {
        fields[count++] = response->fields[i];
    }
    bool has_content = status_has_content(response->status);
    h2_open_window(stream->passing->session, stream);
    h2_stream_begin(stream, response->status, fields, count,
                    has_content ? response->body.len : H2_LENGTH_UNKNOWN);
    if (!stream->reset && !stream->passing->mute) {
        stream->passing->left = 0;
        if (response->body.len > 0) {
            append(stream, response->body);
        }
    }
    h2_stream_end(stream, NULL, 0);
    if (response->close) {
        h2_shutdown(stream->passing->session, stream->passing->session->now_ms);
    }
}

void h2_stream_abort(struct h2_stream *stream)
{
    end_content(stream);
    fail(stream);
}

void h2_stream_disown(struct h2_stream *stream)
{
    stream->passing->owner = NULL;
}
