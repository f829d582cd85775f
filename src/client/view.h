/* SPDX-License-Identifier: MIT */
/* A parsed URL written out, with each of its parts found in the one text. */
#pragma once

#include "client/text.h"
#include "uri/url.h"

/* Whether the URL is one of http or https. */
bool view_is_http(const struct url *url);
/* Scheme, host and port are the same; both are http or https (RFC 9110, 4.3.1). */
bool view_same_origin(const struct url *a, const struct url *b);

/* How many bytes view_fill takes at most. */
size_t view_bytes(const struct url *url);
/* Writes the URL into memory of view_bytes, and points all members of *out into it. */
void view_fill(const struct url *url, uint8_t *memory, struct detour_url *out);
/* The same in an arena; NULL: no memory. */
const struct detour_url *view_new(const struct url *url, struct arena *arena);
