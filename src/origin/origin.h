/* SPDX-License-Identifier: MIT */
/* Passing requests on to where a site lives: the far side of serve/exchange.h, by HTTP/1.1 over
 * connections that are kept. On the worker's loop; nothing blocks, no name is looked up. One
 * thread.
 *
 *   handler ──origin_pass──▶ a connection: kept, new, or waited for ──▶ the origin
 *   client ◀── exchange_* ── the answer, piece by piece ◀──────────────┘
 *
 * A request ends where it began: an origin that a new snapshot does not name any more lives on
 * until the last exchange with it is over. */
#pragma once

#include "base/error.h"
#include "http/response.h"
#include "serve/exchange.h"
#include "shared/origin_end.h"
#include "snapshot/snapshot.h"

#include <ev.h>

enum {
    origin_waiting_max = 1024, /* requests that wait for a connection, of one origin */
    origin_kept_max = 256,     /* idle connections, of one origin */
    origin_informs_max = 16,   /* interim answers to one request */
};

/* What became of a request. */
struct origin_report {
    enum origin_end end;
    uint16_t status;          /* that the client got; 0: none */
    uint16_t upstream_status; /* that the origin gave; 0: none */
    bool reused;              /* on a kept connection */
    int64_t upstream_us;      /* from passing it on to the head of the answer; -1: none came */
    int64_t total_us;
    uint64_t sent_bytes;     /* of content, or of a tunnel's, to the origin */
    uint64_t received_bytes; /* and from it */
    struct span origin;      /* its name */
};

struct origin_owner {
    /* Fills the answer in place of the origin's; its spans must live until the call after. */
    void (*refuse)(void *context, enum origin_end why, uint16_t status, struct response *response);
    /* It is over: the context will not be used any more. Always called once, possibly from within
     * origin_pass. */
    void (*done)(void *context, const struct origin_report *report);
};

struct origin_asked {
    const struct serve_request *asked;
    const struct client *client; /* as trusted proxies say */
    bool peer_trusted;
    struct span host; /* that was asked for, as they say */
    int32_t port;
};

struct origins;

enum err origins_new(struct ev_loop *loop, struct counters_worker *counters, struct origins **out);
/* Ends everything at once; of exchanges under way the server must be gone already. */
void origins_free(struct origins **owner);

/* How many connections may be open to all of them together: each takes a descriptor. As long as
 * nobody says, any number. */
void origins_set_limit(struct origins *set, uint32_t connections_max);

/* Gets ready for the origins of a snapshot, which is not kept. Those in use stay. ERR_MEMORY. */
enum err origins_prepare(struct origins *set, const struct snapshot *snapshot);
/* From now on they are those of this snapshot, for which all has been prepared. */
void origins_adopt(struct origins *set, const struct snapshot *snapshot);

/* Passes on the request that the handler has before it; the handler leaves response->status at
 * 0. index: of the snapshot adopted last. ORIGIN_DONE: it is under way, and owner hears of the
 * rest. Otherwise nothing has happened, owner->done will not be called, and the handler answers
 * with *status. */
enum origin_end origin_pass(struct origins *set, uint32_t index, const struct origin_asked *asked,
                            const struct origin_owner *owner, void *context, uint16_t *status);
