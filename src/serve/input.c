/* SPDX-License-Identifier: MIT */
/* From the socket to those who understand the bytes; a body that nobody wants stays in the
 * kernel. A function here that may close the connection is the last one to touch it. */
#include "serve/internal.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

static void linger(struct conn *conn, struct span bytes)
{
    if (body_linger(conn, bytes)) {
        timeout_progress(conn, WAIT_LINGER, bytes.len);
    } else {
        conn_close(conn);
    }
}

static void discarded(struct conn *conn, size_t len)
{
    if (conn->state == CONN_LINGER) {
        linger(conn, span_of(NULL, len));
        return;
    }
    timeout_progress(conn, WAIT_BODY, len);
    enum next next = body_discarded(conn, len);
    if (next != NEXT_READ || conn->state != CONN_BODY) {
        conn_settle(conn, next, (struct span){0});
    }
}

/* With this flag TCP throws the bytes away instead of copying them (tcp(7)). */
static ssize_t discard(struct conn *conn, size_t len)
{
    return recv(conn->io.fd, NULL, len, MSG_TRUNC);
}

/* Puts what comes behind what is held. */
static ssize_t receive(struct conn *conn, size_t *held_len)
{
    struct server *server = conn_server(conn);
    *held_len = 0;
    if (conn->held != NULL) {
        *held_len = conn->held->len;
        assert(*held_len <= request_head_bytes_max);
        memcpy(server->in, conn->held->bytes, *held_len);
    }
    return recv(conn->io.fd, server->in + *held_len, read_bytes, 0);
}

static void received(struct conn *conn, struct span bytes, size_t fresh)
{
    if (conn->state == CONN_LINGER) {
        linger(conn, bytes);
        return;
    }
    if (conn->state == CONN_BODY) {
        timeout_progress(conn, WAIT_BODY, fresh);
    }
    conn_serve(conn, bytes);
}

bool input_read(struct conn *conn)
{
    size_t unseen = body_discardable(conn);
    size_t held_len = 0;
    ssize_t got = unseen > 0 ? discard(conn, unseen) : receive(conn, &held_len);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got <= 0) {
        conn_close(conn);
    } else if (unseen > 0) {
        discarded(conn, (size_t)got);
    } else {
        received(conn, span_of(conn_server(conn)->in, held_len + (size_t)got), (size_t)got);
    }
    return true;
}
