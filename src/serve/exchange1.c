/* SPDX-License-Identifier: MIT */
/* Exchanges over HTTP/1.1: one at a time on a connection, and the requests behind it wait
 * (RFC 9112). A function here that may close the connection is the last one to touch it. */
#include "serve/passing.h"

#include "http/status.h"

#include <assert.h>
#include <sys/socket.h>

enum {
    /* Content of this size is sent from where it stands; less is gathered. */
    direct_bytes_min = 16384,
    /* One chunk, with what stands around it, fits into the output buffer. */
    chunk_bytes_max = output_bytes - 64,
};

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

/* ---- the answer */

void exchange1_continue(struct exchange *exchange)
{
    if (exchange->awaits_continue) {
        exchange->awaits_continue = false;
        exchange_gather(exchange->conn);
        buffer_put(&exchange->server->out, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

/* One that does not fit beside what is gathered is tried alone. False: not even then. */
static bool put_head(struct exchange *exchange, const struct h1_flow_head *head)
{
    struct buffer *out = &exchange->server->out;
    exchange_gather(exchange->conn);
    h1_encode_flow_head(head, out);
    if (out->full) {
        out->full = false;
        output_flush(exchange->conn);
        h1_encode_flow_head(head, out);
    }
    bool done = !out->full;
    out->full = false;
    return done;
}

void exchange1_inform(struct exchange *exchange, uint16_t status, const struct field *fields,
                      size_t count)
{
    if (exchange->version_minor == 0) {
        return;
    }
    const struct h1_flow_head head = {
        .status = status,
        .fields = fields,
        .field_count = count,
        .version_minor = exchange->version_minor,
    };
    put_head(exchange, &head);
}

static enum h1_framing choose_framing(const struct exchange *exchange,
                                      const struct exchange_head *head)
{
    if (head->status == 101 || head->status == 204) {
        return H1_FRAMING_NONE;
    }
    if (head->has_length || head->status == 205) {
        return H1_FRAMING_LENGTH;
    }
    if (exchange->mute) {
        return H1_FRAMING_NONE;
    }
    return exchange->version_minor > 0 ? H1_FRAMING_CHUNKED : H1_FRAMING_CLOSE;
}

void exchange1_begin(struct exchange *exchange, const struct exchange_head *given)
{
    bool tunnel = given->status == 101;
    exchange->mute = exchange->head || (!tunnel && !status_has_content(given->status));
    exchange->framing = (uint8_t)choose_framing(exchange, given);
    exchange->close |= exchange->server->draining || exchange->framing == H1_FRAMING_CLOSE ||
                       exchange->awaits_continue;
    uint64_t length = given->has_length && given->status != 205 ? given->content_length : 0;
    exchange->left = exchange->mute ? 0 : length;
    const struct h1_flow_head head = {
        .status = given->status,
        .fields = given->fields,
        .field_count = given->field_count,
        .upgrade = given->upgrade,
        .framing = (enum h1_framing)exchange->framing,
        .content_length = length,
        .date = exchange->server->date,
        .version_minor = exchange->version_minor,
        .close = exchange->close,
    };
    bool too_early = tunnel && exchange->content_open;
    if (too_early || !put_head(exchange, &head)) {
        exchange->conn->broken = true; /* as when it had gone */
        return;
    }
    exchange->tunnel = tunnel;
}

/* A piece of what is framed by nothing around it. Gives its length, 0: try again. */
static size_t put_plain(struct exchange *exchange, struct span bytes)
{
    struct conn *conn = exchange->conn;
    struct buffer *out = &exchange->server->out;
    size_t len = bytes.len < exchange_answer_held_max ? bytes.len : exchange_answer_held_max;
    if (len < direct_bytes_min && len <= out->cap - out->len) {
        buffer_put(out, span_slice(bytes, 0, len));
        return len;
    }
    if (out->len > 0) {
        output_flush(conn);
        return 0;
    }
    output_span(conn, span_slice(bytes, 0, len));
    return len;
}

static size_t put_chunk(struct exchange *exchange, struct span bytes)
{
    struct buffer *out = &exchange->server->out;
    size_t len = bytes.len < chunk_bytes_max ? bytes.len : chunk_bytes_max;
    if (len + h1_chunk_head_bytes_max + 2 > out->cap - out->len) {
        output_flush(exchange->conn);
        return 0;
    }
    h1_encode_chunk_head(len, out);
    buffer_put(out, span_slice(bytes, 0, len));
    buffer_put(out, SPAN("\r\n"));
    return len;
}

static size_t put_piece(struct exchange *exchange, struct span bytes)
{
    if (exchange->framing == H1_FRAMING_CHUNKED) {
        return put_chunk(exchange, bytes);
    }
    size_t len = put_plain(exchange, bytes);
    if (exchange->framing == H1_FRAMING_LENGTH) {
        assert(len <= exchange->left);
        exchange->left -= len;
    }
    return len;
}

size_t exchange1_write(struct exchange *exchange, struct span bytes)
{
    struct conn *conn = exchange->conn;
    size_t taken = 0;
    if (exchange->mute) {
        return bytes.len;
    }
    exchange_gather(conn);
    while (taken < bytes.len && conn->pending == NULL && !conn->broken) {
        taken += put_piece(exchange, span_from(bytes, taken));
    }
    return conn->broken ? bytes.len : taken;
}

static void put_last_chunk(struct exchange *exchange, const struct field *trailers, size_t count)
{
    struct buffer *out = &exchange->server->out;
    exchange_gather(exchange->conn);
    h1_encode_last_chunk(trailers, count, out);
    if (out->full) {
        out->full = false;
        output_flush(exchange->conn);
        h1_encode_last_chunk(trailers, count, out);
    }
    exchange->aborted |= out->full;
    out->full = false;
}

void exchange1_end(struct exchange *exchange, const struct field *trailers, size_t count)
{
    if (exchange->tunnel) {
        exchange->half_closed = true;
    } else if (exchange->framing == H1_FRAMING_CHUNKED) {
        put_last_chunk(exchange, trailers, count);
    } else {
        exchange->aborted = exchange->left > 0;
    }
}

void exchange1_answer(struct exchange *exchange, const struct response *response)
{
    struct server *server = exchange->server;
    struct conn *conn = exchange->conn;
    struct response *shared = &server->response;
    exchange->close |=
        response->close || server->draining || exchange->awaits_continue ||
        (exchange->content_open && h1_body_unseen(&conn->body) > server->limits.linger_bytes);
    const struct h1_encoding encoding = {
        .date = server->date,
        .version_minor = exchange->version_minor,
        .head = exchange->head,
        .close = exchange->close,
    };
    exchange_gather(conn);
    struct response kept = *shared; /* it is the handler's, where this is called there */
    *shared = *response;
    output_response(conn, &encoding);
    *shared = kept;
}

void exchange1_abort(struct exchange *exchange)
{
    exchange->aborted = true;
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
