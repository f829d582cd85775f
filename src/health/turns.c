/* SPDX-License-Identifier: MIT */
/* Turns: at each interval, not all at once, and not too many at a time. */
#include "health/internal.h"

#include "base/clock.h"

#include <stdlib.h>

enum { jitter_divisor = 10 };

static int64_t interval_ns(const struct question *question)
{
    return (int64_t)question->probe->target.interval_ms * 1000000;
}

static int64_t by_chance(int64_t below_ns)
{
    return (int64_t)((double)below_ns * ((double)rand() / ((double)RAND_MAX + 1)));
}

/* Chance delays one turn and not those after it. Turns that were slept through are left out. */
static void set_turn(struct question *question)
{
    int64_t interval = interval_ns(question);
    int64_t now = clock_monotonic_ns();
    int64_t passed = (now - question->base_ns) / interval;
    question->turns = question->turns < passed ? passed + 1 : question->turns + 1;
    int64_t at =
        question->base_ns + question->turns * interval + by_chance(interval / jitter_divisor);
    double wait_s = at > now ? (double)(at - now) / NS_PER_SECOND : 0;
    struct ev_loop *loop = question->probe->health->loop;
    ev_timer_stop(loop, &question->turn);
    ev_now_update(loop);
    ev_timer_set(&question->turn, wait_s, 0);
    ev_timer_start(loop, &question->turn);
}

static bool has_room(const struct question *question)
{
    const struct probe *probe = question->probe;
    uint32_t limit = probe->target.concurrency;
    return probe->health->asking < health_at_once_max &&
           (limit == 0 || probe->group->asking < limit);
}

static void ask(struct question *question)
{
    struct probe *probe = question->probe;
    if (ask_begin(question)) {
        probe->health->asking++;
        probe->group->asking++;
    }
}

static void wait_for_room(struct question *question)
{
    struct health *health = question->probe->health;
    question->waits = true;
    question->next = NULL;
    if (health->waiting_last != NULL) {
        health->waiting_last->next = question;
    } else {
        health->waiting_first = question;
    }
    health->waiting_last = question;
}

static void take_out(struct question *question)
{
    struct health *health = question->probe->health;
    struct question *before = NULL;
    for (struct question *each = health->waiting_first; each != question; each = each->next) {
        before = each;
    }
    *(before != NULL ? &before->next : &health->waiting_first) = question->next;
    if (health->waiting_last == question) {
        health->waiting_last = before;
    }
    question->waits = false;
}

/* In their order, but nobody waits for a group of others that is full. */
static void go_on(struct health *health)
{
    struct question *question = health->waiting_first;
    while (question != NULL && health->asking < health_at_once_max) {
        struct question *next = question->next;
        if (has_room(question)) {
            take_out(question);
            ask(question);
        }
        question = next;
    }
}

/* One that is still under way is not asked twice; its timeout ends it. */
static void on_turn(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct question *question = timer->data;
    set_turn(question);
    if (!question->waits && question->fetch == NULL && question->tcp == NULL) {
        wait_for_room(question);
    }
    go_on(question->probe->health);
}

/* The first turns are spread over the interval, so that a thousand are not asked at once. */
void question_begin(struct question *question)
{
    struct ev_loop *loop = question->probe->health->loop;
    int64_t first_ns = by_chance(interval_ns(question));
    question->base_ns = clock_monotonic_ns() + first_ns;
    question->turns = 0;
    ev_timer_init(&question->turn, on_turn, (double)first_ns / NS_PER_SECOND, 0);
    question->turn.data = question;
    ev_timer_start(loop, &question->turn);
}

static void leave(struct question *question)
{
    question->probe->health->asking--;
    question->probe->group->asking--;
}

void question_end(struct question *question)
{
    if (question->probe == NULL) {
        return;
    }
    ev_timer_stop(question->probe->health->loop, &question->turn);
    if (question->waits) {
        take_out(question);
    }
    if (question->fetch != NULL || question->tcp != NULL) {
        fetch_cancel(&question->fetch);
        tcp_cancel(&question->tcp);
        leave(question);
    }
}

void question_answered(struct question *question)
{
    question->fetch = NULL;
    question->tcp = NULL;
    leave(question);
    if (question->probe->health->waiting_first != NULL) {
        go_on(question->probe->health);
    }
}
