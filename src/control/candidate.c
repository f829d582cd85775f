/* SPDX-License-Identifier: MIT */
/* A file, or the last good text, on its way. What fails leaves the configuration in force as
 * it is. */
#include "control/internal.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "control/confine.h"
#include "control/files/certificates.h"
#include "control/files/kept.h"
#include "control/files/secrets.h"
#include "control/files/signing.h"
#include "control/origins.h"
#include "control/publish.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* The first configuration cannot be served. */
static void send_failed(struct control *c, int status)
{
    struct message message = {.type = MESSAGE_FAILED, .number = (uint32_t)status};
    control_send(c, &message);
}

static void note_reload(struct control *c, bool success)
{
    if (c->counters != NULL && !c->from_text) {
        struct counters_common *common = counters_common(c->counters);
        counter_set(&common->reload_success, success);
        counter_set(&common->reload_time_s, (uint64_t)(clock_wall_ns() / NS_PER_SECOND));
    }
}

/* The candidate is given up; text says why. The first one ends the program. */
static void refuse(struct control *c, int status, const char *text)
{
    bool by_problems = c->candidate != NULL && c->candidate->problems.error_count > 0;
    api_reloaded(c->api, c->readings, by_problems ? &c->candidate->problems : NULL, text,
                 c->generation);
    configuration_free(&c->candidate);
    places_abandon(c->places);
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
        control_publish_again(c);
    }
    if (c->reload_again) {
        candidate_begin(c);
    }
}

static void refuse_file(struct control *c, const char *verb, struct span name, const char *why)
{
    char text[512];
    snprintf(text, sizeof(text), "cannot %s %.*s: %s", verb, SPAN_ARG(name), why);
    refuse(c, exit_could_not_run, text);
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
                              .number = control_worker_count(c, c->candidate->model),
                              .generation = ++c->question,
                              .text = buffer_span(&text)};
    control_send(c, &message);
}

