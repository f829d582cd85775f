/* SPDX-License-Identifier: MIT */
/* Exchanges over HTTP/2: one for each stream (RFC 9113). http/h2 does the work; here it meets
 * the list of what is due. */
#include "serve/passing.h"

static void on_due(void *owner)
{
    exchange_due(owner);
}

static size_t on_content(void *owner, struct span bytes)
{
    const struct exchange *exchange = owner;
    return exchange->far->content(exchange->context, bytes);
}

static void on_content_end(void *owner, const struct field *trailers, size_t count)
{
    const struct exchange *exchange = owner;
    exchange->far->content_end(exchange->context, trailers, count);
}

static void on_closed(void *owner)
{
    exchange_detach(owner);
}

static const struct h2_flow flow = {
    .due = on_due,
    .content = on_content,
    .content_end = on_content_end,
    .closed = on_closed,
};

void exchange2_init(struct h2_engine *engine)
{
    h2_engine_set_flow(engine, &flow);
}

bool exchange2_open(struct exchange *exchange)
{
    exchange->stream = h2_pass(exchange->conn->h2, exchange);
    return exchange->stream != NULL;
}

static void call_back(struct exchange *exchange)
{
    if (!exchange->over && exchange->blocked && h2_stream_writable(exchange->stream)) {
        exchange->blocked = false;
        exchange->far->writable(exchange->context);
    }
    if (!exchange->over) {
        h2_stream_run(exchange->stream);
    }
}

void exchange2_run(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    call_back(exchange);
    if (exchange->over) {
        h2_stream_disown(exchange->stream);
        exchange_detach(exchange);
    }
    /* What cannot be written now goes when the socket is ready. */
    if (conn->pending == NULL) {
        conn_settle(conn, http2_output(conn), (struct span){0});
    }
}
