/* SPDX-License-Identifier: MIT */
/* Responses: what nghttp2 points into until it sends is copied once, into one piece of
 * memory a stream. Rules about fields are those of h1/encode.h. */
#include "http/h2/internal.h"

#include "http/field.h"

#include <assert.h>

enum {
    line_max = 5 + response_fields_max, /* :status, date, location, content-type and -length */
    digits_max = 20,
    spare_bytes = 32768, /* of the account, for what nghttp2 needs to go on */
};

struct lines {
    nghttp2_nv nv[line_max];
    size_t count;
    uint8_t *at; /* where the next copy goes */
};

static inline void add_line(struct lines *lines, struct span name, struct span value)
{
    lines->nv[lines->count++] = (nghttp2_nv){
        .name = (uint8_t *)name.ptr,
        .value = (uint8_t *)value.ptr,
        .namelen = name.len,
        .valuelen = value.len,
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    };
}

static inline struct span copy(struct lines *lines, struct span octets)
{
    uint8_t *to = lines->at;
    if (octets.len > 0) {
        memcpy(to, octets.ptr, octets.len);
    }
    lines->at = to + octets.len;
    return span_of(to, octets.len);
}

static struct span copy_lower(struct lines *lines, struct span name)
{
    uint8_t *to = lines->at;
    for (size_t i = 0; i < name.len; i++) {
        to[i] = ascii_lower(name.ptr[i]);
    }
    lines->at = to + name.len;
    return span_of(to, name.len);
}

static struct span put_decimal(struct lines *lines, size_t number)
{
    uint8_t digits[digits_max];
    size_t from = sizeof(digits);
    do {
        digits[--from] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return copy(lines, span_of(digits + from, sizeof(digits) - from));
}

/* Whether the name is written from a place of its own, or belongs to the connection (RFC
 * 9113, 8.2.2). */
static bool is_reserved(struct span name)
{
    switch (name.len) {
    case 2:
        return span_eq_ci(name, SPAN("te"));
    case 4:
        return scan_is(name.ptr, "date", 4);
    case 7:
        return scan_is(name.ptr, "upgrade", 7);
    case 8:
        return scan_is(name.ptr, "location", 8);
    case 10:
        return scan_is(name.ptr, "connection", 10) || scan_is(name.ptr, "keep-alive", 10);
    case 14:
        return scan_is(name.ptr, "content-length", 14);
    case 16:
        return scan_is(name.ptr, "proxy-connection", 16);
    case 17:
        return scan_is(name.ptr, "transfer-encoding", 17);
    default:
        return false;
    }
}

static bool field_usable(const struct field *field)
{
    return field_name_valid(field->name) && !is_reserved(field->name) &&
           field_value_valid(field->value);
}

/* RFC 9110, 15. */
static bool has_content(uint16_t status)
{
    return status != 204 && status != 205 && status != 304;
}

static void add_content_lines(struct lines *lines, const struct response *response)
{
    if (has_content(response->status)) {
        if (response->content_type.len > 0 && field_value_valid(response->content_type)) {
            add_line(lines, SPAN("content-type"), copy(lines, response->content_type));
        }
        add_line(lines, SPAN("content-length"), put_decimal(lines, response->body.len));
    } else if (response->status == 205) {
        add_line(lines, SPAN("content-length"), SPAN("0"));
    }
}

static void add_lines(struct lines *lines, const struct response *response, const uint8_t *date)
{
    add_line(lines, SPAN(":status"), put_decimal(lines, response->status));
    if (date != NULL) {
        add_line(lines, SPAN("date"), span_of(date, date_bytes));
    }
    if (response->location.len > 0) {
        add_line(lines, SPAN("location"), copy(lines, response->location));
    }
    for (size_t i = 0; i < response->field_count; i++) {
        const struct field *field = &response->fields[i];
        if (field_usable(field)) {
            struct span name = copy_lower(lines, field->name);
            add_line(lines, name, copy(lines, field->value));
        }
    }
    add_content_lines(lines, response);
}

static size_t text_bytes(const struct response *response)
{
    size_t bytes =
        2 * digits_max + response->location.len + response->content_type.len + response->body.len;
    for (size_t i = 0; i < response->field_count; i++) {
        bytes += response->fields[i].name.len + response->fields[i].value.len;
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

static struct h2_stream *new_stream(struct h2_session *session, const struct h2_head *head,
                                    bool last, size_t text_len)
{
    struct h2_stream *stream = h2_alloc(&session->account, sizeof(*stream) + text_len);
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
static int submit(struct h2_session *session, struct h2_stream *stream, const struct lines *lines)
{
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_body};
    int error = nghttp2_submit_response(session->wire, stream->id, lines->nv, lines->count,
                                        stream->body.len > 0 ? &provider : NULL);
    if (error == 0) {
        error = nghttp2_session_set_stream_user_data(session->wire, stream->id, stream);
    }
    h2_schedule(session, session->now_ms + session->engine->options.stall_ms);
    return error == 0 ? 0 : h2_fail(session, NGHTTP2_INTERNAL_ERROR);
}

static int send_response(struct h2_session *session, const struct response *response, bool last)
{
    const struct h2_head *head = session->head;
    struct h2_stream *stream = new_stream(session, head, last, text_bytes(response));
    if (stream == NULL) {
        return h2_reset_for_fault(session, head->stream_id, NGHTTP2_REFUSED_STREAM);
    }
    struct lines lines;
    lines.count = 0;
    lines.at = stream->text;
    add_lines(&lines, response, session->engine->options.date);
    if (head->request.method != METHOD_HEAD && has_content(response->status)) {
        stream->body = copy(&lines, response->body);
    }
    return submit(session, stream, &lines);
}

static void clear(struct response *response)
{
    response->status = 0;
    response->location = (struct span){0};
    response->content_type = (struct span){0};
    response->body = (struct span){0};
    response->close = false;
    response->field_count = 0;
}

int h2_answer(struct h2_session *session, uint16_t bad_status, bool last)
{
    struct h2_engine *engine = session->engine;
    struct response *response = &engine->response;
    struct h2_head *head = session->head;
    if (!h2_account_has(&session->account, spare_bytes)) {
        return h2_reset_for_fault(session, head->stream_id, NGHTTP2_REFUSED_STREAM);
    }
    clear(response);
    engine->counters.requests++;
    engine->answer(session->context, &head->request, bad_status, response);
    assert(response->status >= 200 && response->status <= 599);
    assert(response->body.len <= UINT32_MAX);
    if (response->close) {
        h2_shutdown(session, session->now_ms);
    }
    if (!scan_all_usual(response->location, 0x21)) {
        struct response broken = {.status = 500};
        return send_response(session, &broken, last);
    }
    return send_response(session, response, last);
}
