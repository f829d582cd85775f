/* SPDX-License-Identifier: MIT */
/* The supervisor as a hub: what each child is told, and what it says. */
#include "base/clock.h"
#include "base/log.h"
#include "shared/facts.h"
#include "shared/ring.h"
#include "shared/servers.h"
#include "supervisor/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void replace_fd(int *fd, int with)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = with;
}

static void add_fd(struct message *message, int fd)
{
    assert(fd >= 0 && message->fd_count < message_fds_max);
    message->fds[message->fd_count++] = fd;
}

static void send_snapshot(struct supervisor *s, struct child *worker)
{
    struct message message = {.type = MESSAGE_SNAPSHOT, .generation = s->generation};
    add_fd(&message, s->snapshot_fd);
    worker->late_ticks = 0;
    child_send(worker, &message);
}

static void send_tls(struct supervisor *s, struct child *worker)
{
    struct message message = {.type = MESSAGE_TLS};
    if (s->tls_fd >= 0) {
        add_fd(&message, s->tls_fd);
    }
    child_send(worker, &message);
}

static void send_geo(struct supervisor *s, struct child *worker)
{
    struct message message = {.type = MESSAGE_GEO};
    if (s->geo_fd >= 0) {
        add_fd(&message, s->geo_fd);
    }
    child_send(worker, &message);
}

static void send_signing(struct supervisor *s, struct child *child)
{
    struct message message = {.type = MESSAGE_SIGN};
    if (s->sign_fd >= 0) {
        add_fd(&message, s->sign_fd);
    }
    child_send(child, &message);
}

static void send_secret(struct supervisor *s, struct child *worker)
{
    struct message message = {.type = MESSAGE_SECRET};
    if (s->secret_fd >= 0) {
        add_fd(&message, s->secret_fd);
        child_send(worker, &message);
    }
}

static void send_listeners(struct supervisor *s, struct child *worker)
{
    char room[sockets_text_max];
    struct message message = {.type = MESSAGE_LISTEN};
    message.fd_count =
        sockets_of_worker(&s->sockets, worker->index, &message.text, room, message.fds);
    child_send(worker, &message);
}

static void send_log(struct supervisor *s)
{
    struct message message = {.type = MESSAGE_LOG};
    if (s->log_fd >= 0) {
        add_fd(&message, s->log_fd);
    }
    child_send(&s->logger, &message);
}

/* Keys without the snapshot that they were meant for. */
static void forget_signing(struct supervisor *s)
{
    replace_fd(&s->sign_next_fd, -1);
    s->sign_awaits = false;
}

static void welcome_control(struct supervisor *s)
{
    forget_signing(s);
    if (s->sign_fd >= 0) {
        send_signing(s, &s->control);
    }
    struct message message = {
        .type = MESSAGE_WELCOME, .number = s->worker_count, .generation = s->generation};
    if (s->text_fd >= 0) {
        add_fd(&message, s->text_fd);
        add_fd(&message, s->secret_fd);
        add_fd(&message, s->snapshot_fd);
        if (s->tls_fd >= 0) {
            add_fd(&message, s->tls_fd);
        }
    }
    child_send(&s->control, &message);
    /* What its predecessor was told and did not live to hear. What it heard may be what
     * ended it. */
    if (s->reload_asked && s->reload_sign == supervisor_sign(s, &s->control)) {
        hub_reload(s);
    }
}

void hub_welcome(struct supervisor *s, struct child *child)
{
    if (child->role == CHILD_CONTROL) {
        welcome_control(s);
        return;
    }
    bool worker = child->role == CHILD_WORKER;
    struct message message = {.type = MESSAGE_WELCOME,
                              .number = worker ? child->lane : supervisor_lanes(s),
                              .generation = child->index};
    for (size_t i = 0; i < WELCOME_FDS; i++) {
        add_fd(&message, s->page_fds[i]);
    }
    child_send(child, &message);
    if (worker) {
        send_secret(s, child);
        send_tls(s, child);
        send_geo(s, child);
        send_signing(s, child);
        send_snapshot(s, child);
        send_listeners(s, child);
    } else {
        send_log(s);
    }
}

void hub_reload(struct supervisor *s)
{
    const struct message message = {.type = MESSAGE_RELOAD};
    s->reload_asked = true;
    s->reload_sign = supervisor_sign(s, &s->control);
    if (s->control.channel >= 0) {
        /* One that is full says it already: control is busy with a large file. */
        channel_send(s->control.channel, &message);
    }
}

