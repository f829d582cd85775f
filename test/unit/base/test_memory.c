/* SPDX-License-Identifier: MIT */
/* Arenas and buffers keep to their bounds. */
#include "base/arena.h"
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void arena_memory_is_zeroed_and_aligned(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t size = 0; size < 6000; size += 37) {
        uint8_t *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xA5, size);
    }
    arena_fini(&arena);
}

static void arena_keeps_its_bound(void **state)
{
    struct arena arena;
    arena_init(&arena, 100);
    assert_non_null(arena_alloc(&arena, 60));
    assert_null(arena_alloc(&arena, 41));
    assert_non_null(arena_alloc(&arena, 40));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_copy(&arena, SPAN("")).ptr);
    assert_null(arena_printf(&arena, "%d", 1));
    arena_fini(&arena);
    assert_non_null(arena_alloc(&arena, 100));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    arena_fini(&arena);
}

static void arena_texts_end_with_a_nul(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct span copy = arena_copy(&arena, SPAN("abc"));
    assert_int_equal(copy.len, 3);
    assert_string_equal((const char *)copy.ptr, "abc");
    assert_string_equal(arena_printf(&arena, "%s-%d", "x", 7), "x-7");
    arena_fini(&arena);
}

static void a_reset_arena_is_as_good_as_new(void **state)
{
    struct arena arena;
    arena_init(&arena, 20000);
    arena_reset(&arena);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 3000; size += 331) {
            uint8_t *memory = arena_alloc(&arena, size);
            assert_non_null(memory);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(memory[i], 0);
            }
            memset(memory, 0xA5, size);
        }
        arena_reset(&arena);
        assert_int_equal(arena.total, 0);
    }
    arena_fini(&arena);
}

static void an_array_that_grows_keeps_its_items(void **state)
{
    struct arena arena;
    size_t capacity = 0;
    uint32_t *items = NULL;
    arena_init(&arena, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        items = arena_grow(&arena, items, i, &capacity, sizeof(*items));
        assert_true(capacity > i);
        items[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(items[i], i);
    }
    arena_fini(&arena);
}

static void a_full_buffer_stays_full(void **state)
{
    char memory[8];
    struct buffer out = buffer_over(memory, sizeof(memory));
    buffer_put(&out, SPAN("abcde"));
    buffer_put(&out, SPAN("fghi"));
    assert_true(out.full);
    buffer_byte(&out, 'f');
    assert_true(span_eq(buffer_span(&out), SPAN("abcde")));
}

static void a_buffer_can_be_filled_to_the_last_byte(void **state)
{
    char memory[8];
    struct buffer out = buffer_over(memory, sizeof(memory));
    buffer_printf(&out, "%s", "abcdefg");
    buffer_byte(&out, 'h');
    assert_false(out.full);
    assert_true(span_eq(buffer_span(&out), SPAN("abcdefgh")));
    assert_null(buffer_reserve(&out, 1));
}

static void decimals(void **state)
{
    char memory[64];
    struct buffer out = buffer_over(memory, sizeof(memory));
    buffer_decimal(&out, 0);
    buffer_byte(&out, ' ');
    buffer_decimal(&out, 1005);
    buffer_byte(&out, ' ');
    buffer_decimal(&out, UINT64_MAX);
    assert_true(span_eq(buffer_span(&out), SPAN("0 1005 18446744073709551615")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_memory_is_zeroed_and_aligned),
        cmocka_unit_test(arena_keeps_its_bound),
        cmocka_unit_test(arena_texts_end_with_a_nul),
        cmocka_unit_test(a_reset_arena_is_as_good_as_new),
        cmocka_unit_test(an_array_that_grows_keeps_its_items),
        cmocka_unit_test(a_full_buffer_stays_full),
        cmocka_unit_test(a_buffer_can_be_filled_to_the_last_byte),
        cmocka_unit_test(decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
