/* SPDX-License-Identifier: MIT */
/* Links for testers: good for one detour until they expire, and for nothing else. */
#include "page/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct ticket_key key = {{'k'}};
static const struct ticket_key other_key = {{'o'}};

enum { expires_s = 2000000000 };

static struct span seal(const char *identity, uint8_t room[link_text_bytes])
{
    struct buffer out = buffer_over(room, link_text_bytes);
    assert_true(link_seal(&key, span_cstr(identity), expires_s, &out));
    assert_int_equal(out.len, link_text_bytes);
    return buffer_span(&out);
}

static void opens_for_its_detour_until_it_expires(void **state)
{
    (void)state;
    static const struct {
        const char *identity;
        const struct ticket_key *key;
        int64_t now_s;
        bool good;
    } rows[] = {
        {"shop/detours/a", &key, 0, true},
        {"shop/detours/a", &key, expires_s - 1, true},
        {"shop/detours/a", &key, expires_s, false},
        {"shop/detours/a", &key, INT64_MAX, false},
        {"shop/detours/b", &key, 0, false},
        {"blog/detours/a", &key, 0, false},
        {"", &key, 0, false},
        {"shop/detours/a", &other_key, 0, false},
    };
    uint8_t room[link_text_bytes];
    struct span text = seal("shop/detours/a", room);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t until = -1;
        struct span identity = span_cstr(rows[i].identity);
        assert_int_equal(link_open(rows[i].key, identity, text, rows[i].now_s, &until),
                         rows[i].good);
        assert_int_equal(until, rows[i].good ? expires_s : -1);
    }
}

/* Each bit counts, and there is one spelling. */
static void nothing_else_opens(void **state)
{
    (void)state;
    uint8_t room[link_text_bytes + 1];
    struct span identity = SPAN("shop/detours/a");
    struct span text = seal("shop/detours/a", room);
    int64_t until;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t was = room[i];
        for (unsigned c = 0; c < 256; c++) {
            room[i] = (uint8_t)c;
            assert_int_equal(link_open(&key, identity, text, 0, &until), c == was);
        }
        room[i] = was;
    }
    room[link_text_bytes] = 'A';
    assert_false(link_open(&key, identity, span_of(room, link_text_bytes + 1), 0, &until));
    assert_false(link_open(&key, identity, span_of(room, link_text_bytes - 1), 0, &until));
    assert_false(link_open(&key, identity, span_of(NULL, 0), 0, &until));
}

/* A ticket of a wait page and a link have the same key, and are not the same. */
static void a_link_is_no_ticket(void **state)
{
    (void)state;
    uint8_t room[ticket_text_max];
    uint8_t target[ticket_target_max];
    struct buffer sealed = buffer_over(room, sizeof(room));
    struct buffer out = buffer_over(target, sizeof(target));
    int64_t until;
    /* As long as a link is. */
    assert_true(ticket_seal(&key, SPAN("shop/detours/a"), SPAN("/12345678901"), &sealed));
    assert_int_equal(sealed.len, link_text_bytes);
    assert_false(link_open(&key, SPAN("shop/detours/a"), buffer_span(&sealed), 0, &until));
    assert_false(ticket_open(&key, SPAN("shop/detours/a"), seal("shop/detours/a", room), &out));
}

static void is_found_by_a_short_name(void **state)
{
    (void)state;
    uint8_t room[link_text_bytes];
    uint8_t a[link_cookie_bytes];
    uint8_t b[link_cookie_bytes];
    struct span text = seal("shop/detours/a", room);
    assert_true(link_names(SPAN("shop/detours/a"), text));
    assert_false(link_names(SPAN("shop/detours/b"), text));
    assert_false(link_names(SPAN("shop/detours/a"), SPAN("x")));
    link_cookie_name(SPAN("shop/detours/a"), a);
    link_cookie_name(SPAN("shop/detours/b"), b);
    assert_memory_equal(a, "detour-link-", 12);
    assert_memory_not_equal(a, b, link_cookie_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_for_its_detour_until_it_expires),
        cmocka_unit_test(nothing_else_opens),
        cmocka_unit_test(a_link_is_no_ticket),
        cmocka_unit_test(is_found_by_a_short_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
