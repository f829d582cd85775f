/* SPDX-License-Identifier: MIT */
/* The control process: one configuration in force, at most one on its way there.
 *
 *   file, or the last good text ─▶ candidate ─LISTEN▶ supervisor
 *   supervisor ─LISTENING▶ candidate, compiled ─SNAPSHOT▶ supervisor: now it is the current one
 *
 * Whatever fails on the way leaves the current one as it is. */
#include "control/internal.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "control/files/certificates.h"
#include "control/files/signing.h"
#include "control/origins.h"
#include "control/publish.h"
#include "shared/heartbeat.h"

#include <errno.h>
#include <unistd.h>

enum { cores_max = 256 };

/* With three keys, one that seals and two that open, a ticket is good for 24 hours. */
static const double ticket_rotation_s = 12 * 3600;

/* How often the log says that a detour is overdue. */
static const double overdue_pause_s = 600;

void control_finish(struct control *c, int status)
{
    c->exit_status = status;
    ev_break(c->loop, EVBREAK_ALL);
}

void control_send(struct control *c, const struct message *message)
{
    enum err err = channel_send(channel_fd, message);
    if (err != ERR_NONE) {
        log_error("cannot reach the supervisor: %s", err_text(err));
        control_finish(c, exit_could_not_run);
    }
}

/* Counted before the sandbox hides where the kernel says so. */
static uint32_t count_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > cores_max ? cores_max : (uint32_t)cores;
}

uint32_t control_worker_count(const struct control *c, const struct model *model)
{
    return model->workers != 0 ? model->workers : c->cores;
}

static void on_welcome(struct control *c, struct message *message)
{
    c->generation = message->generation;
    c->first = message->fd_count == 0;
    int text_fd = message_take_fd(message, 0);
    c->secret_fd = message_take_fd(message, 1);
    c->tls_fd = message_take_fd(message, 3);
    if (text_fd >= 0) {
        origins_remember(c->resolver, message->fds[2]);
        candidate_begin_last_good(c, text_fd);
        close(text_fd);
    } else {
        candidate_begin(c);
    }
}

static void on_rotation(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct control *c = timer->data;
    int fd;
    if (c->tls_fd < 0) {
        return;
    }
    enum err err = certificates_rotate(c->tls_fd, &fd);
    if (err != ERR_NONE) {
        log_error("cannot change the keys of session tickets: %s", err_why(err));
        return;
    }
    control_send_tls(c, fd);
}

static void on_message(struct control *c, struct message *message)
{
    switch (message->type) {
    case MESSAGE_WELCOME:
        on_welcome(c, message);
        break;
    case MESSAGE_SIGN:
        control_keep_signing(c, message->fd_count > 0 ? message->fds[0] : -1);
        break;
    case MESSAGE_LISTENING:
        candidate_listening(c, message);
        break;
    case MESSAGE_REFUSED:
        candidate_refused(c, message);
        break;
    case MESSAGE_ACK:
        if (message->generation != c->quiet_generation) {
            log_info("generation %llu is in use by all workers",
                     (unsigned long long)message->generation);
        }
        c->acknowledged = message->generation;
        api_acknowledged(c->api, message->generation);
        break;
    case MESSAGE_RELOAD:
        c->reload_again = true;
        break;
    case MESSAGE_DRAIN:
        c->reload_again = false;
        control_finish(c, 0);
        break;
    default:
        break;
    }
}

static void receive(struct control *c)
{
    struct message message;
    enum err err;
    while ((err = channel_receive(channel_fd, &c->buffer, &message)) == ERR_NONE) {
        on_message(c, &message);
        message_close_fds(&message);
    }
    if (err != ERR_AGAIN) {
        control_finish(c, 1); /* the supervisor is gone */
    } else if (c->reload_again && c->candidate == NULL) {
        candidate_begin(c); /* once, however often it was asked for meanwhile */
    }
}

static void give_sign(struct control *c, uint32_t patience_s)
{
    if (c->counters != NULL) {
        heartbeat_sign(&counters_common(c->counters)->heartbeat_control, patience_s);
    }
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct control *c = timer->data;
    give_sign(c, heartbeat_patience_s);
    change_end_what_recovered(c);
    if (c->current != NULL && c->servers != NULL) {
        fallbacks_look(c->fallbacks, c->current->model, c->servers);
    }
}

/* What comes may have to be read and compiled, which takes its time. */
static void on_channel(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct control *c = watcher->data;
    give_sign(c, heartbeat_patience_work_s);
    receive(c);
    give_sign(c, heartbeat_patience_s);
}

/* Nothing is published for a clock that was set to where the same detours are open. */
static void look_at_windows(struct control *c)
{
    int64_t now_ns = clock_wall_ns();
    enum windows_change change = WINDOWS_OTHER;
    if (c->current != NULL && c->candidate == NULL) {
        change = windows_compare(&c->windows, c->current->model, now_ns);
    }
    if (change == WINDOWS_SAME) {
        log_info("the clock was set, and the same detours are open");
        alarm_set(&c->alarm, configuration_next_edge(c->current->model, now_ns));
        return;
    }
    c->quiet_generation = change == WINDOWS_STEP ? c->generation + 1 : 0;
    control_publish_again(c);
}

/* A window opens or closes, a ramp makes a step, or the clock was set. Workers do not wait for the
 * disk. */
