/* SPDX-License-Identifier: MIT */
/* What is in force: compiled, sent, probed. */
#include "control/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/files/signing.h"
#include "control/origins.h"
#include "control/publish.h"
#include "control/runtime/secret.h"

#include <unistd.h>

/* The workers have it before the snapshot whose listeners need it. */
void control_send_tls(struct control *c, int fd)
{
    struct message message = {.type = MESSAGE_TLS, .fd_count = fd >= 0, .fds = {fd}};
    if (fd >= 0 || c->tls_fd >= 0) {
        control_send(c, &message);
    }
    if (c->tls_fd >= 0) {
        close(c->tls_fd);
    }
    c->tls_fd = fd;
}

void control_keep_signing(struct control *c, int fd)
{
    enum err err = signing_map(fd, &c->signing);
    if (err != ERR_NONE) {
        log_error("cannot keep the keys of signed tickets: %s", err_why(err));
    }
}

void control_send_signing(struct control *c, int fd)
{
    struct message message = {.type = MESSAGE_SIGN, .fd_count = fd >= 0, .fds = {fd}};
    if (fd >= 0 || c->signing != NULL) {
        control_send(c, &message);
    }
    control_keep_signing(c, fd);
    if (fd >= 0) {
        close(fd);
    }
}

/* The workers have it before the snapshot that asks where clients are. */
void control_send_places(struct control *c)
{
    int fd = places_fd(c->places);
    struct message message = {.type = MESSAGE_GEO, .fd_count = fd >= 0, .fds = {fd}};
    if (fd != c->places_sent) {
        control_send(c, &message);
        c->places_sent = fd;
    }
}

/* Once: whoever started us again has kept it. */
static enum err send_secret(struct control *c)
{
    if (c->secret_fd >= 0) {
        return ERR_NONE;
    }
    enum err err = secret_seal(c->state.store, &c->secret_fd);
    if (err == ERR_NONE) {
        struct message message = {.type = MESSAGE_SECRET, .fd_count = 1, .fds = {c->secret_fd}};
        control_send(c, &message);
    }
    return err;
}

/* What holds now is published. */
static void look_at_the_clock(struct control *c, const struct configuration *configuration,
                              int64_t now_ns)
{
    c->alarm_missed = false;
    windows_publish(&c->windows, configuration->model, now_ns);
    alarm_set(&c->alarm, configuration_next_edge(configuration->model, now_ns));
}

enum err control_publish(struct control *c, struct configuration *configuration, int text_fd,
                         int log_fd)
{
    int64_t now = clock_wall_ns();
    uint8_t room[sandbox_text_max];
    struct buffer ports = buffer_over(room, sizeof(room));
    if (c->current != NULL) {
        origins_carry(c->current->model, configuration->model);
    }
    origins_fill(configuration->model, c->resolver, c->servers, now);
    origins_ports(configuration->model, &ports);
    struct message message = {.type = MESSAGE_SNAPSHOT,
                              .text = buffer_span(&ports),
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
    /* Whoever reads the file again wants what it says to be taken anew, even the same. */
    uint64_t content = text_fd < 0 ? c->content : 0;
    err = publish_snapshot(configuration, c->counters, c->servers, c->places, c->resolver,
                           message.generation, now, &content, &message.fds[0]);
    if (err != ERR_NONE) {
        return err;
    }
    c->content = content;
    drains_look(c->drains, configuration->model, c->servers);
    if (message.fds[0] < 0) {
        look_at_the_clock(c, configuration, now);
        return ERR_NONE;
    }
    counter_set(&counters_common(c->counters)->snapshot_time_ns, (uint64_t)now);
    control_send_places(c);
    if (text_fd >= 0) {
        control_send_tls(c, c->tls_next_fd);
        c->tls_next_fd = -1;
        control_send_signing(c, c->sign_next_fd);
        c->sign_next_fd = -1;
    }
    control_send(c, &message);
    close(message.fds[0]);
    c->generation++;
    look_at_the_clock(c, configuration, now);
    return ERR_NONE;
}

static void on_health(void *context)
{
    control_look_at_origins(context);
}

void control_begin_probes(struct control *c)
{
    enum err err = ERR_NONE;
    const struct health_names names = {.context = c->probe_names, .find = probes_find};
    probes_want(c->probe_names, c->current->model);
    if (c->health == NULL) {
        err = health_new(c->loop, c->servers, &names, &c->health);
        if (err == ERR_NONE) {
            health_on_change(c->health, on_health, c);
        }
    }
    if (err == ERR_NONE) {
        err = probes_set(c->health, c->current->model, c->current->problems.file, c->servers);
    }
    if (err != ERR_NONE) {
        log_error("cannot probe all servers: %s", err_text(err));
    }
    err = existence_set(c->existence, c->current->model, c->current->problems.file);
    if (err != ERR_NONE) {
        log_error("cannot ask servers what they have: %s", err_text(err));
    }
}

static void publish_since(struct control *c, const char *why)
{
    c->alarm_missed = c->candidate != NULL;
    if (c->current == NULL || c->alarm_missed) {
        return;
    }
    uint64_t before = c->generation;
    enum err err = control_publish(c, c->current, -1, -1);
    if (err != ERR_NONE) {
        log_error("cannot compile the snapshot (%s); trying again", err_text(err));
        alarm_set(&c->alarm, clock_wall_ns() + NS_PER_SECOND);
        return;
    }
    announce_look(c->announce);
    if (c->generation == before) {
        c->quiet_generation = 0;
    } else if (c->generation != c->quiet_generation) {
        log_info("generation %llu: %s", (unsigned long long)c->generation, why);
    }
}

void control_publish_again(struct control *c)
{
    publish_since(c, "a window opened or closed, or the clock was set");
}

void control_look_at_origins(struct control *c)
{
    if (c->current != NULL &&
        origins_fill(c->current->model, c->resolver, c->servers, clock_wall_ns())) {
        c->quiet_generation = 0;
        publish_since(c, "an origin has other addresses, fails or is well again");
        announce_look(c->announce);
    }
}

void control_look_at_places(struct control *c)
{
    if (c->current != NULL && c->current->model->geo_count > 0) {
        control_send_places(c);
        c->quiet_generation = 0;
        publish_since(c, "servers or clients are elsewhere");
    }
}

/* Nobody asks for the names of a configuration that is gone. */
void control_want_names(struct control *c)
{
    resolver_begin(c->resolver);
    origins_want(c->resolver, c->current->model);
    places_want(c->resolver, c->current->model);
    resolver_end(c->resolver);
}