/* The shared pages, once the count of workers is known. */
static enum err create_pages(struct supervisor *s, uint32_t workers)
{
    enum err err = counters_create(workers, &s->page_fds[WELCOME_COUNTERS]);
    if (err == ERR_NONE) {
        err = counters_open(s->page_fds[WELCOME_COUNTERS], &s->counters);
    }
    if (err == ERR_NONE) {
        err = servers_create(&s->page_fds[WELCOME_SERVERS]);
    }
    if (err == ERR_NONE) {
        err = ring_create(RING_LOG, workers * worker_lanes, &s->page_fds[WELCOME_RINGS]);
    }
    if (err == ERR_NONE) {
        err = facts_create(&s->page_fds[WELCOME_FACTS]);
    }
    if (err == ERR_NONE) {
        err = ring_create(RING_QUESTIONS, workers * worker_lanes, &s->page_fds[WELCOME_QUESTIONS]);
    }
    if (err != ERR_NONE) {
        return err;
    }
    s->page_fds[WELCOME_BELL] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->page_fds[WELCOME_KNOCK] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->workers = calloc((size_t)workers * worker_lanes, sizeof(*s->workers));
    if (s->page_fds[WELCOME_BELL] < 0 || s->page_fds[WELCOME_KNOCK] < 0 || s->workers == NULL) {
        return ERR_IO;
    }
    for (uint32_t lane = 0; lane < workers * worker_lanes; lane++) {
        child_init(&s->workers[lane], CHILD_WORKER, lane % workers, lane);
        s->workers[lane].turn = lane < workers ? TURN_ON : TURN_LEFT;
    }
    s->worker_count = workers;
    return ERR_NONE;
}

static void on_listen(struct supervisor *s, const struct message *asked)
{
    char reason[sockets_reason_max];
    struct message answer = {.type = MESSAGE_LISTENING, .generation = asked->generation};
    if (s->worker_count == 0) {
        bool fits = asked->number > 0 && asked->number <= counters_workers_max;
        if (!fits || create_pages(s, asked->number) != ERR_NONE) {
            supervisor_fail(s, "cannot make the shared memory of %u workers: %s", asked->number,
                            strerror(errno));
            return;
        }
    }
    sockets_abandon(&s->pending); /* of a control that died, or changed its mind */
    s->has_pending =
        sockets_prepare(&s->sockets, asked->text, s->worker_count, &s->pending, reason) == ERR_NONE;
    if (!s->has_pending) {
        answer.type = MESSAGE_REFUSED;
        answer.text = span_cstr(reason);
        child_send(&s->control, &answer);
        return;
    }
    static const enum welcome_fd pages[LISTENING_FDS] = {
        [LISTENING_COUNTERS] = WELCOME_COUNTERS, [LISTENING_SERVERS] = WELCOME_SERVERS,
        [LISTENING_FACTS] = WELCOME_FACTS,       [LISTENING_QUESTIONS] = WELCOME_QUESTIONS,
        [LISTENING_KNOCK] = WELCOME_KNOCK,
    };
    for (size_t i = 0; i < LISTENING_FDS; i++) {
        add_fd(&answer, s->page_fds[pages[i]]);
    }
    for (enum socket_use use = SOCKET_METRICS; use <= SOCKET_ADMIN; use++) {
        if (sockets_own_fd(&s->pending, use) >= 0) {
            add_fd(&answer, sockets_own_fd(&s->pending, use));
        }
    }
    child_send(&s->control, &answer);
}

static bool is_sealed(int fd)
{
    const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & wanted) == wanted;
}

static void start_all(struct supervisor *s)
{
    s->phase = PHASE_SERVING;
    supervisor_start(s, &s->logger);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        supervisor_start(s, &s->workers[i]);
    }
}

static void tell_workers(struct supervisor *s, bool keys, bool listeners)
{
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        struct child *worker = &s->workers[i];
        /* One that is to be replaced could not do what the new snapshot says. */
        if (worker->pid != 0 && worker->turn == TURN_ON && worker->ports == s->ports) {
            if (keys) {
                send_signing(s, worker);
            }
            send_snapshot(s, worker);
            if (listeners) {
                send_listeners(s, worker);
            }
        }
    }
}

/* The keys that came before the snapshot of a configuration are in force with it. */
static bool take_signing(struct supervisor *s)
{
    bool taken = s->sign_awaits;
    if (taken) {
        replace_fd(&s->sign_fd, s->sign_next_fd);
        s->sign_next_fd = -1;
        s->sign_awaits = false;
    }
    return taken;
}

static void on_snapshot(struct supervisor *s, struct message *message)
{
    bool configuration = message->fd_count > 1;
    if (message->fd_count == 0 || !is_sealed(message->fds[0]) ||
        message->generation <= s->generation || (!s->has_pending && s->sockets.count == 0) ||
        s->secret_fd < 0 || turns_take_ports(s, message->text) != ERR_NONE) {
        log_error("control sent a snapshot that cannot be used");
        return;
    }
    if (s->phase > PHASE_SERVING) {
        return;
    }
    s->generation = message->generation;
    s->drain_timeout_ms = message->number;
    replace_fd(&s->snapshot_old_fd, s->snapshot_fd);
    s->snapshot_fd = message_take_fd(message, 0);
    if (configuration) {
        replace_fd(&s->text_fd, message_take_fd(message, 1));
        replace_fd(&s->log_fd, message_take_fd(message, 2));
    }
    bool keys = configuration && take_signing(s);
    bool listeners = s->has_pending;
    if (listeners) {
        sockets_commit(&s->sockets, &s->pending);
        s->has_pending = false;
    }
    if (s->phase == PHASE_STARTING) {
        start_all(s);
        return;
    }
    tell_workers(s, keys, listeners);
    turns_begin(s);
    if (configuration) {
        send_log(s);
    }
}

