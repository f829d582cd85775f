/* SPDX-License-Identifier: MIT */
/* What the files of serve/ share. Bytes flow through them like this:
 *
 *   accept.c ──▶ input.c ──▶ protocol.c ──▶ http1.c or http2.c ──▶ output.c
 *                reads, and  which one      bytes to answers      seals, and
 *                opens                      body.c: what nobody   sends
 *                   ▲                       wants; content.c: what  │
 *                   │                       is too large for a read  │
 *                   └──── conn.c: what to do when they are sent ◀────┘
 *                         timeout.c: one list for each kind of waiting
 *
 *   http1.c, http2.c ◀──▶ exchange.c ◀──▶ whoever answers piece by piece
 *                         exchange1.c and exchange2.c: see passing.h
 *
 * A protocol sees bytes and appends answers, and does not know how they travel: input.c
 * opens what came sealed, output.c seals what goes (tls/tls.h). */
#pragma once

#include "base/buffer.h"
#include "http/date.h"
#include "http/h1/body.h"
#include "http/h1/parse.h"
#include "http/h2/session.h"
#include "serve/serve.h"
#include "tls/tls.h"

enum {
    read_bytes = 65536,    /* asked for at once */
    batch_bytes = 1 << 19, /* that the kernel gathers of a fast body before it wakes us */
    input_bytes_max = request_head_bytes_max + read_bytes + tls_plain_extra,
    output_bytes = 65536, /* gathered before they are sent */
    requests_per_turn = 64,
    accepts_per_turn = 16,
    reads_skipped_max = 16, /* after one that came too early */
    least_bytes_s = 500,    /* the least progress of a body and of a reader */
    proxy_header_bytes_max = 4096,
    handshakes_max = 512,   /* at a time; each costs more than a thousand requests */
    reclaim_idle_ms = 1000, /* an idle connection may give way to a new one after it */
};

/* A flight of a handshake, or all that was gathered. */
enum { sealed_output_bytes = tls_flight_bytes_max + output_bytes };

/* What a connection reads now. */
enum conn_state {
    CONN_PROXY,    /* the header of the PROXY protocol */
    CONN_TLS,      /* a handshake */
    CONN_FIRST,    /* the first bytes, which say what is spoken */
    CONN_HEAD,     /* a head, or nothing yet */
    CONN_CONTENT,  /* a large content, for a handler that wants it */
    CONN_BODY,     /* a body that is skipped; its answer has gone out */
    CONN_HTTP2,    /* frames */
    CONN_LINGER,   /* whatever comes, until the client closes too (RFC 9112, 9.6) */
    CONN_EXCHANGE, /* content of a request that flows through, or a tunnel's bytes */
};

/* What a connection waits for. It is in exactly one of these lists. */
enum wait {
    WAIT_IDLE,
    WAIT_HEADER,
    WAIT_WRITE,
    WAIT_BODY,
    WAIT_LINGER,
    WAIT_STREAMS, /* HTTP/2: for whatever is due next */
    WAIT_ANSWER,  /* for the handler, which says when it is time */
    WAIT_BATCH,   /* as WAIT_BODY or WAIT_LINGER, while the kernel gathers */
    WAIT_TURN,    /* for nothing: it has had its share of this turn */
    WAIT_RUN,     /* those of WAIT_TURN that are being served in this one */
    WAITS,
};

/* What is known of the body of the last request. */
enum fate {
    FATE_COUNTED, /* all, or there was none */
    FATE_AWAITED, /* nothing of it has come */
    FATE_COMING,
};

/* What follows when the answers are written. */
enum next {
    NEXT_READ,     /* wait for more bytes */
    NEXT_AGAIN,    /* look at the rest again */
    NEXT_CLOSE,    /* nothing is left unread: close */
    NEXT_LINGER,   /* half-close, read until the client closes */
    NEXT_WAIT,     /* for an answer that comes later */
    NEXT_EXCHANGE, /* for one that comes piece by piece */
};

struct conn_link {
    struct conn_link *prev;
    struct conn_link *next;
};

