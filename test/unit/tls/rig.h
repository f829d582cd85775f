/* SPDX-License-Identifier: MIT */
/* What the tests of tls/ share: certificates made on the spot, and a client of the
 * library's own that speaks over memory. */
#pragma once

#include "tls/material.h"
#include "tls/tls.h"

#include <openssl/ssl.h>

/* A self-signed certificate that names = "DNS:a.example,DNS:*.b.example" says, valid from
 * now + from_s to now + to_s. */
struct rig_pair {
    uint8_t *chain;
    size_t chain_len;
    uint8_t *key;
    size_t key_len;
};
enum rig_kind { RIG_EC, RIG_RSA, RIG_RSA_SHORT };
struct rig_pair rig_pair_new(enum rig_kind kind, const char *names, long from_s, long to_s);
/* One that an issuer of its own has signed; both stand in the chain. */
struct rig_pair rig_pair_with_issuer(const char *names);
void rig_pair_free(struct rig_pair *pair);
struct tls_pair rig_tls_pair(const struct rig_pair *pair);

/* PEM of what stands in the pair; to be freed. */
char *rig_pem_chain(const struct rig_pair *pair);
char *rig_pem_key(const struct rig_pair *pair);

struct tls_ticket_key rig_ticket_key(uint8_t seed);
/* A context of these pairs and ticket keys made of these seeds (a text, "ab"). */
struct tls_context *rig_context(const struct rig_pair *pairs, size_t count, const char *seeds);
struct tls_context *rig_context_of(const struct tls_material *material);

struct rig_client {
    int version;         /* 0: any */
    const char *name;    /* SNI */
    const char *alpn;    /* wire form */
    const char *sigalgs; /* "RSA-PSS+SHA256" */
    bool status;         /* asks for an OCSP response */
    SSL_SESSION *session;
    const char *early; /* early data, sent if the session allows it or not */
};

/* Both ends of one connection. */
struct rig {
    struct tls_stream *server;
    SSL *client;
    SSL_CTX *client_context;
    SSL_SESSION *ticket; /* the last that the client was given */
    size_t tickets;
    size_t piece; /* bytes that are given to the server at once; 0: all */
    enum tls_result result;
    size_t plain_len;
    uint8_t plain[1 << 20];
    uint8_t out[tls_flight_bytes_max * 4];
};

struct rig *rig_new(struct tls_context *context, bool http2, const struct rig_client *client);
void rig_free(struct rig **rig);
/* Lets both talk until neither has more to say. */
void rig_talk(struct rig *rig);
/* Gives these bytes to the server, and what it answers to the client. */
void rig_feed(struct rig *rig, const void *bytes, size_t len);
/* What the client wants to send. */
size_t rig_take(struct rig *rig, uint8_t *bytes, size_t room);
/* Seals on the server's side and hands it to the client. */
void rig_send(struct rig *rig, const void *bytes, size_t len);
bool rig_client_done(const struct rig *rig);
