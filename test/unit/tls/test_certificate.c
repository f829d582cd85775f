/* SPDX-License-Identifier: MIT */
/* What is found out about a certificate's files before they are served with. */
#include "rig.h"

#include "tls/certificate.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { GOOD, OTHER, SHORT, CHAINED, PAIRS };
static char *chains[PAIRS];
static char *keys[PAIRS];
static struct rig_pair good;
static char *locked_key;

static int set_up(void **state)
{
    struct rig_pair pairs[PAIRS] = {
        [GOOD] = rig_pair_new(RIG_EC, "DNS:a.example,DNS:*.b.example", -60, 3600),
        [OTHER] = rig_pair_new(RIG_EC, "DNS:*.b.example,DNS:A.example", -60, 3600),
        [SHORT] = rig_pair_new(RIG_RSA_SHORT, "DNS:a.example", 0, 3600),
        [CHAINED] = rig_pair_with_issuer("DNS:c.example"),
    };
    for (size_t i = 0; i < PAIRS; i++) {
        chains[i] = rig_pem_chain(&pairs[i]);
        keys[i] = rig_pem_key(&pairs[i]);
        if (i != GOOD) {
            rig_pair_free(&pairs[i]);
        }
    }
    good = pairs[GOOD];
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "pass", 4, NULL, NULL);
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    locked_key = strndup(bytes, (size_t)len);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return 0;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < PAIRS; i++) {
        free(chains[i]);
        free(keys[i]);
    }
    free(locked_key);
    rig_pair_free(&good);
    return 0;
}

static void test_good(void **state)
{
    struct tls_certificate *c = NULL;
    struct tls_fault fault;
    int64_t now = time(NULL);
    assert_int_equal(tls_certificate_new(span_cstr(chains[GOOD]), span_cstr(keys[GOOD]),
                                         span_of(NULL, 0), &c, &fault),
                     ERR_NONE);
    struct tls_pair pair = tls_certificate_pair(c);
    assert_true(span_eq(pair.chain, span_of(good.chain, good.chain_len)));
    assert_true(span_eq(pair.key, span_of(good.key, good.key_len)));
    assert_int_equal(pair.ocsp.len, 0);
    assert_in_range(tls_certificate_from_s(c), now - 70, now - 55);
    assert_in_range(tls_certificate_until_s(c), now + 3590, now + 3610);
    assert_true(tls_certificate_ocsp_until_s(c) == INT64_MAX);
    assert_int_equal(tls_certificate_name_count(c), 2);
    static const struct {
        const char *host;
        bool covered;
    } hosts[] = {{"a.example", true},      {"A.Example.", true},
                 {"b.example", false},     {"x.b.example", true},
                 {"x.y.b.example", false}, {"*.b.example", true},
                 {"*.a.example", false},   {"", false},
                 {".b.example", false}};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        if (tls_certificate_covers(c, span_cstr(hosts[i].host)) != hosts[i].covered) {
            fail_msg("%s", hosts[i].host);
        }
    }
    tls_certificate_free(&c);
    assert_null(c);
}

static void test_chain_and_order(void **state)
{
    char text[8192];
    struct tls_certificate *c = NULL;
    struct tls_fault fault;
    snprintf(text, sizeof(text), "a note above\n%s\nand below\n", chains[CHAINED]);
    assert_int_equal(tls_certificate_new(span_cstr(text), span_cstr(keys[CHAINED]),
                                         span_of(NULL, 0), &c, &fault),
                     ERR_NONE);
    assert_true(tls_certificate_covers(c, SPAN("c.example")));
    tls_certificate_free(&c);
    /* Key and certificates in one file, as some tools write them. */
    snprintf(text, sizeof(text), "%s%s", keys[CHAINED], chains[CHAINED]);
    assert_int_equal(
        tls_certificate_new(span_cstr(text), span_cstr(text), span_of(NULL, 0), &c, &fault),
        ERR_NONE);
    tls_certificate_free(&c);
}

