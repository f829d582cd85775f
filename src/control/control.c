/* SPDX-License-Identifier: MIT */
/* The control process: one configuration in force, at most one on its way there.
 *
 *   file, or the last good text ─▶ candidate ─LISTEN▶ supervisor
 *   supervisor ─LISTENING▶ candidate, compiled ─SNAPSHOT▶ supervisor: now it is the current one
 *
 * Whatever fails on the way leaves the current one as it is. */
#include "control/control.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "control/alarm.h"
#include "control/api.h"
#include "control/certificates.h"
#include "control/confine.h"
#include "control/observe.h"
#include "control/pages.h"
#include "control/probes.h"
#include "control/publish.h"
#include "control/secret.h"
#include "control/state.h"
#include "control/windows.h"
#include "net/channel.h"
#include "shared/heartbeat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { cores_max = 256 };

/* With three keys, one that seals and two that open, a ticket is good for 24 hours. */
static const double ticket_rotation_s = 12 * 3600;

/* How often the log says that a detour is overdue. */
static const double overdue_pause_s = 600;

struct control {
    struct ev_loop *loop;
    ev_io channel;
    ev_timer heartbeat;
    struct alarm alarm;
    ev_timer rotation; /* of the keys that seal tickets */
    ev_timer overdue;
    struct windows windows;
    uint64_t quiet_generation; /* the last one that a ramp's step alone has made */
    struct observe *observe;
    struct health *health; /* NULL until the pages are mapped */
    const char *path;
    const struct sandbox_policy *policy;
    uint32_t cores;
    bool confined; /* the sandbox was entered */

    bool first;         /* nothing is served yet: a failure ends the program */
    bool from_text;     /* the candidate is the last good text, not the file */
    bool alarm_missed;  /* the alarm went off while a candidate was on its way */
    bool reload_again;  /* a SIGHUP came that is not served yet */
    struct state state; /* what was changed at run time, on the disk */
    struct live *live;  /* … and in hand; NULL: nothing can be */
    struct api *api;
    uint64_t changes;      /* that were made since the start */
    uint64_t changes_read; /* that the candidate was read with */
    uint64_t acknowledged; /* the newest generation that all workers have */
    struct configuration *current;
    struct configuration *candidate;
    uint64_t question; /* number of the LISTEN that the candidate waits for */

    uint64_t generation;
    int secret_fd;   /* the key of tickets; -1: not made yet */
    int tls_fd;      /* what workers make their TLS contexts of; -1: none */
    int tls_next_fd; /* the candidate's */
    struct counters_map *counters;
    struct servers_map *servers;
    int exit_status;
    struct channel_buffer buffer;
};

static void finish(struct control *c, int status)
{
    c->exit_status = status;
    ev_break(c->loop, EVBREAK_ALL);
}

static void send_message(struct control *c, const struct message *message)
{
    enum err err = channel_send(channel_fd, message);
    if (err != ERR_NONE) {
        log_error("cannot reach the supervisor: %s", err_text(err));
        finish(c, exit_could_not_run);
    }
}

/* The first configuration cannot be served. */
static void send_failed(struct control *c, int status)
{
    struct message message = {.type = MESSAGE_FAILED, .number = (uint32_t)status};
    send_message(c, &message);
}

static const char *io_text(enum err err)
{
    return err == ERR_IO ? strerror(errno) : err_text(err);
}

static void note_reload(struct control *c, bool success)
{
    if (c->counters != NULL && !c->from_text) {
        struct counters_common *common = counters_common(c->counters);
        counter_set(&common->reload_success, success);
        counter_set(&common->reload_time_s, (uint64_t)(clock_wall_ns() / NS_PER_SECOND));
    }
}

static void begin_reload(struct control *c);
static void publish_again(struct control *c);
static void end_what_is_over(struct control *c);

