/* SPDX-License-Identifier: MIT */
/* The life of one child process: started by exec of this same program, with a channel at
 * descriptor 3 and nothing else open but the standard descriptors. */
#pragma once

#include "base/error.h"
#include "net/message.h"
#include "supervisor/backoff.h"
#include "supervisor/watch.h"

#include <sys/types.h>

enum child_role { CHILD_CONTROL, CHILD_LOGGER, CHILD_WORKER };

/* Of a lane: two processes can serve as one worker while one takes the other's place. */
enum child_turn {
    TURN_ON,      /* this one serves, or will when it has started */
    TURN_LEAVING, /* its successor starts: it goes on until that one has the snapshot … */
    TURN_LEFT,    /* … and then finishes what it has; or nobody runs here */
};

struct child {
    enum child_role role;
    uint32_t index;       /* of a worker */
    uint32_t lane;        /* … in the shared pages */
    enum child_turn turn; /* … of its lane; others are on */
    int64_t kill_at_ns;   /* when one that left must be gone */
    uint64_t ports;       /* which ports it may connect to: supervisor.ports then */
    pid_t pid;            /* 0: not running */
    int channel;          /* -1: closed */
    int64_t started_ns;
    int64_t restart_at_ns; /* when it is to be started while it does not run */
    struct backoff backoff;
    struct watch watch;
    uint64_t acked;      /* the generation that a worker answers from */
    uint32_t late_ticks; /* since a snapshot was sent that it has not acknowledged */
};

void child_init(struct child *child, enum child_role role, uint32_t index, uint32_t lane);
/* "worker 3"; the text is static. */
const char *child_name(const struct child *child);

/* policy: what it is to give up, as text (sandbox/sandbox.h). argument: the configuration's path
 * for control, NULL for the others. ERR_IO: there is no process, errno says why. The child dies
 * with this process. */
enum err child_start(struct child *child, const char *policy, const char *argument);
/* SIGKILL, if it runs. */
void child_kill(struct child *child);
/* ERR_CLOSED when it does not run. A child that does not read its channel is killed. */
enum err child_send(struct child *child, const struct message *message);
/* After its end was reported, or it could not be started: closes the channel and sets when
 * to start it anew. */
void child_ended(struct child *child);
