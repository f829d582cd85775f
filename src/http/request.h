/* SPDX-License-Identifier: MIT */
/* A request, the same for every version of HTTP: what the decision reads. All spans point
 * into the connection's or the worker's buffers and live for one request. */
#pragma once

#include "base/span.h"

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_CONNECT,
    METHOD_OPTIONS,
    METHOD_TRACE,
    METHOD_PATCH,
    METHOD_OTHER, /* a token that RFC 9110 and 5789 do not name; see method_name */
};

enum {
    request_fields_max = 100,
    request_head_bytes_max = 16384,
    request_method_bytes_max = 32,
    request_target_bytes_max = 8192,
};

/* Of a body and of a chunk: what an int64_t holds. */
#define REQUEST_BODY_BYTES_MAX (UINT64_MAX >> 1)

struct field {
    struct span name;  /* as sent; compare without case */
    struct span value; /* without surrounding white space */
};

/* The fields that are looked at on every request get a place of their own. ptr NULL:
 * absent. Repeated fields: the first one; all of them are in fields[]. */
struct request_known {
    struct span cookie;
    struct span origin;
    struct span accept;
    struct span forwarded;
    struct span x_forwarded_for;
    struct span detour_avoid;
};

/* Of no known length: chunked in HTTP/1.1, and in HTTP/2 without Content-Length. */
enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

struct request {
    enum method method;
    struct span method_name;
    uint8_t version_major; /* 2 for HTTP/2, else 1, or 0 where nothing was read */
    uint8_t version_minor; /* of HTTP/1.x; 0 for HTTP/2 */

    /* The target. An absolute-form target's authority wins over Host (RFC 9112, 3.2.2);
     * its scheme is in absolute_scheme, else that is empty. HTTP/2 always says a scheme. */
    struct span absolute_scheme;
    struct span host;  /* canonical: lower case, no trailing dot; empty in HTTP/1.0 without Host */
    int32_t port;      /* -1: none was named */
    struct span path;  /* as sent; "*" only for OPTIONS */
    struct span query; /* without '?'; ptr NULL: none */

    enum body_kind body;
    uint64_t content_length; /* for BODY_LENGTH */
    bool expect_continue;    /* on 1.1 and with a body only (RFC 9110, 10.1.1) */
    bool keep_alive;         /* what the client's version and Connection field say */

    struct request_known known;
    const struct field *fields;
    size_t field_count;
};

/* Who sent it, after the PROXY protocol and trusted proxies have been heard. */
struct client {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    bool secure; /* the client's own connection was encrypted, by us or as a trusted proxy says */
};
