/* SPDX-License-Identifier: MIT */
/* Health against a naive model that looks at all that was ever heard, on random streams of
 * probes; and how rarely a server that flaps comes up. */
#include "health/track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { probes_max = 300, streams = 4000, second_ms = 1000, minute_ms = 60 * second_ms };

static uint64_t random_state = 42;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

/* One probe that was heard, and what the model said after it. */
struct heard {
    int64_t at_ms;
    bool success;
    bool up;
};

static bool was_up(const struct heard *heard, size_t n)
{
    return n > 0 ? heard[n - 1].up : true;
}

/* The first probe that was heard in the state before probe n. */
static size_t state_began(const struct heard *heard, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        at = heard[i].up != was_up(heard, i) ? i + 1 : at;
    }
    return at;
}

/* The newest `count` of n probes, all heard in one state, say `success`. */
static bool all_say(const struct heard *heard, size_t n, bool success, uint32_t count)
{
    size_t began = state_began(heard, n - 1);
    if (n - began < count) {
        return false;
    }
    for (size_t i = n - count; i < n; i++) {
        if (heard[i].success != success) {
            return false;
        }
    }
    return true;
}

static int64_t went_down_ms(const struct heard *heard, size_t n)
{
    int64_t at = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        at = was_up(heard, i) && !heard[i].up ? heard[i].at_ms : at;
    }
    return at;
}

static bool model_up(const struct heard *heard, size_t n, const struct track_rule *rule)
{
    if (was_up(heard, n - 1)) {
        return !all_say(heard, n, false, rule->fall);
    }
    return all_say(heard, n, true, rule->rise) &&
           heard[n - 1].at_ms - went_down_ms(heard, n) >= rule->hold_down_ms;
}

static void test_model(void **state)
{
    static struct heard heard[probes_max];
    for (int stream = 0; stream < streams; stream++) {
        const struct track_rule rule = {
            .fall = 1 + below(4), .rise = 1 + below(4), .hold_down_ms = below(3) * below(3000)};
        struct track track = {.up = true};
        uint32_t luck = 1 + below(99);
        int64_t now = below(1000);
        size_t count = below(60);
        for (size_t n = 0; n < count; n++) {
            now += 1 + below(400);
            heard[n] = (struct heard){.at_ms = now, .success = below(100) < luck};
            heard[n].up = model_up(heard, n + 1, &rule);
            bool before = track.up;
            bool changed = track_hear(&track, &rule, heard[n].success, now);
            if (track.up != heard[n].up || changed != (before != track.up)) {
                fail_msg("stream %d, probe %zu of fall %u, rise %u, hold-down %u", stream, n,
                         rule.fall, rule.rise, rule.hold_down_ms);
            }
        }
    }
}

/* Whatever the phase, the interval and the hold-down: never twice within one, and down as soon as
 * `fall` failures were heard. */
static void test_flap(void **state)
{
    for (int run = 0; run < 500; run++) {
        const struct track_rule rule = {
            .fall = 1 + below(2), .rise = 1 + below(2), .hold_down_ms = second_ms + below(20000)};
        struct track track = {.up = true};
        uint32_t interval = 50 + below(100);
        uint32_t phase = below(500);
        int64_t last_up = -1;
        unsigned ups = 0;
        unsigned downs = 0;
        unsigned failures = 0;
        for (int64_t now = 0; now < minute_ms; now += interval) {
            bool success = (now + phase) % 500 < 250; /* 2 Hz */
            failures = success ? 0 : failures + 1;
            bool changed = track_hear(&track, &rule, success, now);
            assert_false(track.up && failures >= rule.fall);
            downs += changed && !track.up;
            if (!changed || !track.up) {
                continue;
            }
            assert_true(last_up < 0 || now - last_up >= rule.hold_down_ms);
            last_up = now;
            ups++;
        }
        assert_true(downs > 0);
        assert_true(ups <= minute_ms / rule.hold_down_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_flap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