/* The candidate is given up; text says why. The first one ends the program. */
static void refuse(struct control *c, int status, const char *text)
{
    bool by_problems = c->candidate != NULL && c->candidate->problems.error_count > 0;
    api_reloaded(c->api, by_problems ? &c->candidate->problems : NULL, text, c->generation);
    configuration_free(&c->candidate);
    note_reload(c, false);
    if (c->first) {
        if (text != NULL) {
            fprintf(stderr, "detour: %s\n", text);
        }
        send_failed(c, status);
        return;
    }
    log_error("%s%snothing was changed", text != NULL ? text : "the file has errors",
              text != NULL ? "; " : ": ");
    if (c->alarm_missed) {
        publish_again(c);
    }
    if (c->reload_again) {
        begin_reload(c);
    }
}

static void refuse_file(struct control *c, const char *verb, struct span name, const char *why)
{
    char text[512];
    snprintf(text, sizeof(text), "cannot %s %.*s: %s", verb, SPAN_ARG(name), why);
    refuse(c, exit_could_not_run, text);
}

/* Counted before the sandbox hides where the kernel says so. */
static uint32_t count_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > cores_max ? cores_max : (uint32_t)cores;
}

static uint32_t worker_count(const struct control *c, const struct model *model)
{
    return model->workers != 0 ? model->workers : c->cores;
}

/* Asks the supervisor for the candidate's listening sockets. */
static void ask_listeners(struct control *c)
{
    static uint8_t room[message_text_max];
    struct buffer text = buffer_over(room, sizeof(room));
    if (configuration_listeners(c->candidate, &text) != ERR_NONE) {
        refuse(c, exit_errors, "there are too many listeners");
        return;
    }
    struct message message = {.type = MESSAGE_LISTEN,
                              .number = worker_count(c, c->candidate->model),
                              .generation = ++c->question,
                              .text = buffer_span(&text)};
    send_message(c, &message);
}

/* Reads the candidate's text, with what run time says in it as far as that is known. */
static bool load_candidate(struct control *c, int64_t now_ns)
{
    c->changes_read = c->changes;
    return configuration_load(c->candidate, c->live != NULL ? live_overrides(c->live) : NULL,
                              now_ns);
}

/* The store is known by the file, and says what else is to be read. False: refused. */
static bool open_state(struct control *c, int64_t now_ns)
{
    char why[store_reason_bytes];
    if (!state_open(&c->state, c->candidate, c->path, why)) {
        refuse(c, exit_could_not_run, why);
        return false;
    }
    if (c->state.store == NULL || c->live != NULL) {
        return true;
    }
    enum err err = live_new(c->state.store, &c->live);
    if (err != ERR_NONE) {
        refuse_file(c, "read", span_cstr(c->state.folder), io_text(err));
        return false;
    }
    api_set_store(c->api, c->state.store, c->live);
    if (live_overrides(c->live)->count > 0 && !load_candidate(c, now_ns)) {
        problems_log(&c->candidate->problems);
        refuse(c, exit_errors, NULL);
        return false;
    }
    return true;
}

/* Checks the candidate's text and, when it is good, sets it on its way. */
static void advance(struct control *c)
{
    int64_t now_ns = clock_wall_ns();
    bool good = load_candidate(c, now_ns);
    if (good && !open_state(c, now_ns)) {
        return;
    }
    if (good && !c->from_text) {
        good = certificates_load(c->candidate, now_ns);
    }
    if (!c->from_text || !good) {
        problems_log(&c->candidate->problems);
    }
    if (!good) {
        refuse(c, exit_errors, NULL);
        return;
    }
    if (!c->from_text) {
        enum err err = configuration_open_log(c->candidate);
        if (err != ERR_NONE) {
            refuse_file(c, "open", c->candidate->model->access_log,
                        err == ERR_IO ? control_why(c->candidate, errno) : err_text(err));
            return;
        }
    }
    c->candidate->read_ns = now_ns;
    ask_listeners(c);
}