static void test_refused(void **state)
{
    char cut[8192];
    char twice[65536] = "";
    snprintf(cut, sizeof(cut), "%s%.100s", chains[GOOD], chains[OTHER]);
    for (int i = 0; i < 17; i++) {
        strcat(twice, chains[GOOD]);
    }
    const struct {
        const char *what;
        const char *chain;
        const char *key;
        struct span ocsp;
        enum tls_part part;
        const char *reason;
    } cases[] = {
        {"an empty file", "", keys[GOOD], .reason = "no \"BEGIN CERTIFICATE\""},
        {"a key for a certificate", keys[GOOD], keys[GOOD], .reason = "no \"BEGIN CERTIFICATE\""},
        {"half a certificate", cut, keys[GOOD], .reason = "damaged"},
        {"too many", twice, keys[GOOD], .reason = "more than 16"},
        {"an empty key", chains[GOOD], "", .part = TLS_PART_KEY, .reason = "no private key"},
        {"another's key", chains[GOOD], keys[OTHER], .part = TLS_PART_KEY, .reason = "not the key"},
        {"a locked key", chains[GOOD], locked_key, .part = TLS_PART_KEY, .reason = "passphrase"},
        {"a short key", chains[SHORT], keys[SHORT], .reason = "ee key too small"},
        {"no answer", chains[GOOD], keys[GOOD], SPAN("no"), TLS_PART_OCSP, "not a successful"},
        {"an answer that says no", chains[GOOD], keys[GOOD], SPAN("\x30\x03\x0a\x01\x06"),
         TLS_PART_OCSP, "not a successful"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct tls_certificate *c = NULL;
        struct tls_fault fault = {0};
        enum err err = tls_certificate_new(span_cstr(cases[i].chain), span_cstr(cases[i].key),
                                           cases[i].ocsp, &c, &fault);
        if (err != ERR_SYNTAX || fault.part != cases[i].part ||
            strstr(fault.reason, cases[i].reason) == NULL) {
            fail_msg("%s: %d, %d, %s", cases[i].what, err, fault.part, fault.reason);
        }
        assert_null(c);
    }
}

static uint8_t *answer_new(long next_s, int *len_out)
{
    const unsigned char *at = good.chain;
    X509 *x = d2i_X509(NULL, &at, (long)good.chain_len);
    at = good.key;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)good.key_len);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, 0);
    ASN1_TIME *next = X509_gmtime_adj(NULL, next_s);
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, x, x);
    OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, from, next);
    OCSP_basic_sign(basic, x, key, EVP_sha256(), NULL, 0);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    uint8_t *der = NULL;
    *len_out = i2d_OCSP_RESPONSE(response, &der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(next);
    X509_free(x);
    EVP_PKEY_free(key);
    return der;
}

static void test_ocsp(void **state)
{
    int len;
    uint8_t *der = answer_new(500, &len);
    struct tls_certificate *c = NULL;
    struct tls_fault fault = {0};
    assert_int_equal(tls_certificate_new(span_cstr(chains[GOOD]), span_cstr(keys[GOOD]),
                                         span_of(der, (size_t)len), &c, &fault),
                     ERR_NONE);
    int64_t now = time(NULL);
    assert_in_range(tls_certificate_ocsp_until_s(c), now + 490, now + 510);
    assert_true(span_eq(tls_certificate_pair(c).ocsp, span_of(der, (size_t)len)));
    tls_certificate_free(&c);
    OPENSSL_free(der);
}

static void test_repeats(void **state)
{
    struct tls_certificate *c[3];
    struct tls_fault fault;
    const size_t which[3] = {GOOD, OTHER, CHAINED};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(tls_certificate_new(span_cstr(chains[which[i]]), span_cstr(keys[which[i]]),
                                             span_of(NULL, 0), &c[i], &fault),
                         ERR_NONE);
    }
    assert_true(tls_certificate_repeats(c[1], c[0]));
    assert_false(tls_certificate_repeats(c[2], c[0]));
    for (size_t i = 0; i < 3; i++) {
        tls_certificate_free(&c[i]);
    }
}

static void test_ticket_keys_differ(void **state)
{
    struct tls_ticket_key a;
    struct tls_ticket_key b;
    assert_int_equal(tls_ticket_key_new(&a), ERR_NONE);
    assert_int_equal(tls_ticket_key_new(&b), ERR_NONE);
    assert_memory_not_equal(a.name, b.name, sizeof(a.name));
    assert_memory_not_equal(a.cipher_key, b.cipher_key, sizeof(a.cipher_key));
    assert_memory_not_equal(a.mac_key, b.mac_key, sizeof(a.mac_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_chain_and_order),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_ocsp),
        cmocka_unit_test(test_repeats), cmocka_unit_test(test_ticket_keys_differ),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
