/* SPDX-License-Identifier: MIT */
/* Who hangs, and who is only busy. */
#include "supervisor/watch.h"

#include "shared/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { first_patience_s = 30 };

/* How many ticks until it is said to hang, while the word does not change. */
static uint32_t ticks_until_hung(struct watch *watch, const counter *word)
{
    uint32_t ticks = 1;
    while (ticks < 100000 && !watch_tick(watch, counter_get(word))) {
        ticks++;
    }
    return ticks;
}

static void silence_is_measured_with_the_patience_of_the_last_sign(void **state)
{
    static const uint32_t patiences[] = {heartbeat_patience_s, heartbeat_patience_work_s,
                                         heartbeat_patience_s, 1};
    counter word = 0;
    struct watch watch;
    watch_begin(&watch, counter_get(&word), first_patience_s);
    assert_int_equal(ticks_until_hung(&watch, &word), first_patience_s);
    for (size_t i = 0; i < sizeof(patiences) / sizeof(*patiences); i++) {
        heartbeat_sign(&word, patiences[i]);
        /* The tick that sees the sign is not one of silence. */
        assert_false(watch_tick(&watch, counter_get(&word)));
        assert_int_equal(ticks_until_hung(&watch, &word), patiences[i]);
    }
}

static void work_that_ends_late_is_forgiven(void **state)
{
    counter word = 0;
    struct watch watch;
    watch_begin(&watch, counter_get(&word), first_patience_s);
    heartbeat_sign(&word, heartbeat_patience_work_s);
    for (int i = 0; i < heartbeat_patience_work_s; i++) {
        assert_false(watch_tick(&watch, counter_get(&word)));
    }
    heartbeat_sign(&word, heartbeat_patience_s);
    assert_false(watch_tick(&watch, counter_get(&word)));
}

static void who_gives_signs_never_hangs(void **state)
{
    counter word = 0;
    struct watch watch;
    watch_begin(&watch, counter_get(&word), heartbeat_patience_s);
    for (int i = 0; i < 10000; i++) {
        if (i % heartbeat_patience_s == 0) {
            heartbeat_sign(&word, heartbeat_patience_s);
        }
        assert_false(watch_tick(&watch, counter_get(&word)));
    }
}

static void endless_patience_has_no_end(void **state)
{
    counter word = 0;
    struct watch watch;
    watch_begin(&watch, counter_get(&word), first_patience_s);
    heartbeat_sign(&word, heartbeat_patience_endless_s);
    assert_int_equal(ticks_until_hung(&watch, &word), 100000);
}

static void a_sign_of_the_predecessor_is_none(void **state)
{
    counter word = 0;
    struct watch watch;
    heartbeat_sign(&word, heartbeat_patience_endless_s);
    watch_begin(&watch, counter_get(&word), first_patience_s);
    assert_int_equal(ticks_until_hung(&watch, &word), first_patience_s);
    assert_false(watch.serves);
    heartbeat_sign(&word, heartbeat_patience_s);
    watch_look(&watch, counter_get(&word));
    assert_true(watch.serves);
    watch_begin(&watch, counter_get(&word), first_patience_s);
    assert_false(watch.serves);
}

static void the_count_stays_within_its_half(void **state)
{
    counter word = UINT32_MAX;
    heartbeat_sign(&word, 7);
    assert_int_equal(heartbeat_patience_of(counter_get(&word)), 7);
    heartbeat_sign(&word, heartbeat_patience_endless_s);
    assert_int_equal(heartbeat_patience_of(counter_get(&word)), heartbeat_patience_endless_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_measured_with_the_patience_of_the_last_sign),
        cmocka_unit_test(work_that_ends_late_is_forgiven),
        cmocka_unit_test(who_gives_signs_never_hangs),
        cmocka_unit_test(endless_patience_has_no_end),
        cmocka_unit_test(a_sign_of_the_predecessor_is_none),
        cmocka_unit_test(the_count_stays_within_its_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