static void begin_reload(struct control *c)
{
    c->reload_again = false;
    c->from_text = false;
    c->candidate = configuration_new(c->path);
    if (c->candidate == NULL) {
        refuse(c, exit_could_not_run, "out of memory");
        return;
    }
    c->candidate->confined = c->confined && c->policy->mode != SANDBOX_OFF;
    enum err err = configuration_read_file(c->path, &c->candidate->arena, &c->candidate->text);
    if (err != ERR_NONE) {
        refuse_file(c, "read", span_cstr(c->path),
                    err == ERR_IO ? control_why(c->candidate, errno) : configuration_read_why(err));
        return;
    }
    advance(c);
}

static void begin_last_good(struct control *c, int text_fd)
{
    c->from_text = true;
    c->candidate = configuration_new(c->path);
    enum err err = ERR_MEMORY;
    if (c->candidate != NULL && lseek(text_fd, 0, SEEK_SET) == 0) {
        err = configuration_read_fd(text_fd, &c->candidate->arena, &c->candidate->text);
    }
    if (err == ERR_NONE) {
        err = pages_unpack(c->candidate);
    }
    if (err != ERR_NONE) {
        refuse(c, exit_could_not_run, "cannot read the last good configuration");
        return;
    }
    advance(c);
}

static void on_welcome(struct control *c, struct message *message)
{
    c->generation = message->generation;
    c->first = message->fd_count == 0;
    int text_fd = message_take_fd(message, 0);
    c->secret_fd = message_take_fd(message, 1);
    c->tls_fd = message_take_fd(message, 2);
    if (text_fd >= 0) {
        begin_last_good(c, text_fd);
        close(text_fd);
    } else {
        begin_reload(c);
    }
}

static enum err map_pages(struct control *c, const struct message *message)
{
    if (c->counters != NULL) {
        return ERR_NONE;
    }
    if (message->fd_count < 2) {
        return ERR_SYNTAX;
    }
    enum err err = servers_open(message->fds[WELCOME_SERVERS], true, &c->servers);
    if (err == ERR_NONE) {
        err = counters_open(message->fds[WELCOME_COUNTERS], &c->counters);
    }
    if (err == ERR_NONE) {
        ev_timer_start(c->loop, &c->heartbeat);
    }
    return err;
}

/* The workers have it before the snapshot whose listeners need it. */
static void send_tls(struct control *c, int fd)
{
    struct message message = {.type = MESSAGE_TLS, .fd_count = fd >= 0, .fds = {fd}};
    if (fd >= 0 || c->tls_fd >= 0) {
        send_message(c, &message);
    }
    if (c->tls_fd >= 0) {
        close(c->tls_fd);
    }
    c->tls_fd = fd;
}

/* Once: whoever started us again has kept it. */
static enum err send_secret(struct control *c)
{
    if (c->secret_fd >= 0) {
        return ERR_NONE;
    }
    enum err err = secret_seal(&c->secret_fd);
    if (err == ERR_NONE) {
        struct message message = {.type = MESSAGE_SECRET, .fd_count = 1, .fds = {c->secret_fd}};
        send_message(c, &message);
    }
    return err;
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
        log_error("cannot change the keys of session tickets: %s", io_text(err));
        return;
    }
    send_tls(c, fd);
}

/* Compiles and sends. text_fd: -1 when only the clock has moved on. */
static enum err publish(struct control *c, struct configuration *configuration, int text_fd,
                        int log_fd)
{
    int64_t now = clock_wall_ns();
    struct message message = {.type = MESSAGE_SNAPSHOT,
                              .number = configuration->model->limits.drain_timeout_ms,
                              .generation = c->generation + 1,
                              .fd_count = text_fd < 0  ? 1
                                          : log_fd < 0 ? 2
                                                       : 3,
                              .fds = {-1, text_fd, log_fd}};
    enum err err = send_secret(c);
    if (err != ERR_NONE) {
        return err;
    }
    err = publish_snapshot(configuration, c->counters, c->servers, message.generation, now,
                           &message.fds[0]);
    if (err != ERR_NONE) {
        return err;
    }
    counter_set(&counters_common(c->counters)->snapshot_time_ns, (uint64_t)now);
    if (text_fd >= 0) {
        send_tls(c, c->tls_next_fd);
        c->tls_next_fd = -1;
    }
    send_message(c, &message);
    close(message.fds[0]);
    c->generation++;
    c->alarm_missed = false;
    windows_publish(&c->windows, configuration->model, now);
    alarm_set(&c->alarm, configuration_next_edge(configuration->model, now));
    return ERR_NONE;
}

