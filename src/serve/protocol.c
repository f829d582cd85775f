/* SPDX-License-Identifier: MIT */
/* Which protocol a connection speaks, and the handler that answers for all of them. */
#include "serve/internal.h"

#include "http/proxy_protocol.h"

#include <assert.h>

void protocol_update_date(struct server *server)
{
    int64_t seconds = server->now_ns / INT64_C(1000000000);
    if (seconds != server->date_s) {
        server->date_s = seconds;
        date_format(seconds, server->date);
    }
}

/* A request for a host of another certificate is none for this connection (RFC 9110,
 * 15.5.20). */
static bool misdirected(const struct conn *conn, const struct request *request)
{
    return conn->tls != NULL && tls_misdirected(conn->tls, request->host);
}

void protocol_answer(struct conn *conn, const struct request *request, struct span content,
                     uint16_t bad_status, struct response *response)
{
    struct server *server = conn_server(conn);
    struct serve_request asked = {
        .request = request,
        .peer = &conn->peer,
        .listener = &conn->acceptor->listener,
        .now_ns = server->now_ns,
        .bad_status = bad_status == 0 && misdirected(conn, request) ? 421 : bad_status,
        .content = content,
        .conn = conn,
    };
    if (conn->started_ns != 0) {
        int64_t duration_ns = server->now_ns - conn->started_ns;
        asked.duration_ns = duration_ns > 0 ? duration_ns : 0; /* a clock may go back */
        conn->started_ns = 0;
    }
    protocol_update_date(server);
    server->handler(server->context, &asked, response);
}

/* Behind the header comes what a connection without it begins with. */
static void proxy_input(struct conn *conn, struct span bytes)
{
    size_t used = 0;
    switch (proxy_decode(bytes, &used, &conn->peer)) {
    case PROXY_MORE:
        conn_settle(conn, bytes.len < proxy_header_bytes_max ? NEXT_READ : NEXT_CLOSE, bytes);
        return;
    case PROXY_BAD:
        conn_close(conn);
        return;
    case PROXY_DONE:
        conn_drop_held(conn);
        conn->started_ns = 0;
        conn->state = conn->tls != NULL ? CONN_TLS : CONN_FIRST;
        input_take(conn, span_from(bytes, used));
        return;
    }
}

/* False: it takes more bytes to know. */
static bool choose_protocol(struct conn *conn, struct span bytes)
{
    if (conn_server(conn)->content_max > 0) {
        conn->state = CONN_HEAD;
        return true;
    }
    switch (http2_preface(bytes)) {
    case PREFACE_MORE:
        return false;
    case PREFACE_HTTP2:
        conn->broken = !http2_begin(conn);
        return true;
    case PREFACE_NONE:
        conn->state = CONN_HEAD;
        return true;
    }
    return false;
}

static void speak(struct conn *conn, struct span bytes)
{
    size_t used = 0;
    enum next next = NEXT_READ;
    if (conn->state == CONN_HTTP2) {
        next = conn->broken ? NEXT_CLOSE : http2_input(conn, bytes);
        used = bytes.len;
    } else {
        next = http1_input(conn, bytes, &used);
    }
    conn_settle(conn, next, span_from(bytes, used));
}

void protocol_input(struct conn *conn, struct span bytes)
{
    if (conn->state == CONN_PROXY) {
        proxy_input(conn, bytes);
    } else if (conn->state == CONN_FIRST && !choose_protocol(conn, bytes)) {
        conn_settle(conn, NEXT_READ, bytes);
    } else {
        speak(conn, bytes);
    }
}

void protocol_run(struct conn *conn)
{
    if (conn->h2 != NULL) {
        conn_settle(conn, http2_output(conn), (struct span){0});
    } else {
        assert(conn->held != NULL);
        protocol_input(conn, conn_held(conn));
    }
}
