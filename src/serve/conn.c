/* SPDX-License-Identifier: MIT */
/* The life of a connection: it reads, has its bytes answered, sends, and waits for what
 * is next. A function here that may close it is the last one to touch it. */
#include "serve/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* An idle connection may cost 400 bytes of user memory, with what libev and the allocator
 * add. */
static_assert(sizeof(struct conn) <= 256, "a connection has grown");

void conn_watch_anew(struct conn *conn, int events)
{
    struct ev_loop *loop = conn_server(conn)->loop;
    ev_io_stop(loop, &conn->io);
    if (events != 0) {
        ev_io_set(&conn->io, conn->io.fd, events);
        ev_io_start(loop, &conn->io);
    }
}

void conn_drop_held(struct conn *conn)
{
    free(conn->held);
    conn->held = NULL;
    conn->scanned = 0;
}

bool conn_hold(struct conn *conn, struct span rest)
{
    struct held *held = conn->held;
    if (rest.len == 0) {
        if (held != NULL) {
            conn_drop_held(conn);
        }
        return true;
    }
    assert(rest.len <= input_bytes_max);
    if (held == NULL || held->cap < rest.len) {
        size_t cap = (rest.len + 511) & ~(size_t)511;
        held = malloc(sizeof(*held) + cap);
        if (held == NULL) {
            return false;
        }
        held->cap = (uint32_t)cap;
    }
    memmove(held->bytes, rest.ptr, rest.len);
    held->len = (uint32_t)rest.len;
    if (held != conn->held) {
        free(conn->held);
        conn->held = held;
    }
    if (conn->started_ns == 0) {
        conn->started_ns = conn_server(conn)->now_ns;
    }
    return true;
}

static void wait_for_writing(struct conn *conn, enum next next, struct span rest)
{
    if (next != NEXT_CLOSE && next != NEXT_LINGER && !conn_hold(conn, rest)) {
        conn_close(conn);
        return;
    }
    conn->next = (uint8_t)next;
    timeout_enter(conn, WAIT_WRITE);
    conn_watch(conn, EV_WRITE);
}

static void wait_for_answer(struct conn *conn, struct span rest)
{
    if (!conn_hold(conn, rest)) {
        conn_close(conn);
        return;
    }
    ev_io_stop(conn_server(conn)->loop, &conn->io);
    timeout_enter(conn, WAIT_ANSWER);
}

static void wait_for_turn(struct conn *conn, struct span rest)
{
    struct server *server = conn_server(conn);
    if (!conn_hold(conn, rest)) {
        conn_close(conn);
        return;
    }
    ev_io_stop(server->loop, &conn->io);
    timeout_enter(conn, WAIT_TURN);
    ev_idle_start(server->loop, &server->turn);
}

/* What is due in an HTTP/2 connection is looked at every now and then, however much comes:
 * a client that never pauses could put off the end of what stands still. */
static void wait_for_frames(struct conn *conn)
{
    if (http2_idle(conn)) {
        timeout_touch(conn, WAIT_IDLE);
    } else if (conn->wait != WAIT_STREAMS) {
        timeout_enter(conn, WAIT_STREAMS);
    }
}

/* Only the first byte of a head, or of a handshake, starts the clock; the next ones do not. */
static void wait_for_head(struct conn *conn, bool fresh)
{
    if (fresh || conn->wait != WAIT_HEADER) {
        timeout_enter(conn, WAIT_HEADER);
    }
}

