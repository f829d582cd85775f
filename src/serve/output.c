/* SPDX-License-Identifier: MIT */
/* From responses to the socket: gathered in one buffer for all connections, sent with one
 * system call; a connection gets memory only for what the socket did not take. */
#include "serve/internal.h"

#include "http/h1/encode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Room for the head of a response whose body does not fit into the shared buffer. */
enum { response_head_bytes_max = output_bytes };

/* Gives how many bytes the socket took: perhaps none. SIGPIPE is ignored
 * (server_new). Not send: its flags would have to be looked at by the sandbox, each time. */
static size_t conn_send(struct conn *conn, const uint8_t *bytes, size_t len)
{
    ssize_t sent = write(conn->io.fd, bytes, len);
    if (sent >= 0) {
        return (size_t)sent;
    }
    conn->broken = errno != EAGAIN && errno != EINTR;
    return 0;
}

/* Room for len more bytes behind those that are pending; NULL: no memory, or too many. */
static uint8_t *pending_room(struct conn *conn, size_t len)
{
    struct pending *pending = conn->pending;
    size_t used = pending != NULL ? pending->len : 0;
    if (len > serve_response_bytes_max + (size_t)output_bytes - used) {
        return NULL;
    }
    if (pending == NULL || pending->cap - used < len) {
        struct pending *grown = realloc(pending, sizeof(*grown) + used + len);
        if (grown == NULL) {
            return NULL;
        }
        if (pending == NULL) {
            *grown = (struct pending){0};
        }
        grown->cap = used + len;
        conn->pending = grown;
    }
    return conn->pending->bytes + used;
}

static void pending_append(struct conn *conn, const uint8_t *bytes, size_t len)
{
    uint8_t *room = pending_room(conn, len);
    if (room == NULL) {
        conn->broken = true;
        return;
    }
    memcpy(room, bytes, len);
    conn->pending->len += len;
}

/* Sends a buffer and empties it. What is pending goes first. */
static void send_out(struct conn *conn, struct buffer *out)
{
    if (out->len == 0) {
        return;
    }
    size_t sent = conn->pending == NULL ? conn_send(conn, out->ptr, out->len) : 0;
    if (sent < out->len && !conn->broken) {
        pending_append(conn, out->ptr + sent, out->len - sent);
    }
    out->len = 0;
}

/* Any length of plaintext: in pieces, each sent before the next one is sealed. The end of a
 * handshake goes with the first one if there is room for both, close_notify with the last. */
static void send_sealed(struct conn *conn, struct span plain, bool last)
{
    struct buffer *sealed = &conn_server(conn)->sealed;
    while (plain.len > 0 && !conn->broken) {
        struct span piece =
            span_slice(plain, 0, plain.len < output_bytes ? plain.len : output_bytes);
        if (sealed->cap - sealed->len < tls_sealed_bytes_max(piece.len)) {
            send_out(conn, sealed);
        }
        if (tls_send(conn->tls, piece, sealed) != TLS_OK) {
            conn->broken = true;
        }
        plain = span_from(plain, piece.len);
        if (last && plain.len == 0 && !conn->broken) {
            tls_close(conn->tls, sealed);
        }
        send_out(conn, sealed);
    }
    send_out(conn, sealed);
}

static void flush(struct conn *conn, bool last)
{
    struct buffer *out = &conn_server(conn)->out;
    if (conn->tls == NULL) {
        send_out(conn, out);
    } else {
        send_sealed(conn, buffer_span(out), last);
        out->len = 0;
    }
}

void output_flush(struct conn *conn)
{
    flush(conn, false);
}

void output_sealed(struct server *server)
{
    if (server->sealed.len > 0 && server->sealing != NULL) {
        send_out(server->sealing, &server->sealed);
    }
}

void output_span(struct conn *conn, struct span bytes)
{
    if (conn->tls == NULL) {
        struct buffer whole = {.ptr = (uint8_t *)bytes.ptr, .len = bytes.len, .cap = bytes.len};
        send_out(conn, &whole);
    } else {
        send_sealed(conn, bytes, false);
    }
}

void output_finish(struct conn *conn)
{
    flush(conn, true);
}

void output_end(struct conn *conn)
{
    if (conn->tls != NULL) {
        struct buffer *sealed = &conn_server(conn)->sealed;
        tls_close(conn->tls, sealed);
        send_out(conn, sealed);
    }
}

size_t output_pending(struct conn *conn)
{
    struct pending *pending = conn->pending;
    assert(pending != NULL && pending->sent < pending->len);
    size_t sent = conn_send(conn, pending->bytes + pending->sent, pending->len - pending->sent);
    pending->sent += sent;
    if (pending->sent == pending->len) {
        free(pending);
        conn->pending = NULL;
    }
    return sent;
}

static bool encode(struct server *server, const struct h1_encoding *encoding, struct buffer *out)
{
    size_t before = out->len;
    h1_encode(&server->response, encoding, out);
    if (!out->full) {
        return true;
    }
    out->len = before;
    out->full = false;
    return false;
}

/* One that does not fit into the shared buffer has its own for a moment. */
static void output_large(struct conn *conn, const struct h1_encoding *encoding)
{
    struct server *server = conn_server(conn);
    size_t body_len = server->response.body.len;
    size_t len = body_len + response_head_bytes_max;
    uint8_t *room =
        body_len <= serve_response_bytes_max - response_head_bytes_max ? malloc(len) : NULL;
    struct buffer out = buffer_over(room, len);
    if (room == NULL || !encode(server, encoding, &out)) {
        conn->broken = true;
    } else if (conn->tls == NULL) {
        send_out(conn, &out);
    } else {
        send_sealed(conn, buffer_span(&out), false);
    }
    free(room);
}

void output_response(struct conn *conn, const struct h1_encoding *encoding)
{
    struct server *server = conn_server(conn);
    if (encode(server, encoding, &server->out)) {
        return;
    }
    output_flush(conn);
    if (!conn->broken && !encode(server, encoding, &server->out)) {
        output_large(conn, encoding);
    }
}
