/* SPDX-License-Identifier: MIT */
/* Tickets: there and back, and what is none. */
#include "page/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct ticket_key key = {{1, 2, 3}};
static const struct ticket_key other_key = {{1, 2, 4}};

static uint8_t text[ticket_text_max + 1];
static uint8_t room[ticket_target_max];

static struct span seal(const char *host, struct span target)
{
    struct buffer out = buffer_over(text, sizeof(text));
    bool sealed = ticket_seal(&key, span_cstr(host), target, &out);
    assert_int_equal(sealed, out.len > 0);
    return buffer_span(&out);
}

static bool opens(const struct ticket_key *with, const char *host, struct span ticket,
                  struct span target)
{
    struct buffer out = buffer_over(room, sizeof(room));
    if (!ticket_open(with, span_cstr(host), ticket, &out)) {
        assert_int_equal(out.len, 0);
        return false;
    }
    assert_true(span_eq(buffer_span(&out), target));
    return true;
}

static void there_and_back(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "/", "/a", "/ab", "/abc", "/checkout/x?y=1&z=%20", "/a//b", "/?", "/a?b=//evil.example"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        struct span target = span_cstr(targets[i]);
        struct span ticket = seal("shop.example", target);
        assert_true(opens(&key, "shop.example", ticket, target));
        assert_false(opens(&key, "shop.exampl", ticket, target));
        assert_false(opens(&key, "", ticket, target));
        assert_false(opens(&other_key, "shop.example", ticket, target));
    }
}

static void the_longest_fits(void **state)
{
    (void)state;
    uint8_t long_target[ticket_target_max + 1];
    memset(long_target, 'a', sizeof(long_target));
    long_target[0] = '/';
    for (size_t len = ticket_target_max - 5; len <= ticket_target_max; len++) {
        struct span ticket = seal("h", span_of(long_target, len));
        assert_true(ticket.len > 0 && ticket.len <= ticket_text_max);
        assert_true(opens(&key, "h", ticket, span_of(long_target, len)));
    }
    assert_int_equal(seal("h", span_of(long_target, ticket_target_max + 1)).len, 0);
    /* No room for the ticket: nothing is written. */
    struct buffer small = buffer_over(text, 10);
    assert_false(ticket_seal(&key, SPAN("h"), SPAN("/a"), &small));
    assert_int_equal(small.len, 0);
}

static void what_leads_elsewhere_is_never_sealed(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "",
        "a",
        "//evil.example",
        "/\\evil.example",
        "\\/evil",
        "https://evil.example/",
        "/a\r\nb",
        "/a b",
        "/a\tb",
        "/a\x7f",
        "/\xc3\xa9",
        "/a\\b",
        "/a#b",
        "/a\"b",
        "/<a>",
        "*",
    };
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        if (target_is_local(span_cstr(targets[i])) || seal("h", span_cstr(targets[i])).len > 0) {
            fail_msg("\"%s\" was sealed", targets[i]);
        }
    }
}

static void no_byte_can_be_changed(void **state)
{
    (void)state;
    struct span target = SPAN("/checkout?a=b");
    struct span ticket = seal("shop.example", target);
    uint8_t changed[256];
    for (size_t i = 0; i < ticket.len; i++) {
        memcpy(changed, ticket.ptr, ticket.len);
        for (int byte = 1; byte < 256; byte++) {
            changed[i] = (uint8_t)(ticket.ptr[i] ^ byte);
            assert_false(opens(&key, "shop.example", span_of(changed, ticket.len), target));
        }
    }
    for (size_t len = 0; len < ticket.len; len++) {
        assert_false(opens(&key, "shop.example", span_slice(ticket, 0, len), target));
    }
    memcpy(changed, ticket.ptr, ticket.len);
    changed[ticket.len] = 'A';
    assert_false(opens(&key, "shop.example", span_of(changed, ticket.len + 1), target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(what_leads_elsewhere_is_never_sealed),
        cmocka_unit_test(no_byte_can_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
