/* SPDX-License-Identifier: MIT */
/* What a TLS context is made of, as one flat block of bytes: certificates with their
 * chains, private keys and OCSP responses, and the keys that seal tickets. Control encodes
 * it, workers decode it; it travels in a sealed memfd. Private keys never stand anywhere
 * else: not in the snapshot, not in the text that the supervisor keeps. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

enum {
    tls_certificates_max = 1024,
    tls_chain_bytes_max = 32 * 1024, /* DER, so that a flight has a bound */
    tls_key_bytes_max = 16 * 1024,
    tls_ocsp_bytes_max = 16 * 1024,
    tls_ticket_keys_max = 3, /* the one that seals, and those that still open */
};

/* All random. The first names the others inside a ticket (RFC 5077, 4). */
struct tls_ticket_key {
    uint8_t name[16];
    uint8_t cipher_key[32]; /* AES-256 */
    uint8_t mac_key[32];    /* HMAC-SHA-256 */
};

struct tls_pair {
    struct span chain; /* DER, one after the other, the server's own first */
    struct span key;   /* DER */
    struct span ocsp;  /* DER; empty: nothing to staple */
};

/* Spans point into the block that was decoded, or wherever the encoder has them. */
struct tls_material {
    size_t ticket_key_count; /* at least 1 */
    struct tls_ticket_key ticket_keys[tls_ticket_keys_max];
    size_t pair_count; /* at least 1; the first is for clients that name no known host */
    struct tls_pair pairs[tls_certificates_max];
};

/* How long the block gets. */
size_t tls_material_bytes(const struct tls_material *material);
/* Appends the block. out->full: no room. The counts and lengths must be within their
 * maxima. */
void tls_material_encode(const struct tls_material *material, struct buffer *out);
/* ERR_SYNTAX: not such a block, down to the last byte. Says nothing about what stands in
 * the certificates. */
enum err tls_material_decode(struct span block, struct tls_material *out);

/* Overwrites bytes in a way that no compiler takes out. */
void tls_wipe(void *bytes, size_t len);
