/* SPDX-License-Identifier: MIT */
/* What the files of origin/ share.
 *
 *   origins.c  the set: which origins there are, over snapshots
 *   pool.c     connections of one origin: kept, counted, waited for
 *   wire.c     one connection: opened, sealed, written
 *   pass.c     one request: to a connection, and its end
 *   upload.c   its content, towards the origin
 *   answer.c   the origin's answer, towards the client
 *   sweep.c    timeouts: one timer looks at all that wait */
#pragma once

#include "http/h1/answer.h"
#include "http/h1/trailers.h"
#include "origin/encode.h"
#include "origin/origin.h"
#include "tls/client.h"

enum {
    /* At once, and in one turn: the near side holds what the client does not take of it. */
    read_bytes = 49152,
    read_bytes_slow = 16384,
    seal_bytes = 32768, /* at once, of content that is framed or sealed on its way */
    input_bytes = h1_answer_head_bytes_max + read_bytes + tls_plain_extra,
    plain_bytes = seal_bytes + encode_bytes_max,
    sealed_bytes = plain_bytes + tls_flight_bytes_max,
};

struct chain {
    struct chain *prev;
    struct chain *next;
};

/* Bytes that wait for something. */
struct stash {
    size_t len;
    size_t used;
    uint8_t bytes[];
};

struct origins;
struct pass;

enum wire_state { WIRE_CONNECTING, WIRE_HANDSHAKE, WIRE_READY };

/* One connection. It is in one list of its origin. */
struct wire {
    ev_io io; /* the first member */
    struct chain chain;
    struct origin *origin;
    struct pass *pass; /* NULL: idle */
    struct tls_stream *tls;
    struct stash *unsent;
    uint64_t deadline_ms; /* while idle */
    uint32_t address;     /* of the origin's, by its place */
    uint32_t moves;       /* origin.moves when it was opened */
    uint8_t state;        /* enum wire_state */
    bool ended;           /* the origin has ended its half */
    bool full;            /* the socket did not take all, and nothing is kept of the rest */
    bool ending;          /* our half ends when nothing is kept any more */
    bool dead;            /* a write failed; what came before can still be read */
    bool cut;             /* it ended without saying so: reset, or TLS without close_notify */
};

struct origin {
    struct origins *set;
    uint64_t key;
    uint32_t round; /* of set->round: a record of the snapshot that is prepared has it */
    bool listed;    /* the newest snapshot has it */
    bool tls_wanted;
    struct tls_client *tls; /* NULL though wanted: nobody can be verified */
    uint32_t connect_timeout_ms;
    uint32_t response_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t tunnel_timeout_ms;
    uint32_t keep_alive_ms;
    uint32_t connections_max;
    uint32_t address_count;
    uint32_t good;  /* the address that answered last */
    uint32_t moves; /* how often the addresses have changed: older connections are not kept */
    struct snap_address addresses[snap_addresses_max];
    struct span own_host; /* to be sent; empty: the client's is */
    struct span authority;
    struct span name;
    uint8_t *texts; /* that the spans above point into */

    size_t wire_count; /* with those that are being opened */
    size_t idle_count;
    size_t waiting_count;
    size_t pass_count;    /* all, with those that wait */
    struct chain idle;    /* struct wire, the one used last first */
    struct chain busy;    /* struct wire */
    struct chain waiting; /* struct pass, the oldest first */
    struct chain passes;  /* struct pass that have a wire, or get one */
    struct origin *next;
    uint64_t told_ms; /* when the log last heard of a failure; 0: never */
    bool serving;     /* pool_serve is at work */
};

enum pass_state {
    PASS_WAITING, /* for a connection to be free */
    PASS_OPENING, /* its connection is being opened */
    PASS_HEAD,    /* of an answer is awaited */
    PASS_CONTENT, /* of the answer comes */
    PASS_TUNNEL,
};

/* One request on its way. */
struct pass {
    struct chain chain;
    struct exchange *exchange;
    struct origin *origin;
    struct wire *wire; /* NULL: waiting */
    const struct origin_owner *owner;
    void *context;
    uint64_t deadline_ms; /* 0: nothing is waited for that could be late */
    int64_t started_ns;
    int64_t head_ns; /* monotonic, when the answer's head came; 0: not yet */

    uint8_t state;     /* enum pass_state */
    uint8_t method;    /* enum method */
    uint8_t body_kind; /* enum body_kind of the request */
    uint8_t content;   /* enum h1_answer_content */
    uint8_t informs;
    bool reused;        /* its connection has served before */
    bool retried;       /* it is not tried once more */
    bool late;          /* the last address did not answer in time */
    bool content_taken; /* some of the request's content is gone */
    bool request_done;  /* all of it is sent, as far as we are concerned */
    bool request_cut;   /* the origin takes no more: the rest is thrown away */
    bool heard;         /* a byte of an answer has come on this connection */
    bool begun;         /* exchange_begin was called */
    bool blocked;       /* the client reads no more for now */
    bool keep;          /* the connection may be used again */
    bool down_done;     /* of a tunnel: the origin has ended its half, and … */
    bool up_done;       /* … the client */
    uint16_t status;    /* of the answer that was begun */
    uint32_t attempts;  /* addresses tried, from … */
    uint32_t first_address;
    uint32_t read_max;   /* at once; the less, the slower the client */
    uint32_t upgrade_at; /* in head */
    uint32_t upgrade_len;
    uint64_t content_left; /* of the request, where its length is known */
    uint64_t answer_left;  /* of ANSWER_LENGTH */
    uint64_t sent_bytes;
    uint64_t received_bytes;
    size_t scanned;
    struct h1_body body; /* of ANSWER_CHUNKED */
    struct h1_trailers trailers;
    struct stash *held; /* of the answer, not yet used */
    size_t head_len;
    uint8_t head[];
};

