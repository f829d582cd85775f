/* SPDX-License-Identifier: MIT */
/* HTTP/2 connections of a server (RFC 9113, HPACK by RFC 7541): bytes to requests,
 * responses to bytes. No I/O, no clock, no thread of its own. The only folder that names
 * nghttp2.
 *
 * An engine is what all connections of one thread share: options, a store of memory,
 * counters, the response that is being filled. A session is one connection.
 *
 *   bytes arrived    h2_receive(session, bytes, now)    the request function is called
 *   room to write    h2_send(session, out)              until it says that there is no more
 *   all was written  h2_flushed(session, now)
 *   now and then     h2_tick(session, now)              at h2_next_ms(session)
 *   going away       h2_shutdown(session, now)          GOAWAY, then go on as before
 *   the end          h2_ended(session)                  asked when h2_send has no more
 *
 * Time is any clock that does not go back, in milliseconds, the same for all calls.
 *
 * Whoever cannot write stops reading: h2_send comes after each h2_receive, and h2_receive
 * waits until the bytes of h2_send have left. What is queued in a session is bounded all
 * the same, by memory_bytes_max.
 *
 * The early answer: the request function is called at the end of the head, and its answer
 * ends the stream from our side at once. A body that comes is thrown away and counted
 * while window is granted. RST_STREAM(NO_ERROR) goes only to a stream that is still open
 * late_reset_ms after its whole answer was flushed (h2_flushed), or whose body outgrows
 * drain_bytes or drain_ms: a client that has not read so far can lose the answer by it. */
#pragma once

#include "base/buffer.h"
#include "http/date.h"
#include "http/response.h"

struct h2_engine;
struct h2_session;
struct h2_stream;

/* 0 anywhere stands for the value in brackets. */
struct h2_options {
    uint32_t streams_max;           /* open at once on a connection [100] */
    uint32_t stream_window_bytes;   /* for a request body [1 MiB]; where streams flow through, at
                                       most 256 KiB */
    uint32_t answered_window_bytes; /* … from before its answer on [as before] */
    uint32_t window_bytes;          /* for all bodies of a connection [16 MiB] */
    uint32_t memory_bytes_max;      /* of a connection, nghttp2's included [256 KiB] */
    uint64_t drain_bytes;           /* of a request body [1 GiB] */
    uint32_t drain_ms;              /* from the head to the end of the body [60,000] */
    uint32_t late_reset_ms;         /* [200] */
    uint32_t stall_ms;              /* of an answer that no window lets go [8,000] */
    uint32_t head_ms;               /* for the preface, and for a header block [8,000] */
    uint32_t content_idle_ms;       /* of content that is wanted; 500 octets a second [8,000] */
    uint32_t resets_max;            /* at once, of streams by the client's doing [500] */
    uint32_t resets_per_s;          /* that are forgiven [33] */
    uint32_t noise_max;             /* frames at once that bring nothing [1,000] */
    uint32_t noise_per_s;           /* that are forgiven; a request forgives four [200] */
    const uint8_t *date; /* date_bytes bytes, kept current by the caller; NULL: no Date */
};

/* What happened, in all sessions of an engine; only ever grows. */
struct h2_counters {
    uint64_t requests;        /* the request function was called */
    uint64_t bodies_not_sent; /* the answer kept the client from sending anything */
    uint64_t bodies_drained;  /* read to their end */
    uint64_t bodies_cut;      /* neither */
    uint64_t body_bytes;      /* of bodies, thrown away */
    uint64_t resets_received;
    uint64_t resets_sent;
    uint64_t goaways_sent; /* for an error of the client's, or too much of something */
};

/* Answers one request. context: of the session. The request and all its spans live until
 * this returns. bad_status 0: a request to decide on; else it could not be understood
 * and is to be answered with that status, and request holds what was understood, for the
 * log. response is empty; its spans must live until the next call for any session of the
 * engine, or of h2_send, whichever is sooner. response->close begins a shutdown. */
typedef void (*h2_request_fn)(void *context, const struct request *request, uint16_t bad_status,
                              struct response *response);

/* Streams whose answer comes later and in pieces, and whose content is wanted. What is told of
 * them, to the owner that h2_pass named; from within h2_receive, h2_send, h2_tick and h2_free. */
