/* SPDX-License-Identifier: MIT */
/* Signed tickets (signing/ticket.h) on URLs of a pool's servers, for the request that is decided.
 * Internal to decide/. */
#pragma once

#include "decide/internal.h"

/* Puts the pool's ticket on the URL that begins at `from` in the buffer, for the method with which
 * the client will ask there after `status` (307, where it is told the URL in another way). Each
 * URL that a client is given of a pool comes by here, last of all that is added to it. Does
 * nothing for a pool that signs nothing, and for who decides without keys. False: there is no
 * room: the Location would be too long. */
bool sign_url(const struct asked *asked, const struct snap_pool *pool, uint16_t status, size_t from,
              struct buffer *url);

/* The latest max_age of an answer with a ticket: half of its ttl, so that who is given it by a
 * cache has the other half to use it. -1 stays -1. */
int64_t sign_max_age_s(const struct snap_pool *pool, int64_t max_age_s);
