/* SPDX-License-Identifier: MIT */
/* Alarms of the wall clock: in time, at once when they are over, never when they are far,
 * but for a clock that is set. */
#include "control/alarm.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/timex.h>

#include <cmocka.h>

struct fixture {
    struct ev_loop *loop;
    struct alarm alarm;
    ev_timer end;
    int64_t fired_ns; /* 0: not yet */
    int count;
};

static void on_fired(void *context)
{
    struct fixture *f = context;
    f->fired_ns = clock_wall_ns();
    f->count++;
}

static void on_end(struct ev_loop *loop, ev_timer *watcher, int events)
{
    ev_break(loop, EVBREAK_ALL);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->loop = ev_loop_new(EVBACKEND_EPOLL);
    assert_int_equal(alarm_init(&f->alarm, f->loop, on_fired, f), ERR_NONE);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    alarm_fini(&f->alarm);
    ev_loop_destroy(f->loop);
    free(f);
    return 0;
}

static void run_for(struct fixture *f, double seconds)
{
    ev_now_update(f->loop);
    ev_timer_init(&f->end, on_end, seconds, 0);
    ev_timer_start(f->loop, &f->end);
    ev_run(f->loop, 0);
}

static void rings_in_time_and_once(void **state)
{
    struct fixture *f = *state;
    int64_t at = clock_wall_ns() + 50 * 1000000;
    alarm_set(&f->alarm, at);
    run_for(f, 0.3);
    assert_int_equal(f->count, 1);
    assert_true(f->fired_ns >= at); /* never early: the window is open when it says so */
    assert_true(f->fired_ns < at + 200 * 1000000);
}

static void what_is_over_rings_at_once(void **state)
{
    struct fixture *f = *state;
    static const int64_t over[] = {INT64_MIN, 0, 1000000000};
    for (int i = 0; i < 3; i++) {
        alarm_set(&f->alarm, over[i]);
        run_for(f, 0.05);
        assert_int_equal(f->count, i + 1);
    }
}

static void never_does_not_ring(void **state)
{
    struct fixture *f = *state;
    alarm_set(&f->alarm, clock_wall_ns() + 20 * 1000000);
    alarm_set(&f->alarm, INT64_MAX); /* takes the place of the first */
    run_for(f, 0.1);
    assert_int_equal(f->count, 0);
}

/* By a nanosecond, which is enough for the kernel to say so. */
static bool set_clock_by(long nanoseconds)
{
    struct timex change = {.modes = ADJ_SETOFFSET | ADJ_NANO,
                           .time = {.tv_sec = nanoseconds < 0 ? -1 : 0,
                                    .tv_usec = nanoseconds + (nanoseconds < 0 ? 1000000000 : 0)}};
    return adjtimex(&change) >= 0;
}

static void a_clock_that_is_set_rings(void **state)
{
    struct fixture *f = *state;
    static const long steps[] = {1, -1};
    for (int i = 0; i < 2; i++) {
        alarm_set(&f->alarm, INT64_MAX);
        run_for(f, 0.02);
        assert_int_equal(f->count, i);
        if (!set_clock_by(steps[i])) {
            skip();
        }
        run_for(f, 0.05);
        assert_int_equal(f->count, i + 1);
    }
}

/* Nobody waited for the descriptor when it happened. */
static void a_clock_that_was_set_before_the_alarm_rings(void **state)
{
    struct fixture *f = *state;
    alarm_set(&f->alarm, INT64_MAX);
    if (!set_clock_by(1)) {
        skip();
    }
    set_clock_by(-1);
    alarm_set(&f->alarm, INT64_MAX);
    run_for(f, 0.05);
    assert_int_equal(f->count, 1);
}

#define ALARM_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALARM_TEST(rings_in_time_and_once), ALARM_TEST(what_is_over_rings_at_once),
        ALARM_TEST(never_does_not_ring), ALARM_TEST(a_clock_that_is_set_rings),
        ALARM_TEST(a_clock_that_was_set_before_the_alarm_rings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
