/* SPDX-License-Identifier: MIT */
/* Time: what has to end because nothing comes, nothing goes, or nobody waits for it. */
#include "http/h2/flow.h"

enum {
    progress_bytes = 1024,   /* of an answer, that put its end off */
    second_goaway_ms = 1000, /* after the first one; requests may be under way so long */
};

void h2_note_progress(const struct h2_session *session, struct h2_stream *stream, size_t len)
{
    if (len >= progress_bytes) {
        stream->moved_ms = session->now_ms;
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When something must be done about a stream; UINT64_MAX: not yet known. */
static uint64_t due_ms(const struct h2_session *session, const struct h2_stream *stream)
{
    const struct h2_options *options = &session->engine->options;
    if (stream->reset || stream->state == STREAM_ANSWERED) {
        return UINT64_MAX;
    }
    if (stream->state == STREAM_ANSWERING && stream->passing != NULL) {
        return h2_flow_due_ms(stream);
    }
    return stream->state == STREAM_FLUSHED ? least(stream->moved_ms + options->late_reset_ms,
                                                   stream->began_ms + options->drain_ms)
                                           : stream->moved_ms + options->stall_ms;
}

void h2_flushed(struct h2_session *session, uint64_t now_ms)
{
    if (session->unflushed == 0 || session->pending.len > 0) {
        return;
    }
    for (struct h2_stream *stream = session->streams; stream != NULL; stream = stream->next) {
        if (stream->state == STREAM_ANSWERED) {
            stream->state = STREAM_FLUSHED;
            stream->moved_ms = now_ms;
            h2_schedule(session, due_ms(session, stream));
        }
    }
    session->unflushed = 0;
}

static void end_stream(struct h2_session *session, struct h2_stream *stream)
{
    if (stream->state == STREAM_FLUSHED) {
        h2_reset_late(session, stream);
    } else {
        stream->reset = true;
        h2_reset_for_fault(session, stream->id, NGHTTP2_CANCEL);
    }
}

static void tick_streams(struct h2_session *session)
{
    for (struct h2_stream *stream = session->streams; stream != NULL; stream = stream->next) {
        uint64_t due = due_ms(session, stream);
        if (session->now_ms >= due) {
            end_stream(session, stream);
        } else {
            h2_schedule(session, due);
        }
    }
}

static void tick_waiting(struct h2_session *session)
{
    uint64_t due = session->waits_since_ms + session->engine->options.head_ms;
    if (session->preface_seen && session->head == NULL) {
        return;
    }
    if (session->now_ms >= due) {
        h2_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
        h2_schedule(session, due);
    }
}

static void tick_shutdown(struct h2_session *session)
{
    if (session->goaway_ms == UINT64_MAX) {
        return;
    }
    if (session->now_ms < session->goaway_ms) {
        h2_schedule(session, session->goaway_ms);
        return;
    }
    session->goaway_ms = UINT64_MAX;
    /* What comes for later streams is ignored, not an error (RFC 9113, 6.8). */
    session->lenient_id = INT32_MAX;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->wire);
    int error =
        nghttp2_submit_goaway(session->wire, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    if (error != 0) {
        h2_fail(session, h2_fault_of(error));
    }
}

void h2_tick(struct h2_session *session, uint64_t now_ms)
{
    session->now_ms = now_ms;
    session->next_ms = UINT64_MAX;
    if (!session->failed && nghttp2_session_want_read(session->wire) != 0) {
        tick_streams(session);
        tick_waiting(session);
        tick_shutdown(session);
    }
}

uint64_t h2_next_ms(const struct h2_session *session)
{
    return session->next_ms;
}

void h2_shutdown(struct h2_session *session, uint64_t now_ms)
{
    if (session->shutting_down || session->failed) {
        return;
    }
    session->shutting_down = true;
    int error = nghttp2_submit_shutdown_notice(session->wire);
    if (error != 0) {
        h2_fail(session, h2_fault_of(error));
    }
    session->goaway_ms = now_ms + second_goaway_ms;
    h2_schedule(session, session->goaway_ms);
}
