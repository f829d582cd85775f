/* SPDX-License-Identifier: MIT */
/* Bytes of a client that knows no key: they never become plaintext, never make the stream
 * established, and it matters not in what pieces they come. */
#include "tls/tls.h"

#include "tls/material.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static struct tls_context *context_new(void)
{
    static struct tls_material material = {.ticket_key_count = 1, .pair_count = 1};
    uint8_t *chain = NULL;
    uint8_t *key_der = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_sign(x, key, EVP_sha256());
    int chain_len = i2d_X509(x, &chain);
    int key_len = i2d_PrivateKey(key, &key_der);
    material.pairs[0] = (struct tls_pair){.chain = span_of(chain, (size_t)chain_len),
                                          .key = span_of(key_der, (size_t)key_len)};
    size_t size = tls_material_bytes(&material);
    struct buffer block = buffer_over(malloc(size), size);
    tls_material_encode(&material, &block);
    struct tls_context *context = NULL;
    const char *reason;
    enum err err = tls_context_new(buffer_span(&block), &context, &reason);
    assert(err == ERR_NONE);
    free(block.ptr);
    OPENSSL_free(chain);
    OPENSSL_free(key_der);
    X509_free(x);
    EVP_PKEY_free(key);
    return context;
}

/* Gives whether it was refused. */
static bool feed(struct tls_context *context, struct span bytes, size_t piece)
{
    static uint8_t plain_room[(1 << 20) + tls_plain_extra];
    static uint8_t out_room[tls_flight_bytes_max];
    struct tls_stream *stream = tls_stream_new(context, true);
    struct buffer plain = buffer_over(plain_room, sizeof(plain_room));
    struct buffer out = buffer_over(out_room, sizeof(out_room));
    enum tls_result result = TLS_OK;
    for (size_t at = 0; at < bytes.len && result == TLS_OK; at += piece) {
        size_t end = bytes.len - at < piece ? bytes.len : at + piece;
        result = tls_receive(stream, span_slice(bytes, at, end), &plain, &out);
    }
    assert((result == TLS_FAILED) == (tls_failure(stream) != NULL));
    assert(plain.len == 0 && !out.full && !tls_established(stream));
    size_t before = out.len;
    tls_close(stream, &out);
    assert(out.len == before);
    tls_stream_free(&stream);
    return result == TLS_FAILED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_context *context;
    if (context == NULL) {
        context = context_new();
    }
    if (size < 1 || size > 1 << 16) {
        return 0;
    }
    struct span bytes = span_of(data + 1, size - 1);
    bool refused = feed(context, bytes, bytes.len + 1);
    assert(feed(context, bytes, (size_t)data[0] + 1) == refused);
    return 0;
}
