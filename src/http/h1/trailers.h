/* SPDX-License-Identifier: MIT */
/* Trailers behind a chunked body (RFC 9112, 7.1.2): gathered as they come, read when they are
 * all there. */
#pragma once

#include "http/h1/body.h"

enum { h1_trailers_max = 32 };

/* The bytes of a trailer section that has come so far. */
struct h1_trailers {
    uint32_t len;
    uint32_t cap;
    uint8_t *bytes; /* NULL: nothing; at most h1_trailer_bytes_max */
};

void h1_trailers_free(struct h1_trailers *trailers);

/* Takes what h1_body_next says belongs to them, which may be nothing. False: no memory. */
bool h1_trailers_add(struct h1_trailers *trailers, struct span bytes);

/* After H1_DONE: those that may be passed on (http/trailer.h), at most h1_trailers_max; the
 * others are dropped. The spans live as long as trailers. Gives how many. */
size_t h1_trailers_read(const struct h1_trailers *trailers, struct field out[h1_trailers_max]);
