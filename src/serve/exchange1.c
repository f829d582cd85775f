/* SPDX-License-Identifier: MIT */
/* Exchanges over HTTP/1.1: one at a time on a connection, and the requests behind it wait
 * (RFC 9112). A function here that may close the connection is the last one to touch it. */
#include "serve/passing.h"

#include <assert.h>
#include <sys/socket.h>

void exchange1_open(struct exchange *exchange, const struct request *request)
{
    struct conn *conn = exchange->conn;
    struct server *server = exchange->server;
    exchange->version_minor = request->version_minor;
    exchange->head = request->method == METHOD_HEAD;
    exchange->close = !request->keep_alive;
    exchange->content_open = request->body != BODY_NONE;
    exchange->awaits_continue = request->expect_continue;
    h1_body_init(&conn->body, request);
    conn->exchange = exchange;
    conn->state = CONN_EXCHANGE;
    if (server->out.len > 0 && server->gathered == NULL) {
        server->gathered = conn; /* answers to earlier requests */
    }
}

/* ---- the request */

/* Nothing is read while something of it waits; after its end, only what says that the client
 * has gone, or the beginning of the next request. */
static bool wants_bytes(const struct exchange *exchange)
{
    const struct conn *conn = exchange->conn;
    if (conn->ended || conn->held != NULL || exchange->over) {
        return false;
    }
    return exchange->resumed || !(exchange->tunnel || exchange->content_open);
}

/* For how long it may take is the client's fault only while it should read, or send. */
static void wait_for_either(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    bool writing = conn->pending != NULL;
    bool reading = wants_bytes(exchange);
    enum wait wait = WAIT_ANSWER;
    if (writing) {
        wait = WAIT_WRITE;
    } else if (reading && exchange->content_open && !exchange->awaits_continue) {
        wait = WAIT_BODY;
    }
    if (conn->wait != wait) {
        timeout_enter(conn, wait);
    }
    conn_watch(conn, (writing ? EV_WRITE : 0) | (reading ? EV_READ : 0));
}

/* Gives what was taken. The far side may ask for more from within the call. */
static size_t give(struct exchange *exchange, struct span bytes)
{
    exchange->resumed = false;
    size_t taken = exchange->far->content(exchange->context, bytes);
    assert(taken <= bytes.len);
    exchange->resumed |= taken == bytes.len;
    return taken;
}

static void give_end(struct exchange *exchange)
{
    struct field fields[h1_trailers_max];
    size_t count = h1_trailers_read(&exchange->trailers, fields);
    exchange->far->content_end(exchange->context, count > 0 ? fields : NULL, count);
    h1_trailers_free(&exchange->trailers);
}

/* An answer broken off must not look whole, which the end of a connection would where it is
 * what ends the answer: a reset does not, nor does TLS without close_notify. */
