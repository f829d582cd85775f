/* SPDX-License-Identifier: MIT */
/* Return tickets: where a reader of a wait page wanted to go, in a form that nobody else can
 * make. A ticket is base64url (RFC 4648, 5, without padding) of 16 bytes of HMAC-SHA-256 and
 * then the target; the code covers the host too, so a ticket is good on one host only. It
 * hides nothing from who holds it.
 *
 * A target is a path and maybe a query on the same host, and can be a Location as it stands:
 * target_is_local says so of each that goes in and of each that comes out, so that a key
 * which became known could still send nobody elsewhere. No I/O, no allocation. */
#pragma once

#include "base/buffer.h"
#include "tls/mac.h"

enum {
    ticket_target_max = 2048,
    ticket_code_bytes = 16,
    ticket_text_max = (ticket_code_bytes + ticket_target_max) * 4 / 3 + 2,
};

/* The same in all workers, and for as long as they live. */
struct ticket_key {
    uint8_t bytes[mac_key_bytes];
};

/* Begins with one '/', which neither a slash nor a backslash follows, and has nothing but the
 * characters of a URI, and no fragment. */
bool target_is_local(struct span target);

/* Appends a ticket. False: the target is too long or not local, and nothing is written. */
bool ticket_seal(const struct ticket_key *key, struct span host, struct span target,
                 struct buffer *out);

/* Appends the target of a ticket that ticket_seal made with this key for this host. False: it
 * is none, and nothing is written. */
bool ticket_open(const struct ticket_key *key, struct span host, struct span ticket,
                 struct buffer *target_out);