static enum err publish_candidate(struct control *c)
{
    if (c->from_text) {
        return publish(c, c->candidate, -1, -1);
    }
    int text_fd;
    enum err err = certificates_seal(c->candidate, c->tls_fd, &c->tls_next_fd);
    if (err != ERR_NONE) {
        return err;
    }
    struct span packed;
    err = pages_pack(c->candidate, &packed);
    if (err == ERR_NONE) {
        err = publish_sealed("detour-config", packed, &text_fd);
    }
    if (err == ERR_NONE) {
        err = publish(c, c->candidate, text_fd, c->candidate->log_fd);
        close(text_fd);
    }
    if (c->tls_next_fd >= 0) {
        close(c->tls_next_fd); /* it was not published */
        c->tls_next_fd = -1;
    }
    return err;
}

static void say_published(struct control *c)
{
    size_t warnings = c->candidate->problems.count - c->candidate->problems.error_count;
    log_info("generation %llu: %s, %zu warning%s", (unsigned long long)c->generation,
             c->from_text ? "going on from the last good configuration" : c->path, warnings,
             warnings == 1 ? "" : "s");
    uint32_t workers = counters_workers(c->counters);
    if (worker_count(c, c->candidate->model) != workers && !c->from_text) {
        log_warning("workers: %u go on; a new number takes effect at a restart", workers);
    }
}

static void begin_probes(struct control *c)
{
    enum err err = ERR_NONE;
    if (c->health == NULL) {
        err = health_new(c->loop, c->servers, &c->health);
    }
    if (err == ERR_NONE) {
        err = probes_set(c->health, c->current->model, c->servers);
    }
    if (err != ERR_NONE) {
        log_error("cannot probe all servers: %s", err_text(err));
    }
}

/* Before the first byte of the network is read. What a later configuration names outside
 * of these paths needs a restart. False: it must not go on. */
static bool confine(struct control *c)
{
    if (!c->confined && control_confine(c->policy, c->path, c->current->model) != ERR_NONE) {
        log_error("cannot give up privileges: %s", strerror(errno));
        finish(c, exit_could_not_run);
        return false;
    }
    c->confined = true;
    return true;
}

/* What the file has overruled is dropped for good, so that no later file brings it back. */
static void settle_overrides(struct control *c)
{
    size_t dropped = 0;
    if (c->live == NULL) {
        return;
    }
    enum err err = live_settle(c->live, live_overrides(c->live), clock_wall_ns(), &dropped);
    if (err != ERR_NONE) {
        log_error("cannot store that the file has changed: %s", io_text(err));
    } else if (dropped > 0) {
        c->changes += dropped;
        log_info("%zu change%s of run time gave way to the file", dropped, dropped == 1 ? "" : "s");
    }
}

/* On control's own listeners. */
static void listen_as_named(struct control *c, struct message *message)
{
    const struct model *model = c->current->model;
    const struct listener *metrics = model->has_metrics ? &model->metrics : NULL;
    const struct listener *admin = model->has_admin ? &model->admin : NULL;
    int metrics_fd = metrics != NULL ? message_take_fd(message, 2) : -1;
    int admin_fd = admin != NULL ? message_take_fd(message, metrics != NULL ? 3 : 2) : -1;
    if (observe_listen(c->observe, metrics, metrics_fd) != ERR_NONE) {
        log_error("cannot serve metrics on %s", model->metrics.text);
    }
    if (api_listen(c->api, admin, admin_fd) != ERR_NONE) {
        log_error("cannot serve the admin API on %s", model->admin.text);
    }
}

