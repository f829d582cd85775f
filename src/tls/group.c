/* SPDX-License-Identifier: MIT */
/* An SSL_CTX with all its settings, and the certificates in it. */
#include "tls/internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/* Mozilla's intermediate configuration, without DHE. The client chooses, since it knows
 * whether it has AES in hardware. */
static const char suites_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char suites_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

void tls_init(void)
{
    uint8_t byte;
    OPENSSL_init_ssl(0, NULL);
    SSL_CTX_free(SSL_CTX_new(TLS_server_method()));
    RAND_priv_bytes(&byte, sizeof(byte));
    ERR_clear_error();
}

static bool set_protocol(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ssl, ticket_lifetime_s);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, suites_1_2) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, suites_1_3) == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384") == 1 &&
           SSL_CTX_set_num_tickets(ssl, 1) == 1 && SSL_CTX_set_max_early_data(ssl, 0) == 1;
}

/* A session is continued only for the names that it began with. All workers make the same of
 * them, and so does a certificate that is renewed. */
static bool set_session_context(SSL_CTX *ssl, const struct names *names)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < names->count; i++) {
        struct span name = names->items[i];
        good = EVP_DigestUpdate(md, name.ptr, name.len) == 1 && EVP_DigestUpdate(md, "", 1) == 1;
    }
    good = good && EVP_DigestFinal_ex(md, digest, &len) == 1 &&
           SSL_CTX_set_session_id_context(ssl, digest, len) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

static SSL_CTX *settings_new(struct tls_group *group)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    if (ssl == NULL || !set_protocol(ssl) || !set_session_context(ssl, &group->names)) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    /* Without NO_AUTO_CHAIN a certificate that came alone is looked up in the trust store
     * in every handshake. */
    SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, ticket_key);
    SSL_CTX_set_client_hello_cb(ssl, hello_begin, NULL);
    SSL_CTX_set_tlsext_servername_callback(ssl, hello_name);
    SSL_CTX_set_alpn_select_cb(ssl, hello_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(ssl, hello_staple);
    SSL_CTX_set_tlsext_status_arg(ssl, group);
    return ssl;
}

void chain_fini(struct chain *chain)
{
    X509_free(chain->first);
    sk_X509_pop_free(chain->issuers, X509_free);
    *chain = (struct chain){0};
}

enum err chain_init(struct chain *chain, struct span der)
{
    const unsigned char *at = der.ptr;
    const unsigned char *end = der.ptr + der.len;
    *chain = (struct chain){
        .first = d2i_X509(NULL, &at, (long)der.len),
        .issuers = sk_X509_new_null(),
    };
    bool good = chain->first != NULL && chain->issuers != NULL;
    while (good && at < end) {
        X509 *issuer = d2i_X509(NULL, &at, (long)(end - at));
        good = issuer != NULL && sk_X509_push(chain->issuers, issuer) > 0;
        if (!good) {
            X509_free(issuer);
        }
    }
    /* A certificate whose key is of no known kind can be read, but has no key. */
    if (!good || X509_get0_pubkey(chain->first) == NULL) {
        ERR_clear_error();
        chain_fini(chain);
        return ERR_SYNTAX;
    }
    return ERR_NONE;
}

static enum err use_pair(struct tls_group *group, const struct chain *chain, struct span key_der,
                         const char **reason)
{
    const unsigned char *at = key_der.ptr;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)key_der.len);
    enum err err = ERR_NONE;
    if (key == NULL ||
        SSL_CTX_use_cert_and_key(group->ssl, chain->first, key, chain->issuers, 0) != 1) {
        const char *why = ERR_reason_error_string(ERR_peek_last_error());
        *reason = why != NULL ? why : "the private key cannot be used";
        err = ERR_SYNTAX;
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    return err;
}

enum err group_add(struct tls_group *group, const struct tls_pair *pair, const struct chain *chain,
                   const char **reason)
{
    if (group->ssl == NULL) {
        group->ssl = settings_new(group);
    }
    struct span ocsp = span_copy(pair->ocsp);
    enum err err = ERR_MEMORY;
    if (group->ssl != NULL && ocsp.ptr != NULL) {
        err = use_pair(group, chain, pair->key, reason);
    }
    if (err != ERR_NONE) {
        span_free(ocsp);
        return err;
    }
    size_t place = group->pair_count++;
    X509_up_ref(chain->first);
    group->pairs[place].certificate = chain->first;
    group->pairs[place].kind = chain_kind(chain);
    group->pairs[place].ocsp = ocsp;
    return ERR_NONE;
}

void group_fini(struct tls_group *group)
{
    for (size_t i = 0; i < group->pair_count; i++) {
        X509_free(group->pairs[i].certificate);
        span_free(group->pairs[i].ocsp);
    }
    SSL_CTX_free(group->ssl);
    names_free(&group->names);
}