static void cut(struct conn *conn, bool close_ends)
{
    static const struct linger reset = {.l_onoff = 1};
    if (close_ends) {
        conn->broken = true;
        setsockopt(conn->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        conn_close(conn);
        return;
    }
    conn->state = CONN_HEAD;
    conn_settle(conn, NEXT_CLOSE, (struct span){0});
}

/* By the client's fault: the far side hears that it has gone. */
static void fail(struct exchange *exchange, uint16_t status)
{
    struct conn *conn = exchange->conn;
    struct server *server = exchange->server;
    bool close_ends = exchange->framing == H1_FRAMING_CLOSE;
    exchange_flush(server);
    conn->exchange = NULL;
    exchange_detach(exchange);
    if (exchange->begun) {
        cut(conn, close_ends);
        return;
    }
    const struct h1_encoding encoding = {
        .date = server->date,
        .version_minor = exchange->version_minor,
        .close = true,
        .head = exchange->head,
    };
    conn->state = CONN_HEAD;
    response_clear(&server->response);
    server->response.status = status;
    output_response(conn, &encoding);
    conn_settle(conn, NEXT_LINGER, (struct span){0});
}

/* Goes on with the content; *bytes becomes what is not used. False: the exchange has failed,
 * and the connection may be gone. */
static bool give_content(struct exchange *exchange, struct span *bytes)
{
    struct conn *conn = exchange->conn;
    while (exchange->content_open && exchange->resumed && !exchange->over) {
        struct h1_piece piece;
        size_t used = 0;
        enum h1_result result = h1_body_next(&conn->body, *bytes, &used, &piece);
        *bytes = span_from(*bytes, used);
        bool kept = piece.trailers.len == 0 || h1_trailers_add(&exchange->trailers, piece.trailers);
        if (result == H1_BAD || !kept) {
            fail(exchange, kept ? 400 : 503);
            return false;
        }
        if (result == H1_DONE) {
            exchange->content_open = false;
            give_end(exchange);
        } else if (piece.content.len == 0) {
            break;
        } else {
            size_t taken = give(exchange, piece.content);
            h1_body_pass(&conn->body, taken);
            *bytes = span_from(*bytes, taken);
            exchange->content_came = true;
            exchange->awaits_continue = false;
        }
    }
    return true;
}

static void give_tunnel(struct exchange *exchange, struct span *bytes)
{
    if (bytes->len > 0 && exchange->resumed && !exchange->over) {
        *bytes = span_from(*bytes, give(exchange, *bytes));
    }
}

/* False: the connection is gone. */
static bool hear_end(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    if (!conn->ended || conn->held != NULL || exchange->over) {
        return true;
    }
    if (exchange->tunnel && !exchange->end_told) {
        exchange->end_told = true;
        exchange->over = exchange->half_closed;
        exchange->far->content_end(exchange->context, NULL, 0);
        exchange_due(exchange);
    } else if (exchange->content_open) {
        conn_close(conn);
        return false;
    }
    return true;
}

/* bytes: all that is there, which may stand in what is held. */
static void go_on(struct exchange *exchange, struct span bytes)
{
    struct conn *conn = exchange->conn;
    if (exchange->tunnel) {
        give_tunnel(exchange, &bytes);
    } else if (!give_content(exchange, &bytes)) {
        return;
    }
    if (!conn_hold(conn, bytes)) {
        conn_close(conn);
        return;
    }
    if (exchange->content_open) {
        conn->started_ns = 0; /* no head has begun */
    }
    if (hear_end(exchange)) {
        wait_for_either(exchange);
    }
}

void exchange1_settle(struct conn *conn, struct span rest)
{
    struct server *server = conn_server(conn);
    go_on(conn->exchange, rest);
    exchange_flush(server);
}

void exchange1_input(struct conn *conn, struct span bytes, size_t fresh)
{
    if (conn->wait == WAIT_BODY) {
        timeout_progress(conn, WAIT_BODY, fresh);
    }
    conn_settle(conn, NEXT_EXCHANGE, bytes);
}

void exchange1_ended(struct conn *conn)
{
    conn->ended = true;
    exchange1_settle(conn, conn_held(conn));
}

void exchange1_timeout(struct conn *conn)
{
    fail(conn->exchange, 408);
}

/* ---- what follows */

/* Behind an early answer: what still comes of the content is nobody's. */
static enum next skip_rest(struct conn *conn, bool came, struct span *rest)
{
    size_t used = 0;
    conn->state = CONN_BODY;
    conn->fate = came ? FATE_COMING : FATE_AWAITED;
    conn->skipped_bytes = 0;
    enum next next = body_skip(conn, *rest, &used);
    *rest = span_from(*rest, used);
    return next;
}

/* The answer is whole. The exchange is not needed any more. */
static void finish(struct conn *conn, const struct exchange *exchange)
{
    struct span rest = conn_held(conn);
    enum next next = NEXT_READ;
    conn->state = CONN_HEAD;
    if (exchange->content_open) {
        next = skip_rest(conn, exchange->content_came, &rest);
    }
    if (exchange->close && next == NEXT_READ) {
        next = conn->state == CONN_HEAD && rest.len == 0 ? NEXT_CLOSE : NEXT_LINGER;
    } else if (rest.len > 0 && next == NEXT_READ) {
        next = NEXT_AGAIN;
    }
    conn_settle(conn, next, rest);
}

static void end(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    struct exchange last = *exchange;
    conn->exchange = NULL;
    exchange_detach(exchange);
    if (last.aborted) {
        cut(conn, last.framing == H1_FRAMING_CLOSE);
    } else if (last.tunnel) {
        conn->state = CONN_HEAD;
        conn_settle(conn, NEXT_CLOSE, (struct span){0});
    } else {
        finish(conn, &last);
    }
}

/* The far side of a tunnel has ended, and all of it has gone out. */
static void shut(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    if (!exchange->half_closed || exchange->shut || conn->pending != NULL) {
        return;
    }
    output_end(conn);
    if (conn->pending == NULL) {
        exchange->shut = true;
        conn->broken |= shutdown(conn->io.fd, SHUT_WR) != 0;
    }
}

void exchange1_run(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    exchange_flush(exchange->server);
    shut(exchange);
    if (conn->broken && !exchange->aborted) {
        conn_close(conn);
        return;
    }
    if (exchange->over) {
        end(exchange);
        return;
    }
    if (exchange->blocked && conn->pending == NULL) {
        exchange->blocked = false;
        exchange->far->writable(exchange->context);
    }
    go_on(exchange, conn_held(conn));
}

void exchange1_event(struct conn *conn, int revents)
{
    struct exchange *exchange = conn->exchange;
    if (conn->pending != NULL && (revents & EV_WRITE) != 0) {
        timeout_progress(conn, WAIT_WRITE, output_pending(conn));
        if (conn->broken) {
            conn_close(conn);
            return;
        }
        if (conn->pending == NULL) {
            exchange_due(exchange);
            wait_for_either(exchange);
        }
    }
    if ((revents & EV_READ) != 0 && wants_bytes(exchange)) {
        input_read(conn);
    }
}
