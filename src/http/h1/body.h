/* SPDX-License-Identifier: MIT */
/* Where a request's body ends, and what in it is content (RFC 9112, 6 and 7).
 * Strict: CRLF only, chunk sizes of at most h1_chunk_digits_max hexadecimal digits and
 * H1_BODY_BYTES_MAX, extensions and trailers as their grammar says, no obs-fold. */
#pragma once

#include "http/h1/parse.h"

enum {
    h1_chunk_digits_max = 16,
    h1_chunk_extension_bytes_max = 4096, /* of all chunks of a body together */
    h1_trailer_bytes_max = 8192,
};

struct h1_body {
    enum body_kind kind;
    uint8_t state;
    uint8_t digits;           /* of the chunk size that is being read */
    uint32_t extension_bytes; /* so far in this body */
    uint32_t trailer_bytes;
    uint64_t left; /* of the body, or of this chunk */
};

void h1_body_init(struct h1_body *body, const struct request *request);

/* Goes over the bytes of a body. H1_DONE: the body ended after *used bytes (0 for a
 * request without one, and when called again). H1_MORE: all bytes belong to it.
 * H1_BAD: 400 and close; it stays bad. */
enum h1_result h1_body_skip(struct h1_body *body, struct span bytes, size_t *used);

/* What h1_body_next has come to. */
struct h1_piece {
    struct span content;  /* what is there of it, to be taken by h1_body_pass; empty: nothing */
    struct span trailers; /* of the bytes gone over, those of the trailer section */
};

/* For those who want the content: goes over framing, up to the next piece of content or the end.
 * *used: how many bytes that was. H1_DONE: the body ended there. H1_MORE: a piece of content
 * follows, or all bytes were used. H1_BAD: as h1_body_skip. */
enum h1_result h1_body_next(struct h1_body *body, struct span bytes, size_t *used,
                            struct h1_piece *piece);

/* How many of the bytes to come are content, whatever they are, and need not be seen. */
uint64_t h1_body_unseen(const struct h1_body *body);
/* Goes over len bytes that nobody has looked at, at most h1_body_unseen of them. */
enum h1_result h1_body_pass(struct h1_body *body, size_t len);
