/* SPDX-License-Identifier: MIT */
/* The supervisor's loop: signals, ends and beginnings of children, and a tick a second
 * that looks for those that hang. */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "shared/heartbeat.h"
#include "supervisor/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    late_ticks_max = 5,       /* seconds without the acknowledgement of a snapshot */
    control_attempts_max = 3, /* before the first configuration is served */
    ending_ms_max = 5000,     /* for the logger's last lines */
    events_max = 64,
};

static const int64_t tick_ns = NS_PER_SECOND;

void supervisor_fail(struct supervisor *s, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "detour: %s\n", text);
    s->exit_status = exit_could_not_run;
}

uint64_t supervisor_sign(const struct supervisor *s, const struct child *child)
{
    if (s->counters == NULL) {
        return 0;
    }
    switch (child->role) {
    case CHILD_CONTROL:
        return counter_get(&counters_common(s->counters)->heartbeat_control);
    case CHILD_LOGGER:
        return counter_get(&counters_common(s->counters)->heartbeat_logger);
    case CHILD_WORKER:
        break;
    }
    return counter_get(&counters_of_worker(s->counters, child->lane)->heartbeat);
}

void supervisor_start(struct supervisor *s, struct child *child)
{
    bool control = child->role == CHILD_CONTROL; /* it compiles before its first sign */
    watch_begin(&child->watch, supervisor_sign(s, child),
                control ? heartbeat_patience_work_s : heartbeat_patience_s);
    char policy[sandbox_text_max];
    sandbox_policy_encode(&s->policy, policy);
    child->ports = s->ports;
    enum err err = child_start(child, policy, control ? s->config_path : NULL);
    if (err != ERR_NONE) {
        log_error("cannot start %s: %s", child_name(child), strerror(errno));
        child_ended(child);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = child};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, child->channel, &event) != 0) {
        log_error("cannot watch %s: %s", child_name(child), strerror(errno));
        child_kill(child);
        return;
    }
    hub_welcome(s, child);
}

/* Calls visit for each child that there is. */
static void each_child(struct supervisor *s, void (*visit)(struct supervisor *, struct child *))
{
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        visit(s, &s->workers[i]);
    }
    visit(s, &s->logger);
    visit(s, &s->control);
}

/* Who should run now. */
static bool is_wanted(const struct supervisor *s, const struct child *child)
{
    switch (s->phase) {
    case PHASE_STARTING:
        return child->role == CHILD_CONTROL;
    case PHASE_SERVING:
        return child->turn == TURN_ON;
    case PHASE_DRAINING:
        return child->role == CHILD_LOGGER; /* somebody must write the last lines */
    case PHASE_ENDING:
        return false;
    }
    return false;
}

static void start_if_due(struct supervisor *s, struct child *child)
{
    if (child->pid == 0 && is_wanted(s, child) && child->restart_at_ns <= clock_monotonic_ns()) {
        supervisor_start(s, child);
    }
}

static void send_drain(struct child *child)
{
    const struct message message = {.type = MESSAGE_DRAIN};
    child_send(child, &message);
}

static void kill_one(struct supervisor *s, struct child *child)
{
    child_kill(child);
}

static bool any_worker_runs(const struct supervisor *s)
{
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        if (s->workers[i].pid != 0) {
            return true;
        }
    }
    return false;
}

static void end_if_drained(struct supervisor *s)
{
    if (s->phase == PHASE_DRAINING && !any_worker_runs(s)) {
        s->phase = PHASE_ENDING;
        s->kill_at_ns = clock_monotonic_ns() + (int64_t)ending_ms_max * 1000000;
        send_drain(&s->logger);
        send_drain(&s->control);
    }
    if (s->phase == PHASE_ENDING && s->logger.pid == 0 && s->control.pid == 0) {
        s->exit_status = 0;
    }
}

