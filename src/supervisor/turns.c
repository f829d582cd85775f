/* SPDX-License-Identifier: MIT */
/* One worker's process takes the place of another. What a process may connect to is fixed when
 * it begins; so a configuration with other ports needs other processes. The successor starts in
 * the other lane, with the same listening sockets, and when it has the snapshot its predecessor
 * is told to finish. Nobody is refused, and no answer breaks off. */
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/state.h"

#include <stdio.h>
#include <string.h>

enum err turns_take_ports(struct supervisor *s, struct span text)
{
    char list[sandbox_text_max];
    struct sandbox_policy policy = s->policy;
    if (text.len >= sizeof(list)) {
        return ERR_SYNTAX;
    }
    snprintf(list, sizeof(list), "%.*s", SPAN_ARG(text));
    enum err err = sandbox_ports_decode(list, &policy);
    if (err != ERR_NONE) {
        return err;
    }
    bool same =
        policy.port_count == s->policy.port_count &&
        memcmp(policy.ports, s->policy.ports, policy.port_count * sizeof(policy.ports[0])) == 0;
    if (!same) {
        s->policy = policy;
        s->ports++;
    }
    return ERR_NONE;
}

static struct child *other_lane(struct supervisor *s, const struct child *child)
{
    uint32_t lane = child->lane < s->worker_count ? child->lane + s->worker_count : child->index;
    return &s->workers[lane];
}

static void leave(struct supervisor *s, struct child *child)
{
    const struct message message = {.type = MESSAGE_DRAIN, .number = 1};
    child->turn = TURN_LEFT;
    child->kill_at_ns = clock_monotonic_ns() + (int64_t)s->drain_timeout_ms * 1000000;
    child_send(child, &message);
}

static void begin_one(struct supervisor *s, struct child *old)
{
    struct child *next = other_lane(s, old);
    if (old->turn != TURN_ON || old->ports == s->ports || old->pid == 0 || next->pid != 0) {
        return; /* it need not; or the place is not free yet */
    }
    old->turn = TURN_LEAVING;
    child_init(next, CHILD_WORKER, old->index, other_lane(s, old)->lane);
    next->turn = TURN_ON;
    supervisor_start(s, next);
}

void turns_begin(struct supervisor *s)
{
    for (uint32_t i = 0; s->phase == PHASE_SERVING && i < supervisor_lanes(s); i++) {
        begin_one(s, &s->workers[i]);
    }
}

void turns_serve(struct supervisor *s, struct child *child)
{
    struct child *old = other_lane(s, child);
    if (child->turn == TURN_ON && old->turn == TURN_LEAVING) {
        log_info("%s goes on as process %d, since the ports of origins have changed",
                 child_name(child), (int)child->pid);
        leave(s, old);
    }
}

void turns_tick(struct supervisor *s, int64_t now_ns)
{
    for (uint32_t i = 0; i < supervisor_lanes(s); i++) {
        struct child *child = &s->workers[i];
        if (child->turn == TURN_LEFT && child->pid != 0 && now_ns >= child->kill_at_ns) {
            log_warning("process %d of %s did not finish in time: killed", (int)child->pid,
                        child_name(child));
            child_kill(child);
        }
    }
}
