/* SPDX-License-Identifier: MIT */
/* What a ClientHello chooses: certificate, protocol, stapled answer; and which hosts a
 * connection may then be used for. */
#include "rig.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIRST, WILD, DEEP, BOTH_EC, BOTH_RSA, SHARED, PAIRS };

static struct rig_pair pairs[PAIRS];
static struct tls_context *context;

static int set_up(void **state)
{
    static const struct {
        enum rig_kind kind;
        const char *names;
    } made[PAIRS] = {
        [FIRST] = {RIG_EC, "DNS:first.example,IP:192.0.2.1"},
        [WILD] = {RIG_EC, "DNS:*.wild.example,DNS:Upper.Example"},
        [DEEP] = {RIG_EC, "DNS:deep.wild.example"},
        [BOTH_EC] = {RIG_EC, "DNS:both.example,DNS:www.both.example"},
        [BOTH_RSA] = {RIG_RSA, "DNS:www.both.example,DNS:both.example"},
        [SHARED] = {RIG_EC, "DNS:*.both.example,DNS:shared.example,DNS:first.example"},
    };
    for (size_t i = 0; i < PAIRS; i++) {
        pairs[i] = rig_pair_new(made[i].kind, made[i].names, 0, 3600);
    }
    context = rig_context(pairs, PAIRS, "k");
    return 0;
}

static int tear_down(void **state)
{
    tls_context_free(&context);
    for (size_t i = 0; i < PAIRS; i++) {
        rig_pair_free(&pairs[i]);
    }
    return 0;
}

static size_t shown(const struct rig *rig)
{
    X509 *peer = SSL_get0_peer_certificate(rig->client);
    uint8_t *der = NULL;
    int len = i2d_X509(peer, &der);
    size_t found = PAIRS;
    for (size_t i = 0; i < PAIRS; i++) {
        if (span_eq(span_of(der, (size_t)len), span_of(pairs[i].chain, pairs[i].chain_len))) {
            found = i;
        }
    }
    OPENSSL_free(der);
    return found;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void test_certificate(void **state)
{
    static const struct {
        const char *name;
        const char *sigalgs;
        size_t shown;
    } cases[] = {
        {.name = NULL, .shown = FIRST},
        {.name = "first.example", .shown = FIRST},
        {.name = "FIRST.Example", .shown = FIRST},
        {.name = "unknown.example", .shown = FIRST},
        {.name = "a.wild.example", .shown = WILD},
        {.name = "wild.example", .shown = FIRST},
        {.name = "a.b.wild.example", .shown = FIRST},
        {.name = "upper.example", .shown = WILD},
        {.name = "deep.wild.example", .shown = DEEP},
        {.name = "both.example", .shown = BOTH_EC},
        {.name = "both.example", .sigalgs = "RSA-PSS+SHA256:RSA+SHA256", .shown = BOTH_RSA},
        {.name = "both.example", .sigalgs = "ECDSA+SHA256", .shown = BOTH_EC},
        {.name = "www.both.example", .shown = BOTH_EC},
        {.name = "api.both.example", .shown = SHARED},
        {.name = "shared.example", .shown = SHARED},
    };
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        size_t at = i / 2;
        struct rig *rig = rig_new(context, true,
                                  &(struct rig_client){.version = versions[i % 2],
                                                       .name = cases[at].name,
                                                       .sigalgs = cases[at].sigalgs});
        rig_talk(rig);
        assert_true(rig_client_done(rig));
        if (shown(rig) != cases[at].shown) {
            fail_msg("%s got certificate %zu", cases[at].name, shown(rig));
        }
        rig_free(&rig);
    }
}