static void drain(struct supervisor *s)
{
    if (s->phase >= PHASE_DRAINING) {
        log_info("ending at once");
        s->exit_status = 0;
        return;
    }
    log_info("draining");
    s->phase = PHASE_DRAINING;
    s->kill_at_ns = clock_monotonic_ns() + (int64_t)s->drain_timeout_ms * 1000000;
    /* Ours first: what arrives after a worker has closed its own is refused by the
     * kernel, not left in a queue that nobody serves. */
    sockets_close(&s->sockets);
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        send_drain(&s->workers[i]);
    }
    end_if_drained(s);
}

static void on_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            hub_reload(s);
        } else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            drain(s);
        }
    }
}

static struct child *find_child(struct supervisor *s, pid_t pid)
{
    if (s->control.pid == pid) {
        return &s->control;
    }
    if (s->logger.pid == pid) {
        return &s->logger;
    }
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        if (s->workers[i].pid == pid) {
            return &s->workers[i];
        }
    }
    return NULL;
}

static void count_restart(struct supervisor *s, const struct child *child)
{
    if (s->counters == NULL) {
        return;
    }
    struct counters_common *common = counters_common(s->counters);
    counter *counters[] = {[CHILD_CONTROL] = &common->restarts_control,
                           [CHILD_LOGGER] = &common->restarts_logger,
                           [CHILD_WORKER] = &common->restarts_workers};
    counter_add(counters[child->role], 1);
}

static void say_end(const struct child *child, int status)
{
    if (WIFSIGNALED(status)) {
        log_warning("%s was ended by signal %d (%s)", child_name(child), WTERMSIG(status),
                    strsignal(WTERMSIG(status)));
    } else {
        log_warning("%s ended with status %d", child_name(child), WEXITSTATUS(status));
    }
}

static void on_end(struct supervisor *s, struct child *child, int status)
{
    bool wanted = is_wanted(s, child);
    bool left_well = child->turn != TURN_ON && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (s->exit_status < 0 && (wanted || (s->phase == PHASE_SERVING && !left_well))) {
        say_end(child, status);
    }
    if (wanted && s->exit_status < 0) {
        count_restart(s, child);
    }
    watch_look(&child->watch, supervisor_sign(s, child));
    child_ended(child);
    if (child->role == CHILD_WORKER && child->turn != TURN_ON) {
        child->turn = TURN_LEFT;
        counter_set(&counters_of_worker(s->counters, child->lane)->connections_active, 0);
        turns_begin(s); /* somebody may have waited for its lane */
        hub_look_at_acks(s);
    }
    if (s->phase == PHASE_STARTING && s->exit_status < 0 &&
        child->backoff.failures >= control_attempts_max) {
        supervisor_fail(s, "control ended before anything could be served");
    }
}

static void on_children(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *child = find_child(s, pid);
        if (child != NULL) {
            hub_receive(s, child); /* its last words */
            on_end(s, child, status);
        }
    }
    end_if_drained(s);
}

static bool is_late(const struct supervisor *s, struct child *child)
{
    bool owes = child->role == CHILD_WORKER && child->turn == TURN_ON &&
                child->acked != s->generation && child->ports == s->ports;
    child->late_ticks = owes ? child->late_ticks + 1 : 0;
    return child->late_ticks > late_ticks_max;
}

static void kill_if_hung(struct supervisor *s, struct child *child)
{
    if (child->pid == 0) {
        return;
    }
    bool hangs = watch_tick(&child->watch, supervisor_sign(s, child));
    if (is_late(s, child) || hangs) {
        log_error("%s hangs (%u s without a heartbeat, %u s without taking the snapshot): killed",
                  child_name(child), child->watch.silent_ticks, child->late_ticks);
        child_kill(child);
    }
}

