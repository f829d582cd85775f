/* SPDX-License-Identifier: MIT */
/* Packed values: bytes as they stand, the way back, and what is too short. */
#include "base/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t bytes[] = {0x07, 0x02, 0x01, 0x03, 0, 0, 0, 'a', 'b', 'c'};

static void test_put(void **state)
{
    uint8_t room[sizeof(bytes)];
    struct buffer out = buffer_over(room, sizeof(room));
    packed_put_number(&out, 7, 1);
    packed_put_number(&out, 0x0102, 2);
    packed_put_text(&out, SPAN("abc"));
    assert_false(out.full);
    assert_memory_equal(room, bytes, sizeof(bytes));
    packed_put_number(&out, 0, 1);
    assert_true(out.full);
}

static void test_take(void **state)
{
    struct packed packed = {.rest = span_of(bytes, sizeof(bytes))};
    assert_int_equal(packed_take_number(&packed, 1), 7);
    assert_int_equal(packed_take_number(&packed, 2), 0x0102);
    assert_false(packed_is_over(&packed));
    assert_true(span_eq(packed_take(&packed, packed_take_number(&packed, 4)), SPAN("abc")));
    assert_true(packed_is_over(&packed));
}

static void test_the_largest(void **state)
{
    uint8_t room[8];
    struct buffer out = buffer_over(room, sizeof(room));
    packed_put_number(&out, UINT64_MAX - 1, 8);
    struct packed packed = {.rest = buffer_span(&out)};
    assert_true(packed_take_number(&packed, 8) == UINT64_MAX - 1);
}

/* Nothing of what is too short is taken, and nothing after it. */
static void test_bad_stays_bad(void **state)
{
    struct packed packed = {.rest = span_of(bytes, 3)};
    assert_int_equal(packed_take_number(&packed, 4), 0);
    assert_true(packed.bad);
    assert_int_equal(packed_take_number(&packed, 1), 0);
    assert_null(packed_take(&packed, 1).ptr);
    assert_false(packed_is_over(&packed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_the_largest),
        cmocka_unit_test(test_bad_stays_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
