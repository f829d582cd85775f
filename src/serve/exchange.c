/* SPDX-License-Identifier: MIT */
/* Exchanges: what the far side may call, and when what follows of it is done. */
#include "serve/exchange.h"

#include "serve/passing.h"

#include <assert.h>
#include <stdlib.h>

enum { due_per_turn = 1024 }; /* before the loop looks at its sockets again */

struct exchange *server_pass(const struct serve_request *asked, const struct exchange_far *far,
                             void *context)
{
    struct conn *conn = asked->conn;
    struct server *server = conn_server(conn);
    assert(server->content_max == 0 && conn->exchange == NULL);
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        return NULL;
    }
    exchange->server = server;
    exchange->conn = conn;
    exchange->far = far;
    exchange->context = context;
    if (conn->h2 == NULL) {
        exchange1_open(exchange, asked->request);
    } else if (!exchange2_open(exchange)) {
        free(exchange);
        return NULL;
    }
    return exchange;
}

void exchange_due(struct exchange *exchange)
{
    struct server *server = exchange->server;
    if (exchange->due) {
        return;
    }
    exchange->due = true;
    exchange->next = NULL;
    if (server->due_last != NULL) {
        server->due_last->next = exchange;
    } else {
        server->due_first = exchange;
    }
    server->due_last = exchange;
    ev_prepare_start(server->loop, &server->prepare);
}

static struct exchange *take_due(struct server *server)
{
    struct exchange *exchange = server->due_first;
    server->due_first = exchange->next;
    if (server->due_first == NULL) {
        server->due_last = NULL;
    }
    exchange->due = false;
    return exchange;
}

void exchange_detach(struct exchange *exchange)
{
    exchange->conn = NULL;
    exchange->stream = NULL;
    exchange_due(exchange);
}

static void run(struct exchange *exchange)
{
    if (exchange->conn == NULL) {
        if (!exchange->over) {
            exchange->over = true;
            exchange->far->gone(exchange->context);
        }
        assert(!exchange->due);
        h1_trailers_free(&exchange->trailers);
        free(exchange);
    } else if (exchange->conn->h2 == NULL) {
        exchange1_run(exchange);
    } else {
        exchange2_run(exchange);
    }
}

/* Looks at all that are due, until none is left. */
static void run_all(struct server *server)
{
    while (server->due_first != NULL) {
        run(take_due(server));
    }
    exchange_flush(server);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    struct server *server = prepare->data;
    server_wake(server);
    for (unsigned i = 0; i < due_per_turn && server->due_first != NULL; i++) {
        run(take_due(server));
        if (server->due_first == NULL) {
            exchange_flush(server); /* which may find that something is to be done */
        }
    }
    exchange_flush(server);
    if (server->due_first == NULL) {
        ev_prepare_stop(loop, prepare);
    } else {
        ev_idle_start(loop, &server->turn); /* it must not sleep */
    }
}

void exchange_init(struct server *server)
{
    ev_prepare_init(&server->prepare, on_prepare);
    ev_set_priority(&server->prepare, EV_MAXPRI); /* others look at what this has brought about */
    server->prepare.data = server;
}

void exchange_fini(struct server *server)
{
    run_all(server);
    ev_prepare_stop(server->loop, &server->prepare);
}

void exchange_gather(struct conn *conn)
{
    struct server *server = conn_server(conn);
    output_sealed(server);
    if (server->gathered != conn) {
        exchange_flush(server);
        assert(server->out.len == 0);
        server->gathered = conn;
    }
}

void exchange_flush(struct server *server)
{
    struct conn *conn = server->gathered;
    if (conn == NULL) {
        return;
    }
    server->gathered = NULL;
    output_sealed(server); /* of the connection whose event this is */
    output_flush(conn);
    if (conn->exchange != NULL && (conn->pending != NULL || conn->broken)) {
        exchange_due(conn->exchange);
    }
}

void exchange_forget(struct conn *conn)
{
    struct server *server = conn_server(conn);
    if (server->gathered == conn) {
        server->gathered = NULL;
        server->out.len = 0;
    }
    if (conn->exchange != NULL) {
        exchange_detach(conn->exchange);
        conn->exchange = NULL;
    }
}

