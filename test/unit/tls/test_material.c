/* SPDX-License-Identifier: MIT */
/* The block that a context is made of. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct tls_material material = {
    .ticket_key_count = 2,
    .pair_count = 2,
    .pairs = {{.chain = {(const uint8_t *)"chain one", 9}, .key = {(const uint8_t *)"key", 3}},
              {.chain = {(const uint8_t *)"2", 1},
               .key = {(const uint8_t *)"k", 1},
               .ocsp = {(const uint8_t *)"ocsp", 4}}},
};
static struct tls_material decoded;
static uint8_t block[1024];
static size_t block_len;

static int set_up(void **state)
{
    material.ticket_keys[0] = rig_ticket_key('a');
    material.ticket_keys[1] = rig_ticket_key('b');
    struct buffer out = buffer_over(block, sizeof(block));
    tls_material_encode(&material, &out);
    block_len = out.len;
    return out.full || block_len != tls_material_bytes(&material);
}

static enum err decode_exact(size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, block, len);
    enum err err = tls_material_decode(span_of(exact, len), &decoded);
    free(exact);
    return err;
}

static void test_round_trip(void **state)
{
    assert_int_equal(tls_material_decode(span_of(block, block_len), &decoded), ERR_NONE);
    assert_int_equal(decoded.ticket_key_count, 2);
    assert_memory_equal(decoded.ticket_keys, material.ticket_keys,
                        2 * sizeof(struct tls_ticket_key));
    assert_int_equal(decoded.pair_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(span_eq(decoded.pairs[i].chain, material.pairs[i].chain));
        assert_true(span_eq(decoded.pairs[i].key, material.pairs[i].key));
        assert_true(span_eq(decoded.pairs[i].ocsp, material.pairs[i].ocsp));
    }
}

static void test_cut(void **state)
{
    for (size_t len = 0; len < block_len; len++) {
        assert_int_equal(decode_exact(len), ERR_SYNTAX);
    }
    assert_int_equal(decode_exact(block_len), ERR_NONE);
    assert_int_equal(decode_exact(block_len + 1), ERR_SYNTAX);
}

static void test_numbers(void **state)
{
    enum { counts_at = 8, lengths_at = 16 + 2 * 80 };
    static const struct {
        const char *what;
        size_t at;
        uint32_t value;
    } cases[] = {
        {"no ticket key", counts_at, 0},
        {"too many ticket keys", counts_at, tls_ticket_keys_max + 1},
        {"huge ticket keys", counts_at, UINT32_MAX},
        {"no pair", counts_at + 4, 0},
        {"fewer pairs than there are", counts_at + 4, 1},
        {"more pairs than there are", counts_at + 4, 3},
        {"too many pairs", counts_at + 4, tls_certificates_max + 1},
        {"an empty chain", lengths_at, 0},
        {"a huge chain", lengths_at, UINT32_MAX},
        {"an empty key", lengths_at + 4, 0},
        {"a huge key", lengths_at + 4, UINT32_MAX - 8},
        {"a huge answer", lengths_at + 8, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t bent[sizeof(block)];
        memcpy(bent, block, block_len);
        memcpy(bent + cases[i].at, &cases[i].value, sizeof(uint32_t));
        if (tls_material_decode(span_of(bent, block_len), &decoded) != ERR_SYNTAX) {
            fail_msg("%s was accepted", cases[i].what);
        }
    }
}

static void test_context_refuses(void **state)
{
    struct tls_context *context = NULL;
    const char *reason = NULL;
    assert_int_equal(tls_context_new(SPAN("nonsense"), &context, &reason), ERR_SYNTAX);
    assert_string_equal(reason, "the block of certificates is damaged");
    assert_int_equal(tls_context_new(span_of(block, block_len), &context, &reason), ERR_SYNTAX);
    assert_string_equal(reason, "a certificate cannot be read");
    assert_null(context);
}

static void test_wipe(void **state)
{
    uint8_t secret[8] = "secret";
    static const uint8_t none[8];
    tls_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, none, sizeof(none));
    tls_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_context_refuses),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
