/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 responses: struct response to bytes. No I/O, no clock. */
#pragma once

#include "base/buffer.h"
#include "http/date.h"
#include "http/response.h"

struct h1_encoding {
    const uint8_t *date;   /* date_bytes bytes; kept current by the caller */
    uint8_t version_minor; /* of the request: 1.0 is told "keep-alive" when that is so */
    bool head;             /* no content, the same fields as for GET (RFC 9110, 9.3.2) */
    bool close;            /* or response->close: "Connection: close" */
};

/* Appends the whole response; out->full when it does not fit (nothing of it is there
 * then). Order: status line, Date, Location, response->fields, Content-Type,
 * Content-Length, Connection. No Date and no Connection on 1xx; no Content-Length on 1xx
 * and 204 (RFC 9110, 8.6) nor on 304; "Content-Length: 0" on 205; none of them, nor a
 * HEAD, gets content. status must be 100 to 599.
 *
 * The last line of defence against a split response: a field is left out whose name or
 * value is not valid, or whose name is Date, Location, Connection, Content-Length or
 * Transfer-Encoding. A Location with a control, a space or anything beyond ASCII makes
 * the whole answer a bare 500. */
void h1_encode(const struct response *response, const struct h1_encoding *encoding,
               struct buffer *out);

/* How the content behind a head is framed (RFC 9112, 6.3). */
enum h1_framing {
    H1_FRAMING_NONE,    /* there is none, and nothing is said of it: 1xx, 204 */
    H1_FRAMING_LENGTH,  /* content_length, which to HEAD and of 304 is only said */
    H1_FRAMING_CHUNKED, /* to HTTP/1.1 only */
    H1_FRAMING_CLOSE,   /* up to the end of the connection */
};

/* The head of an answer whose content comes by itself. */
struct h1_flow_head {
    uint16_t status;
    const struct field *fields;
    size_t field_count;
    struct span upgrade; /* of 101 */
    enum h1_framing framing;
    uint64_t content_length;
    const uint8_t *date; /* as in h1_encoding; added to 2xx and above when no field is Date */
    uint8_t version_minor;
    bool close;
};

/* Appends it; out->full when it does not fit (nothing of it is there then). Left out are
 * fields that are not valid, and Connection, Content-Length, Transfer-Encoding and
 * Upgrade. */
void h1_encode_flow_head(const struct h1_flow_head *head, struct buffer *out);

/* What stands before a chunk of len octets; CRLF follows it. */
enum { h1_chunk_head_bytes_max = 18 };
void h1_encode_chunk_head(size_t len, struct buffer *out);
/* The last chunk, and the trailers that are valid. */
void h1_encode_last_chunk(const struct field *trailers, size_t count, struct buffer *out);
