/* SPDX-License-Identifier: MIT */
/* Up and down only after as many probes in a row as were asked for. */
#include "health/hysteresis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
    const char *name;
    bool up;
    uint32_t fall;
    uint32_t rise;
    const char *probes; /* '+' success, '-' failure */
    const char *states; /* after each: 'u' up, 'd' down */
};

static const struct row rows[] = {
    {.name = "one failure is nothing",
     .up = true,
     .fall = 3,
     .rise = 2,
     .probes = "-+--+",
     .states = "uuuuu"},
    {.name = "the third in a row counts",
     .up = true,
     .fall = 3,
     .rise = 2,
     .probes = "----",
     .states = "uudd"},
    {.name = "up again after two",
     .up = false,
     .fall = 3,
     .rise = 2,
     .probes = "+-++",
     .states = "dddu"},
    {.name = "at once when one is enough",
     .up = true,
     .fall = 1,
     .rise = 1,
     .probes = "-+-",
     .states = "dud"},
    {.name = "a streak does not outlive a change",
     .up = true,
     .fall = 2,
     .rise = 3,
     .probes = "--++-+++",
     .states = "uddddddu"},
};

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct row *row = &rows[i];
        struct hysteresis hysteresis = {.up = row->up};
        for (size_t k = 0; row->probes[k] != 0; k++) {
            bool before = hysteresis.up;
            bool changed =
                hysteresis_hear(&hysteresis, row->probes[k] == '+', row->fall, row->rise);
            if (hysteresis.up != (row->states[k] == 'u') || changed != (before != hysteresis.up)) {
                fail_msg("%s: probe %zu", row->name, k);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