struct origins {
    struct ev_loop *loop;
    struct counters_worker *counters;
    struct origin *first;
    size_t count; /* of by_index */
    struct origin **by_index;
    uint32_t round;
    struct origin **prepared; /* of the snapshot that may come; NULL: none */
    ev_timer sweep;
    uint64_t now_ms; /* monotonic, as of the last sweep */
    uint32_t tick_ms;
    size_t wire_count; /* of all origins */
    size_t wires_max;
    size_t alive; /* wires and passes: the sweep runs while there are any */
    struct h1_answer answer;
    struct buffer out; /* what is encoded */
    uint8_t in[input_bytes];
    uint8_t sealed_in[read_bytes];
    uint8_t plain[plain_bytes];
    uint8_t sealed[sealed_bytes];
};

static inline void chain_init(struct chain *chain)
{
    chain->prev = chain->next = chain;
}

static inline bool chain_empty(const struct chain *chain)
{
    return chain->next == chain;
}

static inline void chain_add(struct chain *before, struct chain *added)
{
    added->prev = before->prev;
    added->next = before;
    before->prev->next = added;
    before->prev = added;
}

static inline void chain_remove(struct chain *removed)
{
    removed->prev->next = removed->next;
    removed->next->prev = removed->prev;
    removed->prev = removed->next = NULL;
}

static inline struct wire *wire_of_chain(struct chain *chain)
{
    return (struct wire *)(void *)((uint8_t *)chain - offsetof(struct wire, chain));
}

static inline struct pass *pass_of_chain(struct chain *chain)
{
    return (struct pass *)(void *)((uint8_t *)chain - offsetof(struct pass, chain));
}

/* NULL: no memory. */
struct stash *stash_new(struct span bytes);
static inline struct span stash_left(const struct stash *stash)
{
    return stash != NULL ? span_of(stash->bytes + stash->used, stash->len - stash->used)
                         : (struct span){0};
}

/* origins.c */

/* Says in the log why an origin cannot be asked, not too often. */
void origin_tell(struct origin *origin, const char *what, const char *why);
/* Lets go of an origin that is not listed and has nothing under way. */
void origin_release(struct origin *origin);

/* sweep.c */

void sweep_init(struct origins *set);
/* One more, one less of what may be waited for. */
void sweep_add(struct origins *set);
void sweep_remove(struct origins *set);
static inline uint64_t deadline_in(const struct origins *set, uint32_t ms)
{
    return set->now_ms + ms + set->tick_ms; /* now_ms may lag by a tick: never too early */
}

/* wire.c */

/* Begins a connection to the address of that place. NULL: it failed at once. */
struct wire *wire_open(struct origin *origin, uint32_t address);
void wire_close(struct wire *wire);
/* Sends all of the parts, at most plain_bytes, sealed where need be; what the socket does not
 * take is kept. Those who send much wait for wire_ready. */
void wire_send(struct wire *wire, const struct span *parts, size_t count);
/* Sends what it takes of the bytes; gives how many that were. Nothing of it is kept in clear. */
size_t wire_send_some(struct wire *wire, struct span bytes);
static inline bool wire_ready(const struct wire *wire)
{
    return wire->unsent == NULL && !wire->full;
}
/* It cannot go on: the origin sees the end, and so do we with the next event. */
void wire_break(struct wire *wire);
/* Ends our half. */
void wire_end(struct wire *wire);
/* Reads at most max bytes behind the held_len that stand in set->in already. Gives how many
 * bytes of plain text there are now behind them; *again: there may be more. With none:
 * wire->ended, or nothing was there. */
size_t wire_read(struct wire *wire, size_t held_len, size_t max, bool *again);
/* Whether to be woken by what comes, and while something is to be sent. */
void wire_watch(struct wire *wire, bool reading);
/* Whether an idle one can be used: it is open on the other side, as far as the kernel knows, and
 * nothing has come that nobody asked for. */
bool wire_silent(struct wire *wire);

/* pool.c */

/* Gives the pass a connection, or has it wait for one; it may be over afterwards. */
void pool_seek(struct pass *pass, bool fresh);
/* The wire is not needed any more: kept for the next, or closed. */
void pool_give_back(struct wire *wire, bool keep);
/* Whoever waits gets what is free. */
void pool_serve(struct origin *origin);
/* Whether somebody waits for what is free. */
bool pool_can_serve(const struct origin *origin);
/* Closes idle wires. */
void pool_drop_idle(struct origin *origin);
/* The pass's wire could not be opened: the next address is tried. */
void pass_unconnected(struct pass *pass, bool late);
/* It is closed before the answer has begun, or in the middle of it: another one is tried where
 * that is safe. */
void pass_broken(struct pass *pass);

/* pass.c */

/* The wire stands: sends the head. */
void pass_connected(struct pass *pass);
/* There is no answer of the origin's, or no more of it. */
void pass_fail(struct pass *pass, enum origin_end why);
/* The answer is whole. */
void pass_done(struct pass *pass, const struct field *trailers, size_t count);
/* Both halves of a tunnel have ended. */
void pass_over(struct pass *pass, enum origin_end end);

/* upload.c */

extern const struct exchange_far pass_far;
/* The wire has room again. */
void upload_go_on(struct pass *pass);

/* answer.c */

/* The wire can be read. The pass may be over afterwards. */
void answer_read(struct pass *pass);
/* Goes on with what was held. */
void answer_go_on(struct pass *pass);
