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
