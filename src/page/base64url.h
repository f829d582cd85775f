/* SPDX-License-Identifier: MIT */
/* Bytes in a URL: base64url (RFC 4648, 5) without padding. No allocation. */
#pragma once

#include "base/buffer.h"

/* Appends the text. False: there is no room, and nothing is written. */
bool base64url_encode(struct span bytes, struct buffer *out);
/* Appends the bytes. False: it is no such text, or there is no room; a part may be written.
 * Bits that are left over must be 0: so that all bytes have one spelling. */
bool base64url_decode(struct span text, struct buffer *out);
