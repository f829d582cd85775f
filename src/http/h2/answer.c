/* SPDX-License-Identifier: MIT */
/* Responses. Their header blocks are encoded here, by literals that no table of HPACK has to
 * know: nghttp2 is given ":status: 200" alone, which it encodes in one octet without
 * touching its table, and when that frame comes out its payload is exchanged (h2_frame).
 * Frames, states, windows and their order remain its business. doc/internals/http2.md has
 * the figures. Rules about fields are those of h1/encode.h. */
#include "http/h2/flow.h"

#include "http/field.h"
#include "http/h2/hpack.h"
#include "http/hop.h"
#include "http/status.h"

#include <assert.h>

enum { spare_bytes = 16384 }; /* of the account, beside a head: nghttp2 goes on with these */

const nghttp2_nv h2_stand_in = {
    .name = (uint8_t *)":status",
    .value = (uint8_t *)"200",
    .namelen = 7,
    .valuelen = 3,
    .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
};

bool h2_is_connections(struct span name)
{
    return (name.len == 14 && scan_is(name.ptr, "content-length", 14)) || hop_always(name);
}

/* Date and Location, too, have a place of their own in a response. */
static bool is_reserved(struct span name)
{
    switch (name.len) {
    case 4:
        return scan_is(name.ptr, "date", 4);
    case 8:
        return scan_is(name.ptr, "location", 8);
    default:
        return h2_is_connections(name);
    }
}

static bool field_usable(const struct field *field)
{
    return token_valid(field->name) && !is_reserved(field->name) && field_value_valid(field->value);
}

/* The names of usual fields that the static table holds. */
static enum hpack_name find_name(struct span name)
{
    switch (name.len) {
    case 4:
        return scan_is(name.ptr, "vary", 4) ? HPACK_VARY : HPACK_LITERAL;
    case 11:
        return scan_is(name.ptr, "retry-after", 11) ? HPACK_RETRY_AFTER : HPACK_LITERAL;
    case 13:
        return scan_is(name.ptr, "cache-control", 13) ? HPACK_CACHE_CONTROL : HPACK_LITERAL;
    case 27:
        return span_eq_ci(name, SPAN("access-control-allow-origin")) ? HPACK_ALLOW_ORIGIN
                                                                     : HPACK_LITERAL;
    default:
        return HPACK_LITERAL;
    }
}

static uint8_t *put_field(uint8_t *at, const struct field *field)
{
    if (!field_usable(field)) {
        return at;
    }
    enum hpack_name name = find_name(field->name);
    return name != HPACK_LITERAL ? hpack_line(at, name, field->value)
                                 : hpack_named_line(at, field->name, field->value);
}

static uint8_t *put_content(uint8_t *at, const struct response *response)
{
    if (status_has_content(response->status)) {
        if (response->content_type.len > 0 && field_value_valid(response->content_type)) {
            at = hpack_line(at, HPACK_CONTENT_TYPE, response->content_type);
        }
        return hpack_decimal_line(at, HPACK_CONTENT_LENGTH, response->body.len);
    }
    return response->status == 205 ? hpack_decimal_line(at, HPACK_CONTENT_LENGTH, 0) : at;
}

static uint8_t *put_block(uint8_t *at, const struct response *response, const uint8_t *date)
{
    at = hpack_decimal_line(at, HPACK_STATUS, response->status);
    if (date != NULL) {
        at = hpack_line(at, HPACK_DATE, span_of(date, date_bytes));
    }
    if (response->location.len > 0) {
        at = hpack_line(at, HPACK_LOCATION, response->location);
    }
    for (size_t i = 0; i < response->field_count; i++) {
        at = put_field(at, &response->fields[i]);
    }
    return put_content(at, response);
}

static size_t block_bytes(const struct response *response)
{
    size_t bytes = 2 * hpack_line_max(0, hpack_digits_max) + hpack_line_max(0, date_bytes) +
                   hpack_line_max(0, response->location.len) +
                   hpack_line_max(0, response->content_type.len);
    for (size_t i = 0; i < response->field_count; i++) {
        const struct field *field = &response->fields[i];
        bytes += hpack_line_max(field->name.len, field->value.len);
    }
    return bytes;
}

