/* SPDX-License-Identifier: MIT */
/* Sealing and opening tickets (RFC 5077, 4): AES-256-CBC, then HMAC-SHA-256, which the
 * library does; here the keys are chosen. */
#include "tls/internal.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

static bool set_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac_key, sizeof(key->mac_key)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct tls_context *context, unsigned char *name, unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct tls_ticket_key *key = &context->ticket_keys[0];
    memcpy(name, key->name, sizeof(key->name));
    bool done =
        RAND_bytes(iv, EVP_CIPHER_get_iv_length(context->ticket_cipher)) == 1 &&
        EVP_EncryptInit_ex2(cipher, context->ticket_cipher, key->cipher_key, iv, NULL) == 1 &&
        set_mac(mac, key);
    return done ? 1 : -1;
}

/* 0: a key that we do not have (any more): a full handshake. 1: go on. 2: go on, and give
 * the client a new ticket. In TLS 1.3 that is each time, since a ticket that is used twice
 * lets others see that it is the same client (RFC 8446, C.4). */
static int open_with(struct tls_context *context, bool renew, const unsigned char *name,
                     const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    for (size_t i = 0; i < context->ticket_key_count; i++) {
        struct tls_ticket_key *key = &context->ticket_keys[i];
        if (memcmp(name, key->name, sizeof(key->name)) != 0) {
            continue;
        }
        bool done =
            EVP_DecryptInit_ex2(cipher, context->ticket_cipher, key->cipher_key, iv, NULL) == 1 &&
            set_mac(mac, key);
        if (!done) {
            return -1;
        }
        return i > 0 || renew ? 2 : 1;
    }
    return 0;
}

int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
               EVP_MAC_CTX *mac, int sealing)
{
    struct tls_context *context = stream_of(ssl)->context;
    return sealing ? seal(context, name, iv, cipher, mac)
                   : open_with(context, SSL_version(ssl) >= TLS1_3_VERSION, name, iv, cipher, mac);
}
