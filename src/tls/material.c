/* SPDX-License-Identifier: MIT */
/* The block: a magic word, two counts, the ticket keys, then for each pair three lengths
 * and the bytes. */
#include "tls/material.h"

#include "base/packed.h"

#include <assert.h>
#include <openssl/crypto.h>

static_assert(sizeof(struct tls_ticket_key) == 80, "no padding");

static const uint8_t magic[8] = {'D', 't', 'r', 'T', 'l', 's', '0', '1'};

enum {
    number_bytes = 4,
    head_bytes = sizeof(magic) + 2 * number_bytes,
    lengths_bytes = 3 * number_bytes,
};

size_t tls_material_bytes(const struct tls_material *material)
{
    size_t bytes = head_bytes + material->ticket_key_count * sizeof(struct tls_ticket_key);
    for (size_t i = 0; i < material->pair_count; i++) {
        const struct tls_pair *pair = &material->pairs[i];
        bytes += lengths_bytes + pair->chain.len + pair->key.len + pair->ocsp.len;
    }
    return bytes;
}

static bool pair_fits(const struct tls_pair *pair)
{
    return pair->chain.len > 0 && pair->chain.len <= tls_chain_bytes_max && pair->key.len > 0 &&
           pair->key.len <= tls_key_bytes_max && pair->ocsp.len <= tls_ocsp_bytes_max;
}

static bool counts_fit(const struct tls_material *material)
{
    return material->ticket_key_count > 0 && material->ticket_key_count <= tls_ticket_keys_max &&
           material->pair_count > 0 && material->pair_count <= tls_certificates_max;
}

void tls_material_encode(const struct tls_material *material, struct buffer *out)
{
    assert(counts_fit(material));
    buffer_put(out, span_of(magic, sizeof(magic)));
    packed_put_number(out, material->ticket_key_count, number_bytes);
    packed_put_number(out, material->pair_count, number_bytes);
    buffer_put(out, span_of(material->ticket_keys,
                            material->ticket_key_count * sizeof(struct tls_ticket_key)));
    for (size_t i = 0; i < material->pair_count; i++) {
        const struct tls_pair *pair = &material->pairs[i];
        assert(pair_fits(pair));
        packed_put_number(out, pair->chain.len, number_bytes);
        packed_put_number(out, pair->key.len, number_bytes);
        packed_put_number(out, pair->ocsp.len, number_bytes);
        buffer_put(out, pair->chain);
        buffer_put(out, pair->key);
        buffer_put(out, pair->ocsp);
    }
}

static size_t take_number(struct packed *rest)
{
    return packed_take_number(rest, number_bytes);
}

static struct tls_pair take_pair(struct packed *rest)
{
    size_t chain_len = take_number(rest);
    size_t key_len = take_number(rest);
    size_t ocsp_len = take_number(rest);
    struct tls_pair pair;
    pair.chain = packed_take(rest, chain_len);
    pair.key = packed_take(rest, key_len);
    pair.ocsp = packed_take(rest, ocsp_len);
    return pair;
}

enum err tls_material_decode(struct span block, struct tls_material *out)
{
    struct packed rest = {.rest = block};
    if (!span_eq(packed_take(&rest, sizeof(magic)), span_of(magic, sizeof(magic)))) {
        return ERR_SYNTAX;
    }
    out->ticket_key_count = take_number(&rest);
    out->pair_count = take_number(&rest);
    if (rest.bad || !counts_fit(out)) {
        return ERR_SYNTAX;
    }
    struct span keys = packed_take(&rest, out->ticket_key_count * sizeof(struct tls_ticket_key));
    if (rest.bad) {
        return ERR_SYNTAX;
    }
    memcpy(out->ticket_keys, keys.ptr, keys.len);
    for (size_t i = 0; i < out->pair_count; i++) {
        out->pairs[i] = take_pair(&rest);
        if (rest.bad || !pair_fits(&out->pairs[i])) {
            return ERR_SYNTAX;
        }
    }
    return packed_is_over(&rest) ? ERR_NONE : ERR_SYNTAX;
}

void tls_wipe(void *bytes, size_t len)
{
    if (bytes != NULL) {
        OPENSSL_cleanse(bytes, len);
    }
}
