/* SPDX-License-Identifier: MIT */
/* Who the client is behind proxies: Forwarded (RFC 7239) and X-Forwarded-*. Believed only
 * from trusted addresses, read from right to left, up to the first address that is not
 * trusted. No I/O.
 *
 * Each proxy appends what it saw, so the rightmost element was written by our peer, the
 * next one by the address that the rightmost names, and so on. An element is believed
 * when its writer is trusted. Fields of the same name are read as one list (RFC 9110,
 * 5.3). The list is cut up from its right end, so that what a client wrote into it, an
 * open quote too, cannot change how a proxy's own element is read.
 *
 * Host and proto: of Forwarded the outermost believed element that names them. Of
 * X-Forwarded-Host, -Port and -Proto the member with the same place from the right as the
 * outermost believed address, or the first one when there are fewer members (a proxy at
 * the edge sets one, those behind it let it pass); without X-Forwarded-For the last one.
 * A trusted proxy must set or append each of them: one that lets a client's own pass has
 * it believed.
 *
 * Most proxies write one of the two families and let the other one pass as the client wrote
 * it. So only one is believed; as long as nobody has said which, both must say the same. */
#pragma once

#include "base/cidr.h"
#include "http/request.h"

/* How many proxies are heard; the walk ends there. */
enum { forwarded_hops_max = 32 };

/* Which fields the proxies write. */
enum forwarded_family {
    FORWARDED_EITHER, /* not known: whichever is there; where both are, they must agree */
    FORWARDED_X,      /* X-Forwarded-For, -Host, -Port and -Proto */
    FORWARDED_RFC7239,
};

/* Who is believed, and what of it. */
struct forwarded_trust {
    const struct cidr *proxies;
    size_t proxy_count;
    enum forwarded_family family;
};

/* What the trusted proxies say of the request. Empty where they say nothing. */
struct forwarded {
    struct client client; /* port 0 where it is not named; secure as proto says, if it does */
    struct span host;     /* X-Forwarded-Host or host=, as written; empty: the request's own */
    struct span proto;    /* "http" or "https" in lower case, else empty */
    int32_t port;         /* of X-Forwarded-Port; -1: it says nothing, or no number of a port */
};

/* peer: who is connected to us. A malformed element, "unknown" and an obfuscated name end
 * the walk: the last address believed stands. Escapes in quoted strings count as malformed;
 * nothing that is read here needs one. Unquoted values may hold ':', '[' and ']', as many
 * write them.
 *
 * False, with *out untouched: FORWARDED_EITHER, and the two families differ in the client's
 * address, the host, the port or the scheme. One of them is a client's invention, and
 * nothing tells which. */
bool forwarded_resolve(const struct request *request, const struct client *peer,
                       const struct forwarded_trust *trust, struct forwarded *out);