/* nghttp2 asks for the next piece of a body when there is window for it. */
static ssize_t read_body(nghttp2_session *wire, int32_t stream_id, uint8_t *out, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    const struct h2_session *session = user_data;
    struct h2_stream *stream = source->ptr;
    size_t left = stream->body.len - stream->body_sent;
    size_t len = left < room ? left : room;
    memcpy(out, stream->body.ptr + stream->body_sent, len);
    stream->body_sent += (uint32_t)len;
    if (len == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    h2_note_progress(session, stream, len);
    return (ssize_t)len;
}

struct h2_stream *h2_new_stream(struct h2_session *session, const struct h2_head *head, bool last,
                                size_t text_len)
{
    size_t size = sizeof(struct h2_stream) + text_len;
    struct h2_stream *stream = h2_account_has(&session->account, size + spare_bytes)
                                   ? h2_alloc(&session->account, size)
                                   : NULL;
    if (stream == NULL) {
        return NULL;
    }
    *stream = (struct h2_stream){
        .next = session->streams,
        .id = head->stream_id,
        .body_open = !last,
        .has_length = head->lengths == 1,
        .length = head->request.content_length,
        .began_ms = session->now_ms,
        .moved_ms = session->now_ms,
    };
    if (session->streams != NULL) {
        session->streams->prev = stream;
    }
    session->streams = stream;
    session->open_bodies += !last;
    return stream;
}

/* nghttp2 has no memory, or the client has reset the stream: the end of the connection. */
static int submit(struct h2_session *session, struct h2_stream *stream)
{
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_body};
    h2_open_window(session, stream);
    int error = nghttp2_submit_response(session->wire, stream->id, &h2_stand_in, 1,
                                        stream->body.len > 0 ? &provider : NULL);
    if (error == 0) {
        error = nghttp2_session_set_stream_user_data(session->wire, stream->id, stream);
    }
    h2_schedule(session, session->now_ms + session->engine->options.stall_ms);
    return error == 0 ? 0 : h2_fail(session, h2_fault_of(error));
}

static int send_response(struct h2_session *session, const struct response *response, size_t bytes,
                         bool last)
{
    const struct h2_head *head = session->head;
    bool has_body = head->request.method != METHOD_HEAD && status_has_content(response->status);
    struct span body = has_body ? response->body : (struct span){0};
    struct h2_stream *stream = h2_new_stream(session, head, last, h2_prefix_max + bytes + body.len);
    if (stream == NULL) {
        return h2_reset_for_fault(session, head->stream_id, NGHTTP2_REFUSED_STREAM);
    }
    uint8_t *begin = stream->text + h2_prefix_max;
    uint8_t *end = put_block(begin, response, session->engine->options.date);
    assert((size_t)(end - begin) <= bytes);
    stream->block = span_of(begin, (size_t)(end - begin));
    stream->body = span_of(end, body.len);
    if (body.len > 0) {
        memcpy(end, body.ptr, body.len);
    }
    return submit(session, stream);
}

struct span h2_frame(struct h2_stream *stream, struct span made)
{
    /* All but the last octet of nghttp2's block are changes of the table's size, which the
     * client waits for (RFC 7541, 4.2). */
    size_t updates = made.len - h2_frame_head_bytes - 1;
    if (stream->passing != NULL) {
        stream->block = h2_next_block(stream->passing);
    }
    size_t length = updates + stream->block.len;
    assert(made.ptr[made.len - 1] == (0x80 | HPACK_STATUS_200));
    assert(h2_frame_head_bytes + updates <= h2_prefix_max);
    uint8_t *at = (uint8_t *)stream->block.ptr - updates - h2_frame_head_bytes;
    memcpy(at, made.ptr, h2_frame_head_bytes + updates);
    at[0] = (uint8_t)(length >> 16);
    at[1] = (uint8_t)(length >> 8);
    at[2] = (uint8_t)length;
    return span_of(at, h2_frame_head_bytes + length);
}

int h2_answer(struct h2_session *session, uint16_t bad_status, bool last)
{
    struct h2_engine *engine = session->engine;
    struct response *response = &engine->response;
    struct h2_head *head = session->head;
    if (!h2_account_has(&session->account, spare_bytes)) {
        return h2_reset_for_fault(session, head->stream_id, NGHTTP2_REFUSED_STREAM);
    }
    response_clear(response);
    engine->counters.requests++;
    session->head_ends = last;
    engine->answer(session->context, &head->request, bad_status, response);
    if (response->status == 0) {
        assert(h2_find_stream(session, head->stream_id) != NULL); /* h2_pass was called */
        return 0;
    }
    assert(response->status >= 200 && response->status <= 599);
    assert(response->body.len <= UINT32_MAX);
    if (response->close) {
        h2_shutdown(session, session->now_ms);
    }
    size_t bytes = block_bytes(response);
    if (!scan_all_usual(response->location, 0x21) || bytes > h2_sent_block_max) {
        static const struct response broken = {.status = 500};
        return send_response(session, &broken, block_bytes(&broken), last);
    }
    return send_response(session, response, bytes, last);
}
