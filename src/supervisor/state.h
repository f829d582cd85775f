/* SPDX-License-Identifier: MIT */
/* What the supervisor keeps. */
#pragma once

#include "net/channel.h"
#include "sandbox/sandbox.h"
#include "shared/counters.h"
#include "supervisor/child.h"
#include "supervisor/sockets.h"

enum supervisor_phase {
    PHASE_STARTING, /* no snapshot yet */
    PHASE_SERVING,
    PHASE_DRAINING, /* workers finish what they have */
    PHASE_ENDING,   /* they have ended; control and the logger follow */
};

struct supervisor {
    enum supervisor_phase phase;
    int exit_status; /* -1: go on */
    const char *config_path;
    int epoll;
    int signals;

    struct child control;
    struct child logger;
    struct child *workers; /* by their lanes: worker_count of them, and as many in their place */
    uint32_t worker_count; /* 0 until control has said it; fixed for life */
    struct sandbox_policy policy;
    uint64_t ports; /* counts up with each change of policy.ports */

    struct socket_set sockets; /* in force */
    struct socket_set pending; /* opened for the next snapshot */
    bool has_pending;

    /* The shared pages and the loggers' bell; -1 until the first configuration. */
    int page_fds[WELCOME_FDS];
    struct counters_map *counters;

    uint64_t generation;
    int snapshot_fd;
    int snapshot_old_fd; /* until all workers have the new one, so that giving its memory back
                            is no work of theirs; -1 */
    int text_fd;
    int secret_fd;
    int tls_fd;       /* -1: none */
    int geo_fd;       /* -1: none */
    int sign_fd;      /* of the snapshot; -1: none */
    int sign_next_fd; /* of the one that is about to come … */
    bool sign_awaits; /* … if this says so */
    int log_fd;
    uint32_t drain_timeout_ms;
    uint64_t acked;    /* the newest generation that all workers have acknowledged */
    bool announced;    /* "serving" was said */
    bool reload_asked; /* a SIGHUP came, and control's sign of life was this one */
    uint64_t reload_sign;

    int64_t next_tick_ns;
    int64_t kill_at_ns; /* when a drain ends by force */
    struct channel_buffer buffer;
};

/* hub.c: messages. */

/* Reads all that the child has said. */
void hub_receive(struct supervisor *supervisor, struct child *child);
/* The first messages to a child that has just been started. */
void hub_welcome(struct supervisor *supervisor, struct child *child);
void hub_reload(struct supervisor *supervisor);
/* Says that all workers answer from the newest snapshot, once they do. */
void hub_look_at_acks(struct supervisor *supervisor);

/* turns.c: workers that may connect elsewhere than the configuration says are replaced, one
 * process by another that has its listeners and its queues. */

/* Takes the ports that a snapshot came with. ERR_SYNTAX: they are none. */
enum err turns_take_ports(struct supervisor *supervisor, struct span text);
/* Starts successors where they are needed and the place is free. */
void turns_begin(struct supervisor *supervisor);
/* The child has acknowledged: who served in its place goes. */
void turns_serve(struct supervisor *supervisor, struct child *child);
/* Ends those that have not finished in time. */
void turns_tick(struct supervisor *supervisor, int64_t now_ns);

static inline uint32_t supervisor_lanes(const struct supervisor *supervisor)
{
    return supervisor->worker_count * worker_lanes;
}

/* supervisor.c: lives. */

/* Its newest sign of life; 0 while there are no pages. */
uint64_t supervisor_sign(const struct supervisor *supervisor, const struct child *child);
/* Starts the child and welcomes it; on failure it is tried again later. */
void supervisor_start(struct supervisor *supervisor, struct child *child);
/* Ends the program after one line on standard error. */
void supervisor_fail(struct supervisor *supervisor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
