/* SPDX-License-Identifier: MIT */
/* Who the client is behind proxies. 10.0.0.0/8 and fd00::/8 are trusted. */
#include "http/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
    const char *name;
    const char *peer;
    const char *fields[4]; /* "Name: value" */
    const char *client;
    const char *host, *proto; /* NULL: nothing was said */
    uint16_t port;
    int32_t said_port; /* 0: nothing was said */
    bool peer_secure, secure;
    enum forwarded_family family; /* FORWARDED_EITHER without it */
    bool differ;                  /* the families do, so nobody is believed */
};

#define FWD "Forwarded: "
#define XFF "X-Forwarded-For: "
#define XFP "X-Forwarded-Proto: "
#define XFH "X-Forwarded-Host: "
#define XFPORT "X-Forwarded-Port: "

static const struct row rows[] = {
    {.name = "nothing said", .peer = "10.0.0.1", .client = "10.0.0.1", .port = 99},
    {.name = "not trusted",
     .peer = "192.0.2.1",
     .fields = {FWD "for=1.1.1.1;host=evil;proto=https", XFF "1.1.1.1", XFP "https", XFH "evil"},
     .client = "192.0.2.1",
     .port = 99},
    {.name = "7239 4 an address",
     .peer = "10.0.0.1",
     .fields = {FWD "for=192.0.2.43"},
     .client = "192.0.2.43"},
    {.name = "7239 4 names without case",
     .peer = "10.0.0.1",
     .fields = {"FORWARDED: For=192.0.2.43;PROTO=HTTPS;by=10.0.0.1;Host=a.example"},
     .client = "192.0.2.43",
     .host = "a.example",
     .proto = "https",
     .secure = true},
    {.name = "7239 4 quoted IPv6 with a port",
     .peer = "10.0.0.1",
     .fields = {FWD "for=\"[2001:db8::1]:4711\""},
     .client = "2001:db8::1",
     .port = 4711},
    {.name = "7239 4 white space after ';'",
     .peer = "10.0.0.1",
     .fields = {FWD "for=192.0.2.43; proto=http; host=\"a:80\""},
     .client = "192.0.2.43",
     .host = "a:80",
     .proto = "http"},
    {.name = "7239 6.3 obfuscated port",
     .peer = "10.0.0.1",
     .fields = {FWD "for=\"192.0.2.43:_p\""},
     .client = "192.0.2.43"},
    {.name = "7239 6.2 unknown",
     .peer = "10.0.0.1",
     .fields = {FWD "for=1.1.1.1, for=unknown;proto=https"},
     .client = "10.0.0.1",
     .port = 99,
     .proto = "https",
     .secure = true},
    {.name = "7239 6.3 hidden",
     .peer = "10.0.0.1",
     .fields = {FWD "for=1.1.1.1, for=_hidden"},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "right to left",
     .peer = "10.0.0.1",
     .fields = {FWD "for=6.6.6.6, for=192.0.2.1, for=10.0.0.2, for=\"[fd00::7]\""},
     .client = "192.0.2.1"},
    {.name = "all trusted: the leftmost",
     .peer = "10.0.0.1",
     .fields = {FWD "for=10.0.0.3, for=10.0.0.2"},
     .client = "10.0.0.3"},
    {.name = "several fields are one list",
     .peer = "10.0.0.1",
     .fields = {FWD "for=6.6.6.6, for=192.0.2.1", "A: b", FWD ", for=10.0.0.2 ,"},
     .client = "192.0.2.1"},
    {.name = "host and proto of the outermost believed",
     .peer = "10.0.0.1",
     .fields = {FWD "for=6.6.6.6;host=evil;proto=http, for=192.0.2.1;host=a;proto=https, "
                    "for=10.0.0.2;host=b;proto=http"},
     .client = "192.0.2.1",
     .host = "a",
     .proto = "https",
     .secure = true},
    {.name = "an open quote further left",
     .peer = "10.0.0.1",
     .fields = {FWD "for=\", for=192.0.2.1"},
     .client = "192.0.2.1"},
    {.name = "an open quote in a field further left",
     .peer = "10.0.0.1",
     .fields = {FWD "for=\"1.1.1.1", FWD "for=192.0.2.1"},
     .client = "192.0.2.1"},
    {.name = "a comma in quotes",
     .peer = "10.0.0.1",
     .fields = {FWD "for=192.0.2.1;x=\"a,\\\",b\""},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "a comma in quotes without escapes",
     .peer = "10.0.0.1",
     .fields = {FWD "for=192.0.2.1;x=\"a, for=1.1.1.1\""},
     .client = "192.0.2.1"},
    {.name = "a malformed element ends the walk",
     .peer = "10.0.0.1",
     .fields = {FWD "for=1.1.1.1, for, for=10.0.0.2"},
     .client = "10.0.0.2"},
    {.name = "a parameter twice",
     .peer = "10.0.0.1",
     .fields = {FWD "for=1.1.1.1;for=2.2.2.2"},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "no for",
     .peer = "10.0.0.1",
     .fields = {FWD "for=1.1.1.1, proto=https"},
     .client = "10.0.0.1",
     .port = 99,
     .proto = "https",
     .secure = true},
    {.name = "bad address",
     .peer = "10.0.0.1",
     .fields = {FWD "for=1.1.1.256"},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "bad port",
     .peer = "10.0.0.1",
     .fields = {FWD "for=\"1.1.1.1:65536\""},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "both families, another address",
     .peer = "10.0.0.1",
     .fields = {XFF "1.1.1.1", FWD "for=192.0.2.1"},
     .differ = true},
    {.name = "both families, another host",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1", XFH "a", FWD "for=192.0.2.1;host=b"},
     .differ = true},
    {.name = "both families, one names a host",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1", FWD "for=192.0.2.1;host=b"},
     .differ = true},
    {.name = "both families, one names a scheme",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1", FWD "for=192.0.2.1;proto=https"},
     .differ = true},
    {.name = "both families, one names a port",
     .peer = "10.0.0.1",
     .fields = {FWD "for=192.0.2.1", XFF "192.0.2.1", XFPORT "8443"},
     .differ = true},
    {.name = "both families, one says nothing of the client",
     .peer = "10.0.0.1",
     .fields = {XFP "https", FWD "for=192.0.2.1;proto=https"},
     .differ = true},
    {.name = "both families, one is malformed",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1", FWD "for"},
     .differ = true},
    {.name = "both families agree",
     .peer = "10.0.0.1",
     .fields = {XFF "6.6.6.6, 192.0.2.1", XFH "a", XFP "https",
                FWD "for=\"192.0.2.1:4711\";host=a;proto=https"},
     .client = "192.0.2.1",
     .port = 4711,
     .host = "a",
     .proto = "https",
     .secure = true},
    {.name = "both families of a stranger",
     .peer = "192.0.2.1",
     .fields = {XFF "1.1.1.1", FWD "for=2.2.2.2"},
     .client = "192.0.2.1",
     .port = 99},
    {.name = "only X-Forwarded is believed",
     .peer = "10.0.0.1",
     .family = FORWARDED_X,
     .fields = {FWD "for=1.1.1.1;host=evil;proto=https", XFF "192.0.2.1", XFH "a"},
     .client = "192.0.2.1",
     .host = "a"},
    {.name = "only X-Forwarded is believed, and there is none",
     .peer = "10.0.0.1",
     .family = FORWARDED_X,
     .fields = {FWD "for=1.1.1.1;host=evil;proto=https"},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "only Forwarded is believed",
     .peer = "10.0.0.1",
     .family = FORWARDED_RFC7239,
     .fields = {XFF "1.1.1.1", XFH "evil", XFPORT "1", FWD "for=192.0.2.1;host=a"},
     .client = "192.0.2.1",
     .host = "a"},
    {.name = "only Forwarded is believed, and there is none",
     .peer = "10.0.0.1",
     .family = FORWARDED_RFC7239,
     .fields = {XFF "1.1.1.1", XFH "evil", XFP "https", XFPORT "1"},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "XFF one", .peer = "10.0.0.1", .fields = {XFF "192.0.2.1"}, .client = "192.0.2.1"},
    {.name = "XFF right to left",
     .peer = "10.0.0.1",
     .fields = {XFF "6.6.6.6, 192.0.2.1", XFF "10.0.0.3", XFF "fd00::1,10.0.0.2"},
     .client = "192.0.2.1"},
    {.name = "XFF port",
     .peer = "10.0.0.1",
     .fields = {XFF "1.2.3.4:5678"},
     .client = "1.2.3.4",
     .port = 5678},
    {.name = "XFF brackets",
     .peer = "10.0.0.1",
     .fields = {XFF "[2001:db8::1]"},
     .client = "2001:db8::1"},
    {.name = "XFF brackets and port",
     .peer = "10.0.0.1",
     .fields = {XFF "[2001:db8::1]:80"},
     .client = "2001:db8::1",
     .port = 80},
    {.name = "XFF IPv4 in brackets",
     .peer = "10.0.0.1",
     .fields = {XFF "[1.2.3.4]"},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "XFF text after brackets",
     .peer = "10.0.0.1",
     .fields = {XFF "[::1]x"},
     .client = "10.0.0.1",
     .port = 99},
    {.name = "XFF IPv6", .peer = "fd00::2", .fields = {XFF "2001:db8::1"}, .client = "2001:db8::1"},
    {.name = "XFF garbage ends the walk",
     .peer = "10.0.0.1",
     .fields = {XFF "1.1.1.1, unknown, 10.0.0.2"},
     .client = "10.0.0.2"},
    {.name = "XFF quotes mean nothing",
     .peer = "10.0.0.1",
     .fields = {XFF "\"1.1.1.1, 2.2.2.2"},
     .client = "2.2.2.2"},
    {.name = "XFP and XFH, one of each",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1, 10.0.0.2", XFP "HTTPS", XFH "a.example"},
     .client = "192.0.2.1",
     .host = "a.example",
     .proto = "https",
     .secure = true},
    {.name = "XFP of the outermost hop",
     .peer = "10.0.0.1",
     .fields = {XFF "6.6.6.6, 192.0.2.1, 10.0.0.2", XFP "http, https, http", XFH "evil, a, b"},
     .client = "192.0.2.1",
     .host = "a",
     .proto = "https",
     .secure = true},
    {.name = "XFP what a client wrote",
     .peer = "10.0.0.1",
     .fields = {XFF "6.6.6.6, 192.0.2.1", XFP "https, http", XFH "evil, a"},
     .client = "192.0.2.1",
     .host = "a",
     .proto = "http"},
    {.name = "XFP alone",
     .peer = "10.0.0.1",
     .fields = {XFP "http, https"},
     .client = "10.0.0.1",
     .port = 99,
     .proto = "https",
     .secure = true},
    {.name = "XFP http takes secure away",
     .peer = "10.0.0.1",
     .fields = {XFP "http"},
     .client = "10.0.0.1",
     .port = 99,
     .proto = "http",
     .peer_secure = true},
    {.name = "XFPort of the outermost hop",
     .peer = "10.0.0.1",
     .fields = {XFF "6.6.6.6, 192.0.2.1, 10.0.0.2", XFPORT "1, 8443, 80"},
     .client = "192.0.2.1",
     .said_port = 8443},
    {.name = "XFPort alone",
     .peer = "10.0.0.1",
     .fields = {XFPORT "1, 8443"},
     .client = "10.0.0.1",
     .port = 99,
     .said_port = 8443},
    {.name = "XFPort, the largest",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1", XFPORT "65535"},
     .client = "192.0.2.1",
     .said_port = 65535},
    {.name = "XFPort that is none",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1", XFPORT "65536"},
     .client = "192.0.2.1"},
    {.name = "XFPort 0", .peer = "10.0.0.1", .fields = {XFPORT "0", XFF "::1"}, .client = "::1"},
    {.name = "XFPort in words",
     .peer = "10.0.0.1",
     .fields = {XFF "192.0.2.1", XFPORT "https"},
     .client = "192.0.2.1"},
    {.name = "XFPort beside Forwarded",
     .peer = "10.0.0.1",
     .family = FORWARDED_RFC7239,
     .fields = {FWD "for=192.0.2.1", XFPORT "8443"},
     .client = "192.0.2.1"},
    {.name = "XFPort of a stranger",
     .peer = "192.0.2.1",
     .fields = {XFPORT "8443"},
     .client = "192.0.2.1",
     .port = 99},
    {.name = "XFP of another kind",
     .peer = "10.0.0.1",
     .fields = {XFP "wss"},
     .client = "10.0.0.1",
     .port = 99,
     .peer_secure = true,
     .secure = true},
};