/* Reads the candidate's text, with what run time says in it as far as that is known. */
static bool load_candidate(struct control *c, int64_t now_ns)
{
    c->changes_read = c->changes;
    /* Where nothing is served yet, a good part of it is better than nothing. */
    return unfit_load(c->candidate, c->live != NULL ? live_overrides(c->live) : NULL,
                      c->current != NULL ? &c->current->unfit : NULL, c->current == NULL, now_ns);
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
        refuse_file(c, "read", span_cstr(c->state.folder), err_why(err));
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

/* Before the first byte of the network is read. What a later configuration names outside
 * of these paths needs a restart. False: it must not go on. */
static bool confine(struct control *c)
{
    if (!c->confined && control_confine(c->policy, c->path, c->candidate->model) != ERR_NONE) {
        log_error("cannot give up privileges: %s", strerror(errno));
        control_finish(c, exit_could_not_run);
        return false;
    }
    c->confined = true;
    return true;
}

void candidate_names(struct control *c, bool enough)
{
    if (c->awaits_names && (enough || resolver_settled(c->resolver))) {
        c->awaits_names = false;
        ev_timer_stop(c->loop, &c->names_patience);
        ask_listeners(c);
    }
}

/* So that the first request of an origin finds where it is. A name server that is away holds
 * nobody up for long. */
static void await_names(struct control *c)
{
    origins_want(c->resolver, c->candidate->model);
    places_want(c->resolver, c->candidate->model);
    c->awaits_names = true;
    ev_timer_again(c->loop, &c->names_patience);
    candidate_names(c, false);
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
        good = secrets_load(c->candidate) && good;
        good = signing_load(c->candidate) && good;
        good = places_load(c->places, c->candidate) && good;
    } else if (good && !secrets_load(c->candidate)) {
        log_error("webhooks cannot be told anything until the file is read again: a secret is "
                  "missing");
    }
    if (c->from_text && good && !places_load(c->places, c->candidate)) {
        places_watch(c->places, c->candidate);
        log_error("clients of before go on being placed, but servers only where `at` says so: the "
                  "file of `geo` cannot be used");
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
    if (confine(c)) {
        await_names(c);
    }
}

void candidate_begin(struct control *c)
{
    c->reload_again = false;
    c->from_text = false;
    c->readings++;
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

void candidate_begin_last_good(struct control *c, int text_fd)
{
    c->from_text = true;
    c->readings++;
    c->candidate = configuration_new(c->path);
    enum err err = ERR_MEMORY;
    if (c->candidate != NULL && lseek(text_fd, 0, SEEK_SET) == 0) {
        err = configuration_read_fd(text_fd, &c->candidate->arena, &c->candidate->text);
    }
    if (err == ERR_NONE) {
        err = kept_unpack(c->candidate);
    }
    if (err != ERR_NONE) {
        refuse(c, exit_could_not_run, "cannot read the last good configuration");
        return;
    }
    advance(c);
}

static enum err map_pages(struct control *c, struct message *message)
{
    if (c->counters != NULL) {
        return ERR_NONE;
    }
    if (message->fd_count < LISTENING_FDS) {
        return ERR_SYNTAX;
    }
    enum err err = servers_open(message->fds[LISTENING_SERVERS], true, &c->servers);
    if (err == ERR_NONE) {
        err = counters_open(message->fds[LISTENING_COUNTERS], &c->counters);
    }
    if (err == ERR_NONE) {
        const struct existence_setting setting = {
            .loop = c->loop,
            .servers = c->servers,
            .names = c->probe_names,
            .keys = &c->signing,
            .lanes = counters_lanes(c->counters),
            .facts_fd = message->fds[LISTENING_FACTS],
            .questions_fd = message->fds[LISTENING_QUESTIONS],
            .bell_fd = message_take_fd(message, LISTENING_KNOCK),
        };
        err = existence_new(&setting, &c->existence);
    }
    if (err == ERR_NONE) {
        ev_timer_start(c->loop, &c->heartbeat);
    }
    return err;
}

/* What was not published. */
static void drop_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static enum err publish_candidate(struct control *c)
{
    if (c->from_text) {
        return control_publish(c, c->candidate, -1, -1);
    }
    int text_fd;
    enum err err = certificates_seal(c->candidate, c->tls_fd, &c->tls_next_fd);
    if (err != ERR_NONE) {
        return err;
    }
    struct span packed;
    err = signing_seal(c->candidate, &c->sign_next_fd);
    if (err == ERR_NONE) {
        err = kept_pack(c->candidate, &packed);
    }
    if (err == ERR_NONE) {
        err = publish_sealed("detour-config", packed, &text_fd);
    }
    if (err == ERR_NONE) {
        err = control_publish(c, c->candidate, text_fd, c->candidate->log_fd);
        close(text_fd);
    }
    drop_fd(&c->tls_next_fd);
    drop_fd(&c->sign_next_fd);
    return err;
}

static void say_published(struct control *c)
{
    size_t warnings = c->candidate->problems.count - c->candidate->problems.error_count;
    log_info("generation %llu: %s, %zu warning%s", (unsigned long long)c->generation,
             c->from_text ? "going on from the last good configuration" : c->path, warnings,
             warnings == 1 ? "" : "s");
    for (size_t i = 0; i < c->candidate->unfit.count; i++) {
        const struct unfit *unfit = &c->candidate->unfit.items[i];
        log_error("detour %.*s of run time is set aside: %s; `detour off %.*s` takes it away",
                  SPAN_ARG(unfit->key), unfit->why, SPAN_ARG(unfit->key));
    }
    uint32_t workers = counters_workers(c->counters);
    if (control_worker_count(c, c->candidate->model) != workers && !c->from_text) {
        log_warning("workers: %u go on; a new number takes effect at a restart", workers);
    }
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
        log_error("cannot store that the file has changed: %s", err_why(err));
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
    size_t next = LISTENING_FDS;
    int metrics_fd = metrics != NULL ? message_take_fd(message, next++) : -1;
    int admin_fd = admin != NULL ? message_take_fd(message, next) : -1;
    if (observe_listen(c->observe, metrics, metrics_fd) != ERR_NONE) {
        log_error("cannot serve metrics on %s", model->metrics.text);
    }
    if (api_listen(c->api, admin, admin_fd) != ERR_NONE) {
        log_error("cannot serve the admin API on %s", model->admin.text);
    }
}

void candidate_listening(struct control *c, struct message *message)
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
        refuse_file(c, "compile", span_cstr(c->path), err_why(err));
        return;
    }
    say_published(c);
    note_reload(c, true);
    c->first = false;
    places_commit(c->places);
    configuration_free(&c->current);
    c->current = c->candidate;
    c->candidate = NULL;
    certificates_free(c->current);
    signing_free(c->current);
    if (c->current->log_fd >= 0) {
        close(c->current->log_fd); /* the supervisor has it */
        c->current->log_fd = -1;
    }
    announce_begin(c->announce, c->state.store, c->live); /* it alone has read the secrets */
    settle_overrides(c);
    change_end_what_is_over(c); /* also what ended while nobody ran */
    control_want_names(c);
    announce_look(c->announce);
    control_begin_probes(c);
    listen_as_named(c, message);
    api_reloaded(c->api, c->readings, NULL, NULL, c->generation);
    if (c->reload_again) {
        candidate_begin(c);
    }
}

void candidate_refused(struct control *c, const struct message *message)
{
    if (c->candidate != NULL && message->generation == c->question) {
        char text[512];
        snprintf(text, sizeof(text), "%.*s", SPAN_ARG(message->text));
        refuse(c, exit_could_not_run, text);
    }
}