static void on_tls(struct supervisor *s, struct message *message)
{
    if (message->fd_count > 0 && !is_sealed(message->fds[0])) {
        log_error("control sent certificates that cannot be used");
        return;
    }
    replace_fd(&s->tls_fd, message_take_fd(message, 0));
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        if (s->workers[i].pid != 0) {
            send_tls(s, &s->workers[i]);
        }
    }
}

static void on_geo(struct supervisor *s, struct message *message)
{
    if (message->fd_count > 0 && !is_sealed(message->fds[0])) {
        log_error("control sent places that cannot be used");
        return;
    }
    replace_fd(&s->geo_fd, message_take_fd(message, 0));
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        if (s->workers[i].pid != 0) {
            send_geo(s, &s->workers[i]);
        }
    }
}

static void on_signing(struct supervisor *s, struct message *message)
{
    forget_signing(s);
    if (message->fd_count > 0 && !is_sealed(message->fds[0])) {
        log_error("control sent keys of signed tickets that cannot be used");
        return;
    }
    s->sign_next_fd = message_take_fd(message, 0);
    s->sign_awaits = true;
}

static void on_secret(struct supervisor *s, struct message *message)
{
    if (message->fd_count == 0 || !is_sealed(message->fds[0])) {
        log_error("control sent a key that cannot be used");
        return;
    }
    replace_fd(&s->secret_fd, message_take_fd(message, 0));
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        if (s->workers[i].pid != 0) {
            send_secret(s, &s->workers[i]);
        }
    }
}

static void announce(const struct supervisor *s)
{
    char list[1024] = "";
    size_t used = 0;
    for (size_t i = 0; i < s->sockets.count && used < sizeof(list); i++) {
        const struct socket_entry *entry = &s->sockets.entries[i];
        if (entry->use == SOCKET_WORKERS) {
            used += (size_t)snprintf(list + used, sizeof(list) - used, " %s", entry->listener.text);
        }
    }
    log_info("serving%s with %u worker%s", list, s->worker_count, s->worker_count > 1 ? "s" : "");
}

/* Who still serves, but will not have it: its successor is about to. */
static bool owes_ack(const struct supervisor *s, const struct child *worker)
{
    return worker->turn == TURN_LEAVING ||
           (worker->turn == TURN_ON && worker->acked != s->generation);
}

void hub_look_at_acks(struct supervisor *s)
{
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        if (owes_ack(s, &s->workers[i])) {
            return;
        }
    }
    if (s->acked == s->generation) {
        return;
    }
    s->acked = s->generation;
    if (!s->announced) {
        s->announced = true;
        announce(s);
    }
    struct message message = {.type = MESSAGE_ACK, .generation = s->generation};
    child_send(&s->control, &message);
    replace_fd(&s->snapshot_old_fd, -1);
}

static void on_ack(struct supervisor *s, struct child *worker, uint64_t generation)
{
    worker->acked = generation;
    turns_serve(s, worker);
    hub_look_at_acks(s);
}

static void from_control(struct supervisor *s, struct message *message)
{
    switch (message->type) {
    case MESSAGE_LISTEN:
        on_listen(s, message);
        break;
    case MESSAGE_SNAPSHOT:
        on_snapshot(s, message);
        break;
    case MESSAGE_TLS:
        on_tls(s, message);
        break;
    case MESSAGE_GEO:
        on_geo(s, message);
        break;
    case MESSAGE_SIGN:
        on_signing(s, message);
        break;
    case MESSAGE_SECRET:
        on_secret(s, message);
        break;
    case MESSAGE_FAILED:
        s->exit_status = (int)message->number;
        break;
    default:
        log_error("control sent a message that is not its own (%d)", (int)message->type);
        break;
    }
}

void hub_receive(struct supervisor *s, struct child *child)
{
    struct message message;
    enum err err = ERR_NONE;
    while (child->channel >= 0 &&
           (err = channel_receive(child->channel, &s->buffer, &message)) == ERR_NONE) {
        if (child->role == CHILD_CONTROL) {
            from_control(s, &message);
        } else if (child->role == CHILD_WORKER && message.type == MESSAGE_ACK) {
            on_ack(s, child, message.generation);
        }
        message_close_fds(&message);
    }
    if (err != ERR_NONE && err != ERR_AGAIN && child->channel >= 0) {
        /* A child without a channel is of no use; its end will be reported. */
        close(child->channel);
        child->channel = -1;
        child_kill(child);
    }
}