/* Splits "Name: value". */
static size_t fill(const struct row *row, struct request *request, struct field fields[4])
{
    size_t count = 0;
    while (count < 4 && row->fields[count] != NULL) {
        struct span text = span_cstr(row->fields[count]);
        size_t colon = span_find(text, 0, ':');
        fields[count].name = span_slice(text, 0, colon);
        fields[count].value = span_trim(span_from(text, colon + 1));
        if (span_eq_ci(fields[count].name, SPAN("forwarded"))) {
            request->known.forwarded = fields[count].value;
        }
        if (span_eq_ci(fields[count].name, SPAN("x-forwarded-for"))) {
            request->known.x_forwarded_for = fields[count].value;
        }
        count++;
    }
    return count;
}

static void check(const struct row *row, const struct forwarded *out)
{
    uint8_t want[16];
    char have[address_text_max];
    assert_true(address_parse(span_cstr(row->client), want));
    address_format(out->client.address, have);
    if (memcmp(out->client.address, want, 16) != 0 || out->client.port != row->port ||
        out->client.secure != row->secure) {
        fail_msg("%s: %s %u %d", row->name, have, out->client.port, out->client.secure);
    }
    if (!span_eq(out->host, span_cstr(row->host)) || !span_eq(out->proto, span_cstr(row->proto))) {
        fail_msg("%s: host %.*s, proto %.*s", row->name, SPAN_ARG(out->host), SPAN_ARG(out->proto));
    }
    if (out->port != (row->said_port > 0 ? row->said_port : -1)) {
        fail_msg("%s: said port %d", row->name, out->port);
    }
}