/* Bytes that were read and not yet used: the beginning of a head, or requests that wait
 * for their turn. At most input_bytes_max. */
struct held {
    uint32_t len;
    uint32_t cap;
    uint8_t bytes[];
};

/* Answers that the socket did not take. At most serve_response_bytes_max more than
 * output_bytes. */
struct pending {
    size_t len;
    size_t cap;
    size_t sent;
    uint8_t bytes[];
};

/* One connection. While it is idle this is all there is of it. */
struct conn {
    ev_io io; /* the first member: libev hands it back */
    struct conn_link link;
    struct acceptor *acceptor;
    struct held *held;
    struct pending *pending;
    struct tls_stream *tls;    /* NULL: clear */
    struct h2_session *h2;     /* NULL: HTTP/1.1 */
    struct serve_later *later; /* the answer that it waits for; NULL: none */
    struct exchange *exchange; /* of HTTP/1.1, the one under way; NULL: none */
    struct content *content;   /* that is being gathered; NULL: none */
    struct h1_body body;
    uint64_t skipped_bytes; /* of this body, or since the half-close */
    int64_t started_ns;     /* when the first byte of a head that is held came; 0: none */
    size_t scanned;         /* of the held bytes: see h1_parse */
    uint32_t linger_began_ms;
    uint32_t since_ms;    /* when it began to wait, or last made the least progress */
    uint32_t since_bytes; /* that have come or gone since then */
    struct client peer;
    uint8_t state;  /* enum conn_state */
    uint8_t wait;   /* enum wait */
    uint8_t next;   /* enum next, while there is something pending */
    uint8_t fate;   /* enum fate */
    bool batched;   /* the kernel gathers batch_bytes before it wakes us */
    bool ended;     /* the client has said that nothing more comes */
    bool continued; /* 100 was sent for the request that is coming */
    bool broken;    /* a send failed: nothing more can be said */
};

/* One listening socket. Connections hold on to it for its name and options. */
struct acceptor {
    ev_io io; /* the first member */
    struct server *server;
    struct acceptor *next;
    size_t conn_count;
    unsigned reads_skipped; /* accepts to come that do not try to read at once */
    bool closed;
    struct listener listener;
};

struct server {
    struct ev_loop *loop;
    struct serve_limits limits;
    serve_handler_fn handler;
    void *context;
    size_t content_max;   /* 0: nobody wants what requests carry */
    serve_admit_fn admit; /* of larger ones; NULL: none */
    size_t contents_max;
    size_t contents_bytes; /* that are gathered, or room for them */
    struct counters_worker *counters;
    struct acceptor *acceptors;
    struct h2_engine *h2; /* NULL: nobody has spoken HTTP/2 yet */
    struct h2_counters h2_counted;
    struct tls_context *tls; /* of connections to come; NULL: none can be made */
    size_t connection_count;
    size_t handshake_count;

    struct conn_link waits[WAITS];
    ev_timer sweep;   /* runs while there are connections */
    ev_idle turn;     /* runs while WAIT_TURN is not empty, or on_empty is due */
    uint64_t now_ms;  /* monotonic, as of the last sweep */
    uint32_t tick_ms; /* between two sweeps */

    struct exchange *due_first; /* exchanges that are to be looked at */
    struct exchange *due_last;
    ev_prepare prepare;    /* runs while there are some */
    struct conn *gathered; /* whose bytes stand in out, between two events; NULL: nobody's */
    struct conn *sealing;  /* whose records stand in sealed, if there are any */

    ev_timer retry; /* runs while accepting is paused */
    int spare_fd;   /* given up to refuse a connection when there is no other */

    bool draining;
    bool sockets_shared; /* listening ones: another process goes on with them */
    void (*on_empty)(void *context);

    int64_t now_ns; /* wall clock of this event */
    int64_t date_s; /* what date says */
    uint8_t date[date_bytes];

    struct h1_head head;
    struct response response;
    struct buffer out;    /* answers that are gathered */
    struct buffer sealed; /* records that are to be sent */
    uint8_t in[input_bytes_max];
    uint8_t sealed_in[read_bytes + proxy_header_bytes_max];
    uint8_t out_bytes[output_bytes];
    uint8_t sealed_bytes[sealed_output_bytes];
    struct counters_worker own_counters; /* when nobody reads them */
};