struct h2_flow {
    /* Content, or its end, or room for more of the answer, has become due: h2_stream_run. */
    void (*due)(void *owner);
    /* Gives how many of the bytes were taken. Fewer than all: the rest comes again after
     * h2_stream_resume. */
    size_t (*content)(void *owner, struct span bytes);
    /* Trailers live as long as the call; none that no trailer may say (http/trailer.h). */
    void (*content_end)(void *owner, const struct field *trailers, size_t count);
    /* The stream is no more, by the client's doing or for want of progress; also after
     * h2_stream_end. It is not to be used from here on. */
    void (*closed)(void *owner);
};

/* Before the first session; flow must outlive the engine. */
void h2_engine_set_flow(struct h2_engine *engine, const struct h2_flow *flow);

/* To be called by the request function, which leaves response->status at 0. NULL: no memory. */
struct h2_stream *h2_pass(struct h2_session *session, void *owner);
/* The owner takes content. What waits comes with h2_stream_run. */
void h2_stream_resume(struct h2_stream *stream);
/* Gives what is due of the content, and lets an answer go that was begun. To be called some time
 * after h2_stream_resume and h2_stream_begin, and not from within a callback. */
void h2_stream_run(struct h2_stream *stream);
/* Whether h2_stream_write would take something. */
bool h2_stream_writable(const struct h2_stream *stream);

/* The answer, in this order. None of these calls back; h2_send sends what comes of them. */
void h2_stream_continue(struct h2_stream *stream); /* 100, if the client waits for it */
void h2_stream_inform(struct h2_stream *stream, uint16_t status, const struct field *fields,
                      size_t count);
#define H2_LENGTH_UNKNOWN UINT64_MAX
void h2_stream_begin(struct h2_stream *stream, uint16_t status, const struct field *fields,
                     size_t count, uint64_t length);
/* Gives how many bytes were taken: at most h2_answer_held_max wait. */
enum { h2_answer_held_max = 32768 };
size_t h2_stream_write(struct h2_stream *stream, struct span bytes);
/* The answer is whole. The owner hears of closed all the same, unless it is disowned. */
void h2_stream_end(struct h2_stream *stream, const struct field *trailers, size_t count);
/* Instead of all of them. */
void h2_stream_answer(struct h2_stream *stream, const struct response *response);
/* RST_STREAM(INTERNAL_ERROR). */
void h2_stream_abort(struct h2_stream *stream);
/* The owner hears of it no more. */
void h2_stream_disown(struct h2_stream *stream);

/* NULL: no memory. date must outlive the engine, the engine its sessions. */
struct h2_engine *h2_engine_new(const struct h2_options *options, h2_request_fn answer);
void h2_engine_free(struct h2_engine **engine);
const struct h2_counters *h2_engine_counters(const struct h2_engine *engine);

/* NULL: no memory. Our SETTINGS are waiting for h2_send at once. */
struct h2_session *h2_new(struct h2_engine *engine, void *context, uint64_t now_ms);
void h2_free(struct h2_session **session);

/* Takes all of bytes, which begin with the client's preface. Requests that can be read in
 * two ways, or are malformed (RFC 9113, 8.1.1), get RST_STREAM(PROTOCOL_ERROR). What the
 * frames say well but HTTP/1.1 would refuse is answered by the same status as there
 * (http/h1/parse.h): 400, 414, 417, 431, 501. Connection errors queue a GOAWAY. */
void h2_receive(struct h2_session *session, struct span bytes, uint64_t now_ms);

/* Appends what is to be sent, as much as fits in out (cut anywhere, out->full is never
 * set). Gives whether there is more. */
bool h2_send(struct h2_session *session, struct buffer *out);

/* All that h2_send has given was handed to the kernel. The time of late resets runs from
 * here; without it they never come. Cheap when nothing waits for it. */
void h2_flushed(struct h2_session *session, uint64_t now_ms);

/* What is late: resets of uploads, stalled answers, heads that do not end, the second
 * GOAWAY of a shutdown. Then h2_send. */
void h2_tick(struct h2_session *session, uint64_t now_ms);
/* When h2_tick will have something to do, if nothing comes before; UINT64_MAX: never. */
uint64_t h2_next_ms(const struct h2_session *session);

/* Graceful (RFC 9113, 6.8): GOAWAY with the greatest stream, a second later one with the
 * last stream that was answered. Requests that come before are answered. h2_ended is true
 * when the last stream has ended. Calling it twice is once. */
void h2_shutdown(struct h2_session *session, uint64_t now_ms);

/* No open stream, no header block under way: the connection may be closed for being idle. */
bool h2_idle(const struct h2_session *session);

/* After h2_send gave false: nothing more will be read or sent, for a shutdown that is
 * complete, or an error. Write what h2_send gave, half-close, linger and close. */
bool h2_ended(const struct h2_session *session);
