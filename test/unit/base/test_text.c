/* SPDX-License-Identifier: MIT */
/* Spans, the classes of ASCII, and UTF-8. */
#include "base/span.h"
#include "base/utf8.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Each pair of octets, at each place of a text that is compared in words. */
static void case_means_nothing_for_letters_alone(void **state)
{
    uint8_t a[19];
    uint8_t b[19];
    for (size_t len = 1; len <= sizeof(a); len += 6) {
        for (unsigned pair = 0; pair < 0x10000; pair++) {
            size_t at = pair % len;
            memset(a, 'x', sizeof(a));
            memset(b, 'X', sizeof(b));
            a[at] = (uint8_t)(pair >> 8);
            b[at] = (uint8_t)pair;
            bool same = ascii_lower(a[at]) == ascii_lower(b[at]);
            assert_int_equal(span_eq_ci(span_of(a, len), span_of(b, len)), same);
        }
    }
}

static void classes_agree_with_the_c_locale(void **state)
{
    for (int c = 0; c < 256; c++) {
        assert_int_equal(ascii_is_digit((uint8_t)c), c < 128 && isdigit(c));
        assert_int_equal(ascii_is_alpha((uint8_t)c), c < 128 && isalpha(c));
        assert_int_equal(ascii_lower((uint8_t)c), c < 128 ? tolower(c) : c);
    }
}

static void comparing(void **state)
{
    struct span none = {NULL, 0};
    assert_true(span_eq(none, SPAN("")));
    assert_true(span_starts(SPAN("abc"), none));
    assert_true(span_starts(SPAN("abc"), SPAN("ab")));
    assert_false(span_starts(SPAN("ab"), SPAN("abc")));
    assert_true(span_ends(SPAN("abc"), SPAN("bc")));
    assert_false(span_ends(SPAN("c"), SPAN("bc")));
    assert_true(span_eq_ci(SPAN("Host"), SPAN("hOST")));
    assert_false(span_eq_ci(SPAN("Host"), SPAN("Hos")));
    assert_false(span_eq_ci(SPAN("@"), SPAN("`")));
    assert_int_equal(span_find(SPAN("a,b,c"), 2, ','), 3);
    assert_int_equal(span_find(SPAN("a,b"), 2, ','), 3);
    assert_int_equal(span_find(SPAN("a"), 9, 'a'), 1);
}

static void trimming(void **state)
{
    assert_true(span_eq(span_trim(SPAN(" \ta b\t ")), SPAN("a b")));
    assert_true(span_eq(span_trim(SPAN("\na\n")), SPAN("\na\n")));
    assert_int_equal(span_trim(SPAN(" \t ")).len, 0);
}

static void decimals(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } rows[] = {
        {"0", 0, true, 0},
        {"007", 7, true, 7},
        {"255", 255, true, 255},
        {"256", 255, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
        {"", UINT64_MAX, false, 0},
        {"-1", UINT64_MAX, false, 0},
        {"1 ", UINT64_MAX, false, 0},
        {"1", 0, false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 42;
        assert_int_equal(span_decimal(span_cstr(rows[i].text), rows[i].max, &value), rows[i].good);
        assert_int_equal(value, rows[i].good ? rows[i].value : 42);
    }
}

static void code_points(void **state)
{
    static const struct {
        struct span text;
        size_t len; /* 0: not well formed */
        uint32_t value;
    } rows[] = {
        {SPAN("a"), 1, 'a'},
        {SPAN("\x7f"), 1, 0x7f},
        {SPAN("\xc2\x80"), 2, 0x80},
        {SPAN("\xe2\x82\xac"), 3, 0x20ac},
        {SPAN("\xed\x9f\xbf"), 3, 0xd7ff},
        {SPAN("\xee\x80\x80"), 3, 0xe000},
        {SPAN("\xf4\x8f\xbf\xbf"), 4, 0x10ffff},
        {SPAN("\x80"), 0, 0},             /* begins nothing */
        {SPAN("\xc1\xbf"), 0, 0},         /* longer than needed */
        {SPAN("\xe0\x9f\xbf"), 0, 0},     /* … */
        {SPAN("\xf0\x8f\xbf\xbf"), 0, 0}, /* … */
        {SPAN("\xed\xa0\x80"), 0, 0},     /* a surrogate */
        {SPAN("\xf4\x90\x80\x80"), 0, 0}, /* beyond U+10FFFF */
        {SPAN("\xf8\x88\x80\x80"), 0, 0},
        {SPAN("\xe2\x82"), 0, 0}, /* cut off */
        {SPAN("\xe2\x82"
              "a"),
         0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t value = 0;
        assert_int_equal(utf8_decode(rows[i].text, 0, &value), rows[i].len);
        assert_int_equal(value, rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_means_nothing_for_letters_alone),
        cmocka_unit_test(classes_agree_with_the_c_locale),
        cmocka_unit_test(comparing),
        cmocka_unit_test(trimming),
        cmocka_unit_test(decimals),
        cmocka_unit_test(code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