static void on_listening(struct control *c, struct message *message)
{
    if (c->candidate == NULL || message->generation != c->question) {
        return;
    }
    if (c->changes_read != c->changes && !load_candidate(c, clock_wall_ns())) {
        problems_log(&c->candidate->problems);
        refuse(c, exit_errors, NULL);
        return;
    }
    enum err err = map_pages(c, message);
    if (err == ERR_NONE) {
        err = publish_candidate(c);
    }
    if (err != ERR_NONE) {
        refuse_file(c, "compile", span_cstr(c->path), io_text(err));
        return;
    }
    say_published(c);
    note_reload(c, true);
    c->first = false;
    configuration_free(&c->current);
    c->current = c->candidate;
    c->candidate = NULL;
    certificates_free(c->current);
    if (c->current->log_fd >= 0) {
        close(c->current->log_fd); /* the supervisor has it */
        c->current->log_fd = -1;
    }
    settle_overrides(c);
    if (!confine(c)) {
        return;
    }
    begin_probes(c);
    listen_as_named(c, message);
    api_reloaded(c->api, NULL, NULL, c->generation);
    if (c->reload_again) {
        begin_reload(c);
    }
}

static void on_refused(struct control *c, const struct message *message)
{
    if (c->candidate != NULL && message->generation == c->question) {
        char text[512];
        snprintf(text, sizeof(text), "%.*s", SPAN_ARG(message->text));
        refuse(c, exit_could_not_run, text);
    }
}

static void on_message(struct control *c, struct message *message)
{
    switch (message->type) {
    case MESSAGE_WELCOME:
        on_welcome(c, message);
        break;
    case MESSAGE_LISTENING:
        on_listening(c, message);
        break;
    case MESSAGE_REFUSED:
        on_refused(c, message);
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
        finish(c, 0);
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
        finish(c, 1); /* the supervisor is gone */
    } else if (c->reload_again && c->candidate == NULL) {
        begin_reload(c); /* once, however often it was asked for meanwhile */
    }
}

