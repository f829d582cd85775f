/* SPDX-License-Identifier: MIT */
/* A request whose content and answer flow through, as a gateway has them do (RFC 9110, 3.7).
 *
 * Two sides meet here. The near side is the client's: a request on a connection of HTTP/1.1,
 * or a stream of HTTP/2; serve owns it. The far side answers it, piece by piece, from
 * wherever the answer comes. Neither knows which protocol the other speaks.
 *
 *   client ──▶ near ── content, content_end ──▶ far        exchange_resume asks for more
 *   client ◀── near ◀─ exchange_begin, _write, _end ── far    writable asks for more
 *
 * Nothing is kept that the other side does not want yet: what a side does not take is held
 * once, bounded, and then no more is read from where it came.
 *
 * The far side may call at any time: in the handler, in what it is told, or in an event of its
 * own. Its calls take note and gather; nothing of its own is called before they return, and what
 * follows of them happens before the loop sleeps. One thread. doc/internals/pass-through.md */
#pragma once

#include "serve/serve.h"

/* The near side, as the far side sees it. Ends with exchange_end, exchange_answer,
 * exchange_abort or with gone, whichever comes first; after any of them it is not to be
 * used. */
struct exchange;

enum {
    /* Of a request, for a far side that takes no more. Over HTTP/1.1 what came together with
     * the head may be 32 KiB more, over HTTP/2 the content of a far side that has kept up four
     * times as much. */
    exchange_content_held_max = 65536,
    /* Of an answer, for a client that reads no more; half of it over HTTP/2. */
    exchange_answer_held_max = 65536,
};

/* What the far side is told. None of them is called from within a call of the far side's
 * own, and each may end the exchange. */
struct exchange_far {
    /* More content has come, in order, without its framing; of a tunnel, bytes. Gives how
     * many were taken: with fewer than all, the rest comes again after exchange_resume, and
     * the client is not read from until then. */
    size_t (*content)(void *far, struct span bytes);
    /* All of it has come; not called where the request says that there is none (BODY_NONE).
     * Trailers (RFC 9110, 6.5) live as long as the call; those that may not be trailers are left
     * out. Of a tunnel, once more: the client has ended its half. */
    void (*content_end)(void *far, const struct field *trailers, size_t count);
    /* After exchange_write took less than all: there is room again. */
    void (*writable)(void *far);
    /* The client has gone, reset its stream, sent what is no content, or did not make the least
     * progress. Until it is called the other calls do no harm, and exchange_write takes all. */
    void (*gone)(void *far);
};

/* To be called by the handler, which leaves response->status at 0. The request's spans
 * live as long as the handler's call: the far side copies what it wants. Content comes
 * after the handler has returned, and only after the first exchange_resume; a client that
 * waits for 100 gets it from exchange_continue alone (RFC 9110, 10.1.1). Requests of the same
 * HTTP/1.1 connection wait behind this one. NULL: no memory, and the handler answers
 * itself. */
struct exchange *server_pass(const struct serve_request *asked, const struct exchange_far *far,
                             void *context);

/* The far side can take content: what was held, then more. */
void exchange_resume(struct exchange *exchange);

/* Sends 100 to a client that waits for it; nothing to any other. */
void exchange_continue(struct exchange *exchange);

/* An interim answer of 103 or another 1xx but 100 and 101; not sent to HTTP/1.0 (RFC 9110,
 * 15.2). */
void exchange_inform(struct exchange *exchange, uint16_t status, const struct field *fields,
                     size_t count);

/* The head of the answer. Fields are end to end ones, at most request_fields_max; Date among
 * them, else it is added. Content-Length is not among them. */
struct exchange_head {
    uint16_t status; /* 200 to 599; or 101, when all content has come and not over HTTP/2: then
                        both sides are a tunnel from here on. Else the client is cut off */
    const struct field *fields;
    size_t field_count;
    struct span upgrade;     /* of 101: the protocol's name (RFC 9110, 7.8) */
    bool has_length;         /* content_length is known: it is what Content-Length says, */
    uint64_t content_length; /* also where no content follows: HEAD, 304 */
};

/* Once. With 204, 304 and to HEAD no exchange_write follows, only exchange_end. Of a known
 * length no more may be written, and exchange_end after less breaks off as exchange_abort; else
 * the near side chooses the framing that the client understands: chunks, frames, or the end of
 * the connection. Over HTTP/2 a head of more than 16 KiB breaks off. With a status of 300 or more
 * while content is coming, content that is not taken may be thrown away there, and content_end
 * then never comes: some clients look for no window any more. */
void exchange_begin(struct exchange *exchange, const struct exchange_head *head);

/* Gives how many bytes were taken; fewer than all: writable says when to go on. */
size_t exchange_write(struct exchange *exchange, struct span bytes);

/* After exchange_begin: whether exchange_write would take anything now. False: writable says
 * when. So that a far side need not read what it would have to hold. */
bool exchange_ready(struct exchange *exchange);

/* The answer is whole. Trailers go to a client whose framing carries them. Content of the
 * request that is still coming is nobody's from here on: it is drained under the bounds of
 * every early answer. Of a tunnel: the far half has ended, and what was written goes out
 * before the client hears of it; the exchange stays until content_end has come too. */
void exchange_end(struct exchange *exchange, const struct field *trailers, size_t count);

/* Instead of exchange_begin: an answer of our own, such as 502. Ends the exchange. */
void exchange_answer(struct exchange *exchange, const struct response *response);

/* The answer breaks off after exchange_begin, so that the client cannot take it for whole:
 * the connection closes (RFC 9112, 8), by a reset where its end would end the answer; the stream
 * is reset with INTERNAL_ERROR. */
void exchange_abort(struct exchange *exchange);
