/* SPDX-License-Identifier: MIT */
/* The keys that signed tickets are made with: what an operator's key file holds, and the block in
 * which keys travel from control to the workers, a sealed memfd.
 *
 * A key file has one or two lines of 32 to 128 visible ASCII characters. These characters are the
 * key, as they stand there. The first one signs; servers accept both, so that one can follow the
 * other. Only the first one leaves control. No I/O. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <xxhash.h>

enum {
    signing_key_bytes_min = 32, /* as long as what HMAC-SHA-256 gives (RFC 2104, 3) */
    signing_key_bytes_max = 128,
    signing_file_bytes_max = 4096, /* that are looked at; two keys need far less */
    signing_keys_max = 1024,       /* different files */
};

struct signing_key {
    uint64_t id;
    uint32_t len;
    uint32_t reserved;
    uint8_t bytes[signing_key_bytes_max]; /* 0 behind len */
};

/* Ascending by id, each once. */
struct signing_keys {
    uint32_t magic;
    uint32_t count;
    struct signing_key keys[];
};

/* By what a key is known where the key itself must not be: a hash of how the configuration names
 * its file. */
static inline uint64_t signing_key_id(struct span key_file)
{
    return XXH3_64bits(key_file.ptr, key_file.len);
}

/* Takes the first key of a file's text; NULL, or why it has none, as static text that says
 * nothing of what is in the file. out->id is not set. */
const char *signing_key_read(struct span text, struct signing_key *out);

/* How long the block of so many keys is. */
static inline size_t signing_keys_bytes(size_t count)
{
    return sizeof(struct signing_keys) + count * sizeof(struct signing_key);
}

/* Makes the block in room for signing_keys_bytes(count), which is aligned for uint64_t. keys: in
 * any order; of those with equal ids one is taken. */
struct signing_keys *signing_keys_make(void *room, const struct signing_key *keys, size_t count);

/* The block as it came; NULL: it is none, down to the last byte. Stays where it is. */
const struct signing_keys *signing_keys_open(struct span block);

/* keys: NULL: there are none. NULL: it is not there. */
const struct signing_key *signing_keys_find(const struct signing_keys *keys, uint64_t id);
