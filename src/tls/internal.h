/* SPDX-License-Identifier: MIT */
/* What the files of tls/ share. */
#pragma once

#include "tls/material.h"
#include "tls/names.h"
#include "tls/tls.h"

#include <openssl/ssl.h>
#include <stdlib.h>

enum {
    group_pairs_max = 4, /* of one name, each with another kind of key */
    /* Rotation keeps a key for opening as long as this after it has sealed the last ticket,
     * if it takes place every 12 hours. */
    ticket_lifetime_s = 24 * 3600,
};

/* Certificates for the same names whose keys differ in kind: one SSL_CTX, in which the
 * library chooses by what the client can verify. */
struct tls_group {
    SSL_CTX *ssl;
    struct names names;
    size_t pair_count;
    struct {
        X509 *certificate;
        int kind;         /* EVP_PKEY_RSA, EVP_PKEY_EC, … */
        struct span ocsp; /* owned; empty: nothing to staple */
    } pairs[group_pairs_max];
};

/* Which group has the name; sorted by name, then by group. */
struct tls_owner {
    struct span name;
    uint32_t group;
};

struct tls_context {
    uint32_t references;
    BIO_METHOD *bio;
    EVP_CIPHER *ticket_cipher; /* fetched once: to fetch it for each ticket is slow */
    size_t ticket_key_count;
    struct tls_ticket_key ticket_keys[tls_ticket_keys_max];
    size_t group_count;
    struct tls_group *groups;
    size_t owner_count;
    struct tls_owner *owners;
};

struct tls_stream {
    SSL *ssl;
    struct tls_context *context; /* NULL: we are the client */
    struct tls_client *client;   /* NULL: we are the server */
    struct span cipher;          /* of the current call, what is left of it */
    struct buffer *out;          /* of the current call */
    const char *failure;
    uint32_t group;
    uint8_t alpn; /* enum tls_alpn */
    bool http2;
    bool named; /* the client sent a server name */
    bool known; /* and a certificate has it */
    bool established;
    bool closed; /* the peer's close_notify has come */
    bool close_sent;
};

static const uint32_t group_none = UINT32_MAX;

static inline struct tls_stream *stream_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* A copy on the heap, also of nothing. NULL in it: no memory. */
static inline struct span span_copy(struct span bytes)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    if (copy == NULL) {
        return span_of(NULL, 0);
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    return span_of(copy, bytes.len);
}

static inline void span_free(struct span copy)
{
    free((void *)(uintptr_t)copy.ptr);
}

/* The first group with a name that covers the host; group_none. */
uint32_t context_find(const struct tls_context *context, const struct host *host);

/* group.c */

/* A certificate and those that lead from it to a root. */
struct chain {
    X509 *first;
    STACK_OF(X509) * issuers;
};
/* ERR_SYNTAX: not certificates, one after the other, or the first has no usable key. */
enum err chain_init(struct chain *chain, struct span der);
void chain_fini(struct chain *chain);

static inline int chain_kind(const struct chain *chain)
{
    return EVP_PKEY_get_base_id(X509_get0_pubkey(chain->first));
}

/* Adds a pair to the group, which gets its SSL_CTX with the first; the group stays where it
 * is from then on. ERR_SYNTAX: *reason. */
enum err group_add(struct tls_group *group, const struct tls_pair *pair, const struct chain *chain,
                   const char **reason);
void group_fini(struct tls_group *group);

/* ticket.c: an SSL_CTX_set_tlsext_ticket_key_evp_cb function. */
int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
               EVP_MAC_CTX *mac, int sealing);

/* stream.c */

BIO_METHOD *stream_bio_new(void);
/* Makes the stream's SSL, whose bytes go through it. */
bool stream_init(struct tls_stream *stream, BIO_METHOD *method, SSL_CTX *settings);

/* hello.c: what is chosen when a ClientHello is read. */

/* Chooses the certificates before the library looks for a session to continue: one that
 * began under another certificate's name must not be (RFC 6066, 3). The groups' session
 * contexts see to that. */
int hello_begin(SSL *ssl, int *alert, void *unused);
int hello_name(SSL *ssl, int *alert, void *unused);
int hello_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
               const unsigned char *offered, unsigned offered_len, void *unused);
int hello_staple(SSL *ssl, void *from);
