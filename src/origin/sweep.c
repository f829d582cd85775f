/* SPDX-License-Identifier: MIT */
/* Timeouts: one timer looks at all that wait. There are at most some thousands, and a look at
 * one is a comparison. */
#include "origin/internal.h"

#include "base/clock.h"

enum { tick_ms = 100 };

static void read_clock(struct origins *set)
{
    set->now_ms = (uint64_t)(clock_monotonic_ns() / 1000000);
}

static void expire(struct pass *pass)
{
    switch ((enum pass_state)pass->state) {
    case PASS_WAITING:
        pass_fail(pass, ORIGIN_BUSY);
        return;
    case PASS_OPENING:
        origin_tell(pass->origin, "no connection to", "it did not answer in time");
        pass_unconnected(pass, true);
        return;
    case PASS_HEAD:
    case PASS_CONTENT:
    case PASS_TUNNEL:
        pass_fail(pass, ORIGIN_LATE);
        return;
    }
}

static struct pass *late_pass(const struct origins *set, const struct chain *list)
{
    for (struct chain *at = list->next; at != list; at = at->next) {
        struct pass *pass = pass_of_chain(at);
        if (pass->deadline_ms != 0 && pass->deadline_ms <= set->now_ms) {
            return pass;
        }
    }
    return NULL;
}

/* One that has expired may take others, and its origin, with it: so one at a time. False: there
 * is none. */
static bool expire_one(struct origins *set)
{
    for (struct origin *origin = set->first; origin != NULL; origin = origin->next) {
        struct pass *pass = late_pass(set, &origin->waiting);
        pass = pass != NULL ? pass : late_pass(set, &origin->passes);
        if (pass != NULL) {
            expire(pass);
            return true;
        }
    }
    return false;
}

/* The one that was used first is the last. */
static void expire_idle(struct origins *set)
{
    for (struct origin *origin = set->first; origin != NULL; origin = origin->next) {
        while (!chain_empty(&origin->idle) &&
               wire_of_chain(origin->idle.prev)->deadline_ms <= set->now_ms) {
            wire_close(wire_of_chain(origin->idle.prev));
        }
    }
}

/* Room that another origin has left is noticed here. False: nobody waits for it. */
static bool serve_one(struct origins *set)
{
    for (struct origin *origin = set->first; origin != NULL; origin = origin->next) {
        if (pool_can_serve(origin)) {
            pool_serve(origin);
            return true;
        }
    }
    return false;
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct origins *set = timer->data;
    read_clock(set);
    expire_idle(set);
    while (expire_one(set) || serve_one(set)) {
    }
    if (set->alive == 0) {
        ev_timer_stop(loop, timer);
    }
}

void sweep_init(struct origins *set)
{
    set->tick_ms = tick_ms;
    ev_timer_init(&set->sweep, on_sweep, 0., tick_ms / 1000.);
    set->sweep.data = set;
}

void sweep_add(struct origins *set)
{
    set->alive++;
    if (!ev_is_active(&set->sweep)) {
        read_clock(set);
        ev_timer_again(set->loop, &set->sweep);
    }
}

void sweep_remove(struct origins *set)
{
    set->alive--;
}
