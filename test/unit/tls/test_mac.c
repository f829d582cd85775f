/* SPDX-License-Identifier: MIT */
/* Codes against the vectors of RFC 4231, as far as they have keys of our length or shorter
 * ones, which zeros pad to the same block. */
#include "tls/mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *name;
    uint8_t key[mac_key_bytes];
    const char *text;
    const char *code;
} vectors[] = {
    {"4.2",
     {0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
      0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b},
     "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4.3",
     {'J', 'e', 'f', 'e'},
     "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
};

static void codes_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        struct span text = span_cstr(vectors[i].text);
        for (size_t cut = 0; cut <= text.len; cut++) {
            const struct span parts[] = {span_slice(text, 0, cut), {0}, span_from(text, cut)};
            uint8_t code[mac_bytes];
            char hex[2 * mac_bytes + 1];
            mac_make(vectors[i].key, parts, 3, code);
            for (size_t k = 0; k < mac_bytes; k++) {
                snprintf(hex + 2 * k, 3, "%02x", code[k]);
            }
            assert_string_equal(hex, vectors[i].code);
        }
    }
}

/* Those whose keys have other lengths, and one that is longer than a block. */
static void codes_with_any_key_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t key_byte;
        size_t key_len;
        uint8_t text_byte; /* 50 of them; 0: text */
        const char *text;
        const char *code;
    } rows[] = {
        {"4.2", 0x0b, 20, 0, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4.4", 0xaa, 20, 0xdd, NULL,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"4.7", 0xaa, 131, 0, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"4.8", 0xaa, 131, 0,
         "This is a test using a larger than block-size key and a larger than block-size data. "
         "The key needs to be hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t key[131];
        uint8_t repeated[50];
        uint8_t code[mac_bytes];
        char hex[2 * mac_bytes + 1];
        memset(key, rows[i].key_byte, sizeof(key));
        memset(repeated, rows[i].text_byte, sizeof(repeated));
        struct span text =
            rows[i].text != NULL ? span_cstr(rows[i].text) : span_of(repeated, sizeof(repeated));
        mac_make_with(span_of(key, rows[i].key_len), &text, 1, code);
        for (size_t k = 0; k < mac_bytes; k++) {
            snprintf(hex + 2 * k, 3, "%02x", code[k]);
        }
        assert_string_equal(hex, rows[i].code);
    }
}

static void same_looks_at_every_byte(void **state)
{
    (void)state;
    uint8_t a[16] = {1, 2, 3};
    uint8_t b[16] = {1, 2, 3};
    assert_true(mac_same(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(b); i++) {
        b[i] ^= 0x80;
        assert_false(mac_same(a, b, sizeof(a)));
        b[i] ^= 0x80;
    }
}

static void keys_differ(void **state)
{
    (void)state;
    uint8_t a[mac_key_bytes] = {0};
    uint8_t b[mac_key_bytes] = {0};
    assert_int_equal(mac_key_new(a), ERR_NONE);
    assert_int_equal(mac_key_new(b), ERR_NONE);
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(codes_with_any_key_are_those_of_the_rfc),
        cmocka_unit_test(same_looks_at_every_byte),
        cmocka_unit_test(keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
