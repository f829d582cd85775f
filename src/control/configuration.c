/* SPDX-License-Identifier: MIT */
/* From a file to a model, and what follows from it. */
#include "control/configuration.h"

#include "control/files/authorities.h"
#include "control/files/certificates.h"
#include "control/files/kept.h"
#include "control/files/pages.h"
#include "control/files/signing.h"
#include "control/windows.h"
#include "events/sign.h"
#include "tls/material.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    read_step_bytes = 65536,
    pipe_bytes = 1 << 20, /* of lines that wait for a reader */
    ramp_grain_ns = 250000000,
};

/* Reads until the end; the file may grow meanwhile, or be no regular file. */
static enum err read_all(int fd, uint8_t *room, size_t size, size_t *len_out)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, room + len, size - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ERR_IO;
        }
        if (n == 0) {
            *len_out = len;
            return ERR_NONE;
        }
        len += (size_t)n;
    }
    return ERR_LIMIT;
}

enum err configuration_read_fd(int fd, struct arena *arena, struct span *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ERR_IO;
    }
    if (st.st_size > config_bytes_max) {
        return ERR_LIMIT;
    }
    bool known = S_ISREG(st.st_mode);
    size_t size = (known ? (size_t)st.st_size : config_bytes_max) + read_step_bytes;
    uint8_t *room = malloc(size);
    if (room == NULL) {
        return ERR_MEMORY;
    }
    size_t len = 0;
    enum err err = read_all(fd, room, size, &len);
    if (err == ERR_NONE && len > config_bytes_max) {
        err = ERR_LIMIT;
    }
    if (err == ERR_NONE) {
        struct span copy = arena_copy(arena, span_of(room, len));
        err = copy.ptr == NULL ? ERR_MEMORY : ERR_NONE;
        *out = copy;
    }
    int why = errno;
    free(room);
    errno = why;
    return err;
}

enum err configuration_read_file(const char *path, struct arena *arena, struct span *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    enum err err = configuration_read_fd(fd, arena, out);
    int why = errno;
    close(fd);
    errno = why;
    return err;
}

const char *configuration_read_why(enum err err)
{
    switch (err) {
    case ERR_IO:
        return strerror(errno);
    case ERR_LIMIT:
        return "it is larger than 64 MiB";
    default:
        return err_text(err);
    }
}

struct configuration *configuration_new(const char *file)
{
    struct configuration *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    arena_init(&c->arena, 0);
    problems_init(&c->problems, &c->arena, file);
    c->log_fd = -1;
    c->users = 1;
    return c;
}

static struct configuration *root_of(struct configuration *c)
{
    return c->root != NULL ? c->root : c;
}

struct configuration *configuration_again(const struct configuration *configuration)
{
    struct configuration *root = root_of((struct configuration *)(uintptr_t)configuration);
    struct configuration *c = configuration_new(root->problems.file);
    if (c == NULL) {
        return NULL;
    }
    c->root = root;
    root->users++;
    c->text = root->text;
    c->kept = root->kept;
    c->kept_count = root->kept_count;
    c->confined = root->confined;
    c->read_ns = root->read_ns;
    if (model_live_share(&configuration->live, &c->live) != ERR_NONE) {
        configuration_free(&c);
    }
    return c;
}

void configuration_free(struct configuration **configuration)
{
    struct configuration *c = *configuration;
    *configuration = NULL;
    if (c == NULL || --c->users > 0) {
        return;
    }
    if (c->log_fd >= 0) {
        close(c->log_fd);
    }
    certificates_free(c);
    signing_free(c);
    if (c->secrets != NULL) {
        tls_wipe(c->secrets, c->model->webhook_count * sizeof(*c->secrets));
    }
    model_live_fini(&c->live);
    arena_fini(&c->arena);
    configuration_free(&c->root);
    free(c);
}

static void add_rule(struct configuration *c, struct span site, const struct model_rule *rule)
{
    c->rules[c->rule_count++] = (struct metrics_rule){.site = site, .identity = rule->identity};
}

static bool list_rules(struct configuration *c)
{
    const struct model *model = c->model;
    size_t count = model->detour_count + model->site_count;
    for (size_t i = 0; i < model->site_count; i++) {
        count += model->sites[i].route_count;
    }
    c->rules = arena_array(&c->arena, count, sizeof(*c->rules));
    c->detours = arena_array(&c->arena, model->detour_count, sizeof(*c->detours));
    if (c->rules == NULL || c->detours == NULL) {
        return false;
    }
    for (size_t i = 0; i < model->detour_count; i++) {
        const struct model_detour *detour = &model->detours[i];
        add_rule(c, model->sites[detour->site].name, &detour->rule);
        c->detours[c->detour_count++] =
            (struct metrics_detour){.site = model->sites[detour->site].name,
                                    .identity = detour->rule.identity,
                                    .schedule = &detour->schedule};
    }
    for (size_t i = 0; i < model->site_count; i++) {
        const struct model_site *site = &model->sites[i];
        for (size_t r = 0; r < site->route_count; r++) {
            add_rule(c, site->name, &site->routes[r]);
        }
        add_rule(c, site->name, &site->fallback);
    }
    return true;
}

