/* SPDX-License-Identifier: MIT */
/* The near side of exchanges (serve/exchange.h), as the files of serve/ share it.
 *
 *   exchange.c   what both protocols have in common, and the list of those that are due
 *   exchange1.c  HTTP/1.1: one exchange at a time on a connection; answer1.c: its answer
 *   exchange2.c  HTTP/2: one for each stream
 *
 * A call of the far side's only takes note and gathers bytes; whatever follows of it, first of
 * all a call back, comes when the exchange is due: before the loop sleeps, or when the
 * connection has an event of its own. So neither side ever finds itself inside the other.
 *
 * Gathered bytes stand in the server's output buffer, which belongs to one connection at a
 * time (server->gathered). Whoever wants it for another one sends them first. */
#pragma once

#include "http/h1/encode.h"
#include "http/h1/trailers.h"
#include "serve/exchange.h"
#include "serve/internal.h"

struct exchange {
    struct exchange *next; /* of those that are due */
    struct server *server;
    struct conn *conn;        /* NULL: the client has gone */
    struct h2_stream *stream; /* NULL: HTTP/1.1 */
    const struct exchange_far *far;
    void *context;
    bool due;
    bool over;    /* the far side has ended it, and is told no more */
    bool begun;   /* exchange_begin was called */
    bool resumed; /* the far side takes content */
    bool blocked; /* it was not allowed to write all, and is to be told when it may */

    /* Of HTTP/1.1. */
    uint8_t version_minor;
    uint8_t framing;      /* of the answer: enum h1_framing */
    bool head;            /* it was a HEAD */
    bool mute;            /* the answer has no content */
    bool close;           /* the answer is the last one */
    bool content_open;    /* content of the request may still come */
    bool content_came;    /* and some has */
    bool awaits_continue; /* the client sends it after 100 only */
    bool aborted;
    bool tunnel;
    bool half_closed; /* of a tunnel: the far side has ended */
    bool shut;        /* … and the client knows */
    bool end_told;    /* the client has ended, and the far side knows */
    uint64_t left;    /* of the answer, with H1_FRAMING_LENGTH */
    struct h1_trailers trailers;
};

/* exchange.c */

/* It will be looked at before the loop sleeps. */
void exchange_due(struct exchange *exchange);
/* The client's side has ended: the far side will hear of it. */
void exchange_detach(struct exchange *exchange);
/* Makes the server's output buffer this connection's. */
void exchange_gather(struct conn *conn);

/* exchange1.c */

void exchange1_open(struct exchange *exchange, const struct request *request);
void exchange1_run(struct exchange *exchange);

/* answer1.c */

void exchange1_continue(struct exchange *exchange);
void exchange1_inform(struct exchange *exchange, uint16_t status, const struct field *fields,
                      size_t count);
void exchange1_begin(struct exchange *exchange, const struct exchange_head *given);
size_t exchange1_write(struct exchange *exchange, struct span bytes);
void exchange1_end(struct exchange *exchange, const struct field *trailers, size_t count);
void exchange1_answer(struct exchange *exchange, const struct response *response);
void exchange1_abort(struct exchange *exchange);

/* exchange2.c */

/* False: no memory. */
bool exchange2_open(struct exchange *exchange);
void exchange2_run(struct exchange *exchange);
