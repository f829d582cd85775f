/* SPDX-License-Identifier: MIT */
/* Hashes of bytes. The functions are compiled in, so that the library needs no other for them. */
#pragma once

#include "base/span.h"

enum { hash_key_bytes = 16 };

uint64_t hash_bytes(struct span bytes, uint64_t seed);
/* Long enough to stand for the bytes where nobody means harm; compare the bytes all the same. */
void hash_key(struct span bytes, uint8_t out[hash_key_bytes]);
