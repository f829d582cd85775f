/* SPDX-License-Identifier: MIT */
/* Signed links for testers: whoever comes with one passes by one detour until it expires. What
 * is signed is the detour's identity and the time, so a link is good for this detour of this
 * site only, and no longer than it says. The same text stands in the URL and then in a cookie.
 *
 * It is base64url of 8 bytes of seconds since 1970, 4 bytes by which the detour is found, and
 * 16 bytes of HMAC-SHA-256. No I/O, no allocation. */
#pragma once

#include "page/ticket.h"

/* The parameter of the URL. */
#define LINK_PARAMETER "detour-link"

enum {
    link_code_bytes = 16,
    link_bytes = 8 + 4 + link_code_bytes,
    link_text_bytes = (link_bytes * 8 + 5) / 6,
    link_cookie_bytes = sizeof(LINK_PARAMETER) - 1 + 1 + 8, /* "detour-link-0f1e2d3c" */
};

/* Appends the text. identity: "shop/detours/checkout". False: there is no room. */
bool link_seal(const struct ticket_key *key, struct span identity, int64_t expires_s,
               struct buffer *out);

/* Whether this is a link that was sealed for this detour with this key, and has not expired;
 * then until when it is good. */
bool link_open(const struct ticket_key *key, struct span identity, struct span text, int64_t now_s,
               int64_t *expires_s_out);

/* Whether it says that it is for this detour: cheap, and nothing to rely on. */
bool link_names(struct span identity, struct span text);

/* The name of the cookie that keeps it; each detour has its own. */
void link_cookie_name(struct span identity, uint8_t out[link_cookie_bytes]);
