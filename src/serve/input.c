/* SPDX-License-Identifier: MIT */
/* From the socket to those who understand the bytes; a body that nobody wants stays in the
 * kernel. A function here that may close the connection is the last one to touch it. */
#include "serve/internal.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

/* A fast sender is let run on, so that a wakeup throws much away: 1 GiB then costs 0.3 of
 * the CPU of a program that reads it, without this 0.7 to 1 (`make bench PARTS=drain1g`).
 * The kernel wakes us before, when it is short of memory, when the window closes, and at
 * the end; and whoever has become slow is batched no more (WAIT_BATCH). */
void input_batch(struct conn *conn, bool wanted)
{
    if (conn->batched != wanted) {
        int bytes = wanted ? batch_bytes : 1;
        conn->batched =
            setsockopt(conn->io.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)) == 0 && wanted;
    }
}

static void linger(struct conn *conn, struct span bytes)
{
    if (body_linger(conn, bytes)) {
        timeout_progress(conn, conn->batched ? WAIT_BATCH : WAIT_LINGER, bytes.len);
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
    timeout_progress(conn, conn->batched ? WAIT_BATCH : WAIT_BODY, len);
    enum next next = body_discarded(conn, len);
    if (next != NEXT_READ || conn->state != CONN_BODY) {
        conn_settle(conn, next, (struct span){0});
    }
}

/* Puts what is held where the next bytes come behind it. Gives how much it is. */
static size_t lay_out_held(const struct conn *conn)
{
    if (conn->held == NULL) {
        return 0;
    }
    assert(conn->held->len < input_bytes_max);
    memcpy(conn_server(conn)->in, conn->held->bytes, conn->held->len);
    return conn->held->len;
}

/* Anything but heads and frames. */
static __attribute__((noinline)) void received_other(struct conn *conn, struct span bytes,
                                                     size_t fresh)
{
    if (conn->state == CONN_LINGER) {
        linger(conn, bytes);
    } else if (conn->state == CONN_EXCHANGE) {
        exchange1_input(conn, bytes, fresh);
    } else {
        if (conn->state == CONN_BODY) {
            timeout_progress(conn, WAIT_BODY, fresh);
        } else if (conn->state == CONN_CONTENT) {
            timeout_progress(conn, WAIT_HEADER, fresh);
        }
        protocol_input(conn, bytes);
    }
}

static inline void received(struct conn *conn, struct span bytes, size_t fresh)
{
    if (conn->state == CONN_HEAD || conn->state == CONN_HTTP2) {
        protocol_input(conn, bytes);
    } else {
        received_other(conn, bytes, fresh);
    }
}

static void established(struct conn *conn)
{
    struct counters_worker *counters = conn_server(conn)->counters;
    conn_server(conn)->handshake_count--;
    conn->state = CONN_HEAD;
    if (tls_alpn(conn->tls) == TLS_ALPN_H2) {
        conn->broken = !http2_begin(conn);
    }
    counter_add(tls_resumed(conn->tls) ? &counters->handshakes_resumed : &counters->handshakes, 1);
}

/* A piece of a record is progress, too: a slow client fills one in half a minute. */
static void received_piece(struct conn *conn, struct span bytes, size_t fresh)
{
    if (conn->state == CONN_BODY || conn->state == CONN_LINGER) {
        timeout_progress(conn, conn->state == CONN_BODY ? WAIT_BODY : WAIT_LINGER, fresh);
    }
    if (conn->state == CONN_EXCHANGE) {
        exchange1_input(conn, bytes, fresh);
    } else {
        conn_settle(conn, NEXT_READ, bytes);
    }
}

/* Opens records. What they hold may be nothing, or answers of the handshake. */
static void open_records(struct conn *conn, struct span records)
{
    struct server *server = conn_server(conn);
    if (tls_failure(conn->tls) != NULL) {
        linger(conn, records);
        return;
    }
    size_t held_len = lay_out_held(conn);
    struct buffer plain = buffer_over(server->in + held_len, input_bytes_max - held_len);
    server->sealing = conn;
    enum tls_result result = tls_receive(conn->tls, records, &plain, &server->sealed);
    if (conn->state == CONN_TLS && tls_established(conn->tls)) {
        established(conn);
    }
    conn->ended |= result == TLS_CLOSED;
    struct span bytes = span_of(server->in, held_len + plain.len);
    if (result == TLS_FAILED) {
        counter_add(&server->counters->handshakes_failed, conn->state == CONN_TLS);
        body_cut(conn); /* nobody can tell any more where it ends */
        exchange_forget(conn);
        conn_settle(conn, NEXT_LINGER, (struct span){0});
    } else if (plain.len > 0) {
        received(conn, bytes, plain.len);
    } else {
        received_piece(conn, bytes, records.len);
    }
}

void input_take(struct conn *conn, struct span bytes)
{
    struct server *server = conn_server(conn);
    if (conn->tls == NULL) {
        protocol_input(conn, bytes);
        return;
    }
    memcpy(server->sealed_in, bytes.ptr, bytes.len);
    open_records(conn, span_of(server->sealed_in, bytes.len));
}

/* True: the socket gave something. Of an exchange the client may well end its half and still
 * wait for the answer; over TLS it says so in another way. */
static bool heard(struct conn *conn, ssize_t got)
{
    if (got == 0 && conn->exchange != NULL && conn->tls == NULL) {
        exchange1_ended(conn);
    } else if (got <= 0) {
        conn_close(conn);
    }
    return got > 0;
}

static bool is_nothing(ssize_t got)
{
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static bool read_sealed(struct conn *conn)
{
    uint8_t *bytes = conn_server(conn)->sealed_in;
    ssize_t got = recv(conn->io.fd, bytes, read_bytes, 0);
    if (is_nothing(got)) {
        return false;
    }
    if (heard(conn, got)) {
        open_records(conn, span_of(bytes, (size_t)got));
    }
    return true;
}

static bool read_clear(struct conn *conn)
{
    uint8_t *bytes = conn_server(conn)->in;
    size_t held_len = lay_out_held(conn);
    size_t room = input_bytes_max - held_len;
    ssize_t got = recv(conn->io.fd, bytes + held_len, room < read_bytes ? room : read_bytes, 0);
    if (is_nothing(got)) {
        return false;
    }
    if (heard(conn, got)) {
        received(conn, span_of(bytes, held_len + (size_t)got), (size_t)got);
    }
    return true;
}

/* With this flag TCP throws the bytes away instead of copying them (tcp(7)). */
static bool read_away(struct conn *conn, size_t len)
{
    ssize_t got = recv(conn->io.fd, NULL, len, MSG_TRUNC);
    if (is_nothing(got)) {
        return false;
    }
    if (heard(conn, got)) {
        input_batch(conn, got >= read_bytes && len - (size_t)got >= batch_bytes);
        discarded(conn, (size_t)got);
    }
    return true;
}

bool input_read(struct conn *conn)
{
    size_t unseen = body_discardable(conn);
    if (unseen > 0) {
        return read_away(conn, unseen);
    }
    bool sealed = conn->tls != NULL && conn->state != CONN_PROXY;
    return sealed ? read_sealed(conn) : read_clear(conn);
}