/* The current configuration as of now. */
static void publish_again(struct control *c)
{
    c->alarm_missed = c->candidate != NULL;
    if (c->current == NULL || c->alarm_missed) {
        return;
    }
    enum err err = publish(c, c->current, -1, -1);
    if (err != ERR_NONE) {
        log_error("cannot compile the snapshot (%s); trying again", err_text(err));
        alarm_set(&c->alarm, clock_wall_ns() + NS_PER_SECOND);
        return;
    }
    if (c->generation != c->quiet_generation) {
        log_info("generation %llu: a window opened or closed, or the clock was set",
                 (unsigned long long)c->generation);
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
    give_sign(timer->data, heartbeat_patience_s);
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
    publish_again(c);
}

/* A window opens or closes, a ramp makes a step, or the clock was set. */
static void on_alarm(void *context)
{
    struct control *c = context;
    give_sign(c, heartbeat_patience_work_s);
    end_what_is_over(c);
    look_at_windows(c);
    give_sign(c, heartbeat_patience_s);
}

static void on_overdue(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct control *c = timer->data;
    if (c->current != NULL) {
        windows_warn(c->current->model, clock_wall_ns());
    }
}

/* ---- changes at run time (control/api.h) ---- */

static const struct configuration *core_current(void *context)
{
    const struct control *c = context;
    return c->current;
}

/* The text that is in force, with the files that were read with it. */
static struct configuration *core_load(void *context, struct model_overrides *overrides)
{
    struct control *c = context;
    struct configuration *fresh = configuration_new(c->path);
    struct span packed;
    if (fresh == NULL) {
        return NULL;
    }
    if (pages_pack(c->current, &packed) == ERR_NONE) {
        fresh->text = arena_copy(&fresh->arena, packed);
    }
    if (fresh->text.ptr == NULL || pages_unpack(fresh) != ERR_NONE) {
        configuration_free(&fresh);
        return NULL;
    }
    configuration_load(fresh, overrides, clock_wall_ns());
    fresh->read_ns = c->current->read_ns;
    return fresh;
}

static enum err core_replace(void *context, struct configuration **fresh, uint64_t *generation_out)
{
    struct control *c = context;
    enum err err = publish(c, *fresh, -1, -1);
    if (err != ERR_NONE) {
        return err;
    }
    c->changes++;
    configuration_free(&c->current);
    c->current = *fresh;
    *fresh = NULL;
    begin_probes(c);
    *generation_out = c->generation;
    return ERR_NONE;
}

static void core_reload(void *context)
{
    struct control *c = context;
    c->reload_again = true;
    if (c->candidate == NULL) {
        begin_reload(c);
    }
}

static void core_status(void *context, struct api_status *out)
{
    const struct control *c = context;
    *out = (struct api_status){.generation = c->generation,
                               .acknowledged = c->acknowledged,
                               .workers = c->counters != NULL ? counters_workers(c->counters) : 0,
                               .file = c->path,
                               .folder = c->state.folder};
}

/* Detours of run time that are over go by themselves, and the history says when. */
static void end_what_is_over(struct control *c)
{
    int64_t now_ns = clock_wall_ns();
    size_t ended = 0;
    if (c->live == NULL || c->current == NULL) {
        return;
    }
    enum err err = live_expire(c->live, c->current->model, now_ns, &ended);
    if (err != ERR_NONE) {
        log_error("cannot store that a detour is over: %s", io_text(err));
    }
    if (ended > 0) {
        struct configuration *fresh = core_load(c, live_overrides(c->live));
        c->changes++;
        if (fresh != NULL && fresh->model != NULL) {
            configuration_free(&c->current);
            c->current = fresh;
            begin_probes(c);
        } else {
            configuration_free(&fresh);
        }
    }
}

static void fill_metrics(void *context, struct metrics *out)
{
    struct control *c = context;
    if (c->current == NULL) {
        return;
    }
    *out = (struct metrics){.counters = c->counters,
                            .servers = c->servers,
                            .rules = c->current->rules,
                            .rule_count = c->current->rule_count,
                            .detours = c->current->detours,
                            .detour_count = c->current->detour_count,
                            .pool_servers = c->current->servers,
                            .pool_server_count = c->current->server_count,
                            .generation = c->generation,
                            .now_ns = clock_wall_ns()};
}

static void fini(struct control *c)
{
    health_free(&c->health);
    api_free(&c->api);
    live_free(&c->live);
    observe_free(&c->observe);
    alarm_fini(&c->alarm);
    windows_fini(&c->windows);
    configuration_free(&c->candidate);
    configuration_free(&c->current);
    state_close(&c->state);
    counters_close(&c->counters);
    servers_close(&c->servers);
    ev_loop_destroy(c->loop);
}

int control_main(const struct sandbox_policy *policy, const char *config_path)
{
    static struct control control; /* the buffer is too large for a stack */
    struct control *c = &control;
    const struct api_core core = {.context = c,
                                  .current = core_current,
                                  .load = core_load,
                                  .replace = core_replace,
                                  .reload = core_reload,
                                  .status = core_status};
    log_role("control");
    c->policy = policy;
    c->path = config_path;
    c->cores = count_cores();
    c->alarm.fd = -1;
    c->secret_fd = -1;
    c->tls_fd = -1;
    c->tls_next_fd = -1;
    c->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (c->loop == NULL || alarm_init(&c->alarm, c->loop, on_alarm, c) != ERR_NONE ||
        observe_new(c->loop, fill_metrics, c, &c->observe) != ERR_NONE ||
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
