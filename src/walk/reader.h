/* SPDX-License-Identifier: MIT */
/* What comes behind a request over plain HTTP/1.1, taken apart: interim answers, the answer, its
 * content, which nobody wants. Strict, since it stands on http/h1: what could be read in two ways
 * is bad. No I/O, no allocation, no clock. */
#pragma once

#include "http/h1/answer.h"

enum reader_result {
    READER_MORE,    /* all that was used is gone; more bytes are needed */
    READER_INTERIM, /* the head of an answer of 1xx; go on */
    READER_HEAD,    /* the head of the answer; go on with its content */
    READER_DONE,    /* the answer is over; bytes behind it were not asked for */
    READER_BAD,     /* no sound HTTP/1.1, or 101, which nobody asked for; the end of it */
};

struct reader {
    bool to_head;     /* the request was a HEAD */
    bool behind_head; /* of the answer: what comes is content */
    bool to_end;      /* content ends with the connection */
    bool keep;        /* behind_head: the connection may be used again after the answer */
    size_t scanned;
    struct h1_body body;
};

/* Before the first byte of an answer. to_head: to a HEAD. */
void reader_begin(struct reader *reader, bool to_head);

/* bytes: those that were not used yet, and what came behind them. *used: how many are done with, of
 * an incomplete head none, of content all. answer: with READER_INTERIM and READER_HEAD the head,
 * whose spans point into bytes; else nothing of use. The results depend on the bytes alone, not on
 * how they were split, but for READER_MORE. */
enum reader_result reader_next(struct reader *reader, struct span bytes, struct h1_answer *answer,
                               size_t *used);

/* Whether the end of the connection is the end of the answer (RFC 9112, 6.3). */
static inline bool reader_may_end(const struct reader *reader)
{
    return reader->behind_head && reader->to_end;
}
