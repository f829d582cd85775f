/* SPDX-License-Identifier: MIT */
/* The block: a magic word, two counts, the ticket keys, then for each pair three lengths
 * and the bytes. Both ends are the same program on the same machine, so that numbers stand
 * in its own byte order. */
#include "tls/material.h"

#include <assert.h>
#include <openssl/crypto.h>

static_assert(sizeof(struct tls_ticket_key) == 80, "no padding");

static const uint8_t magic[8] = {'D', 't', 'r', 'T', 'l', 's', '0', '1'};

enum {
    head_bytes = sizeof(magic) + 2 * sizeof(uint32_t),
    lengths_bytes = 3 * sizeof(uint32_t),
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

static void put_number(struct buffer *out, size_t number)
{
    uint32_t word = (uint32_t)number;
    buffer_put(out, span_of(&word, sizeof(word)));
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
    put_number(out, material->ticket_key_count);
    put_number(out, material->pair_count);
    buffer_put(out, span_of(material->ticket_keys,
                            material->ticket_key_count * sizeof(struct tls_ticket_key)));
    for (size_t i = 0; i < material->pair_count; i++) {
        const struct tls_pair *pair = &material->pairs[i];
        assert(pair_fits(pair));
        put_number(out, pair->chain.len);
        put_number(out, pair->key.len);
        put_number(out, pair->ocsp.len);
        buffer_put(out, pair->chain);
        buffer_put(out, pair->key);
        buffer_put(out, pair->ocsp);
    }
}

/* What has not been read yet shrinks; once something is missing, everything is. */
struct reader {
    struct span rest;
    bool bad;
};

static struct span take(struct reader *reader, size_t len)
{
    if (reader->bad || len > reader->rest.len) {
        reader->bad = true;
        return span_of(NULL, 0);
    }
    struct span taken = span_slice(reader->rest, 0, len);
    reader->rest = span_from(reader->rest, len);
    return taken;
}

static size_t take_number(struct reader *reader)
{
    uint32_t word = 0;
    struct span bytes = take(reader, sizeof(word));
    if (bytes.len > 0) {
        memcpy(&word, bytes.ptr, sizeof(word));
    }
    return word;
}

static struct tls_pair take_pair(struct reader *reader)
{
    size_t chain_len = take_number(reader);
    size_t key_len = take_number(reader);
    size_t ocsp_len = take_number(reader);
    struct tls_pair pair;
    pair.chain = take(reader, chain_len);
    pair.key = take(reader, key_len);
    pair.ocsp = take(reader, ocsp_len);
    return pair;
}

enum err tls_material_decode(struct span block, struct tls_material *out)
{
    struct reader reader = {.rest = block};
    if (!span_eq(take(&reader, sizeof(magic)), span_of(magic, sizeof(magic)))) {
        return ERR_SYNTAX;
    }
    out->ticket_key_count = take_number(&reader);
    out->pair_count = take_number(&reader);
    if (reader.bad || !counts_fit(out)) {
        return ERR_SYNTAX;
    }
    struct span keys = take(&reader, out->ticket_key_count * sizeof(struct tls_ticket_key));
    if (reader.bad) {
        return ERR_SYNTAX;
    }
    memcpy(out->ticket_keys, keys.ptr, keys.len);
    for (size_t i = 0; i < out->pair_count; i++) {
        out->pairs[i] = take_pair(&reader);
        if (reader.bad || !pair_fits(&out->pairs[i])) {
            return ERR_SYNTAX;
        }
    }
    return reader.rest.len == 0 ? ERR_NONE : ERR_SYNTAX;
}

void tls_wipe(void *bytes, size_t len)
{
    if (bytes != NULL) {
        OPENSSL_cleanse(bytes, len);
    }
}
