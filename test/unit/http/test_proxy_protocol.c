/* SPDX-License-Identifier: MIT */
/* PROXY headers of both versions, in every split. */
#include "http/proxy_protocol.h"

#include "base/cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4       \
    "\xc0\0\2\1" \
    "\xc0\0\2\2" \
    "\x10\x92"   \
    "\x01\xbb"
#define V6                                     \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2" \
    "\x10\x92\x01\xbb"
#define UNIX16 "abcdefghijklmnop"
#define UNIX108 UNIX16 UNIX16 UNIX16 UNIX16 UNIX16 UNIX16 "abcdefghijkl"

struct row {
    const char *name;
    struct span bytes;
    enum proxy_result result;
    const char *client; /* NULL: left alone */
    size_t rest;        /* bytes behind the header */
    bool secure;
};

#define ROW(name_, text, ...)                                                            \
    {                                                                                    \
        .name = name_, .bytes = {(const uint8_t *)(text), sizeof(text) - 1}, __VA_ARGS__ \
    }
#define BAD(name_, text) ROW(name_, text, .result = PROXY_BAD)

static const struct row rows[] = {
    ROW("v1 TCP4", "PROXY TCP4 192.0.2.1 192.0.2.2 4242 443\r\nGET", .client = "192.0.2.1",
        .rest = 3),
    ROW("v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 4242 443\r\n", .client = "2001:db8::1"),
    ROW("v1 UNKNOWN", "PROXY UNKNOWN\r\n", .client = NULL),
    ROW("v1 UNKNOWN and more", "PROXY UNKNOWN ffff:: x y z\r\nG", .rest = 1),
    ROW("v1 unfinished", "PROXY TCP4 192.0.2.1 192.0.2.2 4242 443\r", .result = PROXY_MORE),
    BAD("v1 bare LF", "PROXY TCP4 192.0.2.1 192.0.2.2 4242 443\n"),
    BAD("v1 nothing but LF", "PROXY \n"),
    BAD("v1 another word", "PROXZ"),
    BAD("v1 lower case", "proxy TCP4 192.0.2.1 192.0.2.2 4242 443\r\n"),
    BAD("v1 UNKNOWNS", "PROXY UNKNOWNS\r\n"),
    BAD("v1 another family", "PROXY UDP4 192.0.2.1 192.0.2.2 4242 443\r\n"),
    BAD("v1 family and address differ", "PROXY TCP4 2001:db8::1 2001:db8::2 4242 443\r\n"),
    BAD("v1 v4 as TCP6", "PROXY TCP6 192.0.2.1 192.0.2.2 4242 443\r\n"),
    BAD("v1 bad destination", "PROXY TCP4 192.0.2.1 192.0.2 4242 443\r\n"),
    BAD("v1 two spaces", "PROXY TCP4  192.0.2.1 192.0.2.2 4242 443\r\n"),
    BAD("v1 port too great", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n"),
    BAD("v1 leading zero", "PROXY TCP4 192.0.2.1 192.0.2.2 04242 443\r\n"),
    BAD("v1 no port", "PROXY TCP4 192.0.2.1 192.0.2.2 4242\r\n"),
    BAD("v1 more at the end", "PROXY TCP4 192.0.2.1 192.0.2.2 4242 443 \r\n"),
    BAD("v1 108 octets", "PROXY UNKNOWN " UNIX16 UNIX16 UNIX16 UNIX16 UNIX16 "abcdefghijkl\r\n"),
    ROW("v1 107 octets", "PROXY UNKNOWN " UNIX16 UNIX16 UNIX16 UNIX16 UNIX16 "abcdefghijk\r\n",
        .client = NULL),
    BAD("no header", "GET / HTTP/1.1\r\n"),
    ROW("v2 TCP4", SIGNATURE "\x21\x11\0\x0c" V4 "GET", .client = "192.0.2.1", .rest = 3),
    ROW("v2 TCP6", SIGNATURE "\x21\x21\0\x24" V6, .client = "2001:db8::1"),
    ROW("v2 LOCAL", SIGNATURE "\x20\x11\0\x0c" V4 "G", .rest = 1),
    ROW("v2 LOCAL, empty", SIGNATURE "\x20\0\0\0", .client = NULL),
    ROW("v2 unspecified", SIGNATURE "\x21\0\0\3abcG", .rest = 1),
    ROW("v2 unix", SIGNATURE "\x21\x31\0\xd8" UNIX108 UNIX108, .client = NULL),
    ROW("v2 TLVs", SIGNATURE "\x21\x11\0\x17" V4 "\x04\0\2ab\x03\0\0\xe0\0\0G",
        .client = "192.0.2.1", .rest = 1),
    ROW("v2 over TLS", SIGNATURE "\x21\x11\0\x14" V4 "\x20\0\5\1\0\0\0\0", .client = "192.0.2.1",
        .secure = true),
    ROW("v2 not over TLS", SIGNATURE "\x21\x11\0\x14" V4 "\x20\0\5\2\0\0\0\0",
        .client = "192.0.2.1"),
    ROW("v2 unfinished fixed part", SIGNATURE "\x21\x11\0", .result = PROXY_MORE),
    ROW("v2 waiting for its block", SIGNATURE "\x21\x11\0\x0d" V4, .result = PROXY_MORE),
    BAD("v2 version 3", SIGNATURE "\x31"),
    BAD("v2 another command", SIGNATURE "\x22"),
    BAD("v2 another family", SIGNATURE "\x21\x41\0\x0c" V4),
    BAD("v2 another transport", SIGNATURE "\x21\x13\0\x0c" V4),
    BAD("v2 block too short", SIGNATURE "\x21\x11\0\x0b" V4),
    BAD("v2 TCP6 too short", SIGNATURE "\x21\x21\0\x0c" V4),
    BAD("v2 block too long", SIGNATURE "\x21\x11\x0f\xf1"),
    BAD("v2 TLV cut off", SIGNATURE "\x21\x11\0\x0e" V4 "\x04\0"),
    BAD("v2 TLV too long", SIGNATURE "\x21\x11\0\x10" V4 "\x04\0\2a"),
    BAD("v2 SSL TLV too short", SIGNATURE "\x21\x11\0\x13" V4 "\x20\0\4\1\0\0\0"),
    BAD("v2 broken signature", "\r\n\r\n\0\r\nQUIX"),
};

static const struct client before = {.address = {[15] = 7}, .port = 7};

static void check(const struct row *row, enum proxy_result result, size_t used,
                  const struct client *client)
{
    struct client want = before;
    want.secure = row->secure;
    if (row->client != NULL) {
        assert_true(address_parse(span_cstr(row->client), want.address));
        want.port = 4242;
    }
    if (result != row->result || memcmp(client->address, want.address, 16) != 0 ||
        client->port != want.port || client->secure != want.secure) {
        fail_msg("%s: result %d, port %u", row->name, (int)result, client->port);
    }
    if (result == PROXY_DONE && used + row->rest != row->bytes.len) {
        fail_msg("%s: used %zu", row->name, used);
    }
}

static void rows_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client client = before;
        size_t used = 0;
        enum proxy_result result = proxy_decode(rows[i].bytes, &used, &client);
        check(&rows[i], result, used, &client);
    }
}

/* The bytes come one by one: the verdict is the same, and comes for no more than are
 * needed. */
static void rows_hold_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client client = before;
        size_t used = 0;
        enum proxy_result result = PROXY_MORE;
        size_t len = 0;
        while (result == PROXY_MORE && len < rows[i].bytes.len) {
            result = proxy_decode(span_slice(rows[i].bytes, 0, ++len), &used, &client);
        }
        check(&rows[i], result, used, &client);
        if (result == PROXY_DONE) {
            assert_int_equal(used, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(rows_hold_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
