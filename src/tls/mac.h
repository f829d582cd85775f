/* SPDX-License-Identifier: MIT */
/* Codes that show that bytes are our own, and random bytes to make their keys of. Allocates
 * nothing. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum { mac_key_bytes = 32, mac_bytes = 32 };

/* HMAC-SHA-256 (RFC 2104) over the parts, one after the other as if they were one text: who
 * needs to know where one ends must say so in them. */
void mac_make(const uint8_t key[mac_key_bytes], const struct span *parts, size_t count,
              uint8_t out[mac_bytes]);
/* The same with a key of any length, which somebody else has chosen. */
void mac_make_with(struct span key, const struct span *parts, size_t count, uint8_t out[mac_bytes]);

/* Whether len bytes are the same, in a time that does not tell where they differ. */
bool mac_same(const uint8_t *a, const uint8_t *b, size_t len);

/* A new key of the library's random state. ERR_IO: it has none. */
enum err mac_key_new(uint8_t out[mac_key_bytes]);
