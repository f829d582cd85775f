/* SPDX-License-Identifier: MIT */
/* Hosts of the configuration and of requests: what is taken, its canonical form, and what
 * is refused. */
#include "uri/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LABEL_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

/* host NULL: refused. */
static const struct {
    const char *text;
    const char *host;
} config_cases[] = {
    {"example.com", "example.com"},
    {"Shop.EXAMPLE.com", "shop.example.com"},
    {"localhost", "localhost"},
    {"example.com.", "example.com"},
    {"example.com..", NULL},
    {".", NULL},
    {"", NULL},
    {".example.com", NULL},
    {"a..b", NULL},
    {"_dmarc.my_host.example", "_dmarc.my_host.example"},
    {"xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"B\u00fccher.example", "xn--bcher-kva.example"},
    {"B\u00dcCHER.Example.", "xn--bcher-kva.example"},
    {"b\u00fccher\u3002example\u3002", "xn--bcher-kva.example"},
    {"b\u00fccher\u3002example\u3002.", NULL},
    {"fa\u00df.de", "xn--fa-hia.de"}, /* nontransitional: no "fass" */
    {"\u65e5\u672c\u8a9e.jp", "xn--wgv71a119e.jp"},
    {"*.B\u00fccher.example", "*.xn--bcher-kva.example"},
    {"\xff.example", NULL},
    {LABEL_63 ".de", LABEL_63 ".de"},
    {LABEL_63 "1.de", NULL},
    /* Stars. */
    {"*.shop.Example.com", "*.shop.example.com"},
    {"*.example.com.", "*.example.com"},
    {"*.localhost", "*.localhost"},
    {"*", NULL},
    {"*.", NULL},
    {"*.*.example", NULL},
    {"*shop.example", NULL},
    {"shop.*.example", NULL},
    {"shop.*", NULL},
    {"*.192.0.2.1", NULL},
    {"*.[::1]", NULL},
    {"**.example", NULL},
    /* IPv4. */
    {"192.0.2.1", "192.0.2.1"},
    {"192.0.2.1.", "192.0.2.1"},
    {"192.0.2", NULL},
    {"192.0.2.01", NULL},
    {"0x7f.1", NULL},
    {"2130706433", NULL},
    {"192.0.2.256", NULL},
    {"1.2.3.4.5", NULL},
    {"shop.1", NULL},
    {"1.shop", "1.shop"},
    {"\uff11\uff12\uff17.0.0.1", NULL},
    /* IPv6. */
    {"[::1]", "[::1]"},
    {"[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"},
    {"[::ffff:192.0.2.1]", "[::ffff:c000:201]"},
    {"[::ab:1]", "[::ab:1]"},
    {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]"},
    {"::1", NULL},
    {"[::1", NULL},
    {"[::1]]", NULL},
    {"[::1].", NULL},
    {"[::1]:80", NULL},
    {"[]", NULL},
    {"[", NULL},
    {"[::1%25eth0]", NULL},
    {"[fe80::1%eth0]", NULL},
    {"[192.0.2.1]", NULL},
    {"[v1.a]", NULL},
    /* What is more than a host. */
    {"example.com:80", NULL},
    {"user@example.com", NULL},
    {"https://example.com", NULL},
    {"example.com/", NULL},
    {"example.com?x", NULL},
    {"exam ple.com", NULL},
    {"exam\tple.com", NULL},
    {"a%2eb.example", NULL},
    {"a\"b", NULL},
    {"a,b", NULL},
    {"a;b\u00fc", NULL},
};

static void config_hosts(void **state)
{
    for (size_t i = 0; i < sizeof(config_cases) / sizeof(config_cases[0]); i++) {
        struct arena arena;
        struct span host = {0};
        arena_init(&arena, 0);
        enum err err = host_from_config(span_cstr(config_cases[i].text), &arena, &host);
        if (err != (config_cases[i].host != NULL ? ERR_NONE : ERR_SYNTAX) ||
            !span_eq(host, span_cstr(config_cases[i].host))) {
            fail_msg("%s: %s, %.*s", config_cases[i].text, err_text(err), SPAN_ARG(host));
        }
        arena_fini(&arena);
    }
}

/* count labels of 63 letters and one of rest, with the dots between. */
static size_t long_name(char *out, size_t count, size_t rest)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(out + len, LABEL_63 ".", 64);
        len += 64;
    }
    memset(out + len, 'b', rest);
    return len + rest;
}

