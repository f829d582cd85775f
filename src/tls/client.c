/* SPDX-License-Identifier: MIT */
/* The client's half: whom to believe, and sessions to go on with. */
#include "tls/client.h"

#include "tls/internal.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { name_text_max = 256 };

struct tls_trust {
    X509_STORE *store;
};

struct tls_client {
    uint32_t references;
    BIO_METHOD *bio;
    SSL_CTX *ssl;
    SSL_SESSION *session; /* NULL: none yet */
    bool by_address;
    char name[name_text_max];
};

/* Gives how many were added. */
static size_t add_authorities(X509_STORE *store, struct span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    size_t count = 0;
    X509 *certificate;
    while (bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_cert(store, certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is one */
    return count;
}

enum err tls_trust_new(struct span pem, struct tls_trust **out)
{
    struct tls_trust *trust = calloc(1, sizeof(*trust));
    X509_STORE *store = X509_STORE_new();
    if (trust == NULL || store == NULL) {
        X509_STORE_free(store);
        free(trust);
        return ERR_MEMORY;
    }
    *trust = (struct tls_trust){.store = store};
    if (pem.len > INT32_MAX || add_authorities(store, pem) == 0) {
        tls_trust_free(&trust);
        return ERR_SYNTAX;
    }
    *out = trust;
    return ERR_NONE;
}

void tls_trust_free(struct tls_trust **owner)
{
    struct tls_trust *trust = *owner;
    *owner = NULL;
    if (trust != NULL) {
        X509_STORE_free(trust->store);
        free(trust);
    }
}

/* The library gives a session whenever the server has sent a ticket. 1: it is ours. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *client = stream_of(ssl)->client;
    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static bool set_protocol(SSL_CTX *ssl)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, keep_session);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) == 0;
}

static bool set_name(struct tls_client *client)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(client->ssl);
    client->by_address = X509_VERIFY_PARAM_set1_ip_asc(param, client->name) == 1;
    ERR_clear_error();
    if (client->by_address) {
        return true;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, client->name, 0) == 1;
}

static void set_trust(SSL_CTX *ssl, const struct tls_trust *trust)
{
    SSL_CTX_set_verify(ssl, trust != NULL ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (trust != NULL) {
        SSL_CTX_set1_cert_store(ssl, trust->store); /* which counts its owners itself */
    }
}

enum err tls_client_new(struct tls_trust *trust, struct span name, struct tls_client **out)
{
    struct tls_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_MEMORY;
    }
    assert(name.len > 0 && name.len < sizeof(client->name));
    memcpy(client->name, name.ptr, name.len);
    client->references = 1;
    client->bio = stream_bio_new();
    client->ssl = SSL_CTX_new(TLS_client_method());
    if (client->bio == NULL || client->ssl == NULL || !set_protocol(client->ssl) ||
        !set_name(client)) {
        ERR_clear_error();
        tls_client_free(&client);
        return ERR_MEMORY;
    }
    set_trust(client->ssl, trust);
    *out = client;
    return ERR_NONE;
}

void tls_client_free(struct tls_client **owner)
{
    struct tls_client *client = *owner;
    *owner = NULL;
    if (client == NULL || --client->references > 0) {
        return;
    }
    SSL_SESSION_free(client->session);
    SSL_CTX_free(client->ssl);
    BIO_meth_free(client->bio);
    free(client);
}

static bool begin(struct tls_stream *stream)
{
    struct tls_client *client = stream->client;
    if (!stream_init(stream, client->bio, client->ssl)) {
        return false;
    }
    SSL_set_connect_state(stream->ssl);
    if (client->session != NULL && SSL_set_session(stream->ssl, client->session) != 1) {
        ERR_clear_error();
    }
    return client->by_address || SSL_set_tlsext_host_name(stream->ssl, client->name) == 1;
}

struct tls_stream *tls_stream_connect(struct tls_client *client)
{
    struct tls_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    client->references++;
    stream->client = client;
    if (!begin(stream)) {
        ERR_clear_error();
        tls_stream_free(&stream);
    }
    return stream;
}
