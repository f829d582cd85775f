/* SPDX-License-Identifier: MIT */
/* Values one after the other in bytes: numbers little-endian, of 1 to 8 bytes, texts behind their
 * length in 32 bits. Records that are kept, and blocks that go from one process to another, are
 * made of them. */
#pragma once

#include "base/buffer.h"

void packed_put_number(struct buffer *out, uint64_t value, size_t bytes);
void packed_put_text(struct buffer *out, struct span text);

/* Sticky, as a buffer is: what is taken when too little is left is 0 or empty, and bad stays
 * true. To begin with, rest is all there is. */
struct packed {
    struct span rest;
    bool bad;
};

/* Points into the bytes. */
struct span packed_take(struct packed *packed, size_t len);
uint64_t packed_take_number(struct packed *packed, size_t bytes);
/* Whether all was good, and nothing is left. */
bool packed_is_over(const struct packed *packed);
