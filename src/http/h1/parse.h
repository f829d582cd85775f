/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 request heads: bytes to struct request, strictly (RFC 9112). No I/O, no
 * allocation, no clock.
 *
 * Whatever could be read in two ways is bad. Which answer a bad head gets:
 *
 *   400  bare CR, bare LF, NUL and other controls (2.2, 5); obs-fold, a space before the
 *        colon, names that are no tokens (5.1, 5.2); a request line that is not
 *        METHOD SP TARGET SP VERSION with single spaces (3); a target with a space, a
 *        control or '#', in authority-form, in asterisk-form but for OPTIONS, with another
 *        scheme than http and https, or with userinfo (3.2); HTTP/0.9; Host missing in
 *        1.1, repeated, empty or bad (3.2); Content-Length repeated, a list, or anything
 *        but digits up to H1_BODY_BYTES_MAX; Transfer-Encoding with Content-Length, in
 *        HTTP/1.0, repeated, or not ending in "chunked" (6.1, 6.3); more empty lines in
 *        front than four
 *   414  a target longer than h1_target_bytes_max (3)
 *   417  an expectation other than 100-continue (RFC 9110, 10.1.1)
 *   431  no end within request_head_bytes_max, more than request_fields_max fields
 *   501  a method longer than h1_method_bytes_max (3); CONNECT: this is no proxy, and
 *        405 would have to name what is allowed; a coding before a final "chunked" (6.1)
 *   505  HTTP/2 and later */
#pragma once

#include "http/request.h"

enum h1_result { H1_DONE, H1_MORE, H1_BAD };

enum {
    h1_method_bytes_max = request_method_bytes_max,
    h1_target_bytes_max = request_target_bytes_max,
};

#define H1_BODY_BYTES_MAX REQUEST_BODY_BYTES_MAX

/* What a head is parsed into: lives as long as the request is looked at. */
struct h1_head {
    struct request request;
    uint8_t host_lower[256];
    struct field fields[request_fields_max];
};

/* bytes: what has arrived, beginning with a head or with the CRLFs that may precede one
 * (RFC 9112, 2.2). scanned: 0 for a fresh head; on H1_MORE it is set to how far the
 * bytes have been looked at, so that a head that trickles in is not parsed anew for each
 * octet, only for each line. The result depends on the bytes alone, not on how they were
 * split; a line is judged when it is complete, controls at once.
 *
 * H1_DONE: *used is the length of the head, with its empty line. Spans of head->request
 * point into bytes, its host into bytes or host_lower.
 * H1_BAD: *status is the answer, to be followed by a close. For the access log
 * head->request then holds what came before the fault: method_name and method once the
 * method was read (else method_name.ptr is NULL), path and query once the whole target
 * was, the fields so far; host only when nothing was wrong but framing or Expect.
 * H1_MORE: head holds nothing of use.
 *
 * Content-Length: 0 is BODY_NONE. */
enum h1_result h1_parse(struct span bytes, size_t *scanned, struct h1_head *head, size_t *used,
                        uint16_t *status);
