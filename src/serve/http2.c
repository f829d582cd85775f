/* SPDX-License-Identifier: MIT */
/* HTTP/2 over a connection: what http/h2 does, in this loop's turns (RFC 9113). */
#include "serve/internal.h"

enum {
    flushes_per_turn = 8, /* of one connection, before the others have theirs */
    /* As large as it may be, for a body whose answer goes out: it takes no memory here, and
     * a client may have stopped reading with the answer. curl 7.88 that follows a redirect then
     * sends its body to the end, and would wait for ever for window that it does not look
     * for. */
    answered_window_bytes = INT32_MAX,
    /* Until then it may be content that somebody wants and does not take: what HTTP/2 begins
     * with. */
    stream_window_bytes = 65535,
};

static void on_request(void *context, const struct request *request, uint16_t bad_status,
                       struct response *response)
{
    struct conn *conn = context;
    protocol_answer(conn, request, (struct span){0}, bad_status, response);
}

enum preface http2_preface(struct span bytes)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t len = sizeof(preface) - 1;
    if (memcmp(bytes.ptr, preface, bytes.len < len ? bytes.len : len) != 0) {
        return PREFACE_NONE;
    }
    return bytes.len < len ? PREFACE_MORE : PREFACE_HTTP2;
}

bool http2_begin(struct conn *conn)
{
    struct server *server = conn_server(conn);
    if (server->h2 == NULL) {
        struct h2_options options = {
            .stream_window_bytes = stream_window_bytes,
            .answered_window_bytes = answered_window_bytes,
            .window_bytes = answered_window_bytes,
            .drain_bytes = server->limits.linger_bytes,
            .drain_ms = server->limits.linger_time_ms,
            .stall_ms = server->limits.write_timeout_ms,
            .head_ms = server->limits.header_timeout_ms,
            .content_idle_ms = server->limits.linger_idle_ms,
            .date = server->date,
        };
        server->h2 = h2_engine_new(&options, on_request);
        if (server->h2 != NULL) {
            exchange2_init(server->h2);
        }
    }
    if (server->h2 != NULL) {
        conn->h2 = h2_new(server->h2, conn, server->now_ms);
    }
    conn->state = CONN_HTTP2;
    return conn->h2 != NULL;
}

/* The engine counts for all connections; what is new goes into the shared pages. */
static void count(struct server *server)
{
    struct counters_worker *counters = server->counters;
    const struct h2_counters *now = h2_engine_counters(server->h2);
    const struct h2_counters *then = &server->h2_counted;
    if (memcmp(now, then, sizeof(*now)) == 0) {
        return;
    }
    counter_add(&counters->bodies_not_sent, now->bodies_not_sent - then->bodies_not_sent);
    counter_add(&counters->bodies_drained, now->bodies_drained - then->bodies_drained);
    counter_add(&counters->bodies_cut, now->bodies_cut - then->bodies_cut);
    counter_add(&counters->body_bytes, now->body_bytes - then->body_bytes);
    counter_add(&counters->resets_received, now->resets_received - then->resets_received);
    counter_add(&counters->resets_sent, now->resets_sent - then->resets_sent);
    counter_add(&counters->goaways_sent, now->goaways_sent - then->goaways_sent);
    server->h2_counted = *now;
}

enum next http2_output(struct conn *conn)
{
    struct server *server = conn_server(conn);
    bool more = true;
    exchange_flush(server);
    for (int i = 0; i < flushes_per_turn && more && conn->pending == NULL && !conn->broken; i++) {
        more = h2_send(conn->h2, &server->out);
        output_flush(conn);
    }
    count(server);
    if (more) {
        return NEXT_AGAIN;
    }
    if (conn->pending == NULL) {
        h2_flushed(conn->h2, server->now_ms);
    }
    return h2_ended(conn->h2) ? NEXT_LINGER : NEXT_READ;
}

enum next http2_input(struct conn *conn, struct span bytes)
{
    struct server *server = conn_server(conn);
    if (server->draining) {
        h2_shutdown(conn->h2, server->now_ms);
    }
    h2_receive(conn->h2, bytes, server->now_ms);
    return http2_output(conn);
}

enum next http2_tick(struct conn *conn)
{
    struct server *server = conn_server(conn);
    if (server->draining) {
        h2_shutdown(conn->h2, server->now_ms);
    }
    h2_tick(conn->h2, server->now_ms);
    return http2_output(conn);
}

enum next http2_retire(struct conn *conn)
{
    h2_shutdown(conn->h2, conn_server(conn)->now_ms);
    return http2_output(conn);
}

bool http2_idle(const struct conn *conn)
{
    return h2_idle(conn->h2) && h2_next_ms(conn->h2) == UINT64_MAX && !conn_server(conn)->draining;
}

void http2_end(struct conn *conn)
{
    if (conn->h2 != NULL) {
        h2_free(&conn->h2);
        count(conn_server(conn));
    }
}
