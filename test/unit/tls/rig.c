/* SPDX-License-Identifier: MIT */
/* Certificates and a client for the tests of tls/. */
#include "rig.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static EVP_PKEY *key_new(enum rig_kind kind)
{
    switch (kind) {
    case RIG_EC:
        return EVP_EC_gen("P-256");
    case RIG_RSA:
        return EVP_RSA_gen(2048);
    default:
        return EVP_RSA_gen(1024);
    }
}

static X509 *certificate_new(EVP_PKEY *key, const char *names, long from_s, long to_s, X509 *issuer,
                             EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), to_s);
    X509_set_pubkey(x, key);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"rig", -1, -1,
                               0);
    X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : subject);
    if (names[0] != 0) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        assert(extension != NULL);
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    }
    int signed_len = X509_sign(x, issuer_key != NULL ? issuer_key : key, EVP_sha256());
    assert(signed_len > 0);
    return x;
}

static void append_der(struct rig_pair *pair, X509 *x)
{
    int len = i2d_X509(x, NULL);
    pair->chain = realloc(pair->chain, pair->chain_len + (size_t)len);
    unsigned char *at = pair->chain + pair->chain_len;
    i2d_X509(x, &at);
    pair->chain_len += (size_t)len;
}

static void set_key(struct rig_pair *pair, EVP_PKEY *key)
{
    pair->key_len = (size_t)i2d_PrivateKey(key, NULL);
    pair->key = malloc(pair->key_len);
    unsigned char *at = pair->key;
    i2d_PrivateKey(key, &at);
}

struct rig_pair rig_pair_new(enum rig_kind kind, const char *names, long from_s, long to_s)
{
    struct rig_pair pair = {0};
    EVP_PKEY *key = key_new(kind);
    X509 *x = certificate_new(key, names, from_s, to_s, NULL, NULL);
    append_der(&pair, x);
    set_key(&pair, key);
    X509_free(x);
    EVP_PKEY_free(key);
    return pair;
}

struct rig_pair rig_pair_with_issuer(const char *names)
{
    struct rig_pair pair = {0};
    EVP_PKEY *root_key = key_new(RIG_EC);
    X509 *root = certificate_new(root_key, "", 0, 3600, NULL, NULL);
    EVP_PKEY *key = key_new(RIG_EC);
    X509 *x = certificate_new(key, names, 0, 3600, root, root_key);
    append_der(&pair, x);
    append_der(&pair, root);
    set_key(&pair, key);
    X509_free(x);
    X509_free(root);
    EVP_PKEY_free(key);
    EVP_PKEY_free(root_key);
    return pair;
}

void rig_pair_free(struct rig_pair *pair)
{
    free(pair->chain);
    free(pair->key);
}

struct tls_pair rig_tls_pair(const struct rig_pair *pair)
{
    return (struct tls_pair){.chain = span_of(pair->chain, pair->chain_len),
                             .key = span_of(pair->key, pair->key_len)};
}

static char *text_of(BIO *bio)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)len);
    BIO_free(bio);
    return text;
}

char *rig_pem_chain(const struct rig_pair *pair)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const unsigned char *at = pair->chain;
    while (at < pair->chain + pair->chain_len) {
        X509 *x = d2i_X509(NULL, &at, (long)(pair->chain + pair->chain_len - at));
        PEM_write_bio_X509(bio, x);
        X509_free(x);
    }
    return text_of(bio);
}

char *rig_pem_key(const struct rig_pair *pair)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const unsigned char *at = pair->key;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)pair->key_len);
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    EVP_PKEY_free(key);
    return text_of(bio);
}

struct tls_ticket_key rig_ticket_key(uint8_t seed)
{
    struct tls_ticket_key key;
    memset(&key, seed, sizeof(key));
    return key;
}

struct tls_context *rig_context_of(const struct tls_material *material)
{
    size_t len = tls_material_bytes(material);
    uint8_t *block = malloc(len);
    struct buffer out = buffer_over(block, len);
    tls_material_encode(material, &out);
    assert(!out.full && out.len == len);
    struct tls_context *context = NULL;
    const char *reason = NULL;
    enum err err = tls_context_new(buffer_span(&out), &context, &reason);
    assert(err == ERR_NONE);
    tls_wipe(block, len);
    free(block);
    return context;
}

struct tls_context *rig_context(const struct rig_pair *pairs, size_t count, const char *seeds)
{
    struct tls_material *material = calloc(1, sizeof(*material));
    material->pair_count = count;
    for (size_t i = 0; i < count; i++) {
        material->pairs[i] = rig_tls_pair(&pairs[i]);
    }
    for (; *seeds != 0; seeds++) {
        material->ticket_keys[material->ticket_key_count++] = rig_ticket_key((uint8_t)*seeds);
    }
    struct tls_context *context = rig_context_of(material);
    free(material);
    return context;
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct rig *rig = SSL_get_app_data(ssl);
    SSL_SESSION_free(rig->ticket);
    rig->ticket = session;
    rig->tickets++;
    return 1; /* it is ours */
}

