/* SPDX-License-Identifier: MIT */
/* Timeouts without a timer for each connection: a list for each kind of waiting, oldest
 * first, since all of one kind wait equally long; one timer looks at their heads. */
#include "serve/internal.h"

#include "base/clock.h"

enum {
    tick_ms_max = 250,
    tick_ms_min = 10,
    streams_ms = 100, /* between two looks at what is due in an HTTP/2 connection */
    batch_ms = 250,   /* for the kernel to gather batch_bytes */
};

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t shortest_timeout(const struct serve_limits *limits)
{
    uint32_t shortest = min_u32(limits->header_timeout_ms, limits->idle_timeout_ms);
    shortest = min_u32(shortest, limits->write_timeout_ms);
    shortest = min_u32(shortest, limits->linger_idle_ms);
    return min_u32(shortest, limits->linger_time_ms);
}

void timeout_set_limits(struct server *server)
{
    uint32_t tick_ms = min_u32(shortest_timeout(&server->limits) / 4, tick_ms_max);
    server->tick_ms = tick_ms < tick_ms_min ? tick_ms_min : tick_ms;
    server->sweep.repeat = server->tick_ms / 1000.;
    if (ev_is_active(&server->sweep)) {
        ev_timer_again(server->loop, &server->sweep);
    }
}

/* Not ev_now: that is the wall clock, which may jump. */
static void read_clock(struct server *server)
{
    server->now_ms = (uint64_t)(clock_monotonic_ns() / 1000000);
}

void timeout_wake(struct server *server)
{
    read_clock(server);
    ev_timer_again(server->loop, &server->sweep);
}

void timeout_leave(struct conn *conn)
{
    conn->link.prev->next = conn->link.next;
    conn->link.next->prev = conn->link.prev;
}

void timeout_enter(struct conn *conn, enum wait wait)
{
    struct server *server = conn_server(conn);
    struct conn_link *end = &server->waits[wait];
    if (conn->link.next != NULL) {
        timeout_leave(conn);
    }
    conn->link.prev = end->prev;
    conn->link.next = end;
    end->prev->next = &conn->link;
    end->prev = &conn->link;
    conn->wait = (uint8_t)wait;
    conn->since_ms = (uint32_t)server->now_ms;
    conn->since_bytes = 0;
}

static uint32_t timeout_ms(const struct server *server, enum wait wait)
{
    const struct serve_limits *limits = &server->limits;
    switch (wait) {
    case WAIT_IDLE:
        return limits->idle_timeout_ms;
    case WAIT_HEADER:
        return limits->header_timeout_ms;
    case WAIT_WRITE:
        return limits->write_timeout_ms;
    case WAIT_BODY:
        return limits->linger_idle_ms;
    case WAIT_LINGER:
        return min_u32(limits->linger_idle_ms, limits->linger_time_ms);
    case WAIT_STREAMS:
        return streams_ms;
    case WAIT_BATCH:
        return batch_ms;
    case WAIT_ANSWER:
    case WAIT_TURN:
    case WAIT_RUN:
    case WAITS:
        break;
    }
    return UINT32_MAX; /* never */
}

void timeout_progress(struct conn *conn, enum wait wait, size_t len)
{
    const struct server *server = conn_server(conn);
    if (conn->wait != wait) {
        timeout_enter(conn, wait);
        return;
    }
    uint64_t least = (uint64_t)timeout_ms(server, wait) * least_bytes_s / 1000;
    uint64_t bytes = conn->since_bytes + (uint64_t)len;
    if (bytes >= least) {
        timeout_touch(conn, wait);
        bytes = 0;
    }
    conn->since_bytes = (uint32_t)bytes;
}

/* Each case closes the connection or puts it into another list. */
static void expire(struct conn *conn)
{
    struct counters_worker *counters = conn_server(conn)->counters;
    switch ((enum wait)conn->wait) {
    case WAIT_IDLE:
        counter_add(&counters->timeouts_idle, 1);
        timeout_enter(conn, WAIT_IDLE); /* in case there are bytes after all */
        conn_retire(conn);
        return;
    case WAIT_HEADER:
        counter_add(&counters->timeouts_header, 1);
        if (conn->state == CONN_PROXY || conn->state == CONN_TLS ||
            (conn->state == CONN_FIRST && conn->held == NULL)) {
            conn_close(conn); /* there is no request to answer */
        } else {
            http1_timeout(conn);
        }
        return;
    case WAIT_BODY:
        if (conn->exchange != NULL) {
            exchange1_timeout(conn);
            return;
        }
        body_cut(conn);
        conn_settle(conn, NEXT_LINGER, (struct span){0});
        return;
    case WAIT_WRITE:
        counter_add(&counters->timeouts_write, 1);
        conn_close(conn);
        return;
    case WAIT_STREAMS:
        timeout_enter(conn, WAIT_STREAMS);
        conn_settle(conn, http2_tick(conn), (struct span){0});
        return;
    case WAIT_BATCH:
        input_batch(conn, false);
        timeout_enter(conn, conn->state == CONN_LINGER ? WAIT_LINGER : WAIT_BODY);
        return;
    case WAIT_LINGER:
    case WAIT_ANSWER:
    case WAIT_TURN:
    case WAIT_RUN:
    case WAITS:
        conn_close(conn);
        return;
    }
}

/* since_ms may lag behind by one tick, so one tick is added: never too early. With it
 * UINT32_MAX is out of reach. */
static bool is_due(const struct server *server, const struct conn *conn, uint32_t timeout)
{
    return (uint32_t)(server->now_ms - conn->since_ms) >= (uint64_t)timeout + server->tick_ms;
}

static void sweep_list(struct server *server, enum wait wait)
{
    uint32_t timeout = timeout_ms(server, wait);
    while (!wait_empty(server, wait) && is_due(server, wait_first(server, wait), timeout)) {
        expire(wait_first(server, wait));
    }
}

static void sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct server *server = timer->data;
    (void)revents;
    server_wake(server);
    read_clock(server);
    for (enum wait wait = WAIT_IDLE; wait <= WAIT_BATCH; wait++) {
        sweep_list(server, wait);
    }
    if (server->connection_count == 0) {
        ev_timer_stop(loop, timer);
    }
}

void timeout_init(struct server *server)
{
    for (size_t i = 0; i < WAITS; i++) {
        server->waits[i].next = &server->waits[i];
        server->waits[i].prev = &server->waits[i];
    }
    ev_timer_init(&server->sweep, sweep, 0., 0.);
}

/* Those that want another turn go to the end of WAIT_TURN, so that each gets one. */
void timeout_run_turns(struct server *server)
{
    while (!wait_empty(server, WAIT_TURN)) {
        timeout_enter(wait_first(server, WAIT_TURN), WAIT_RUN);
    }
    while (!wait_empty(server, WAIT_RUN)) {
        protocol_run(wait_first(server, WAIT_RUN));
    }
}
