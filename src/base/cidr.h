/* SPDX-License-Identifier: MIT */
/* Addresses and blocks of them. IPv4 is held as ::ffff:a.b.c.d, so that one comparison
 * serves both families. */
#pragma once

#include "base/span.h"

struct cidr {
    uint8_t address[16];
    uint8_t prefix_bits; /* 0..128; an IPv4 /n is 96 + n */
};

/* "10.0.0.0/8", "2001:db8::/32", or one address. False: not well formed, or bits set
 * beyond the prefix. */
bool cidr_parse(struct span text, struct cidr *out);
/* "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; no brackets, no zone. */
bool address_parse(struct span text, uint8_t out[16]);
/* Whether it is an IPv4 address, whose own four bytes are then the last. */
bool address_is_v4(const uint8_t address[16]);
void address_from_v4(const uint8_t v4[4], uint8_t out[16]);
/* Writes at most address_text_max bytes, IPv4 dotted; gives the length. */
enum { address_text_max = 46 };
size_t address_format(const uint8_t address[16], char out[address_text_max]);

bool cidr_holds(const struct cidr *cidr, const uint8_t address[16]);
bool cidr_any_holds(const struct cidr *list, size_t count, const uint8_t address[16]);
