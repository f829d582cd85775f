/* SPDX-License-Identifier: MIT */
/* Addresses and blocks: what is read, what is refused, what lies in what. */
#include "base/cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void addresses_come_back(void **state)
{
    static const struct {
        const char *text;
        const char *written; /* NULL: not an address */
        bool v4;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"2001:DB8:0::1", "2001:db8::1", false},
        {"::", "::", false},
        {"", NULL, false},
        {"192.0.2", NULL, false},
        {"192.0.2.01", NULL, false},
        {"[::1]", NULL, false},
        {"fe80::1%eth0", NULL, false},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000", NULL, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t address[16];
        char text[address_text_max];
        assert_int_equal(address_parse(span_cstr(rows[i].text), address), rows[i].written != NULL);
        if (rows[i].written != NULL) {
            assert_int_equal(address_format(address, text), strlen(rows[i].written));
            assert_string_equal(text, rows[i].written);
            assert_int_equal(address_is_v4(address), rows[i].v4);
        }
    }
    assert_false(address_parse(SPAN("192.0.2.1\0"), (uint8_t[16]){0}));
}

static void from_four_bytes(void **state)
{
    uint8_t want[16];
    uint8_t got[16];
    assert_true(address_parse(SPAN("203.0.113.9"), want));
    address_from_v4((const uint8_t[4]){203, 0, 113, 9}, got);
    assert_memory_equal(got, want, sizeof(want));
}

static void blocks(void **state)
{
    static const struct {
        const char *block;
        const char *address; /* NULL: the block is refused */
        bool holds;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "a00::", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "8.8.8.8", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"10.0.0.1/8", NULL, false},
        {"2001:db8::1/64", NULL, false},
        {"10.0.0.0/33", NULL, false},
        {"::/129", NULL, false},
        {"10.0.0.0/", NULL, false},
        {"10.0.0.0/8/8", NULL, false},
        {"/8", NULL, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cidr cidr;
        uint8_t address[16];
        assert_int_equal(cidr_parse(span_cstr(rows[i].block), &cidr), rows[i].address != NULL);
        if (rows[i].address != NULL) {
            assert_true(address_parse(span_cstr(rows[i].address), address));
            assert_int_equal(cidr_holds(&cidr, address), rows[i].holds);
            assert_int_equal(cidr_any_holds(&cidr, 1, address), rows[i].holds);
            assert_false(cidr_any_holds(&cidr, 0, address));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_back),
        cmocka_unit_test(from_four_bytes),
        cmocka_unit_test(blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
