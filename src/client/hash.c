/* SPDX-License-Identifier: MIT */
/* XXH3, which writes the same bytes on every machine. */
#include "client/hash.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(struct span bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

void hash_key(struct span bytes, uint8_t out[hash_key_bytes])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.ptr, bytes.len));
    static_assert(sizeof(canonical.digest) == hash_key_bytes, "128 bits");
    memcpy(out, canonical.digest, hash_key_bytes);
}
