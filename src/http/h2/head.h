/* SPDX-License-Identifier: MIT */
/* Header blocks: decoded fields, one after the other, to struct request (RFC 9113, 8.2
 * and 8.3). Private to h2/; knows no frames. */
#pragma once

#include "http/known.h"
#include "http/request.h"
#include "uri/host.h"

enum {
    h2_head_slack = 32, /* behind the text: whole blocks are read and written */

    /* All fields of a block, decoded, each counted with 32 octets more (RFC 7541, 4.1):
     * who sends as much after having met request_head_bytes_max wants no answer. */
    h2_list_bytes_max = 65536,
};

enum h2_pseudo {
    PSEUDO_METHOD = 1,
    PSEUDO_SCHEME = 2,
    PSEUDO_AUTHORITY = 4,
    PSEUDO_PATH = 8,
};

struct h2_head {
    struct request request; /* its fields are the ones below */
    int32_t stream_id;
    bool trailers;
    bool malformed;       /* RFC 9113, 8.1.1 */
    bool too_large;       /* 431 */
    bool target_too_long; /* 414 */
    uint8_t pseudo;       /* what has come, of enum h2_pseudo */
    uint8_t hosts;        /* Host fields; two stand for more */
    uint8_t lengths;      /* Content-Length fields; two stand for more */
    struct expectations expectations;
    struct span method;
    struct span scheme;
    struct span authority;
    struct span path;
    struct span host;
    struct span length;
    struct field *cookie; /* the first one; its crumbs are joined (RFC 9113, 8.2.3) */
    size_t field_count;
    size_t list_bytes;
    size_t head_bytes; /* what the same head would take in HTTP/1.1 */
    size_t text_bytes;
    uint8_t host_lower[host_bytes_max + 1];
    struct field fields[request_fields_max];
    uint8_t text[request_head_bytes_max + h2_head_slack];
};

void h2_head_begin(struct h2_head *head, int32_t stream_id, bool trailers);

/* False: more than h2_list_bytes_max. Every other fault waits for h2_head_finish. */
bool h2_head_add(struct h2_head *head, struct span name, struct span value);

enum h2_verdict { HEAD_FINE, HEAD_REFUSED, HEAD_MALFORMED };

/* After the last field. last: the frame ends the stream. HEAD_REFUSED: *status is the
 * answer, and request holds what was understood, as h1_parse says. Trailers are HEAD_FINE
 * or HEAD_MALFORMED. */
enum h2_verdict h2_head_finish(struct h2_head *head, bool last, uint16_t *status);
