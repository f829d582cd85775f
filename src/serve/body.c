/* SPDX-License-Identifier: MIT */
/* Request bodies: nobody wants them, but a connection that is closed while one comes may
 * take the answer with it. So they are gone over, by the kernel where it can, and what
 * became of each is counted once (RFC 9112, 9.3 and 9.6). */
#include "serve/internal.h"

/* What the kernel is asked to throw away at once. */
enum { discard_bytes_max = 1 << 30 };

static void settle(struct conn *conn, counter *outcome)
{
    if (conn->fate != FATE_COUNTED) {
        conn->fate = FATE_COUNTED;
        counter_add(outcome, 1);
    }
}

void body_cut(struct conn *conn)
{
    settle(conn, &conn_server(conn)->counters->bodies_cut);
}

void body_end(struct conn *conn)
{
    struct counters_worker *counters = conn_server(conn)->counters;
    settle(conn, conn->fate == FATE_AWAITED ? &counters->bodies_not_sent : &counters->bodies_cut);
}

void body_begin(struct conn *conn, const struct request *request)
{
    h1_body_init(&conn->body, request);
    conn->state = CONN_BODY;
    conn->fate = FATE_AWAITED;
    conn->skipped_bytes = 0;
}

static void came(struct conn *conn, size_t len)
{
    if (len > 0 && conn->fate == FATE_AWAITED) {
        conn->fate = FATE_COMING;
    }
    conn->skipped_bytes += len;
    counter_add(&conn_server(conn)->counters->body_bytes, len);
}

static bool too_many(const struct conn *conn)
{
    return conn->skipped_bytes > conn_server(conn)->limits.linger_bytes;
}

static enum next went_over(struct conn *conn, enum h1_result result)
{
    if (result == H1_DONE) {
        settle(conn, &conn_server(conn)->counters->bodies_drained);
        conn->state = CONN_HEAD;
        return NEXT_READ;
    }
    if (result == H1_BAD || too_many(conn)) {
        body_cut(conn);
        return NEXT_LINGER;
    }
    return NEXT_READ;
}

enum next body_skip(struct conn *conn, struct span bytes, size_t *used)
{
    size_t len = bytes.len;
    enum h1_result result = h1_body_skip(&conn->body, bytes, &len);
    came(conn, len);
    *used += len;
    return went_over(conn, result);
}

enum next body_discarded(struct conn *conn, size_t len)
{
    came(conn, len);
    return went_over(conn, h1_body_pass(&conn->body, len));
}

/* A small rest is read, since the next request may come with it. */
size_t body_discardable(const struct conn *conn)
{
    uint64_t len = 0;
    if (conn->acceptor->listener.address.any.sa_family == AF_UNIX) {
        return 0; /* the flag is TCP's (tcp(7)) */
    }
    if (conn->fate != FATE_COUNTED) {
        len = conn->tls == NULL ? h1_body_unseen(&conn->body) : 0;
    } else if (conn->state == CONN_LINGER) {
        len = discard_bytes_max;
    }
    if (len < read_bytes) {
        return 0;
    }
    return len < discard_bytes_max ? (size_t)len : discard_bytes_max;
}

/* Behind the end of a body, and behind a broken one, there may come anything. */
bool body_linger(struct conn *conn, struct span bytes)
{
    const struct server *server = conn_server(conn);
    if (conn->fate == FATE_COUNTED) {
        conn->skipped_bytes += bytes.len;
    } else if (bytes.ptr != NULL) {
        size_t used = 0;
        body_skip(conn, bytes, &used);
    } else {
        body_discarded(conn, bytes.len);
    }
    conn->state = CONN_LINGER;
    return !too_many(conn) &&
           (uint32_t)(server->now_ms - conn->linger_began_ms) <= server->limits.linger_time_ms;
}
