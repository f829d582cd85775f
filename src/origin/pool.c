/* SPDX-License-Identifier: MIT */
/* Connections of one origin: who gets which, and who waits. */
#include "origin/internal.h"

#include "http/method.h"

#include <stdlib.h>

static void take(struct pass *pass, struct wire *wire)
{
    pass->wire = wire;
    wire->pass = pass;
}

/* The one used last is the likeliest to be open. What came on it unasked would be taken for the
 * answer, and its event may stand behind the one that brought the request. */
static struct wire *take_idle(struct pass *pass)
{
    struct origin *origin = pass->origin;
    while (!chain_empty(&origin->idle)) {
        struct wire *wire = wire_of_chain(origin->idle.next);
        if (!wire_silent(wire)) {
            wire_close(wire);
            continue;
        }
        chain_remove(&wire->chain);
        chain_add(&origin->busy, &wire->chain);
        origin->idle_count--;
        return wire;
    }
    return NULL;
}

/* One address after the other, from the one that was good last. */
static void open_next(struct pass *pass)
{
    struct origin *origin = pass->origin;
    if (pass->attempts == 0) {
        pass->first_address = origin->good;
    }
    while (pass->attempts < origin->address_count) {
        uint32_t address = (pass->first_address + pass->attempts++) % origin->address_count;
        struct wire *wire = wire_open(origin, address);
        if (wire != NULL) {
            counter_add(&origin->set->counters->origin_connections, 1);
            take(pass, wire);
            pass->state = PASS_OPENING;
            pass->deadline_ms = deadline_in(origin->set, origin->connect_timeout_ms);
            return;
        }
    }
    pass_fail(pass, pass->late ? ORIGIN_LATE : ORIGIN_UNREACHED);
}

static struct wire *any_idle(const struct origins *set)
{
    for (const struct origin *origin = set->first; origin != NULL; origin = origin->next) {
        if (!chain_empty(&origin->idle)) {
            return wire_of_chain(origin->idle.prev);
        }
    }
    return NULL;
}

static bool may_open(const struct origin *origin)
{
    const struct origins *set = origin->set;
    return origin->wire_count < origin->connections_max &&
           (set->wire_count < set->wires_max || any_idle(set) != NULL);
}

/* An idle one of another origin gives way where there are as many as may be. */
static void make_room(struct origins *set)
{
    struct wire *idle = set->wire_count >= set->wires_max ? any_idle(set) : NULL;
    if (idle != NULL) {
        wire_close(idle);
    }
}

static void wait_for_one(struct pass *pass)
{
    struct origin *origin = pass->origin;
    pass->state = PASS_WAITING;
    pass->deadline_ms = deadline_in(origin->set, origin->connect_timeout_ms);
    chain_remove(&pass->chain);
    chain_add(&origin->waiting, &pass->chain);
    origin->waiting_count++;
    if (origin->waiting_count > origin_waiting_max) {
        pass_fail(pass, ORIGIN_BUSY);
    }
}

void pool_seek(struct pass *pass, bool fresh)
{
    struct origin *origin = pass->origin;
    struct wire *wire = fresh ? NULL : take_idle(pass);
    if (wire != NULL) {
        counter_add(&origin->set->counters->origin_reused, 1);
        pass->reused = true;
        take(pass, wire);
        pass_connected(pass);
    } else if (fresh || may_open(origin)) {
        make_room(origin->set);
        open_next(pass);
    } else {
        wait_for_one(pass);
    }
}

void pool_give_back(struct wire *wire, bool keep)
{
    struct origin *origin = wire->origin;
    wire->pass = NULL;
    origin->idle_count++;
    if (!keep || wire->ended || wire->dead || !wire_ready(wire) || !origin->listed ||
        origin->keep_alive_ms == 0 || wire->moves != origin->moves ||
        origin->idle_count > origin_kept_max) {
        wire_close(wire);
        return;
    }
    chain_remove(&wire->chain);
    chain_add(origin->idle.next, &wire->chain);
    wire->deadline_ms = deadline_in(origin->set, origin->keep_alive_ms);
    wire_watch(wire, true);
}

bool pool_can_serve(const struct origin *origin)
{
    return !chain_empty(&origin->waiting) && (!chain_empty(&origin->idle) || may_open(origin));
}

/* One that fails may end the next one too, and so on: in a row, not one within the other. */
void pool_serve(struct origin *origin)
{
    if (origin->serving) {
        return;
    }
    origin->serving = true;
    while (pool_can_serve(origin)) {
        struct pass *pass = pass_of_chain(origin->waiting.next);
        chain_remove(&pass->chain);
        chain_add(&origin->passes, &pass->chain);
        origin->waiting_count--;
        pass->state = PASS_OPENING;
        pool_seek(pass, false);
    }
    origin->serving = false;
    origin_release(origin);
}

void pool_drop_idle(struct origin *origin)
{
    while (!chain_empty(&origin->idle)) {
        wire_close(wire_of_chain(origin->idle.next));
    }
}

/* It is tried at the next address, which costs nothing but time. */
void pass_unconnected(struct pass *pass, bool late)
{
    wire_close(pass->wire);
    pass->wire = NULL;
    pass->late = late;
    open_next(pass);
}

void pass_broken(struct pass *pass)
{
    /* A kept connection may have been closed by the origin while the request was on its way. If
     * that is so, nothing has been done with it; if not, doing it twice must not matter. */
    if (!pass->reused || pass->retried || pass->heard || pass->content_taken ||
        !method_is_idempotent(pass->method)) {
        pass_fail(pass, ORIGIN_BROKEN);
        return;
    }
    counter_add(&pass->origin->set->counters->origin_retries, 1);
    wire_close(pass->wire);
    pass->wire = NULL;
    pass->retried = true;
    pass->reused = false;
    pass->attempts = 0;
    pool_seek(pass, true);
}
