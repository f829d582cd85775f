/* SPDX-License-Identifier: MIT */
/* Which addresses --no-private lets through. */
#include "walk/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool public;
} cases[] = {
    {"1.1.1.1", true},
    {"8.8.8.8", true},
    {"93.184.216.34", true},
    {"11.0.0.0", true},
    {"9.255.255.255", true},
    {"172.15.255.255", true},
    {"172.32.0.0", true},
    {"192.167.255.255", true},
    {"192.169.0.0", true},
    {"100.63.255.255", true},
    {"100.128.0.0", true},
    {"198.20.0.0", true},
    {"223.255.255.255", true},
    {"0.0.0.0", false},
    {"0.1.2.3", false},
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"100.64.0.0", false},
    {"100.127.255.255", false},
    {"127.0.0.1", false},
    {"127.255.255.255", false},
    {"169.254.169.254", false},
    {"172.16.0.1", false},
    {"172.31.255.255", false},
    {"192.0.0.8", false},
    {"192.0.2.1", false},
    {"192.88.99.1", false},
    {"192.168.0.1", false},
    {"198.18.0.1", false},
    {"198.19.255.255", false},
    {"198.51.100.1", false},
    {"203.0.113.1", false},
    {"224.0.0.1", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"2606:4700::1111", true},
    {"2a00::1", true},
    {"3fff:1000::", true},
    {"::", false},
    {"::1", false},
    {"::ffff:10.0.0.1", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:1.1.1.1", true},
    {"::10.0.0.1", false},
    {"64:ff9b::10.0.0.1", false},
    {"64:ff9b::1.1.1.1", true},
    {"64:ff9b:1::1", false},
    {"100::1", false},
    {"2001::1", false},
    {"2001:db8::1", false},
    {"2002:a00:1::1", false},
    {"2002:101:101::1", true},
    {"3fff::1", false},
    {"fc00::1", false},
    {"fdff::1", false},
    {"fe80::1", false},
    {"fec0::1", false},
    {"ff02::1", false},
    {"4000::1", false},
};

static void addresses(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        bool is_v4 = inet_pton(AF_INET, cases[i].text, &v4.sin_addr) == 1;
        assert_true(is_v4 || inet_pton(AF_INET6, cases[i].text, &v6.sin6_addr) == 1);
        bool public =
            address_is_public(is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6);
        if (public != cases[i].public) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void other_families_are_not_public(void **state)
{
    const struct sockaddr_un local = {.sun_family = AF_UNIX};
    assert_false(address_is_public((const struct sockaddr *)&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(other_families_are_not_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
