/* SPDX-License-Identifier: MIT */
/* Streams whose content and answer flow through. What the owner does not take of the content
 * keeps the stream's window shut, so at most a window of it waits here; the connection's window
 * is granted at once, so that one stream does not stop the others. Of an answer at most
 * h2_answer_held_max waits. Both are beside the session's account. */
#include "http/h2/flow.h"

#include "http/field.h"
#include "http/h2/hpack.h"
#include "http/status.h"
#include "http/trailer.h"

#include <assert.h>
#include <stdlib.h>

enum {
    digits_max = 20,
    block_bytes_max = 16384 - h2_prefix_max, /* one frame (RFC 9113, 4.2) */
    /* The window of a stream whose owner has kept up so far. */
    wide_window_bytes = 262144,
    held_bytes_max = wide_window_bytes,
    least_bytes_s = 500, /* of content that is awaited */
};

/* nghttp2 is given this instead of every header block: see answer.c. */
static const nghttp2_nv stand_in = {
    .name = (uint8_t *)":status",
    .value = (uint8_t *)"200",
    .namelen = 7,
    .valuelen = 3,
    .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
};

void h2_engine_set_flow(struct h2_engine *engine, const struct h2_flow *flow)
{
    assert(engine->options.stream_window_bytes <= held_bytes_max);
    engine->flow = flow;
}

struct h2_stream *h2_pass(struct h2_session *session, void *owner)
{
    struct h2_passing *passing = calloc(1, sizeof(*passing));
    struct h2_stream *stream =
        passing != NULL ? h2_new_stream(session, session->head, session->head_ends, 0) : NULL;
    if (stream == NULL) {
        free(passing);
        return NULL;
    }
    *passing = (struct h2_passing){
        .session = session,
        .owner = owner,
        .head = session->head->request.method == METHOD_HEAD,
        .awaits_continue = session->head->request.expect_continue,
        .content_over = session->head->request.body == BODY_NONE,
        .came_ms = session->now_ms,
    };
    stream->passing = passing;
    /* In turn with others, not one after the other (RFC 9218, 4.2). */
    const nghttp2_extpri fair = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    nghttp2_session_change_extpri_stream_priority(session->wire, stream->id, &fair, 1);
    int error = nghttp2_session_set_stream_user_data(session->wire, stream->id, stream);
    assert(error == 0);
    return stream;
}

static void due(const struct h2_stream *stream)
{
    const struct h2_passing *passing = stream->passing;
    if (passing->owner != NULL) {
        passing->session->engine->flow->due(passing->owner);
    }
}

/* ---- header blocks */

static void drop_blocks(struct h2_block *block)
{
    while (block != NULL) {
        struct h2_block *next = block->next;
        free(block);
        block = next;
    }
}

struct span h2_next_block(struct h2_passing *passing)
{
    drop_blocks(passing->leaving);
    passing->leaving = passing->blocks;
    assert(passing->leaving != NULL);
    passing->blocks = passing->leaving->next;
    passing->leaving->next = NULL;
    return passing->leaving->block;
}

static void queue_block(struct h2_passing *passing, struct h2_block *block)
{
    struct h2_block **at = &passing->blocks;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = block;
}

