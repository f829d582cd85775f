/* SPDX-License-Identifier: MIT */
/* How long a process that ended is waited for. */
#include "supervisor/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct step {
    int64_t lived_ms;
    int64_t delay_ms;
};

static void waits_longer_each_time(void **state)
{
    static const struct step steps[] = {
        {.lived_ms = 5, .delay_ms = 0},       {.lived_ms = 5, .delay_ms = 100},
        {.lived_ms = 9999, .delay_ms = 200},  {.lived_ms = 0, .delay_ms = 400},
        {.lived_ms = 5, .delay_ms = 800},     {.lived_ms = 5, .delay_ms = 1600},
        {.lived_ms = 5, .delay_ms = 3200},    {.lived_ms = 5, .delay_ms = 6400},
        {.lived_ms = 5, .delay_ms = 10000},   {.lived_ms = 5, .delay_ms = 10000},
        {.lived_ms = 10000, .delay_ms = 0},   {.lived_ms = 5, .delay_ms = 100},
        {.lived_ms = 3600000, .delay_ms = 0}, {.lived_ms = 3600000, .delay_ms = 0},
    };
    struct backoff backoff = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        assert_int_equal(backoff_delay_ms(&backoff, steps[i].lived_ms), steps[i].delay_ms);
    }
}

static void never_overflows(void **state)
{
    struct backoff backoff = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t delay = backoff_delay_ms(&backoff, 0);
        assert_true(delay >= 0 && delay <= backoff_max_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(waits_longer_each_time),
                                       cmocka_unit_test(never_overflows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
