/* SPDX-License-Identifier: MIT */
/* HMAC over the library's SHA-256.
 *
 * OpenSSL 3 calls these three functions deprecated. They stay in use because what replaces
 * them allocates memory at each code that is made, and a worker must answer a request without
 * an allocator. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/mac.h"

#include "tls/material.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

enum { block_bytes = SHA256_CBLOCK };

static_assert(mac_bytes == SHA256_DIGEST_LENGTH, "a code is a whole digest");
/* Begins a hash with the key, padded to a block, each byte of it changed by `mask`. */
static void begin(SHA256_CTX *hash, struct span key, uint8_t mask)
{
    uint8_t block[block_bytes];
    for (size_t i = 0; i < block_bytes; i++) {
        block[i] = (uint8_t)((i < key.len ? key.ptr[i] : 0) ^ mask);
    }
    SHA256_Init(hash);
    SHA256_Update(hash, block, sizeof(block));
    tls_wipe(block, sizeof(block));
}

/* RFC 2104, 2: a key that is longer than a block is hashed first. */
static struct span shortened(struct span key, uint8_t digest[mac_bytes])
{
    SHA256_CTX hash;
    if (key.len <= block_bytes) {
        return key;
    }
    SHA256_Init(&hash);
    SHA256_Update(&hash, key.ptr, key.len);
    SHA256_Final(digest, &hash);
    tls_wipe(&hash, sizeof(hash));
    return span_of(digest, mac_bytes);
}

void mac_make_with(struct span key, const struct span *parts, size_t count, uint8_t out[mac_bytes])
{
    SHA256_CTX hash;
    uint8_t inner[mac_bytes];
    uint8_t digest[mac_bytes];
    key = shortened(key, digest);
    begin(&hash, key, 0x36);
    for (size_t i = 0; i < count; i++) {
        SHA256_Update(&hash, parts[i].ptr, parts[i].len);
    }
    SHA256_Final(inner, &hash);
    begin(&hash, key, 0x5c);
    SHA256_Update(&hash, inner, sizeof(inner));
    SHA256_Final(out, &hash);
    tls_wipe(&hash, sizeof(hash));
    tls_wipe(digest, sizeof(digest));
}

void mac_make(const uint8_t key[mac_key_bytes], const struct span *parts, size_t count,
              uint8_t out[mac_bytes])
{
    mac_make_with(span_of(key, mac_key_bytes), parts, count, out);
}

bool mac_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

enum err mac_key_new(uint8_t out[mac_key_bytes])
{
    return RAND_priv_bytes(out, mac_key_bytes) == 1 ? ERR_NONE : ERR_IO;
}
