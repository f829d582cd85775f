/* SPDX-License-Identifier: MIT */
/* Heads of HTTP/1.1 responses, as a client reads them: bytes to struct h1_answer, strictly
 * (RFC 9112). No I/O, no allocation, no clock.
 *
 * Whatever could be read in two ways is bad, and a gateway answers 502 and closes: bare CR,
 * bare LF, NUL and other controls; obs-fold (5.2); names that are no tokens; another version
 * than HTTP/1.x; a status outside 100 to 599; Transfer-Encoding with Content-Length, in
 * HTTP/1.0, with 1xx or 204, repeated, or other than "chunked" (6.1, 6.3); Content-Length
 * repeated, a list, or anything but digits up to H1_BODY_BYTES_MAX, and other than 0 with 1xx
 * and 204 (RFC 9110, 8.6); no end within h1_answer_head_bytes_max; more than
 * request_fields_max fields or hop_names_max connection options; 101 without Upgrade. Blanks
 * before a colon are taken away, as 5.1 asks of a gateway. */
#pragma once

#include "http/h1/body.h"
#include "http/hop.h"

enum { h1_answer_head_bytes_max = 32768 };

enum h1_answer_content {
    ANSWER_NONE,
    ANSWER_LENGTH,
    ANSWER_CHUNKED,
    ANSWER_TO_END, /* of the connection */
};

struct h1_answer {
    uint16_t status;
    uint8_t version_minor; /* of HTTP/1.x */
    bool has_length;
    uint64_t content_length; /* what the field says; also of HEAD and 304 */
    enum h1_answer_content content;
    bool keep_alive;     /* the connection may be used again after it */
    struct span upgrade; /* of 101: what is spoken from here on */
    size_t field_count;
    struct field fields[request_fields_max]; /* those that are passed on, without
                                                Content-Length */
};

/* bytes: what has arrived, beginning with a head. scanned: 0 for a fresh head; on H1_MORE it
 * is set to how far the bytes have been looked at. The result depends on the bytes alone, not
 * on how they were split. head: the request was a HEAD.
 *
 * H1_DONE: *used is the length of the head; spans point into bytes. Otherwise *out holds
 * nothing of use. */
enum h1_result h1_answer_parse(struct span bytes, size_t *scanned, bool head, struct h1_answer *out,
                               size_t *used);

/* Its content, as h1_body_next goes over it. Not for ANSWER_TO_END. */
void h1_answer_body(const struct h1_answer *answer, struct h1_body *body);