static void config_bounds(void **state)
{
    char text[512];
    struct arena arena;
    struct span host;
    arena_init(&arena, 0);
    struct span longest = span_of(text, long_name(text, 3, 61));
    assert_int_equal(longest.len, 253);
    assert_int_equal(host_from_config(longest, &arena, &host), ERR_NONE);
    assert_true(span_eq(host, longest));
    struct span over = span_of(text, long_name(text, 3, 62));
    assert_int_equal(host_from_config(over, &arena, &host), ERR_SYNTAX);
    assert_int_equal(host_from_config(SPAN("a\0b"), &arena, &host), ERR_SYNTAX);
    assert_int_equal(host_from_config(SPAN("[::1\0]"), &arena, &host), ERR_SYNTAX);
    arena_fini(&arena);
}

/* Whatever allocation fails, that is said, and nothing is written. */
static void config_memory(void **state)
{
    static const char *const texts[] = {"example.com", "*.B\u00fccher.example", "[::1]"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        enum err err = ERR_MEMORY;
        for (size_t max = 1; err != ERR_NONE && max < 10000; max++) {
            struct arena arena;
            struct span host = {0};
            arena_init(&arena, max);
            err = host_from_config(span_cstr(texts[i]), &arena, &host);
            assert_true(err == ERR_NONE || (err == ERR_MEMORY && host.ptr == NULL));
            arena_fini(&arena);
        }
        assert_int_equal(err, ERR_NONE);
    }
}

enum place { NOWHERE, IN_TEXT, IN_LOWER };

