/* SPDX-License-Identifier: MIT */
/* Signed tickets: a parameter of a URL by which a server can tell that Detour sent the client
 * there, since credentials do not survive a redirect to another origin. The parameter is
 *
 *   EXPIRY "-" 64 hexadecimal digits, in lower case
 *
 * where EXPIRY is in seconds since 1970, decimal, and the digits are HMAC-SHA-256 (RFC 2104) of
 *
 *   METHOD LF HOST LF PATH LF EXPIRY
 *
 * HEAD counts as GET. HOST is what the client will send as Host: in lower case, with a port where
 * it is not the scheme's own. PATH is that of the URL as it stands there, "/" where it is empty.
 * The query is not signed: whatever a client asks for would be.
 *
 * Pure: no I/O, no allocation. Workers sign what they answer with, control what it asks servers. */
#pragma once

#include "base/buffer.h"
#include "signing/keys.h"

enum {
    signing_param_bytes_max = 64,
    signing_code_text_bytes = 64,
    signing_expiry_bytes_max = 20,
    /* What a ticket adds to a URL at most: "&PARAM=EXPIRY-CODE". */
    signing_ticket_bytes_max =
        1 + signing_param_bytes_max + 1 + signing_expiry_bytes_max + 1 + signing_code_text_bytes,
};

struct signing_ticket {
    const struct signing_key *key;
    struct span method; /* with which the server will be asked */
    struct span param;  /* letters, digits, '-', '.', '_', '~' */
    int64_t expires_s;  /* since 1970; not negative */
};

/* Puts a ticket on the URL that begins at `from` in the buffer and is the last thing in it: an
 * absolute http or https URL without userinfo and fragment, as a pool's server has. Parameters of
 * that name which are there already, in whatever case and encoding, are taken out: they are the
 * client's. False: there is no room for it, and what the buffer holds is of no use. */
bool signing_add(const struct signing_ticket *ticket, size_t from, struct buffer *url);

/* Takes such parameters out of the URL, and adds nothing. */
void signing_remove(struct span param, size_t from, struct buffer *url);

/* The method that a redirect with this status makes the client ask with: 303 makes it GET, 301 and
 * 302 make a POST one (RFC 9110, 15.4; Fetch, 4.4). */
struct span signing_method_after(struct span method, uint16_t status);