static inline struct conn *conn_of_link(struct conn_link *link)
{
    return (struct conn *)(void *)((uint8_t *)link - offsetof(struct conn, link));
}

static inline struct span conn_held(const struct conn *conn)
{
    const struct held *held = conn->held;
    return held != NULL ? span_of(held->bytes, held->len) : (struct span){0};
}

static inline struct server *conn_server(const struct conn *conn)
{
    return conn->acceptor->server;
}

/* server.c */

/* Takes the loop's time over. At the begin of every event. */
void server_wake(struct server *server);
/* To be called when the last connection may have gone. */
void server_check_empty(struct server *server);

/* accept.c */

/* Lets go of an acceptor whose last connection has gone and that accepts no more. */
void acceptor_release(struct acceptor *acceptor);
void accept_retry(struct ev_loop *loop, ev_timer *timer, int revents);
/* A descriptor has become free. */
void accept_resume(struct server *server);
void accept_end(struct server *server);

/* conn.c */

/* Owns fd from here. */
void conn_open(struct acceptor *acceptor, int fd, const struct client *peer);
void conn_close(struct conn *conn);
/* Reads once more and answers what has just come; closes if there is nothing. */
void conn_retire(struct conn *conn);
/* Sends what was gathered, then does what is next with the rest of the input. The
 * connection may be gone afterwards. */
void conn_settle(struct conn *conn, enum next next, struct span rest);

void conn_drop_held(struct conn *conn);
/* Keeps bytes, which may stand in the held ones, in their place. False: no memory. */
bool conn_hold(struct conn *conn, struct span bytes);
/* Which of EV_READ and EV_WRITE are waited for, if they are others than now. */
void conn_watch_anew(struct conn *conn, int events);
static inline void conn_watch(struct conn *conn, int events)
{
    if (!ev_is_active(&conn->io) || (conn->io.events & (EV_READ | EV_WRITE)) != events) {
        conn_watch_anew(conn, events);
    }
}

/* protocol.c */

/* Serves bytes in clear, which came behind those that were held. */
void protocol_input(struct conn *conn, struct span bytes);
/* Goes on where its turn ended. */
void protocol_run(struct conn *conn);
/* Keeps the server's date current. */
void protocol_update_date(struct server *server);
/* Has the server's handler answer a request. */
void protocol_answer(struct conn *conn, const struct request *request, struct span content,
                     uint16_t bad_status, struct response *response);

/* input.c */

/* Reads what is there and serves it. False: nothing was there, and the connection stands
 * as it was. */
bool input_read(struct conn *conn);
/* Whether the kernel gathers batch_bytes before it wakes us, or wakes us for each. */
void input_batch(struct conn *conn, bool wanted);
/* Serves bytes as they came from the socket, behind the header of the PROXY protocol. */
void input_take(struct conn *conn, struct span bytes);

/* body.c */

/* A body comes behind the head of this request. */
void body_begin(struct conn *conn, const struct request *request);
/* Goes over bytes of it, from *used on. After NEXT_READ the state says whether it has
 * ended. */
enum next body_skip(struct conn *conn, struct span bytes, size_t *used);
/* How many bytes may come that the kernel can throw away: 0 for those that must be seen. */
size_t body_discardable(const struct conn *conn);
/* Takes note of bytes that the kernel has thrown away. */
enum next body_discarded(struct conn *conn, size_t len);
/* Takes note of bytes that come after our half-close. False: they are too many, or come
 * for too long. */
bool body_linger(struct conn *conn, struct span bytes);
/* It will not be read to its end. */
void body_cut(struct conn *conn);
/* The connection ends: says what has become of the body, if that is still open. */
void body_end(struct conn *conn);

/* content.c */

/* A content that is larger than content_max comes behind this head, which also stands in
 * the server. The status to refuse it with; 0: it is gathered from here. */