static void the_first_untrusted_address_is_the_client(void **state)
{
    (void)state;
    struct cidr trusted[2];
    assert_true(cidr_parse(SPAN("10.0.0.0/8"), &trusted[0]));
    assert_true(cidr_parse(SPAN("fd00::/8"), &trusted[1]));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct field fields[4];
        struct request request = {.fields = fields};
        struct client peer = {.port = 99, .secure = rows[i].peer_secure};
        struct forwarded_trust trust = {
            .proxies = trusted, .proxy_count = 2, .family = rows[i].family};
        struct forwarded out;
        request.field_count = fill(&rows[i], &request, fields);
        assert_true(address_parse(span_cstr(rows[i].peer), peer.address));
        bool heard = forwarded_resolve(&request, &peer, &trust, &out);
        if (heard == rows[i].differ) {
            fail_msg("%s: heard %d", rows[i].name, heard);
        }
        if (heard) {
            check(&rows[i], &out);
        }
    }
}

static void hops_are_bounded(void **state)
{
    (void)state;
    char text[1024] = "192.0.2.1";
    for (int i = 0; i < forwarded_hops_max; i++) {
        strcat(text, ", 10.0.0.2");
    }
    struct cidr trusted;
    struct field field = {.name = SPAN("x-forwarded-for"), .value = span_cstr(text)};
    struct request request = {.fields = &field, .field_count = 1};
    struct client peer = {.port = 0};
    struct forwarded out;
    assert_true(cidr_parse(SPAN("10.0.0.0/8"), &trusted));
    assert_true(address_parse(SPAN("10.0.0.1"), peer.address));
    struct forwarded_trust trust = {.proxies = &trusted, .proxy_count = 1, .family = FORWARDED_X};
    assert_true(forwarded_resolve(&request, &peer, &trust, &out));
    assert_int_equal(out.client.address[15], 2);
    assert_int_equal(out.client.address[12], 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_untrusted_address_is_the_client),
        cmocka_unit_test(hops_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