static void tick(struct supervisor *s)
{
    if (s->phase == PHASE_SERVING) {
        each_child(s, kill_if_hung);
        turns_tick(s, clock_monotonic_ns());
    }
    if (s->phase >= PHASE_DRAINING && clock_monotonic_ns() >= s->kill_at_ns) {
        log_warning("not all ended in time: killed");
        each_child(s, kill_one);
        s->kill_at_ns = INT64_MAX;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t due_of(const struct supervisor *s, const struct child *child)
{
    return child->pid == 0 && is_wanted(s, child) ? child->restart_at_ns : INT64_MAX;
}

/* How long to wait, in milliseconds, rounded up. */
static int timeout_ms(const struct supervisor *s)
{
    int64_t due = earlier(s->next_tick_ns, earlier(due_of(s, &s->control), due_of(s, &s->logger)));
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        due = earlier(due, due_of(s, &s->workers[i]));
    }
    if (s->phase >= PHASE_DRAINING) {
        due = earlier(due, s->kill_at_ns);
    }
    int64_t left = due - clock_monotonic_ns();
    return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

static void turn(struct supervisor *s)
{
    struct epoll_event events[events_max];
    int count = epoll_wait(s->epoll, events, events_max, timeout_ms(s));
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == s) {
            on_signals(s);
        } else {
            hub_receive(s, events[i].data.ptr);
        }
    }
    on_children(s);
    if (s->exit_status < 0) {
        each_child(s, start_if_due);
    }
    int64_t now = clock_monotonic_ns();
    if (now >= s->next_tick_ns || (s->phase >= PHASE_DRAINING && now >= s->kill_at_ns)) {
        tick(s);
        s->next_tick_ns = now + tick_ns;
    }
}

/* A process that was started without them must not get a socket for one of them. */
static void open_standard_fds(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int null = open("/dev/null", O_RDWR); /* gets the lowest number that is free */
            (void)null;
        }
    }
}

/* A worker needs a descriptor for each connection. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum err watch_signals(struct supervisor *s)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    /* What is ignored is not queued, and we may have been started with it ignored. */
    signal(SIGCHLD, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    return s->signals >= 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->signals, &event) == 0 ? ERR_NONE
                                                                                          : ERR_IO;
}

static void init(struct supervisor *s, const char *config_path, const struct sandbox_policy *policy)
{
    *s = (struct supervisor){.exit_status = -1,
                             .config_path = config_path,
                             .page_fds = {-1, -1, -1, -1, -1, -1, -1},
                             .snapshot_fd = -1,
                             .snapshot_old_fd = -1,
                             .text_fd = -1,
                             .secret_fd = -1,
                             .tls_fd = -1,
                             .geo_fd = -1,
                             .sign_fd = -1,
                             .sign_next_fd = -1,
                             .log_fd = -1,
                             .next_tick_ns = clock_monotonic_ns() + tick_ns};
    s->policy = *policy;
    child_init(&s->control, CHILD_CONTROL, 0, 0);
    child_init(&s->logger, CHILD_LOGGER, 0, 0);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0 || watch_signals(s) != ERR_NONE) {
        supervisor_fail(s, "cannot start: %s", strerror(errno));
    }
}

static void kill_and_wait(struct supervisor *s, struct child *child)
{
    child_kill(child);
    while (child->pid != 0 && waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* Nobody is left running, however we came here. */
static void fini(struct supervisor *s)
{
    each_child(s, kill_and_wait);
    sockets_abandon(&s->pending);
    sockets_close(&s->sockets);
    counters_close(&s->counters);
    free(s->workers);
}

int supervisor_main(const char *config_path, const struct sandbox_policy *policy)
{
    struct supervisor *s = malloc(sizeof(*s));
    if (s == NULL) {
        fputs("detour: out of memory\n", stderr);
        return exit_could_not_run;
    }
    open_standard_fds();
    log_role("supervisor");
    raise_descriptor_limit();
    init(s, config_path, policy);
    while (s->exit_status < 0) {
        turn(s);
    }
    fini(s);
    int status = s->exit_status;
    free(s);
    return status;
}