static void wait_for_bytes(struct conn *conn, struct span rest)
{
    bool fresh = conn->started_ns == 0;
    if (!conn_hold(conn, rest) || conn->ended) {
        conn_close(conn);
        return;
    }
    if (rest.len > 0) {
        wait_for_head(conn, fresh);
    } else if (conn->state == CONN_TLS) {
        wait_for_head(conn, false);
    } else if (conn->state == CONN_HTTP2) {
        wait_for_frames(conn);
    } else if (conn->state == CONN_HEAD || conn->state == CONN_FIRST) {
        if (conn_server(conn)->draining) {
            conn_retire(conn);
            return;
        }
        timeout_touch(conn, WAIT_IDLE);
    } else if (conn->state == CONN_BODY) {
        timeout_progress(conn, WAIT_BODY, 0);
    } else if (conn->state == CONN_CONTENT) {
        timeout_progress(conn, WAIT_HEADER, 0);
    }
    conn_watch(conn, EV_READ);
}

/* A close with bytes unread would send a reset, which can overtake the answer; so the
 * client is told that nothing more comes, and heard to its end (RFC 9112, 9.6). */
static void begin_linger(struct conn *conn)
{
    output_end(conn);
    if (conn->pending != NULL && !conn->broken) {
        wait_for_writing(conn, NEXT_LINGER, (struct span){0});
        return;
    }
    if (conn->broken || shutdown(conn->io.fd, SHUT_WR) != 0) {
        conn_close(conn);
        return;
    }
    conn_drop_held(conn);
    content_end(conn);
    input_batch(conn, false);
    conn->state = CONN_LINGER;
    conn->skipped_bytes = 0;
    conn->linger_began_ms = (uint32_t)conn_server(conn)->now_ms;
    timeout_enter(conn, WAIT_LINGER);
    conn_watch(conn, EV_READ);
}

static void go_on(struct conn *conn, enum next next, struct span rest)
{
    switch (next) {
    case NEXT_READ:
        wait_for_bytes(conn, rest);
        return;
    case NEXT_AGAIN:
        wait_for_turn(conn, rest);
        return;
    case NEXT_LINGER:
        begin_linger(conn);
        return;
    case NEXT_CLOSE:
        conn_close(conn);
        return;
    case NEXT_WAIT:
        wait_for_answer(conn, rest);
        return;
    case NEXT_EXCHANGE:
        exchange1_settle(conn, rest);
        return;
    }
}

void conn_settle(struct conn *conn, enum next next, struct span rest)
{
    struct server *server = conn_server(conn);
    if (server->gathered != NULL) {
        exchange_flush(server); /* which may be another connection's */
    }
    if (next == NEXT_CLOSE || next == NEXT_LINGER) {
        output_finish(conn);
    } else {
        output_flush(conn);
    }
    if (conn->pending != NULL && !conn->broken && next != NEXT_EXCHANGE) {
        output_pending(conn);
    }
    if (conn->broken) {
        conn_close(conn);
    } else if (conn->pending != NULL && next != NEXT_EXCHANGE) {
        wait_for_writing(conn, next, rest);
    } else {
        go_on(conn, next, rest);
    }
}

static void conn_writable(struct conn *conn)
{
    timeout_progress(conn, WAIT_WRITE, output_pending(conn));
    if (conn->broken) {
        conn_close(conn);
    } else if (conn->pending != NULL) {
        return;
    } else if (conn->h2 != NULL && conn->state == CONN_HTTP2) {
        conn_settle(conn, http2_output(conn), (struct span){0});
    } else {
        go_on(conn, (enum next)conn->next, conn_held(conn));
    }
}

static void on_event(struct ev_loop *loop, ev_io *io, int revents)
{
    struct conn *conn = (struct conn *)io;
    (void)loop;
    server_wake(conn_server(conn));
    if (conn->exchange != NULL) {
        exchange1_event(conn, revents);
    } else if (conn->pending != NULL) {
        conn_writable(conn);
    } else {
        input_read(conn);
    }
}

/* When the loop is busy the request has mostly arrived by now, and a turn of the loop is
 * saved; when it is not, to try would be a system call for nothing. What happened to the
 * last connections says which it is. */