/* RFC 9113, 8.2.2, and what is written from a place of its own. */
static bool is_connections(struct span name)
{
    switch (name.len) {
    case 2:
        return span_eq_ci(name, SPAN("te"));
    case 7:
        return scan_is(name.ptr, "upgrade", 7);
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

static uint8_t *put_decimal(uint8_t *at, enum hpack_name name, uint64_t number)
{
    uint8_t digits[digits_max];
    size_t from = sizeof(digits);
    do {
        digits[--from] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return hpack_line(at, name, span_of(digits + from, sizeof(digits) - from));
}

/* Gives whether one of them was Date. */
static bool put_fields(uint8_t **at, const struct field *fields, size_t count)
{
    bool dated = false;
    for (size_t i = 0; i < count; i++) {
        struct span name = fields[i].name;
        if (token_valid(name) && !is_connections(name) && field_value_valid(fields[i].value)) {
            *at = hpack_named_line(*at, name, span_trim(fields[i].value));
            dated |= name.len == 4 && scan_is(name.ptr, "date", 4);
        }
    }
    return dated;
}

/* NULL: no memory, or more than fits into a frame. status 0: of trailers. */
static struct h2_block *make_block(const struct h2_session *session, const struct h2_said *said)
{
    size_t bytes = 2 * hpack_line_max(0, digits_max) + hpack_line_max(0, date_bytes);
    for (size_t i = 0; i < said->count; i++) {
        bytes += hpack_line_max(said->fields[i].name.len, said->fields[i].value.len);
    }
    struct h2_block *block =
        bytes <= block_bytes_max ? malloc(sizeof(*block) + h2_prefix_max + bytes) : NULL;
    if (block == NULL) {
        return NULL;
    }
    uint8_t *begin = block->text + h2_prefix_max;
    uint8_t *at = begin;
    if (said->status > 0) {
        at = put_decimal(at, HPACK_STATUS, said->status);
    }
    bool dated = put_fields(&at, said->fields, said->count);
    if (!dated && said->status >= 200 && session->engine->options.date != NULL) {
        at = hpack_line(at, HPACK_DATE, span_of(session->engine->options.date, date_bytes));
    }
    if (said->length != H2_LENGTH_UNKNOWN) {
        at = put_decimal(at, HPACK_CONTENT_LENGTH, said->length);
    }
    assert((size_t)(at - begin) <= bytes);
    block->next = NULL;
    block->block = span_of(begin, (size_t)(at - begin));
    return block;
}

/* ---- content */

/* The client may send as much again. */
static void grant(const struct h2_stream *stream, size_t len)
{
    if (len > 0) {
        nghttp2_session_consume_stream(stream->passing->session->wire, stream->id, len);
    }
}

void h2_open_window(struct h2_session *session, struct h2_stream *stream)
{
    uint32_t bytes = session->engine->options.answered_window_bytes;
    bool fits =
        stream->has_length && stream->length <= session->engine->options.stream_window_bytes;
    if (bytes > 0 && stream->body_open && !stream->window_open && !fits) {
        stream->window_open = true;
        nghttp2_session_set_local_window_size(session->wire, NGHTTP2_FLAG_NONE, stream->id,
                                              (int32_t)bytes);
    }
}

/* Whoever keeps up gets content faster, over a long line. */
static void widen_window(const struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    const struct h2_options *options = &passing->session->engine->options;
    if (!passing->widened && stream->received >= options->stream_window_bytes / 2 &&
        options->stream_window_bytes < wide_window_bytes && !stream->window_open) {
        passing->widened = true;
        nghttp2_session_set_local_window_size(passing->session->wire, NGHTTP2_FLAG_NONE, stream->id,
                                              wide_window_bytes);
    }
}

static void drop_held(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    grant(stream, passing->held_len);
    free(passing->held);
    passing->held = NULL;
    passing->held_len = 0;
    passing->held_cap = 0;
}

/* Gives how many were taken. The owner may do anything from within the call but end the
 * session. */
static size_t give(struct h2_stream *stream, struct span bytes)
{
    struct h2_passing *passing = stream->passing;
    passing->resumed = false;
    size_t taken = passing->session->engine->flow->content(passing->owner, bytes);
    assert(taken <= bytes.len);
    passing->resumed |= taken == bytes.len;
    grant(stream, taken);
    return taken;
}

static void hold(struct h2_stream *stream, struct span bytes)
{
    struct h2_passing *passing = stream->passing;
    size_t len = passing->held_len + bytes.len;
    uint8_t *grown = passing->held;
    if (len > passing->held_cap) {
        size_t cap = (len + 4095) & ~(size_t)4095;
        grown = len <= held_bytes_max ? realloc(passing->held, cap) : NULL;
        passing->held_cap = grown != NULL ? cap : passing->held_cap;
    }
    if (grown == NULL) {
        /* The window was opened for an early answer, and the owner has fallen behind: it does
         * without the rest. */
        passing->content_over = true;
        drop_held(stream);
        grant(stream, bytes.len);
        return;
    }
    passing->held = grown;
    memcpy(grown + passing->held_len, bytes.ptr, bytes.len);
    passing->held_len = len;
}

static void note_came(const struct h2_stream *stream, size_t len)
{
    struct h2_passing *passing = stream->passing;
    const struct h2_session *session = passing->session;
    uint64_t least = (uint64_t)session->engine->options.content_idle_ms * least_bytes_s / 1000;
    passing->came_bytes += len;
    if (passing->came_bytes >= least) {
        passing->came_bytes = 0;
        passing->came_ms = session->now_ms;
    }
}

void h2_flow_content(struct h2_stream *stream, struct span bytes)
{
    struct h2_passing *passing = stream->passing;
    passing->awaits_continue = false;
    note_came(stream, bytes.len);
    if (passing->held_len == 0 && passing->resumed && !passing->content_over) {
        bytes = span_from(bytes, give(stream, bytes));
        if (bytes.len == 0) {
            widen_window(stream);
        }
    }
    if (passing->content_over) { /* as of that call */
        grant(stream, bytes.len);
    } else if (bytes.len > 0) {
        hold(stream, bytes);
    }
}

static void give_end(const struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    struct h2_trailers *trailers = passing->trailers;
    passing->content_over = true;
    passing->trailers = NULL;
    passing->session->engine->flow->content_end(passing->owner,
                                                trailers != NULL ? trailers->fields : NULL,
                                                trailers != NULL ? trailers->count : 0);
    free(trailers);
}

void h2_flow_content_end(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    passing->content_ended = true;
    if (passing->resumed && passing->held_len == 0 && !passing->content_over) {
        give_end(stream);
    }
}

static size_t trailer_bytes(const struct h2_head *head)
{
    size_t bytes = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        bytes += head->fields[i].name.len + head->fields[i].value.len;
    }
    return bytes;
}

static struct span copy(uint8_t **at, struct span from)
{
    struct span to = span_of(*at, from.len);
    if (from.len > 0) {
        memcpy(*at, from.ptr, from.len);
    }
    *at += from.len;
    return to;
}

void h2_flow_trailers(const struct h2_stream *stream, const struct h2_head *head)
{
    struct h2_passing *passing = stream->passing;
    if (passing->content_over || passing->trailers != NULL || head->field_count == 0) {
        return;
    }
    size_t table = head->field_count * sizeof(struct field);
    struct h2_trailers *trailers = malloc(sizeof(*trailers) + table + trailer_bytes(head));
    if (trailers == NULL) {
        return; /* they may be left out (RFC 9110, 6.5) */
    }
    uint8_t *at = (uint8_t *)(trailers->fields + head->field_count);
    trailers->count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        if (trailer_allowed(field->name)) {
            struct field *kept = &trailers->fields[trailers->count++];
            kept->name = copy(&at, field->name);
            kept->value = copy(&at, field->value);
        }
    }
    passing->trailers = trailers;
}

void h2_stream_resume(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    if (!passing->resumed) {
        passing->came_ms = passing->session->now_ms;
        passing->came_bytes = 0;
    }
    passing->resumed = true;
}

/* It is nobody's meanwhile, since the owner may end the stream within the call. */
static void give_held(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    uint8_t *bytes = passing->held;
    size_t len = passing->held_len;
    passing->held = NULL;
    passing->held_len = 0;
    size_t taken = give(stream, span_of(bytes, len));
    if (taken == len || passing->content_over) {
        grant(stream, len - taken);
        passing->held_cap = 0;
        free(bytes);
        return;
    }
    memmove(bytes, bytes + taken, len - taken);
    passing->held = bytes;
    passing->held_len = len - taken;
}

/* ---- the answer */

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
    if (passing->last != NULL && nghttp2_submit_trailer(wire, stream_id, &stand_in, 1) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        queue_block(passing, passing->last);
        passing->last = NULL;
    }
    return (ssize_t)len;
}

