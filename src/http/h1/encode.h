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

/* Appends the whole response; out->full when it does not fit (nothing is to be sent
 * then). No Content-Length on 1xx and 204 (RFC 9110, 8.6). A field whose name or value
 * is not valid is left out: the last line of defence against a split response. */
void h1_encode(const struct response *response, const struct h1_encoding *encoding,
               struct buffer *out);