static bool list_servers(struct configuration *c)
{
    const struct model *model = c->model;
    size_t count = 0;
    for (size_t i = 0; i < model->pool_count; i++) {
        count += model->pools[i].server_count;
    }
    c->servers = arena_array(&c->arena, count, sizeof(*c->servers));
    if (c->servers == NULL) {
        return false;
    }
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        for (size_t k = 0; k < pool->server_count; k++) {
            c->servers[c->server_count++] =
                (struct metrics_server){.pool = pool->name,
                                        .name = pool->servers[k].name,
                                        .identity = pool->servers[k].identity};
        }
    }
    return true;
}

static bool load_files(struct configuration *c)
{
    if (c->kept != NULL) {
        kept_fill(c);
    }
    return (c->kept != NULL || pages_load(c)) && authorities_load(c);
}

bool configuration_load(struct configuration *c, struct model_overrides *overrides, int64_t now_ns)
{
    struct configuration *root = root_of(c);
    c->problems.count = c->problems.error_count = 0;
    c->rule_count = c->server_count = c->detour_count = 0;
    c->rules_noted = false;
    c->model = NULL;
    if (root->source == NULL) {
        root->source = model_text_read(root->text, &root->arena, root->problems.file);
    }
    if (root->source != NULL) {
        c->model = model_of_text(root->source, overrides, now_ns, &c->problems, &c->live);
    } else {
        problems_error(&c->problems, (struct place){0}, "out of memory");
    }
    if (c->model != NULL && (!list_rules(c) || !list_servers(c))) {
        problems_error(&c->problems, (struct place){0}, "out of memory");
        c->model = NULL;
    }
    if (c->model != NULL && !root->files_read && !load_files(c)) {
        c->model = NULL;
    }
    root->files_read = root->files_read || c->model != NULL;
    problems_sort(&c->problems);
    return c->model != NULL;
}

/* Nobody waits for the reader of a pipe, neither here nor when lines are written. One that
 * has no reader yet is kept open from both ends, so that its reader may come later. */
static int open_log(const char *path)
{
    const int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = open(path, O_WRONLY | flags, 0640);
    if (fd < 0 && errno == ENXIO) {
        fd = open(path, O_RDWR | flags, 0640);
    }
    if (fd >= 0) {
        fcntl(fd, F_SETPIPE_SZ, pipe_bytes); /* fails for all but pipes, which is fine */
    }
    return fd;
}

/* A pipe is opened anew: that its descriptor does not wait is then seen by nobody else who
 * has it. */
static int open_stdout(void)
{
    struct stat st;
    int fd = -1;
    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode)) {
        fd = open_log("/proc/self/fd/1");
    }
    return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

enum err configuration_open_log(struct configuration *c)
{
    struct span path = c->model->access_log;
    if (path.len == 0) {
        return ERR_NONE;
    }
    if (span_eq(path, SPAN("-"))) {
        c->log_fd = open_stdout();
        return c->log_fd < 0 ? ERR_IO : ERR_NONE;
    }
    struct span copy = arena_copy(&c->arena, path); /* followed by a NUL */
    if (copy.ptr == NULL) {
        return ERR_MEMORY;
    }
    c->log_fd = open_log((const char *)copy.ptr);
    return c->log_fd < 0 ? ERR_IO : ERR_NONE;
}

static void put_listener(struct buffer *out, const struct listener *listener)
{
    char line[listener_line_max];
    buffer_put(out, span_of(line, listener_encode(listener, line)));
    buffer_byte(out, '\n');
}

enum err configuration_listeners(const struct configuration *c, struct buffer *out)
{
    const struct model *model = c->model;
    if (model->listener_count > listeners_max) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < model->listener_count; i++) {
        put_listener(out, &model->listeners[i]);
    }
    if (model->has_metrics) {
        buffer_put(out, SPAN("metrics "));
        put_listener(out, &model->metrics);
    }
    if (model->has_admin) {
        buffer_put(out, SPAN("admin "));
        put_listener(out, &model->admin);
    }
    return out->full ? ERR_LIMIT : ERR_NONE;
}

/* The end of the grain that an instant is in. */
static int64_t end_of_grain(int64_t ns)
{
    int64_t over = ((ns % ramp_grain_ns) + ramp_grain_ns) % ramp_grain_ns;
    return over == 0 || ns > TIME_NEVER - ramp_grain_ns ? ns : ns + ramp_grain_ns - over;
}

/* When to look at a detour again: at an edge at once, while the steps of ramps wait for each
 * other, so that many ramps cost no more snapshots than one. */
static int64_t look_again(const struct schedule *schedule, int64_t after_ns)
{
    struct schedule_view view;
    struct schedule_view then;
    schedule_at(schedule, after_ns, &view);
    int64_t grain_ns = end_of_grain(view.next_ns);
    bool ramps = schedule->ramp_ns > 0 || schedule->return_over_ns > 0;
    while (ramps && view.next_ns < grain_ns) {
        schedule_at(schedule, view.next_ns, &then);
        if (!windows_is_step(&view, &then)) {
            return view.next_ns;
        }
        view = then;
    }
    return ramps ? grain_ns : view.next_ns;
}

int64_t configuration_next_edge(const struct model *model, int64_t after_ns)
{
    int64_t next = TIME_NEVER;
    for (size_t i = 0; i < model->detour_count; i++) {
        int64_t again_ns = look_again(&model->detours[i].schedule, after_ns);
        next = again_ns < next ? again_ns : next;
    }
    return next;
}
