/* SPDX-License-Identifier: MIT */
/* Fields that concern one connection only, and are not passed on (RFC 9110, 7.6.1). No I/O. */
#pragma once

#include "http/request.h"

enum { hop_names_max = 32 };

/* What the Connection fields of a message say. */
struct hops {
    bool close;
    bool keep_alive;
    bool upgrade; /* "upgrade" is among the options; the Upgrade field counts only then */
    size_t name_count;
    struct span names[hop_names_max]; /* other options: names of fields */
};

/* False: more than hop_names_max of them, and nobody can tell what is to be passed on. */
bool hops_read(const struct field *fields, size_t count, struct hops *out);

/* Whether a field of this name, which is a token, ends at every connection: Connection,
 * Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade, HTTP2-Settings. */
bool hop_always(struct span name);
/* The same, or the Connection fields name it. */
bool hops_hold(const struct hops *hops, struct span name);
