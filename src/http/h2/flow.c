/* SPDX-License-Identifier: MIT */
/* Streams that flow through, and their content. What the owner does not take of it keeps the
 * stream's window shut, so at most a window of it waits here, beside the session's account; the
 * connection's window is granted at once, so that one stream does not stop the others. */
#include "http/h2/flow.h"

#include "http/trailer.h"

#include <assert.h>
#include <stdlib.h>

enum {
    /* The window of a stream whose owner has kept up so far. */
    wide_window_bytes = 262144,
    held_bytes_max = wide_window_bytes,
    least_bytes_s = 500, /* of content that is awaited */
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

void h2_flow_drop_content(struct h2_stream *stream)
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
        h2_flow_drop_content(stream);
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

void h2_stream_run(struct h2_stream *stream)
{
    struct h2_passing *passing = stream->passing;
    /* Without content the last frame waits for the end of the answer, which the owner says. */
    if (passing->begun && !passing->mute) {
        h2_flow_submit(stream);
    }
    if (passing->held_len > 0 && passing->resumed && !passing->content_over) {
        give_held(stream);
    }
    if (passing->content_ended && !passing->content_over) {
        h2_flow_content_end(stream);
    }
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
    h2_drop_blocks(passing->blocks);
    h2_drop_blocks(passing->leaving);
    free(passing->last);
    free(passing->held);
    free(passing->out);
    free(passing->trailers);
    free(passing);
    stream->passing = NULL;
}
