/* SPDX-License-Identifier: MIT */
/* fork, exec, and what a child may inherit. */
#include "supervisor/child.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { exit_no_exec = 127 };

void child_init(struct child *child, enum child_role role, uint32_t index, uint32_t lane)
{
    *child = (struct child){.role = role, .index = index, .lane = lane, .channel = -1};
}

const char *child_name(const struct child *child)
{
    static char name[32];
    switch (child->role) {
    case CHILD_CONTROL:
        return "control";
    case CHILD_LOGGER:
        return "logger";
    case CHILD_WORKER:
        break;
    }
    snprintf(name, sizeof(name), "worker %u", child->index);
    return name;
}

static const char *subcommand(enum child_role role)
{
    static const char *const names[] = {
        [CHILD_CONTROL] = "_control", [CHILD_LOGGER] = "_logger", [CHILD_WORKER] = "_worker"};
    return names[role];
}

/* The supervisor tells its children when to end. Signals that a terminal or a service
 * manager sends to the whole group must not reach them first; what is ignored stays so
 * over exec. */
static void set_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++) {
        signal(ignored[i], SIG_IGN);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void take_channel(int channel)
{
    if (channel == channel_fd) {
        fcntl(channel, F_SETFD, 0);
    } else {
        dup2(channel, channel_fd);
    }
    close_range(channel_fd + 1, UINT_MAX, 0);
}

/* This very program: by its name, so that tools which follow processes see it, but by
 * its inode once the name stands for another one (it was upgraded while it runs). */
static const char *own_program(char *room, size_t size)
{
    static const char inode[] = "/proc/self/exe";
    ssize_t length = readlink(inode, room, size - 1);
    if (length <= 0 || (size_t)length == size - 1) {
        return inode;
    }
    room[length] = 0;
    return access(room, X_OK) == 0 ? room : inode;
}

static void run(int channel, const char *const *arguments, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(exit_no_exec); /* it died before we asked to be told */
    }
    set_signals();
    take_channel(channel);
    char room[4096];
    const char *program = own_program(room, sizeof(room));
    execv(program, (char *const *)(uintptr_t)arguments);
    log_error("cannot run %s: %s", program, strerror(errno));
    _exit(exit_no_exec);
}

enum err child_start(struct child *child, const char *policy, const char *argument)
{
    const char *arguments[] = {"detour", subcommand(child->role), policy, argument, NULL};
    int theirs;
    pid_t parent = getpid();
    enum err err = channel_pair(&child->channel, &theirs);
    if (err != ERR_NONE) {
        child->channel = -1;
        return err;
    }
    pid_t pid = fork();
    if (pid == 0) {
        run(theirs, arguments, parent);
    }
    int why = errno;
    close(theirs);
    if (pid < 0) {
        close(child->channel);
        child->channel = -1;
        errno = why;
        return ERR_IO;
    }
    child->pid = pid;
    child->started_ns = clock_monotonic_ns();
    child->acked = 0;
    child->late_ticks = 0;
    return ERR_NONE;
}

void child_kill(struct child *child)
{
    if (child->pid != 0) {
        kill(child->pid, SIGKILL);
    }
}

enum err child_send(struct child *child, const struct message *message)
{
    if (child->channel < 0) {
        return ERR_CLOSED;
    }
    enum err err = channel_send(child->channel, message);
    if (err != ERR_NONE && err != ERR_CLOSED) {
        log_error("%s does not take messages (%s): killed", child_name(child), err_text(err));
        child_kill(child);
    }
    return err;
}

void child_ended(struct child *child)
{
    int64_t now = clock_monotonic_ns();
    int64_t lived_ms = (now - child->started_ns) / 1000000;
    if (child->channel >= 0) {
        close(child->channel);
        child->channel = -1;
    }
    child->pid = 0;
    int64_t delay_ms = backoff_delay_ms(&child->backoff, child->watch.serves, lived_ms);
    child->restart_at_ns = now + delay_ms * 1000000;
}
