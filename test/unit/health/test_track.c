/* SPDX-License-Identifier: MIT */
/* Up and down only after as many probes in a row as were asked for, up not before the
 * hold-down is over, and then step by step. */
#include "health/track.h"

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
    uint32_t hold_down_ms;
    const char *probes; /* '+' success, '-' failure; one in 100 ms */
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
    {.name = "not up before the hold-down is over",
     .up = true,
     .fall = 1,
     .rise = 2,
     .hold_down_ms = 500,
     .probes = "-++++++",
     .states = "ddddduu"},
    {.name = "down is not delayed",
     .up = true,
     .fall = 2,
     .rise = 1,
     .hold_down_ms = 300,
     .probes = "--+++--",
     .states = "uddduud"},
    {.name = "a failure when the hold-down ends starts the count again",
     .up = true,
     .fall = 1,
     .rise = 2,
     .hold_down_ms = 300,
     .probes = "-++-++",
     .states = "dddddu"},
};

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct row *row = &rows[i];
        const struct track_rule rule = {
            .fall = row->fall, .rise = row->rise, .hold_down_ms = row->hold_down_ms};
        struct track track = {.up = row->up};
        for (size_t k = 0; row->probes[k] != 0; k++) {
            bool before = track.up;
            int64_t now = 1000 + 100 * (int64_t)k;
            bool changed = track_hear(&track, &rule, row->probes[k] == '+', now);
            if (track.up != (row->states[k] == 'u') || changed != (before != track.up)) {
                fail_msg("%s: probe %zu", row->name, k);
            }
            assert_true(!changed || track.since_ms == now);
        }
    }
}

static void test_held(void **state)
{
    const struct track_rule rule = {.fall = 1, .rise = 1, .hold_down_ms = 500};
    struct track track = {.up = true};
    assert_int_equal(track_held_ms(&track, &rule, 1000), 0);
    assert_true(track_hear(&track, &rule, false, 1000));
    assert_int_equal(track_held_ms(&track, &rule, 1000), 500);
    assert_int_equal(track_held_ms(&track, &rule, 1499), 1);
    assert_int_equal(track_held_ms(&track, &rule, 1500), 0);
    assert_int_equal(track_held_ms(&track, &rule, 9999), 0);
}

/* Everything that weights do on the way from 0 to the end of a slow start. */
static void test_slow_start(void **state)
{
    static const uint32_t times[] = {1, 7, 20, 1000, 30000, 86400000};
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        const struct track_rule rule = {.fall = 1, .rise = 1, .slow_start_ms = times[i]};
        struct track track = {.up = false};
        int64_t next = 0;
        uint32_t last = 0;
        unsigned steps = 0;
        assert_true(track_hear(&track, &rule, true, 5000));
        for (int64_t now = 5000;; now = next) {
            uint32_t ppm = track_weight_ppm(&track, &rule, now, &next);
            assert_true(ppm > last && ppm <= track_ppm_full);
            last = ppm;
            steps++;
            if (next == 0) {
                assert_true(now >= 5000 + (int64_t)times[i]);
                break;
            }
            assert_true(next > now && next <= 5000 + (int64_t)times[i]);
            int64_t unused;
            assert_int_equal(track_weight_ppm(&track, &rule, next - 1, &unused), ppm);
        }
        assert_int_equal(last, track_ppm_full);
        assert_true(steps <= track_steps + 1);
        assert_false(track.growing);
    }
}

/* Only who came back begins with little. */
static void test_no_slow_start(void **state)
{
    const struct track_rule rule = {.fall = 1, .rise = 1, .slow_start_ms = 1000};
    struct track track = {.up = true};
    int64_t next;
    assert_int_equal(track_weight_ppm(&track, &rule, 10, &next), track_ppm_full);
    assert_int_equal(next, 0);
    assert_true(track_hear(&track, &rule, false, 20));
    assert_int_equal(track_weight_ppm(&track, &rule, 20, &next), track_ppm_full);
    assert_int_equal(next, 0);
}

static void test_drain(void **state)
{
    static const uint32_t times[] = {1, 7, 20, 1000, 300000};
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        int64_t next = 0;
        uint32_t last = track_ppm_full + 1;
        for (int64_t now = 5000; last > 0; now = next) {
            uint32_t ppm = track_drain_ppm(5000, times[i], now, &next);
            assert_true(ppm < last && (now > 5000 || ppm == track_ppm_full));
            assert_true(next == 0 ? ppm == 0 && now == 5000 + times[i] : next > now);
            last = ppm;
        }
    }
    int64_t next;
    assert_int_equal(track_drain_ppm(5000, 0, 5000, &next), 0);
    assert_int_equal(next, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_held), cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_no_slow_start), cmocka_unit_test(test_drain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
