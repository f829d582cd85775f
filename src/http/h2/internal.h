/* SPDX-License-Identifier: MIT */
/* What the parts of a session share. session.c holds its life, frames.c looks at
 * frames before nghttp2 does, receive.c hears what nghttp2 tells, answer.c makes responses,
 * late.c watches the time. Private to h2/. */
#pragma once

#include "http/h2/head.h"
#include "http/h2/memory.h"
#include "http/h2/session.h"

#include <nghttp2/nghttp2.h>

/* So much may happen at once, and so much again in time. */
struct h2_budget {
    uint32_t left;
    uint64_t counted_ms; /* what was forgiven until then is in left */
};

struct h2_engine {
    struct h2_options options;
    h2_request_fn answer;
    const struct h2_flow *flow; /* NULL: no stream flows through */
    struct h2_counters counters;
    struct h2_pool pool;
    struct h2_head *spare_head; /* one is enough: most header blocks come in one piece */
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *wire_options;
    struct response response;
};

enum {
    h2_frame_head_bytes = 9,
    h2_goaway_bytes = 8,     /* of the payload, without debug data */
    h2_dependency_bytes = 4, /* the first of PRIORITY's payload */
    h2_prefix_max = 32,      /* before a header block: its frame's head, changes of table size */
    h2_sent_block_max = 16384 - h2_prefix_max, /* of ours: one frame (RFC 9113, 4.2) */
};

enum h2_stream_state {
    STREAM_ANSWERING, /* the answer, or a part of it, is in here */
    STREAM_ANSWERED,  /* it is in the output, but perhaps not in the kernel */
    STREAM_FLUSHED,
};

/* One request that was answered, and its answer as long as it waits, in text. */
struct h2_stream {
    struct h2_stream *next;
    struct h2_stream *prev;
    int32_t id;
    uint8_t state;
    bool body_open;     /* the client has not ended the stream */
    bool has_length;    /* it said Content-Length */
    bool reset;         /* we have */
    bool closed;        /* only its HEADERS are still to be sent */
    bool window_open;   /* as wide as it may be */
    uint32_t body_sent; /* of the answer */
    struct span block;  /* the answer's fields, with h2_prefix_max octets before them */
    struct span body;
    uint64_t length;            /* what Content-Length said */
    uint64_t received;          /* of the request's body */
    uint64_t began_ms;          /* when it was answered */
    uint64_t moved_ms;          /* when the answer last got on, or was flushed */
    struct h2_passing *passing; /* NULL: the answer is in here */
    uint8_t text[];
};

struct h2_session {
    struct h2_engine *engine;
    void *context;
    nghttp2_session *wire;
    struct h2_account account;
    struct h2_stream *streams;
    struct h2_head *head;      /* the header block under way */
    bool head_ends;            /* with its stream */
    struct span pending;       /* the frame under way, as far as it is not yet in the output */
    struct h2_stream *leaving; /* whose HEADERS these are; outlives its place in streams */
    uint64_t now_ms;
    uint64_t next_ms;
    uint64_t waits_since_ms; /* for the preface, or for the end of a header block */
    uint64_t goaway_ms;      /* when the second GOAWAY of a shutdown is due */
    struct h2_budget resets;
    struct h2_budget noise;
    uint32_t skip; /* octets until the next frame's head */
    uint8_t frame_head[h2_frame_head_bytes + h2_dependency_bytes];
    uint8_t frame_head_len; /* of the head under way */
    bool in_block;          /* a header block waits for its CONTINUATION */
    uint32_t block_bytes;   /* of the header block under way, as sent */
    uint32_t block_frames;
    uint32_t open_bodies; /* streams with body_open */
    uint32_t unflushed;   /* of them, in STREAM_ANSWERED */
    int32_t last_id;      /* of the newest stream that HEADERS named */
    int32_t lenient_id;   /* up to here frames may come for streams that we have closed */
    bool preface_seen;
    bool began_sending;
    bool shutting_down;
    bool failed; /* a connection error that nghttp2 does not know; see fault */
    bool fault_written;
    uint32_t fault; /* of RFC 9113, 7 */
    /* SETTINGS, if none were sent, and GOAWAY. */
    uint8_t fault_frames[2 * h2_frame_head_bytes + h2_goaway_bytes];
};

static inline bool h2_take(struct h2_budget *budget, uint32_t max, uint32_t per_s, uint64_t now_ms)
{
    if (budget->left == 0) {
        uint64_t forgiven = (now_ms - budget->counted_ms) * per_s / 1000;
        if (forgiven == 0) {
            return false;
        }
        budget->left = forgiven < max ? (uint32_t)forgiven : max;
        budget->counted_ms = now_ms;
    }
    budget->left--;
    return true;
}

static inline void h2_schedule(struct h2_session *session, uint64_t at_ms)
{
    if (at_ms < session->next_ms) {
        session->next_ms = at_ms;
    }
}

/* Makes a connection error of it: no more bytes are read, GOAWAY is the next frame. Gives
 * what a callback of nghttp2 then returns. */
int h2_fail(struct h2_session *session, uint32_t code);

/* Of a stream that the client has to answer for. What h2_fail gives, or 0. */
int h2_reset_for_fault(struct h2_session *session, int32_t stream_id, uint32_t code);
/* Of one that we could not serve. */
void h2_reset_stream(struct h2_session *session, int32_t stream_id, uint32_t code);
/* Of an upload that nobody waits for any more. */
void h2_reset_late(struct h2_session *session, struct h2_stream *stream);
/* Of an error of nghttp2's. */
uint32_t h2_fault_of(ssize_t error);
/* One more reset that the client brought about. What h2_fail gives, or 0. */
int h2_count_reset(struct h2_session *session);

void h2_drop_head(struct h2_session *session);

/* len more octets of the answer have gone. */
void h2_note_progress(const struct h2_session *session, struct h2_stream *stream, size_t len);

/* A place for the answer to this head, with room for text. last: no body follows. NULL: more
 * than the account allows. */
struct h2_stream *h2_new_stream(struct h2_session *session, const struct h2_head *head, bool last,
                                size_t text_len);
/* The client may send all of its body, even if it looks for no window any more. */
void h2_open_window(struct h2_session *session, struct h2_stream *stream);

/* What nghttp2 is given in place of each header block of ours: see answer.c. */
extern const nghttp2_nv h2_stand_in;
/* Whether a field of an answer belongs to the connection (RFC 9113, 8.2.2), or is
 * Content-Length, which is written from a place of its own. */
bool h2_is_connections(struct span name);

/* Answers the request in the session's head. last: no body follows. What h2_fail gives, or
 * 0. */
int h2_answer(struct h2_session *session, uint16_t bad_status, bool last);
/* Exchanges the payload of a frame of HEADERS that nghttp2 made. Lives in the stream. */
struct span h2_frame(struct h2_stream *stream, struct span made);

/* An answer's stream has ended: what came of the request's body? */
void h2_close_stream(struct h2_session *session, struct h2_stream *stream);

struct h2_stream *h2_find_stream(const struct h2_session *session, int32_t stream_id);

void h2_frames_init(struct h2_session *session);
void h2_set_receive_callbacks(nghttp2_session_callbacks *callbacks);
