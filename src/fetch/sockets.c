/* SPDX-License-Identifier: MIT */
/* The glue between libcurl's sockets and timer and libev's. */
#include "fetch/internal.h"

#include <stdlib.h>

/* A socket that libcurl waits for. */
struct waiting {
    ev_io io;
    struct fetch *fetch;
};

static void on_socket_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct waiting *waiting = io->data;
    struct fetch *fetch = waiting->fetch; /* the call may free what waits */
    int running;
    int action = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(fetch->multi, io->fd, action, &running);
    fetch_collect(fetch);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct fetch *fetch = timer->data;
    int running;
    curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    fetch_collect(fetch);
}

static void on_turn(struct ev_loop *loop, ev_timer *turn, int events)
{
    fetch_collect(turn->data);
}

/* libcurl asks for a socket to be watched (CURLMOPT_SOCKETFUNCTION). */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *per_socket)
{
    struct fetch *fetch = context;
    struct waiting *waiting = per_socket;
    if (waiting != NULL) {
        ev_io_stop(fetch->loop, &waiting->io);
    }
    if (what == CURL_POLL_REMOVE) {
        free(waiting);
        return 0;
    }
    if (waiting == NULL) {
        waiting = calloc(1, sizeof(*waiting));
        if (waiting == NULL) {
            return -1;
        }
        waiting->fetch = fetch;
        curl_multi_assign(fetch->multi, fd, waiting);
    }
    int events =
        ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0);
    ev_io_init(&waiting->io, on_socket_event, fd, events);
    waiting->io.data = waiting;
    ev_io_start(fetch->loop, &waiting->io);
    return 0;
}

/* libcurl asks to be called after a time (CURLMOPT_TIMERFUNCTION). */
static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct fetch *fetch = context;
    ev_timer_stop(fetch->loop, &fetch->timer);
    if (timeout_ms >= 0) {
        ev_timer_set(&fetch->timer, (double)timeout_ms / 1000, 0);
        ev_timer_start(fetch->loop, &fetch->timer);
    }
    return 0;
}

void sockets_init(struct fetch *fetch)
{
    ev_timer_init(&fetch->timer, on_timer, 0, 0);
    fetch->timer.data = fetch;
    ev_timer_init(&fetch->turn, on_turn, 0, 0);
    fetch->turn.data = fetch;
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
}

void sockets_fini(struct fetch *fetch)
{
    ev_timer_stop(fetch->loop, &fetch->timer);
    ev_timer_stop(fetch->loop, &fetch->turn);
}