static void read_early(struct conn *conn)
{
    struct acceptor *acceptor = conn->acceptor;
    if (acceptor->reads_skipped > 0) {
        acceptor->reads_skipped--;
    } else if (input_read(conn)) {
        return;
    } else {
        acceptor->reads_skipped = reads_skipped_max;
    }
    conn_watch(conn, EV_READ);
}

/* False: there is no certificate, no memory, or too many handshakes go on. */
static bool secure(struct conn *conn)
{
    struct server *server = conn_server(conn);
    if (server->tls == NULL || server->handshake_count >= handshakes_max) {
        return false;
    }
    conn->tls = tls_stream_new(server->tls, server->content_max == 0);
    if (conn->tls == NULL) {
        return false;
    }
    server->handshake_count++;
    conn->peer.secure = true;
    conn->state = CONN_TLS;
    return true;
}

/* NULL: it cannot be served. */
static struct conn *conn_new(struct acceptor *acceptor, const struct client *peer)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        return NULL;
    }
    conn->acceptor = acceptor;
    conn->peer = *peer;
    conn->state = CONN_FIRST;
    if (acceptor->listener.secure && !secure(conn)) {
        free(conn);
        return NULL;
    }
    if (acceptor->listener.proxy_protocol) {
        conn->state = CONN_PROXY;
    }
    return conn;
}

void conn_open(struct acceptor *acceptor, int fd, const struct client *peer)
{
    struct server *server = acceptor->server;
    struct conn *conn = conn_new(acceptor, peer);
    if (conn == NULL) {
        counter_add(&server->counters->connections_refused, 1);
        close(fd);
        return;
    }
    ev_io_init(&conn->io, on_event, fd, EV_READ);
    acceptor->conn_count++;
    server->connection_count++;
    if (!ev_is_active(&server->sweep)) {
        timeout_wake(server);
    }
    counter_add(&server->counters->connections_accepted, 1);
    counter_set(&server->counters->connections_active, server->connection_count);
    timeout_enter(conn, conn->state == CONN_FIRST ? WAIT_IDLE : WAIT_HEADER);
    read_early(conn);
}

/* The last words of TLS, if they can be said at once. */
static void end_tls(struct conn *conn)
{
    if (conn->tls == NULL) {
        return;
    }
    if (!tls_established(conn->tls)) {
        conn_server(conn)->handshake_count--;
    } else if (!conn->broken) {
        output_end(conn);
    }
    tls_stream_free(&conn->tls);
    struct server *server = conn_server(conn);
    if (server->sealing == conn) {
        server->sealing = NULL;
        server->sealed.len = 0; /* nobody else's, if it could not be sent */
    }
}

void conn_close(struct conn *conn)
{
    struct acceptor *acceptor = conn->acceptor;
    struct server *server = acceptor->server;
    body_end(conn);
    content_end(conn);
    http1_forget(conn);
    exchange_forget(conn);
    http2_end(conn);
    end_tls(conn);
    ev_io_stop(server->loop, &conn->io);
    close(conn->io.fd);
    timeout_leave(conn);
    free(conn->held);
    free(conn->pending);
    free(conn);
    server->connection_count--;
    counter_set(&server->counters->connections_active, server->connection_count);
    acceptor->conn_count--;
    acceptor_release(acceptor);
    accept_resume(server);
    server_check_empty(server);
}

/* Whoever sees a kept connection end sends its request again on another; not so with the first
 * request of one that it has just opened. Where another process goes on, nobody is to notice. */
static void retire_silent(struct conn *conn)
{
    if (conn_server(conn)->sockets_shared && conn->state == CONN_FIRST) {
        timeout_enter(conn, WAIT_HEADER);
        conn_watch(conn, EV_READ);
    } else {
        conn_close(conn);
    }
}

void conn_retire(struct conn *conn)
{
    if (conn->state == CONN_HTTP2) {
        conn_settle(conn, http2_retire(conn), (struct span){0});
    } else if (!input_read(conn)) {
        retire_silent(conn);
    }
}
