/* SPDX-License-Identifier: MIT */
/* Who the client is behind proxies: Forwarded (RFC 7239) and X-Forwarded-*. Believed only
 * from trusted addresses, read from right to left, up to the first address that is not
 * trusted. No I/O. */
#pragma once

#include "base/cidr.h"
#include "http/request.h"

/* What the trusted proxies say of the request. Empty where they say nothing. */
struct forwarded {
    struct client client;
    struct span host;  /* X-Forwarded-Host or host=, as written; empty: the request's own */
    struct span proto; /* "http" or "https", else empty */
};

/* peer: who is connected to us. Forwarded is preferred to X-Forwarded-* when both are
 * there. A malformed element ends the walk: the last address believed stands. */
void forwarded_resolve(const struct request *request, const struct client *peer,
                       const struct cidr *trusted, size_t trusted_count, struct forwarded *out);
