/* SPDX-License-Identifier: MIT */
/* Wrong tokens are counted by address, within a sliding minute, in bounded space. */
#include "admin/internal.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
static const uint8_t v4_other[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2};
static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
static const uint8_t v6_near[16] = {0x20, 1, 0xd, 0xb8, [8] = 9, [15] = 2};
static const uint8_t v6_far[16] = {0x20, 1, 0xd, 0xb8, [7] = 1, [15] = 1};

#define AT(seconds) ((1000 + (seconds)) * NS_PER_SECOND)

static void the_tenth_within_a_minute_is_the_last(void **state)
{
    (void)state;
    static struct failures table;
    table = (struct failures){0};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(failures_wait_s(&table, v4, AT(i)), 0);
        failures_note(&table, v4, AT(i));
    }
    assert_int_equal(failures_wait_s(&table, v4, AT(10)), 50);
    assert_int_equal(failures_wait_s(&table, v4, AT(60) - 1), 1);
    assert_int_equal(failures_wait_s(&table, v4, AT(60)), 0);
    assert_int_equal(failures_wait_s(&table, v4_other, AT(10)), 0);
    failures_note(&table, v4, AT(60)); /* the second one is the oldest now */
    assert_int_equal(failures_wait_s(&table, v4, AT(60)), 1);
    assert_int_equal(failures_wait_s(&table, v4, AT(61)), 0);
    assert_int_equal(failures_wait_s(&table, v4, AT(-100)), 0); /* the clock was set back */
}

static void a_network_of_ipv6_is_one_address(void **state)
{
    (void)state;
    static struct failures table;
    table = (struct failures){0};
    for (int i = 0; i < 10; i++) {
        failures_note(&table, i % 2 == 0 ? v6 : v6_near, AT(0));
    }
    assert_int_equal(failures_wait_s(&table, v6, AT(0)), 60);
    assert_int_equal(failures_wait_s(&table, v6_near, AT(0)), 60);
    assert_int_equal(failures_wait_s(&table, v6_far, AT(0)), 0);
}

static void a_full_table_forgets_the_oldest(void **state)
{
    (void)state;
    static struct failures table;
    table = (struct failures){0};
    for (int i = 0; i < 10; i++) {
        failures_note(&table, v4, AT(0));
        failures_note(&table, v4_other, AT(2));
    }
    for (int i = 0; i < failure_addresses_max - 1; i++) {
        uint8_t other[16] = {[10] = 0xff, [11] = 0xff, 10, 0, (uint8_t)(i / 256), (uint8_t)i};
        failures_note(&table, other, AT(1));
    }
    assert_int_equal(failures_wait_s(&table, v4, AT(2)), 0);
    assert_int_equal(failures_wait_s(&table, v4_other, AT(2)), 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tenth_within_a_minute_is_the_last),
        cmocka_unit_test(a_network_of_ipv6_is_one_address),
        cmocka_unit_test(a_full_table_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