static const struct {
    const char *text;
    const char *host; /* NULL: refused */
    int32_t port;
    enum place place;
} request_cases[] = {
    {"example.com", "example.com", -1, IN_TEXT},
    {"a", "a", -1, IN_TEXT},
    {"shop.example.com:8307", "shop.example.com", 8307, IN_TEXT},
    {"www.shop.example.com:80", "www.shop.example.com", 80, IN_TEXT},
    {"Shop.example.com:8307", "shop.example.com", 8307, IN_LOWER},
    {"shop.example.coM", "shop.example.com", -1, IN_LOWER},
    {"LOCALHOST", "localhost", -1, IN_LOWER},
    {"my_host-1.example", "my_host-1.example", -1, IN_TEXT},
    {"192.0.2.1:80", "192.0.2.1", 80, IN_TEXT},
    {"12345678", "12345678", -1, IN_TEXT},
    {"example.com.", "example.com", -1, IN_TEXT},
    {"example.com.:80", "example.com", 80, IN_TEXT},
    {"Example.com.:80", "example.com", 80, IN_LOWER},
    {"a.", "a", -1, IN_TEXT},
    /* Ports. */
    {"host:", "host", -1, IN_TEXT},
    {"host.:", "host", -1, IN_TEXT},
    {"host:0", "host", 0, IN_TEXT},
    {"host:00080", "host", 80, IN_TEXT},
    {"host:65535", "host", 65535, IN_TEXT},
    {"host:65536", NULL, 0, NOWHERE},
    {"host:99999", NULL, 0, NOWHERE},
    {"host:000080", NULL, 0, NOWHERE},
    {"host:4294967376", NULL, 0, NOWHERE},
    {"host:80a", NULL, 0, NOWHERE},
    {"host:a", NULL, 0, NOWHERE},
    {"host:-1", NULL, 0, NOWHERE},
    {"host:+1", NULL, 0, NOWHERE},
    {"host:8 ", NULL, 0, NOWHERE},
    {"host:80:80", NULL, 0, NOWHERE},
    {"host::80", NULL, 0, NOWHERE},
    {"host::", NULL, 0, NOWHERE},
    {":80", NULL, 0, NOWHERE},
    {":", NULL, 0, NOWHERE},
    /* Labels. */
    {"", NULL, 0, NOWHERE},
    {".", NULL, 0, NOWHERE},
    {"..", NULL, 0, NOWHERE},
    {".:80", NULL, 0, NOWHERE},
    {".a", NULL, 0, NOWHERE},
    {"a..b", NULL, 0, NOWHERE},
    {"a..", NULL, 0, NOWHERE},
    {".shop.example.com", NULL, 0, NOWHERE},
    {"shop..example.com", NULL, 0, NOWHERE},
    {"shop.example.com..", NULL, 0, NOWHERE},
    {"shop.example.com..:80", NULL, 0, NOWHERE},
    {"shop.example.com.of.the.world..net", NULL, 0, NOWHERE},
    /* Not of a host. */
    {"a@evil", NULL, 0, NOWHERE},
    {"user@shop.example.com", NULL, 0, NOWHERE},
    {"a/evil", NULL, 0, NOWHERE},
    {"a\"b", NULL, 0, NOWHERE},
    {"a,b", NULL, 0, NOWHERE},
    {"a b", NULL, 0, NOWHERE},
    {" a", NULL, 0, NOWHERE},
    {"a%2eb", NULL, 0, NOWHERE},
    {"a\\b", NULL, 0, NOWHERE},
    {"a?b", NULL, 0, NOWHERE},
    {"a#b", NULL, 0, NOWHERE},
    {"*.example.com", NULL, 0, NOWHERE},
    {"b\303\274cher.example", NULL, 0, NOWHERE},
    /* IP literals. */
    {"[::1]", "[::1]", -1, IN_TEXT},
    {"[::1]:80", "[::1]", 80, IN_TEXT},
    {"[::1]:", "[::1]", -1, IN_TEXT},
    {"[2001:DB8::1]:80", "[2001:db8::1]", 80, IN_LOWER},
    {"[0:0:0:0:0:0:0:1]", "[::1]", -1, IN_LOWER},
    {"[::ffff:192.0.2.1]", "[::ffff:c000:201]", -1, IN_LOWER},
    {"[::ab:1]", "[::ab:1]", -1, IN_TEXT},
    {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
     -1, IN_LOWER},
    {"[::1%25.foo.com]", NULL, 0, NOWHERE},
    {"[fe80::1%eth0]", NULL, 0, NOWHERE},
    {"[::1].", NULL, 0, NOWHERE},
    {"[::1]80", NULL, 0, NOWHERE},
    {"[::1]x:80", NULL, 0, NOWHERE},
    {"[::1", NULL, 0, NOWHERE},
    {"::1", NULL, 0, NOWHERE},
    {"[:80", NULL, 0, NOWHERE},
    {"[]", NULL, 0, NOWHERE},
    {"[]:80", NULL, 0, NOWHERE},
    {"[1.2.3.4]", NULL, 0, NOWHERE},
    {"[::12345]", NULL, 0, NOWHERE},
    {"[v1.a]", NULL, 0, NOWHERE},
    {"[00000000000000000000000000000000000000000000000000::1]", NULL, 0, NOWHERE},
};

static void request_hosts(void **state)
{
    for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
        uint8_t lower[host_bytes_max];
        struct host_port found = {0};
        enum err err = host_from_request(span_cstr(request_cases[i].text), lower, &found);
        if (err != (request_cases[i].host != NULL ? ERR_NONE : ERR_SYNTAX) ||
            !span_eq(found.host, span_cstr(request_cases[i].host)) ||
            found.port != request_cases[i].port) {
            fail_msg("%s: %s, %.*s, %d", request_cases[i].text, err_text(err), SPAN_ARG(found.host),
                     found.port);
        }
        const void *start = request_cases[i].place == IN_LOWER ? (const void *)lower
                            : request_cases[i].place == IN_TEXT
                                ? (const void *)request_cases[i].text
                                : NULL;
        assert_ptr_equal(found.host.ptr, start);
    }
}

