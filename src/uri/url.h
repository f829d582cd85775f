/* SPDX-License-Identifier: MIT */
/* WHATWG URL: parse a reference against a base, and serialise. Follows WHATWG where it
 * differs from RFC 3986 (a backslash, tabs), as browsers do. No I/O.
 * https://url.spec.whatwg.org/ */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct url {
    struct span scheme; /* "https", lower case, no colon */
    struct span username;
    struct span password;
    struct span host; /* serialised; ptr NULL: none */
    int32_t port;     /* -1: none or the scheme's default */
    struct span path; /* serialised; opaque when opaque_path */
    bool opaque_path;
    struct span query;    /* ptr NULL: none */
    struct span fragment; /* ptr NULL: none */
};

/* base NULL: the reference must be absolute. Everything in *out lives in arena.
 * ERR_SYNTAX: not a URL. */
enum err url_parse(struct span reference, const struct url *base, struct arena *arena,
                   struct url *out);
/* The href; lives in arena. */
enum err url_serialise(const struct url *url, struct arena *arena, struct span *out);