uint16_t content_begin(struct conn *conn, struct span head);
/* Takes what belongs to it. True: that was all. */
bool content_take(struct conn *conn, struct span bytes, size_t *used);
/* All of it, good until content_end; the head stands in the server again. */
struct span content_whole(struct conn *conn);
/* Nothing where none is gathered. */
void content_end(struct conn *conn);

/* http1.c */

/* Answers the requests in bytes; *used is what need not be seen again. */
enum next http1_input(struct conn *conn, struct span bytes, size_t *used);
/* Answers a head that did not come in time. */
void http1_timeout(struct conn *conn);
/* Takes leave of an answer that will come too late. */
void http1_forget(struct conn *conn);

/* http2.c */

enum preface { PREFACE_NONE, PREFACE_MORE, PREFACE_HTTP2 };
/* Whether a connection begins as HTTP/2 with prior knowledge does (RFC 9113, 3.3). */
enum preface http2_preface(struct span bytes);
/* False: no memory. */
bool http2_begin(struct conn *conn);
/* Takes all of bytes and answers what it can. */
enum next http2_input(struct conn *conn, struct span bytes);
/* Sends what waits in the session, as much as the socket takes. */
enum next http2_output(struct conn *conn);
/* Does what is due by now. */
enum next http2_tick(struct conn *conn);
/* Tells the client that no request will be taken any more. */
enum next http2_retire(struct conn *conn);
/* Nothing is under way and nothing will be due. */
bool http2_idle(const struct conn *conn);
void http2_end(struct conn *conn);

/* exchange.c */

void exchange_init(struct server *server);
void exchange_fini(struct server *server);
/* Sends what exchanges have gathered. */
void exchange_flush(struct server *server);
/* The connection ends. */
void exchange_forget(struct conn *conn);

/* exchange1.c: of connections that have an exchange */

/* Waits for what is next; rest: what has come and was not used. */
void exchange1_settle(struct conn *conn, struct span rest);
void exchange1_input(struct conn *conn, struct span bytes, size_t fresh);
/* The client has half-closed. */
void exchange1_ended(struct conn *conn);
void exchange1_event(struct conn *conn, int revents);
/* The client does not send what it should. */
void exchange1_timeout(struct conn *conn);

/* exchange2.c */

void exchange2_init(struct h2_engine *engine);

/* output.c */

struct h1_encoding;
/* Appends the response that stands in the server. */
void output_response(struct conn *conn, const struct h1_encoding *encoding);
/* Sends what was gathered; what the socket does not take becomes pending. */
void output_flush(struct conn *conn);
/* Sends what the last tls_receive has made. */
void output_sealed(struct server *server);
/* Sends bytes from where they stand. Nothing must be gathered or pending. */
void output_span(struct conn *conn, struct span bytes);
/* The same, for the last time: what says so over TLS goes with it. */
void output_finish(struct conn *conn);
/* Says over TLS that nothing more comes, once. */
void output_end(struct conn *conn);
/* Sends what is pending. Gives how many bytes went. */
size_t output_pending(struct conn *conn);

/* timeout.c */

void timeout_init(struct server *server);
/* Puts the connection at the end of a list, as of now. */
void timeout_enter(struct conn *conn, enum wait wait);
void timeout_leave(struct conn *conn);
void timeout_set_limits(struct server *server);
void timeout_run_turns(struct server *server);
/* Reads the monotonic clock: the first connection came after a time without sweeps. */
void timeout_wake(struct server *server);

/* Some bytes have come or gone: when they are enough, waiting begins anew. */
void timeout_progress(struct conn *conn, enum wait wait, size_t len);

static inline bool wait_empty(const struct server *server, enum wait wait)
{
    return server->waits[wait].next == &server->waits[wait];
}

static inline struct conn *wait_first(struct server *server, enum wait wait)
{
    return conn_of_link(server->waits[wait].next);
}

/* As timeout_enter, but a connection that is busy moves only once between two sweeps. */
static inline void timeout_touch(struct conn *conn, enum wait wait)
{
    if (conn->wait != wait || conn->since_ms != (uint32_t)conn_server(conn)->now_ms) {
        timeout_enter(conn, wait);
    }
}