static void request_bounds(void **state)
{
    static const struct {
        size_t len;
        const char *end;
        enum err err;
    } cases[] = {
        {host_bytes_max, "", ERR_NONE},
        {host_bytes_max, ".", ERR_NONE},
        {host_bytes_max, ":80", ERR_NONE},
        {host_bytes_max + 1, "", ERR_SYNTAX},
        {host_bytes_max + 1, ".", ERR_SYNTAX},
        {host_bytes_max + 1, ":80", ERR_SYNTAX},
        {60000, "", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int letter = 'A'; letter <= 'a'; letter += 'a' - 'A') {
            size_t len = cases[i].len + strlen(cases[i].end);
            uint8_t *text = test_malloc(len);
            uint8_t *lower = test_malloc(host_bytes_max);
            memset(text, letter, cases[i].len);
            memcpy(text + cases[i].len, cases[i].end, strlen(cases[i].end));
            struct host_port found = {0};
            enum err err = host_from_request(span_of(text, len), lower, &found);
            assert_int_equal(err, cases[i].err);
            assert_int_equal(found.host.len, err == ERR_NONE ? cases[i].len : 0);
            assert_true(err != ERR_NONE || found.host.ptr[0] == 'a');
            test_free(text);
            test_free(lower);
        }
    }
}

static bool allowed(unsigned value)
{
    return (value >= '0' && value <= '9') || (value >= 'a' && value <= 'z') ||
           (value >= 'A' && value <= 'Z') || value == '-' || value == '_' || value == '.';
}

/* One byte in a host of len bytes, behind a letter or behind a dot. */
static void check_byte(size_t len, size_t at, uint8_t byte, bool behind_dot)
{
    uint8_t text[40];
    uint8_t lower[host_bytes_max];
    struct host_port found = {0};
    memset(text, 'a', sizeof(text));
    if (behind_dot) {
        text[at - 1] = '.';
    }
    text[at] = byte;
    bool lonely_dot = byte == '.' && (at == 0 || text[at - 1] == '.');
    bool empty_port = byte == ':' && at == len - 1 && at > 0;
    bool ok = (allowed(byte) && !lonely_dot) || empty_port;
    enum err err = host_from_request(span_of(text, len), lower, &found);
    if ((err == ERR_NONE) != ok) {
        fail_msg("%.*s: %s", (int)len, (char *)text, err_text(err));
    }
    for (size_t i = 0; i < found.host.len; i++) {
        assert_int_equal(found.host.ptr[i], ascii_lower(text[i]));
    }
}

/* Each byte at each place of hosts of each length about the sixteen bytes that are looked
 * at together. */
static void each_byte_at_each_place(void **state)
{
    for (size_t len = 2; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned value = 0; value < 256; value++) {
                check_byte(len, at, (uint8_t)value, false);
                check_byte(len, at, (uint8_t)value, at > 1);
            }
        }
    }
}

/* What a client may call an origin; origin NULL: nothing. */
static void references(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *origin;
    } cases[] = {
        {"eu1.example.net", "eu1.example.net"},
        {"EU1.example.net.:8443", "eu1.example.net:8443"},
        {"https://eu1.example.net", "eu1.example.net:443"},
        {"HTTP://Eu1.example.net/a/b?c#d", "eu1.example.net:80"},
        {"https://eu1.example.net:8443/x", "eu1.example.net:8443"},
        {"https://eu1.example.net?q", "eu1.example.net:443"},
        {"http://[::0001]:81/", "[::1]:81"},
        {"https://user@eu1.example.net/", NULL},
        {"ftp://eu1.example.net/", NULL},
        {"://eu1.example.net/", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"eu1/x", NULL},
        {"*", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t lower[host_bytes_max];
        char text[host_bytes_max + 6];
        struct buffer out = buffer_over(text, sizeof(text));
        struct host_port found;
        enum err err = host_from_reference(span_cstr(cases[i].text), lower, &found);
        assert_int_equal(err, cases[i].origin != NULL ? ERR_NONE : ERR_SYNTAX);
        if (err == ERR_NONE) {
            host_port_put(&found, &out);
        }
        assert_true(
            span_eq(buffer_span(&out), span_cstr(cases[i].origin != NULL ? cases[i].origin : "")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_hosts),   cmocka_unit_test(config_bounds),
        cmocka_unit_test(config_memory),  cmocka_unit_test(request_hosts),
        cmocka_unit_test(request_bounds), cmocka_unit_test(each_byte_at_each_place),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