static void inform(struct h2_stream *stream, uint16_t status, const struct field *fields,
                   size_t count)
{
    struct h2_passing *passing = stream->passing;
    const struct h2_said said = {status, fields, count, H2_LENGTH_UNKNOWN};
    struct h2_block *block = stream->reset ? NULL : make_block(passing->session, &said);
    if (block == NULL) {
        return; /* it is only for information */
    }
    queue_block(passing, block);
    int error = nghttp2_submit_headers(passing->session->wire, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                       &stand_in, 1, NULL);
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

static void submit(struct h2_stream *stream)
{
    struct h2_session *session = stream->passing->session;
    stream->passing->begun = false;
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_answer};
    int error = nghttp2_submit_response(session->wire, stream->id, &stand_in, 1,
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
    struct h2_block *block = status != 101 ? make_block(passing->session, &said) : NULL;
    if (block == NULL) { /* RFC 9113, 8.6: HTTP/2 knows no 101 */
        fail(stream);
        return;
    }
    queue_block(passing, block);
    passing->mute = passing->head || !status_has_content(status);
    passing->left = passing->mute ? 0 : length;
    /* Some clients look for no window any more when they have seen an answer: see
     * serve/http2.c. */
    if (status >= 300) {
        h2_open_window(passing->session, stream);
    }
    passing->begun = true; /* h2_stream_end may follow, which opens the window before it */
}

void h2_stream_run(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    /* Without content the last frame waits for the end of the answer, which the owner says. */
    if (passing->begun && !passing->mute) {
        submit(stream);
    }
    if (passing->held_len > 0 && passing->resumed && !passing->content_over) {
        give_held(stream);
    }
    if (passing->content_ended && !passing->content_over) {
        h2_flow_content_end(stream);
    }
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
    drop_held(stream);
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
    passing->last = count > 0 && !passing->mute ? make_block(passing->session, &said) : NULL;
    if (passing->begun) {
        submit(stream);
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

/* ---- the end */

uint64_t h2_flow_due_ms(const struct h2_stream *stream)
{
    const struct h2_passing *passing = stream->passing;
    const struct h2_options *options = &passing->session->engine->options;
    if (passing->out_len > passing->out_sent) {
        return stream->moved_ms + options->stall_ms;
    }
    bool awaited = stream->body_open && passing->resumed && passing->held_len == 0 &&
                   !passing->content_over && !passing->awaits_continue;
    return awaited ? passing->came_ms + options->content_idle_ms : UINT64_MAX;
}

void h2_flow_closed(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    void *owner = passing->owner;
    passing->owner = NULL;
    if (owner != NULL) {
        passing->session->engine->flow->closed(owner);
    }
}

void h2_flow_free(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    drop_blocks(passing->blocks);
    drop_blocks(passing->leaving);
    free(passing->last);
    free(passing->held);
    free(passing->out);
    free(passing->trailers);
    free(passing);
    stream->passing = NULL;
}
