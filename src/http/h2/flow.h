/* SPDX-License-Identifier: MIT */
/* What a stream that flows through has beside the others. Private to h2/.
 *
 *   flow.c         the stream, and its content
 *   flow_answer.c  its answer
 *   block.c        header blocks of answers */
#pragma once

#include "http/h2/internal.h"

/* A header block that waits for its frame. */
struct h2_block {
    struct h2_block *next;
    struct span block; /* in text, h2_prefix_max octets from its beginning */
    uint8_t text[];
};

/* What a header block says. */
struct h2_said {
    uint16_t status; /* 0: trailers */
    const struct field *fields;
    size_t count;
    uint64_t length; /* or H2_LENGTH_UNKNOWN */
};

struct h2_trailers {
    size_t count;
    struct field fields[]; /* their text stands behind them */
};

struct h2_passing {
    struct h2_session *session;
    void *owner;              /* NULL: it wants to hear no more */
    struct h2_block *blocks;  /* in the order in which they go */
    struct h2_block *leaving; /* the one that is in the frame under way */
    struct h2_block *last;    /* the answer's trailers, until its content has gone */
    bool head;                /* it was a HEAD */
    bool mute;                /* the answer has no content */
    bool begun;               /* its head waits to be submitted */
    bool awaits_continue;
    bool resumed;       /* the owner takes content */
    bool content_ended; /* all of it has come */
    bool content_over;  /* the owner gets no more of it, or has got all */
    bool widened;
    bool ended;    /* the answer is whole */
    bool over;     /* … or broken off: content is drained */
    uint8_t *held; /* content that was not taken */
    size_t held_len;
    size_t held_cap;
    uint8_t *out; /* the answer, as far as it waits */
    size_t out_len;
    size_t out_sent;
    size_t out_cap;
    uint64_t left;         /* of the answer, or H2_LENGTH_UNKNOWN */
    uint64_t drained_from; /* how much had been received when it was over */
    uint64_t came_ms;      /* when content last came in earnest, or was asked for */
    uint64_t came_bytes;
    struct h2_trailers *trailers; /* of the request */
};

/* What came of the content, without padding. */
void h2_flow_content(struct h2_stream *stream, struct span bytes);
void h2_flow_trailers(const struct h2_stream *stream, const struct h2_head *head);
void h2_flow_content_end(struct h2_stream *stream);

/* What is held of the content is nobody's any more. */
void h2_flow_drop_content(struct h2_stream *stream);

/* The head of the answer, or all of one without content, goes to nghttp2. */
void h2_flow_submit(struct h2_stream *stream);

/* NULL: no memory, or more than fits into a frame. */
struct h2_block *h2_make_block(const struct h2_session *session, const struct h2_said *said);
void h2_queue_block(struct h2_passing *passing, struct h2_block *block);
/* This one and all that follow it. */
void h2_drop_blocks(struct h2_block *blocks);
/* The block for the frame of HEADERS under way; lives until the next one. */
struct span h2_next_block(struct h2_passing *passing);

/* When the client has failed to send or to take; UINT64_MAX: it need not. */
uint64_t h2_flow_due_ms(const struct h2_stream *stream);

/* The stream is no more: the owner hears of it. */
void h2_flow_closed(struct h2_stream *stream);
void h2_flow_free(struct h2_stream *stream);

/* Whether what comes is for the owner. */
static inline bool h2_flows(const struct h2_stream *stream)
{
    return stream->passing != NULL && !stream->passing->over;
}
