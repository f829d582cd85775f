/* SPDX-License-Identifier: MIT */
/* The worker's life: what the supervisor says, and the loop. */
#include "worker/worker.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "shared/heartbeat.h"
#include "worker/internal.h"
#include "worker/loop_memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void on_empty(void *context)
{
    struct worker *worker = context;
    ev_break(worker->loop, EVBREAK_ALL);
}

static void drain(struct worker *worker)
{
    ev_signal_stop(worker->loop, &worker->terminate);
    if (worker->server == NULL) {
        ev_break(worker->loop, EVBREAK_ALL);
        return;
    }
    server_drain(worker->server, on_empty);
}

static void on_terminate(struct ev_loop *loop, ev_signal *signal, int revents)
{
    drain(signal->data);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct worker *worker = timer->data;
    heartbeat_sign(&worker->counters->heartbeat, heartbeat_patience_s);
    worker->decide.exists.now_s = facts_now_s(worker->facts, clock_monotonic_ns());
}

/* Once for all records of a turn: the order that a doorbell needs costs more than a
 * record. */
static void on_sleep(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    struct worker *worker = prepare->data;
    if (worker->has_logged) {
        worker->has_logged = false;
        ring_ring_bell(worker->ring, worker->bell_fd);
    }
    if (worker->has_asked) {
        worker->has_asked = false;
        ring_ring_bell(worker->questions_ring, worker->knock_fd);
    }
}

static enum err open_pages(struct worker *worker, const int fds[WELCOME_FDS])
{
    enum err err = counters_open(fds[WELCOME_COUNTERS], &worker->counters_map);
    if (err == ERR_NONE) {
        err = servers_open(fds[WELCOME_SERVERS], false, &worker->servers);
    }
    if (err == ERR_NONE) {
        err = ring_open_producer(RING_LOG, fds[WELCOME_RINGS], worker->index, &worker->ring);
    }
    if (err == ERR_NONE) {
        err = facts_open(fds[WELCOME_FACTS], false, &worker->facts);
    }
    if (err == ERR_NONE) {
        err = ring_open_producer(RING_QUESTIONS, fds[WELCOME_QUESTIONS], worker->index,
                                 &worker->questions_ring);
    }
    if (err == ERR_NONE) {
        err = questions_new(worker->questions_ring, &worker->questions);
    }
    return err;
}

static enum err welcome(struct worker *worker, struct message *message)
{
    if (worker->counters_map != NULL || message->fd_count < WELCOME_FDS) {
        return ERR_SYNTAX;
    }
    static char role[32];
    worker->index = message->number;
    snprintf(role, sizeof(role), "worker %u", (unsigned)message->generation);
    log_role(role);
    enum err err = open_pages(worker, message->fds);
    if (err != ERR_NONE) {
        return err;
    }
    worker->counters = counters_of_worker(worker->counters_map, worker->index);
    worker->rules = counters_rules(worker->counters_map, worker->index);
    worker->bell_fd = message_take_fd(message, WELCOME_BELL);
    worker->knock_fd = message_take_fd(message, WELCOME_KNOCK);
    worker->decide.exists.facts = worker->facts;
    worker->decide.exists.now_s = facts_now_s(worker->facts, clock_monotonic_ns());
    counter_set(&worker->counters->connections_active, 0);
    worker->heartbeat.data = worker;
    ev_timer_init(&worker->heartbeat, on_heartbeat, 0., heartbeat_pause_ms / 1000.);
    worker->sleep.data = worker;
    ev_prepare_init(&worker->sleep, on_sleep);
    ev_prepare_start(worker->loop, &worker->sleep);
    return ERR_NONE;
}

static bool is_listed(const struct listener *listener, const struct listener *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].text, listener->text) == 0) {
            return true;
        }
    }
    return false;
}

/* Those of the old set that the new one does not name. */
static void unlisten_others(struct worker *worker, const struct listener *listeners, size_t count)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        if (!is_listed(&worker->listeners[i], listeners, count)) {
            server_unlisten(worker->server, &worker->listeners[i]);
        }
    }
}

static void listen_on(struct worker *worker, const struct listener *listener, int fd)
{
    enum err err = server_listen(worker->server, listener, fd);
    if (err != ERR_NONE) {
        log_error("cannot accept on %s: %s", listener->text, err_text(err));
    }
}