static void test_misdirected(void **state)
{
    static const struct {
        const char *name;
        const char *host;
        bool misdirected;
    } cases[] = {
        {"first.example", "first.example", false},
        {"first.example", "FIRST.example.", false},
        {"first.example", "a.wild.example", true},
        {"first.example", "A.WILD.EXAMPLE", true},
        {"first.example", "nobody.example", false},
        {"first.example", "192.0.2.7", false},
        {"first.example", "", false},
        {"a.wild.example", "b.wild.example", false},
        /* Another one would be shown, but this one covers the host, too. */
        {"a.wild.example", "deep.wild.example", false},
        {"deep.wild.example", "a.wild.example", true},
        {"a.wild.example", "first.example", true},
        {"both.example", "www.both.example", false},
        {"both.example", "api.both.example", true},
        {"shared.example", "www.both.example", false},
        {"shared.example", "first.example", false},
        {"shared.example", "both.example", true},
        /* The certificate that such a client gets is the one it got. */
        {NULL, "a.wild.example", false},
        {"unknown.example", "a.wild.example", true},
        {"unknown.example", "unknown.example", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rig *rig = rig_new(context, true, &(struct rig_client){.name = cases[i].name});
        rig_talk(rig);
        assert_true(rig_client_done(rig));
        if (tls_misdirected(rig->server, span_cstr(cases[i].host)) != cases[i].misdirected) {
            fail_msg("%s on %s", cases[i].host, cases[i].name);
        }
        rig_free(&rig);
    }
}

static void test_long_host(void **state)
{
    uint8_t host[1000];
    memset(host, 'a', sizeof(host));
    struct rig *rig = rig_new(context, true, &(struct rig_client){.name = "first.example"});
    rig_talk(rig);
    assert_false(tls_misdirected(rig->server, span_of(host, sizeof(host))));
    host[1] = '.';
    assert_false(tls_misdirected(rig->server, span_of(host, 253)));
    rig_free(&rig);
}

static void test_alpn(void **state)
{
    static const struct {
        const char *offered;
        bool http2;
        bool refused;
        enum tls_alpn chosen;
    } cases[] = {
        {NULL, true, false, TLS_ALPN_NONE},
        {"\x02h2", true, false, TLS_ALPN_H2},
        {"\x08http/1.1", true, false, TLS_ALPN_HTTP11},
        {"\x08http/1.1\x02h2", true, false, TLS_ALPN_H2},
        {"\x02h3\x08http/1.1", true, false, TLS_ALPN_HTTP11},
        {"\x02h2\x08http/1.1", false, false, TLS_ALPN_HTTP11},
        {"\x02h2", false, true, TLS_ALPN_NONE},
        {"\x03"
         "ftp",
         true, true, TLS_ALPN_NONE},
    };
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        size_t at = i / 2;
        struct rig *rig =
            rig_new(context, cases[at].http2,
                    &(struct rig_client){.version = versions[i % 2], .alpn = cases[at].offered});
        rig_talk(rig);
        assert_int_equal(rig_client_done(rig), !cases[at].refused);
        assert_int_equal(tls_alpn(rig->server), cases[at].chosen);
        if (cases[at].refused) {
            assert_int_equal(rig->result, TLS_FAILED);
            assert_string_equal(tls_failure(rig->server), "no application protocol");
        }
        rig_free(&rig);
    }
}

static void test_staple(void **state)
{
    struct tls_material *material = calloc(1, sizeof(*material));
    *material = (struct tls_material){.ticket_key_count = 1, .pair_count = 2};
    material->pairs[0] = rig_tls_pair(&pairs[FIRST]);
    material->pairs[1] = rig_tls_pair(&pairs[WILD]);
    material->pairs[1].ocsp = SPAN("\x30\x03\x0a\x01\x00");
    struct tls_context *stapling = rig_context_of(material);
    free(material);
    static const struct {
        const char *name;
        bool asks;
        long len;
    } cases[] = {
        {"a.wild.example", true, 5},
        {"a.wild.example", false, -1},
        {"first.example", true, -1},
    };
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        struct rig *rig = rig_new(stapling, true,
                                  &(struct rig_client){.version = versions[i % 2],
                                                       .name = cases[i / 2].name,
                                                       .status = cases[i / 2].asks});
        rig_talk(rig);
        assert_true(rig_client_done(rig));
        const unsigned char *answer = NULL;
        assert_int_equal(SSL_get_tlsext_status_ocsp_resp(rig->client, &answer), cases[i / 2].len);
        rig_free(&rig);
    }
    tls_context_free(&stapling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate), cmocka_unit_test(test_misdirected),
        cmocka_unit_test(test_long_host),   cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_staple),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
