/* SPDX-License-Identifier: MIT */
/* What is sent to an origin in place of a request: written anew from what was parsed, so that
 * nothing of how it came is left (RFC 9110, 3.7 and 7.6). No I/O, no allocation.
 *
 *   target     path and query as they were sent; the origin has always seen them like that
 *   Host       the client's, or the origin's own
 *   fields     all, but those of one connection and those that Connection names (7.6.1);
 *              Cookie in one line (RFC 9113, 8.2.3)
 *   proxies'   Forwarded, X-Forwarded-For, -Proto and -Host are ours: the client as trusted
 *              proxies named it, then the trusted proxy that is our peer. From strangers no
 *              other X-Forwarded-* and no X-Real-IP passes, also not spelt with '_', which
 *              many origins cannot tell from '-'
 *   Via        ours behind those that are there; an HTTP gateway must (7.6.3)
 *   framing    Content-Length or chunked, from what was parsed
 *   Expect     100-continue is passed on; TE only as "trailers" (10.1.4)
 *   Upgrade    without content and of HTTP/1.1 only, and none to another HTTP or to TLS: what
 *              would be spoken then nobody here could judge */
#pragma once

#include "base/buffer.h"
#include "http/request.h"

enum {
    encode_loops_max = 8,         /* of Detours in one chain; more are a circle */
    encode_bytes_max = 48 * 1024, /* room for whatever a request can become */
};

struct encode_asked {
    const struct request *request;
    const struct client *peer;   /* of the connection */
    const struct client *client; /* as trusted proxies say */
    bool peer_trusted;
    struct span host; /* that the client asked for, as they say; empty: not known */
    int32_t port;     /* with it; -1: none was named */

    struct span own_host;  /* to be sent as Host; empty: the request's */
    struct span authority; /* of the origin, where a request names no host */
};

enum encode_result {
    ENCODE_DONE,
    ENCODE_BAD,      /* 400: nobody can tell which fields to leave out */
    ENCODE_LONG,     /* 431: no room */
    ENCODE_LOOP,     /* 508: it has been here too often */
    ENCODE_FORWARDS, /* Max-Forwards is used up (RFC 9110, 7.6.2): the answer is not the origin's */
};

/* Appends the head. *upgrade: what the request offers, within out; empty: nothing. */
enum encode_result request_encode(const struct encode_asked *asked, struct buffer *out,
                                  struct span *upgrade);

/* Appends trailers and the empty line behind them. */
void trailers_encode(const struct field *trailers, size_t count, struct buffer *out);