/* Whether the far side's calls still reach somebody. */
static bool reaches(const struct exchange *exchange)
{
    assert(!exchange->over);
    return exchange->conn != NULL && !exchange->conn->broken;
}

void exchange_resume(struct exchange *exchange)
{
    assert(!exchange->over);
    exchange->resumed = true;
    if (exchange->stream != NULL) {
        h2_stream_resume(exchange->stream);
    }
    exchange_due(exchange);
}

void exchange_continue(struct exchange *exchange)
{
    if (!reaches(exchange) || exchange->begun) {
        return;
    }
    if (exchange->stream != NULL) {
        h2_stream_continue(exchange->stream);
    } else {
        exchange1_continue(exchange);
    }
    exchange_due(exchange);
}

void exchange_inform(struct exchange *exchange, uint16_t status, const struct field *fields,
                     size_t count)
{
    assert(status > 101 && status < 200 && count <= request_fields_max);
    if (!reaches(exchange) || exchange->begun) {
        return;
    }
    if (exchange->stream != NULL) {
        h2_stream_inform(exchange->stream, status, fields, count);
    } else {
        exchange1_inform(exchange, status, fields, count);
    }
    exchange_due(exchange);
}

/* The far side may have come here from an event of its own. */
static void update_date(struct server *server)
{
    server->now_ns = (int64_t)(ev_now(server->loop) * 1e9);
    protocol_update_date(server);
}

void exchange_begin(struct exchange *exchange, const struct exchange_head *head)
{
    assert(!exchange->begun && head->field_count <= request_fields_max);
    assert(head->status == 101 || (head->status >= 200 && head->status <= 599));
    exchange->begun = true;
    if (!reaches(exchange)) {
        return;
    }
    update_date(exchange->server);
    if (exchange->stream != NULL) {
        h2_stream_begin(exchange->stream, head->status, head->fields, head->field_count,
                        head->has_length ? head->content_length : H2_LENGTH_UNKNOWN);
    } else {
        exchange1_begin(exchange, head);
    }
    exchange_due(exchange);
}

size_t exchange_write(struct exchange *exchange, struct span bytes)
{
    assert(exchange->begun);
    if (!reaches(exchange) || bytes.len == 0) {
        return bytes.len;
    }
    size_t taken = exchange->stream != NULL ? h2_stream_write(exchange->stream, bytes)
                                            : exchange1_write(exchange, bytes);
    exchange->blocked |= taken < bytes.len;
    exchange_due(exchange);
    return taken;
}

static bool has_room(const struct exchange *exchange)
{
    const struct conn *conn = exchange->conn;
    return exchange->stream != NULL ? h2_stream_writable(exchange->stream)
                                    : conn->pending == NULL || conn->broken;
}

bool exchange_ready(struct exchange *exchange)
{
    bool ready = !reaches(exchange) || has_room(exchange);
    exchange->blocked |= !ready;
    return ready;
}

void exchange_end(struct exchange *exchange, const struct field *trailers, size_t count)
{
    assert(exchange->begun && !exchange->over && !exchange->half_closed);
    bool tunnel = exchange->tunnel;
    if (exchange->conn != NULL && exchange->stream != NULL) {
        h2_stream_end(exchange->stream, trailers, count);
    } else if (exchange->conn != NULL) {
        exchange1_end(exchange, trailers, count);
    }
    exchange->over = !tunnel || exchange->end_told || exchange->conn == NULL;
    exchange_due(exchange);
}

void exchange_answer(struct exchange *exchange, const struct response *response)
{
    assert(!exchange->begun && !exchange->over);
    exchange->begun = true;
    update_date(exchange->server);
    if (exchange->conn != NULL && exchange->stream != NULL) {
        h2_stream_answer(exchange->stream, response);
    } else if (exchange->conn != NULL) {
        exchange1_answer(exchange, response);
    }
    exchange->over = true;
    exchange_due(exchange);
}

void exchange_abort(struct exchange *exchange)
{
    assert(!exchange->over);
    if (exchange->conn != NULL && exchange->stream != NULL) {
        h2_stream_abort(exchange->stream);
    } else if (exchange->conn != NULL) {
        exchange1_abort(exchange);
    }
    exchange->over = true;
    exchange_due(exchange);
}
