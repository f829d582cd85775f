/* SPDX-License-Identifier: MIT */
/* What is left of a drain, and how long ago it began. */
#include "control/runtime/drains.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static const struct {
    const char *name;
    int64_t since_ns;
    int64_t window_ns;
    uint32_t share_ppm;
    uint32_t left_ppm;
    int64_t next_ns;
} rows[] = {
    {"at its begin", 0, 100 * S, 1000000, 1000000, S},
    {"before its begin", -5 * S, 100 * S, 1000000, 1000000, S},
    {"within a step", S / 2, 100 * S, 1000000, 1000000, S / 2},
    {"a step", S, 100 * S, 1000000, 990000, S},
    {"half", 50 * S, 100 * S, 1000000, 500000, S},
    {"half of a fifth", 50 * S, 100 * S, 200000, 100000, S},
    {"the last step", 99 * S, 100 * S, 1000000, 10000, S},
    {"never nothing before its end", 99 * S, 100 * S, 10, 1, S},
    {"no share", 0, 100 * S, 0, 1, S},
    {"over", 100 * S, 100 * S, 1000000, 0, 0},
    {"long over", 1000000 * S, 100 * S, 1000000, 0, 0},
    {"no window", 0, 0, 1000000, 0, 0},
};

static void test_left(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t next = -1;
        uint32_t left =
            drain_left_ppm(rows[i].since_ns, rows[i].window_ns, rows[i].share_ppm, &next);
        if (left != rows[i].left_ppm || next != rows[i].next_ns) {
            fail_msg("%s: %u left, next in %lld", rows[i].name, left, (long long)next);
        }
    }
}

/* Whoever starts in its middle goes on within a step of it. */
static void test_goes_on(void **state)
{
    for (int64_t since = 0; since < 300 * S; since += S / 3) {
        int64_t next;
        uint32_t left = drain_left_ppm(since, 300 * S, 700000, &next);
        int64_t found = drain_since_ns(left, 300 * S, 700000);
        assert_true(found <= since && since - found <= 3 * S);
        assert_int_equal(drain_left_ppm(found, 300 * S, 700000, &next), left);
    }
}

static void test_window(void **state)
{
    const struct model_pool plain = {.drain_ms = 5000};
    const struct model_pool hashed = {.balance = BALANCE_HASH, .drain_ms = 5000};
    const struct model_pool sticky = {.sticky = SPAN("c"), .drain_ms = 5000};
    assert_int_equal(drain_window_ns(&plain), 0);
    assert_int_equal(drain_window_ns(&hashed), 5 * S);
    assert_int_equal(drain_window_ns(&sticky), 5 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