static void set_client(struct rig *rig, const struct rig_client *client)
{
    SSL_CTX *context = rig->client_context;
    /* In a cache they would end with the context. */
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, on_ticket);
    if (client->version != 0) {
        SSL_CTX_set_min_proto_version(context, client->version);
        SSL_CTX_set_max_proto_version(context, client->version);
    }
    rig->client = SSL_new(context);
    SSL_set_app_data(rig->client, rig);
    SSL_set_bio(rig->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(rig->client);
    if (client->name != NULL) {
        SSL_set_tlsext_host_name(rig->client, client->name);
    }
    if (client->alpn != NULL) {
        SSL_set_alpn_protos(rig->client, (const unsigned char *)client->alpn,
                            (unsigned)strlen(client->alpn));
    }
    if (client->sigalgs != NULL) {
        int set = (int)SSL_set1_sigalgs_list(rig->client, client->sigalgs);
        assert(set == 1);
    }
    if (client->status) {
        SSL_set_tlsext_status_type(rig->client, TLSEXT_STATUSTYPE_ocsp);
    }
    if (client->session != NULL) {
        SSL_set_session(rig->client, client->session);
    }
}

struct rig *rig_new(struct tls_context *context, bool http2, const struct rig_client *client)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    rig->client_context = SSL_CTX_new(TLS_client_method());
    set_client(rig, client);
    rig->server = tls_stream_new(context, http2);
    assert(rig->server != NULL);
    if (client->early != NULL) {
        size_t written;
        SSL_write_early_data(rig->client, client->early, strlen(client->early), &written);
    }
    return rig;
}

void rig_free(struct rig **rig)
{
    tls_stream_free(&(*rig)->server);
    /* A session that ends without it would not be taken up again. */
    SSL_set_shutdown((*rig)->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free((*rig)->client);
    SSL_CTX_free((*rig)->client_context);
    SSL_SESSION_free((*rig)->ticket);
    free(*rig);
    *rig = NULL;
}

void rig_feed(struct rig *rig, const void *bytes, size_t len)
{
    size_t piece = rig->piece != 0 ? rig->piece : len;
    const uint8_t *at = bytes;
    for (size_t done = 0; done < len && rig->result == TLS_OK; done += piece) {
        size_t now = len - done < piece ? len - done : piece;
        /* In memory of its own size, so that a read beyond the span is seen. */
        uint8_t *exact = malloc(now);
        memcpy(exact, at + done, now);
        struct buffer plain = {.ptr = rig->plain, .len = rig->plain_len, .cap = sizeof(rig->plain)};
        struct buffer out = buffer_over(rig->out, sizeof(rig->out));
        rig->result = tls_receive(rig->server, span_of(exact, now), &plain, &out);
        free(exact);
        rig->plain_len = plain.len;
        assert(!out.full && !plain.full);
        BIO_write(SSL_get_rbio(rig->client), out.ptr, (int)out.len);
    }
}

size_t rig_take(struct rig *rig, uint8_t *bytes, size_t room)
{
    int len = BIO_read(SSL_get_wbio(rig->client), bytes, (int)room);
    return len > 0 ? (size_t)len : 0;
}

void rig_talk(struct rig *rig)
{
    static uint8_t bytes[1 << 20];
    size_t len;
    do {
        char byte;
        if (SSL_is_init_finished(rig->client)) {
            SSL_peek(rig->client, &byte, 1);
        } else {
            SSL_do_handshake(rig->client);
        }
        len = rig_take(rig, bytes, sizeof(bytes));
        rig_feed(rig, bytes, len);
    } while (len > 0 && rig->result == TLS_OK);
    if (SSL_is_init_finished(rig->client)) {
        char byte;
        SSL_peek(rig->client, &byte, 1);
    } else {
        SSL_do_handshake(rig->client);
    }
}

void rig_send(struct rig *rig, const void *bytes, size_t len)
{
    size_t room = tls_sealed_bytes_max(len);
    uint8_t *exact = malloc(room);
    struct buffer out = buffer_over(exact, room);
    enum tls_result result = tls_send(rig->server, span_of(bytes, len), &out);
    assert(result == TLS_OK);
    BIO_write(SSL_get_rbio(rig->client), out.ptr, (int)out.len);
    free(exact);
}

bool rig_client_done(const struct rig *rig)
{
    return SSL_is_init_finished(rig->client) && tls_established(rig->server);
}
