/* SPDX-License-Identifier: MIT */
/* Walks along redirects: chains of libdetour, sent by libcurl, many at a time on one event loop.
 *
 * What to do with an answer is libdetour's to say, and nobody else's: libcurl follows nothing,
 * repeats nothing, decodes nothing, and speaks http and https alone. Content is thrown away, but
 * for that of the last answer where somebody wants it. A content that comes out of a pipe is begun
 * once.
 *
 * Owner: whoever made the walker; one thread. Each walk ends in `done`, called from walker_run and
 * never from within walker_start. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <detour/detour.h>
#include <detour/store.h>

#include <ev.h>

enum {
    walk_head_bytes_max = 256 << 10, /* of all heads of one answer, interim ones included; libcurl
                                        itself ends at 300 KiB, and at a line of 100 */
    walk_wait_max_s = 60,            /* a Retry-After of more ends the walk */
    walk_reason_bytes = 256,         /* of what libcurl says, with its NUL */
    walk_address_bytes = 64,
    walk_at_once_max = 10000,
};

struct walker;

/* Of HTTP; walk_protocol_any: HTTP/2 where TLS agrees on it. */
enum walk_protocol {
    walk_protocol_any = 0,
    walk_protocol_1_1,
    walk_protocol_2,       /* over clear text by an upgrade */
    walk_protocol_2_prior, /* over clear text at once */
};

/* What holds for all walks. Texts and lists outlive the walker. */
struct walker_options {
    const struct detour_options *policy; /* NULL: libdetour's defaults */
    struct detour_store *store;          /* what is known already; NULL */
    uint32_t at_once_max;                /* walks; what walker_start takes */
    uint32_t per_host_max;               /* requests to one origin at once; 0: no limit */
    uint32_t timeout_ms;                 /* of a whole walk, waiting for a turn aside; 0: none */
    uint32_t connect_timeout_ms;         /* of each connection with TLS; not 0 */
    uint64_t content_bytes_max;          /* content that is thrown away; more ends the connection */
    bool no_private;                     /* refuses to connect to addresses that are not public */
    bool insecure;                       /* any certificate will do */
    bool cookies;                        /* each walk has a cookie jar */
    bool stop_at_loop; /* also in browser mode, which would go round until redirects_max */
    bool no_expect;    /* large content is sent without asking first */
    enum walk_protocol protocol;
    const char *proxy;          /* NULL: that of the environment; "": none */
    const char *ca_file;        /* authorities in PEM; NULL: the system's */
    const char *cookie_file;    /* read into the jar; NULL */
    const char *cookie_jar;     /* written at the end; NULL */
    const char *const *resolve; /* "host:port:address", as curl has it */
    size_t resolve_count;
    const char *const *connect_to; /* "host:port:connect-host:connect-port" */
    size_t connect_to_count;
};

/* The content of a request. */
struct walk_source {
    struct span memory; /* fd is -1: this is it */
    int fd;        /* read from its offset 0 when it can be sent again; else from where it is */
    int64_t bytes; /* -1: nobody knows before its end */
};

/* One head. */
struct walk_head {
    uint16_t status;
    uint8_t http; /* 10, 11, 20, 30 */
    const struct detour_field *fields;
    size_t field_count;
};

/* Each how long it took, and none where it did not happen. */
struct walk_times {
    int64_t dns_us;
    int64_t connect_us;
    int64_t tls_us;
    int64_t wait_us; /* from the request to the first byte */
    int64_t content_us;
    int64_t total_us;
};

/* Why a request got no answer. */
enum walk_failure {
    walk_failure_none = 0,
    walk_failure_resolve, /* no address */
    walk_failure_connect, /* refused, unreachable */
    walk_failure_tls,     /* no handshake, or a certificate that does not hold */
    walk_failure_timeout,
    walk_failure_closed,   /* the connection ended before the answer, or within it */
    walk_failure_private,  /* an address that is not public, and no_private */
    walk_failure_protocol, /* what came is no HTTP, or too long */
    walk_failure_wait,     /* told to wait for longer than walk_wait_max_s */
    walk_failure_memory,
    walk_failure_other,
};

/* "resolve", "connect", …: for programs. */
const char *walk_failure_name(enum walk_failure failure);

/* A request with what came of it. Lives while the call runs. */
struct walk_hop {
    uint32_t number; /* from 0 */
    bool from_store;
    struct walk_head head;           /* status 0: there is none */
    const struct walk_head *interim; /* 1xx, before it */
    size_t interim_count;
    const struct detour_verdict *verdict; /* of the head; NULL: none */
    enum walk_failure failure;            /* of the request; the verdict stands all the same */
    const char *reason;                   /* for people; NULL: no failure */
    const char *address;                  /* connected to; "" where there was no connection */
    uint16_t port;
    bool reused; /* the connection was there before */
    struct walk_times times;
    int64_t sent_bytes; /* of content */
    int64_t content_bytes;
    bool cut;     /* content_bytes_max was met */
    bool stopped; /* the answer came first, and ended the upload */
};

enum walk_outcome {
    walk_delivered, /* the answer of the last hop is the one */
    walk_refused,   /* libdetour stopped it; reason says why */
    walk_failed,    /* failure says why */
};

struct walk_end {
    enum walk_outcome outcome;
    enum detour_reason reason;
    enum walk_failure failure;
    const char *text; /* of a failure; else NULL */
    uint16_t status;  /* of the last answer; 0: there was none */
    uint32_t redirects;
    struct detour_text url; /* of the last request, with its fragment; ptr NULL: none was sent */
    int64_t total_us;
};

/* Who hears of a walk. Members other than done may be NULL. */
struct walk_listener {
    void (*sending)(void *context, const struct detour_next *next);
    /* Of the answer that is delivered; false: no more of it. */
    bool (*content)(void *context, struct span bytes);
    void (*hop)(void *context, const struct walk_hop *hop);
    void (*done)(void *context, const struct walk_end *end);
    /* Hops have no address, times and counts, which libcurl is slow to tell; and plain HTTP/1.1
     * goes without it (walk/wires.h). */
    bool brief;
    void *context;
};

/* ERR_MEMORY; ERR_SYNTAX: something in the options that libcurl does not take. */
enum err walker_new(struct ev_loop *loop, const struct walker_options *options,
                    struct walker **out);
/* Walks under way end without a call. NULL is allowed; the pointer becomes NULL. */
void walker_free(struct walker **walker);

/* Copies what it needs; the source's memory and descriptor outlive the walk. Expect:
 * 100-continue is added where the content is large or can be sent only once, unless no_expect.
 * ERR_MEMORY; ERR_LIMIT: at_once_max are under way. */
enum err walker_start(struct walker *walker, const struct detour_request *request,
                      const struct walk_source *source, const struct walk_listener *listener);
/* How many are under way. */
size_t walker_count(const struct walker *walker);