static enum err listen_as_told(struct worker *worker, struct message *message)
{
    if (worker->server == NULL) {
        return ERR_SYNTAX; /* a snapshot comes first */
    }
    static struct listener listeners[message_fds_max];
    size_t count = 0;
    struct span rest = message->text;
    while (rest.len > 0 && count < message->fd_count) {
        size_t end = span_find(rest, 0, '\n');
        enum err err = listener_decode(span_slice(rest, 0, end), &listeners[count]);
        if (err != ERR_NONE) {
            return err;
        }
        count++;
        rest = span_from(rest, end < rest.len ? end + 1 : end);
    }
    for (size_t i = 0; i < count; i++) {
        listen_on(worker, &listeners[i], message_take_fd(message, i));
    }
    unlisten_others(worker, listeners, count);
    memcpy(worker->listeners, listeners, count * sizeof(listeners[0]));
    worker->listener_count = count;
    ev_timer_start(worker->loop, &worker->heartbeat); /* the first time: it serves */
    return ERR_NONE;
}

static enum err obey(struct worker *worker, struct message *message)
{
    if (message->type != MESSAGE_WELCOME && worker->counters_map == NULL &&
        message->type != MESSAGE_DRAIN) {
        return ERR_SYNTAX;
    }
    switch (message->type) {
    case MESSAGE_WELCOME:
        return welcome(worker, message);
    case MESSAGE_LISTEN:
        return listen_as_told(worker, message);
    case MESSAGE_SNAPSHOT:
        adopt_snapshot(worker, message);
        return ERR_NONE;
    case MESSAGE_TLS:
        adopt_tls(worker, message);
        return ERR_NONE;
    case MESSAGE_GEO:
        adopt_geo(worker, message);
        return ERR_NONE;
    case MESSAGE_SIGN:
        adopt_signing(worker, message);
        return ERR_NONE;
    case MESSAGE_SECRET:
        adopt_secret(worker, message);
        return ERR_NONE;
    case MESSAGE_DRAIN:
        if (message->number != 0 && worker->server != NULL) {
            server_share_sockets(worker->server);
        }
        drain(worker);
        return ERR_NONE;
    default:
        return ERR_SYNTAX;
    }
}

/* The supervisor is gone: whoever it is that starts us next has other sockets. */
static void orphaned(struct worker *worker)
{
    ev_io_stop(worker->loop, &worker->channel);
    ev_break(worker->loop, EVBREAK_ALL);
}

static void on_message(struct ev_loop *loop, ev_io *io, int revents)
{
    struct worker *worker = io->data;
    struct message message;
    enum err err = channel_receive(channel_fd, &worker->buffer, &message);
    if (err == ERR_AGAIN) {
        return;
    }
    if (err == ERR_CLOSED || err == ERR_IO) {
        orphaned(worker);
        return;
    }
    if (err != ERR_NONE) {
        log_error("a message from the supervisor is lost: %s", err_text(err));
        return;
    }
    err = obey(worker, &message);
    if (err != ERR_NONE) {
        log_error("message %d from the supervisor: %s", (int)message.type, err_text(err));
    }
    message_close_fds(&message);
}

/* The terminal's signals go to all processes, but it is the supervisor who acts on them. */
static void begin_signals(struct worker *worker)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    ev_signal_init(&worker->terminate, on_terminate, SIGTERM);
    worker->terminate.data = worker;
    ev_signal_start(worker->loop, &worker->terminate);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* else connections_refused says so */
    }
}

static void fini(struct worker *worker)
{
    if (worker->has_logged) {
        ring_ring_bell(worker->ring, worker->bell_fd);
    }
    server_free(&worker->server);
    origins_free(&worker->origins);
    drop_snapshot(&worker->current);
    ring_close(&worker->ring);
    questions_free(&worker->questions);
    ring_close(&worker->questions_ring);
    facts_close(&worker->facts);
    servers_close(&worker->servers);
    counters_close(&worker->counters_map);
    ev_loop_destroy(worker->loop);
    free(worker);
}

static struct worker *begin(void)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    struct ev_loop *loop =
        loop_memory_init() == ERR_NONE ? ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV) : NULL;
    if (worker == NULL || loop == NULL) {
        log_error("cannot begin: %s", strerror(errno));
        free(worker);
        return NULL;
    }
    worker->loop = loop;
    worker->bell_fd = -1;
    worker->knock_fd = -1;
    begin_signals(worker);
    ev_io_init(&worker->channel, on_message, channel_fd, EV_READ);
    worker->channel.data = worker;
    ev_io_start(loop, &worker->channel);
    return worker;
}

int worker_main(const struct sandbox_policy *policy)
{
    log_role("worker");
    tls_init(); /* here files can still be opened */
    raise_descriptor_limit();
    struct worker *worker = begin();
    if (worker == NULL) {
        return exit_could_not_run;
    }
    /* Before the first message: keys come by one. */
    if (sandbox_enter(policy, SANDBOX_WORKER, NULL, 0) != ERR_NONE) {
        log_error("cannot give up privileges: %s", strerror(errno));
        fini(worker);
        return exit_could_not_run;
    }
    ev_run(worker->loop, 0);
    fini(worker);
    return 0;
}
