/* SPDX-License-Identifier: MIT */
/* How long a process that ended is waited for. */
#include "supervisor/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct step {
    bool served;
    int64_t lived_ms;
    int64_t delay_ms;
};

static void follow(struct backoff *backoff, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t delay = backoff_delay_ms(backoff, steps[i].served, steps[i].lived_ms);
        assert_int_equal(delay, steps[i].delay_ms);
    }
}

#define FOLLOW(backoff, steps) follow(backoff, steps, sizeof(steps) / sizeof(*(steps)))

static void one_that_never_serves_waits_longer_each_time(void **state)
{
    static const struct step steps[] = {
        {.lived_ms = 5, .delay_ms = 0},        {.lived_ms = 5, .delay_ms = 100},
        {.lived_ms = 9999, .delay_ms = 200},   {.lived_ms = 0, .delay_ms = 400},
        {.lived_ms = 300000, .delay_ms = 800}, {.lived_ms = 5, .delay_ms = 1600},
        {.lived_ms = 5, .delay_ms = 3200},     {.lived_ms = 5, .delay_ms = 6400},
        {.lived_ms = 5, .delay_ms = 10000},    {.lived_ms = 5, .delay_ms = 10000},
    };
    struct backoff backoff = {0};
    FOLLOW(&backoff, steps);
}

static void one_that_served_is_back_soon_however_often(void **state)
{
    static const struct step steps[] = {
        {.served = true, .lived_ms = 0, .delay_ms = 50},
        {.served = true, .lived_ms = 20, .delay_ms = 30},
        {.served = true, .lived_ms = 50, .delay_ms = 0},
        {.served = true, .lived_ms = 3600000, .delay_ms = 0},
    };
    struct backoff backoff = {0};
    for (int i = 0; i < 1000; i++) {
        FOLLOW(&backoff, steps);
    }
}

static void serving_once_forgives_all_failures(void **state)
{
    static const struct step steps[] = {
        {.lived_ms = 5, .delay_ms = 0},   {.lived_ms = 5, .delay_ms = 100},
        {.lived_ms = 5, .delay_ms = 200}, {.served = true, .lived_ms = 30, .delay_ms = 20},
        {.lived_ms = 5, .delay_ms = 0},   {.lived_ms = 5, .delay_ms = 100},
    };
    struct backoff backoff = {0};
    FOLLOW(&backoff, steps);
}

static void never_overflows(void **state)
{
    struct backoff backoff = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t delay = backoff_delay_ms(&backoff, false, 0);
        assert_true(delay >= 0 && delay <= backoff_max_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_never_serves_waits_longer_each_time),
        cmocka_unit_test(one_that_served_is_back_soon_however_often),
        cmocka_unit_test(serving_once_forgives_all_failures),
        cmocka_unit_test(never_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
