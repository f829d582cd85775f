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
        cmocka_unit_test(same_looks_at_every_byte),
        cmocka_unit_test(keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
