/* SPDX-License-Identifier: MIT */
/* The server as a whole: its begin, its limits and its end. */
#include "serve/internal.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void on_turn(struct ev_loop *loop, ev_idle *idle, int revents)
{
    struct server *server = idle->data;
    (void)revents;
    server_wake(server);
    timeout_run_turns(server);
    if (wait_empty(server, WAIT_TURN)) {
        ev_idle_stop(loop, idle);
    }
    if (server->connection_count == 0 && server->on_empty != NULL) {
        void (*on_empty)(void *context) = server->on_empty;
        server->on_empty = NULL;
        on_empty(server->context); /* the server may be gone after this */
    }
}

enum err server_new(struct ev_loop *loop, const struct serve_limits *limits,
                    serve_handler_fn handler, void *context, struct counters_worker *counters,
                    struct server **out)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return ERR_MEMORY;
    }
    signal(SIGPIPE, SIG_IGN); /* answers leave by write: see output.c */
    server->loop = loop;
    server->handler = handler;
    server->context = context;
    server->counters = counters != NULL ? counters : &server->own_counters;
    server->spare_fd = -1;
    server->date_s = INT64_MIN;
    server->out = buffer_over(server->out_bytes, output_bytes);
    server->sealed = buffer_over(server->sealed_bytes, sealed_output_bytes);
    timeout_init(server);
    exchange_init(server);
    ev_idle_init(&server->turn, on_turn);
    /* Above all others, so that it has its turn however busy the loop is. */
    ev_set_priority(&server->turn, EV_MAXPRI);
    ev_timer_init(&server->retry, accept_retry, 0., 0.);
    server->turn.data = server;
    server->retry.data = server;
    server->sweep.data = server;
    counter_set(&server->counters->connections_active, 0);
    server_set_limits(server, limits);
    *out = server;
    return ERR_NONE;
}

static void close_all(struct server *server)
{
    for (size_t wait = 0; wait < WAITS; wait++) {
        while (!wait_empty(server, (enum wait)wait)) {
            conn_close(wait_first(server, (enum wait)wait));
        }
    }
}

static void close_acceptors(struct server *server)
{
    while (server->acceptors != NULL) {
        struct acceptor *acceptor = server->acceptors;
        ev_io_stop(server->loop, &acceptor->io);
        close(acceptor->io.fd);
        acceptor->closed = true;
        acceptor_release(acceptor);
    }
}

void server_free(struct server **server_at)
{
    struct server *server = *server_at;
    if (server == NULL) {
        return;
    }
    *server_at = NULL;
    server->on_empty = NULL;
    close_all(server);
    exchange_fini(server);
    close_acceptors(server);
    ev_timer_stop(server->loop, &server->sweep);
    ev_timer_stop(server->loop, &server->retry);
    ev_idle_stop(server->loop, &server->turn);
    if (server->spare_fd >= 0) {
        close(server->spare_fd);
    }
    tls_context_free(&server->tls);
    h2_engine_free(&server->h2);
    free(server);
}

void server_want_content(struct server *server, size_t content_max)
{
    assert(content_max <= serve_content_bytes_max);
    server->content_max = content_max;
}

void server_admit_content(struct server *server, serve_admit_fn admit, size_t total_max)
{
    assert(server->content_max > 0);
    server->admit = admit;
    server->contents_max = total_max;
}

void server_set_tls(struct server *server, struct tls_context *context)
{
    tls_context_free(&server->tls);
    server->tls = context;
}

void server_set_limits(struct server *server, const struct serve_limits *limits)
{
    server->limits = *limits;
    timeout_set_limits(server);
}

void server_wake(struct server *server)
{
    if (server->gathered != NULL) {
        exchange_flush(server);
    }
    server->now_ns = (int64_t)(ev_now(server->loop) * 1e9);
}

void server_check_empty(struct server *server)
{
    if (server->connection_count == 0 && server->on_empty != NULL) {
        ev_idle_start(server->loop, &server->turn);
    }
}

/* Idle connections, but for those whose next request has just arrived. */
static void retire_idle(struct server *server)
{
    while (!wait_empty(server, WAIT_IDLE)) {
        conn_retire(wait_first(server, WAIT_IDLE));
    }
}

void server_share_sockets(struct server *server)
{
    server->sockets_shared = true;
}

void server_drain(struct server *server, void (*on_empty)(void *context))
{
    if (server->draining) {
        return;
    }
    server->draining = true;
    accept_end(server);
    server_wake(server);
    retire_idle(server);
    server->on_empty = on_empty;
    server_check_empty(server);
}

size_t server_connection_count(const struct server *server)
{
    return server->connection_count;
}