static void on_alarm(void *context)
{
    struct control *c = context;
    give_sign(c, heartbeat_patience_work_s);
    look_at_windows(c);
    announce_look(c->announce);
    change_end_what_is_over(c);
    give_sign(c, heartbeat_patience_s);
}

static void on_overdue(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct control *c = timer->data;
    if (c->current != NULL) {
        windows_warn(c->current->model, clock_wall_ns());
    }
}

static size_t count_pending(const struct control *c)
{
    const struct webhooks *webhooks = announce_webhooks(c->announce);
    size_t count = 0;
    for (size_t i = 0; i < webhooks_count(webhooks); i++) {
        struct webhook_view view;
        webhooks_view(webhooks, i, &view);
        count += view.pending;
    }
    return count;
}

static const double names_patience_s = 2;

static void on_names_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    ev_timer_stop(loop, timer);
    candidate_names(timer->data, true);
}

/* A name has other addresses. */
static void on_names(void *context)
{
    struct control *c = context;
    give_sign(c, heartbeat_patience_work_s);
    candidate_names(c, false);
    control_look_at_origins(c);
    control_look_at_places(c);
    give_sign(c, heartbeat_patience_s);
}

static void on_places(void *context)
{
    struct control *c = context;
    give_sign(c, heartbeat_patience_work_s);
    control_look_at_places(c);
    give_sign(c, heartbeat_patience_s);
}

/* The next probe asks there. */
static void on_probe_names(void *context)
{
}

static void fill_metrics(void *context, struct metrics *out)
{
    struct control *c = context;
    if (c->current == NULL) {
        return;
    }
    publish_note_rules(c->current, c->counters);
    *out = (struct metrics){.counters = c->counters,
                            .servers = c->servers,
                            .rules = c->current->rules,
                            .rule_count = c->current->rule_count,
                            .detours = c->current->detours,
                            .detour_count = c->current->detour_count,
                            .pool_servers = c->current->servers,
                            .pool_server_count = c->current->server_count,
                            .health = c->health,
                            .exists = existence_exists(c->existence),
                            .messages = announce_counts(c->announce),
                            .messages_pending = count_pending(c),
                            .generation = c->generation,
                            .now_ns = clock_wall_ns(),
                            .monotonic_ns = clock_monotonic_ns()};
}

static void fini(struct control *c)
{
    health_free(&c->health);
    existence_free(&c->existence);
    api_free(&c->api);
    announce_free(&c->announce);
    drains_free(&c->drains);
    live_free(&c->live);
    observe_free(&c->observe);
    resolver_free(&c->resolver);
    resolver_free(&c->probe_names);
    places_free(&c->places);
    fallbacks_free(&c->fallbacks);
    alarm_fini(&c->alarm);
    windows_fini(&c->windows);
    configuration_free(&c->candidate);
    configuration_free(&c->current);
    state_close(&c->state);
    signing_map(-1, &c->signing);
    counters_close(&c->counters);
    servers_close(&c->servers);
    ev_loop_destroy(c->loop);
}

int control_main(const struct sandbox_policy *policy, const char *config_path)
{
    static struct control control; /* the buffer is too large for a stack */
    struct control *c = &control;
    const struct api_core core = change_core(c);
    log_role("control");
    c->policy = policy;
    c->path = config_path;
    c->cores = count_cores();
    c->alarm.fd = -1;
    c->secret_fd = -1;
    c->tls_fd = -1;
    c->tls_next_fd = -1;
    c->sign_next_fd = -1;
    c->places_sent = -1;
    c->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    c->fallbacks = fallbacks_new();
    if (c->loop == NULL || c->fallbacks == NULL ||
        alarm_init(&c->alarm, c->loop, on_alarm, c) != ERR_NONE ||
        announce_new(c->loop, &c->current, &c->announce) != ERR_NONE ||
        observe_new(c->loop, fill_metrics, c, &c->observe) != ERR_NONE ||
        resolver_new(c->loop, on_names, c, &c->resolver) != ERR_NONE ||
        resolver_new(c->loop, on_probe_names, c, &c->probe_names) != ERR_NONE ||
        places_new(c->loop, on_places, c, &c->places) != ERR_NONE ||
        (c->drains = drains_new(c->loop, &c->current)) == NULL ||
        api_new(c->loop, &core, &c->api) != ERR_NONE) {
        log_error("cannot start: %s", strerror(errno));
        return exit_could_not_run;
    }
    ev_io_init(&c->channel, on_channel, channel_fd, EV_READ);
    c->channel.data = c;
    ev_io_start(c->loop, &c->channel);
    ev_timer_init(&c->rotation, on_rotation, ticket_rotation_s, ticket_rotation_s);
    c->rotation.data = c;
    ev_timer_start(c->loop, &c->rotation);
    ev_timer_init(&c->names_patience, on_names_patience, 0, names_patience_s);
    c->names_patience.data = c;
    ev_timer_init(&c->overdue, on_overdue, overdue_pause_s, overdue_pause_s);
    c->overdue.data = c;
    ev_timer_start(c->loop, &c->overdue);
    ev_timer_init(&c->heartbeat, on_heartbeat, 0., heartbeat_pause_ms / 1000.);
    c->heartbeat.data = c;
    ev_run(c->loop, 0);
    int status = c->exit_status;
    fini(c);
    return status;
}
