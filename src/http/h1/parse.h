/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 request heads: bytes to struct request, strictly (RFC 9112). No I/O, no
 * allocation, no clock. */
#pragma once

#include "http/request.h"

enum h1_result { H1_DONE, H1_MORE, H1_BAD };

/* What a head is parsed into: lives as long as the request is looked at. */
struct h1_head {
    struct request request;
    uint8_t host_lower[256];
    struct field fields[request_fields_max];
};

/* bytes: what has arrived, beginning with a head or with the CRLFs that may precede one
 * (RFC 9112, 2.2). scanned: 0 for a fresh head; on H1_MORE it is set to how far the
 * bytes have been searched for the end, so that a head that trickles in is not searched
 * anew from its beginning each time.
 *
 * H1_DONE: *used is the length of the head, with its empty line.
 * H1_BAD: *status is the answer (400, 414, 431, 501, 505), to be followed by a close.
 * Whatever could be read in two ways is bad: see PROTOCOL's list in doc/internals. */
enum h1_result h1_parse(struct span bytes, size_t *scanned, struct h1_head *head, size_t *used,
                        uint16_t *status);
