/* SPDX-License-Identifier: MIT */
/* Asks servers by HTTP while an event loop turns: libcurl's multi interface on libev. Nothing
 * blocks, nothing is retried, no redirect is followed, no proxy of the environment is used.
 *
 * Owner: whoever made it; one thread. Every request ends in exactly one of two ways: `done` is
 * called, from the loop and never from within fetch_start, or fetch_cancel is, and then `done` is
 * not. After either the request is gone. Requests beyond the limit wait for their turn, first
 * come, first served; their timeouts begin when they do. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <ev.h>

enum {
    fetch_fields_max = 32,
    fetch_waiting_max = 16384,       /* requests that wait for their turn */
    fetch_head_bytes_max = 64 << 10, /* of an answer, with its interim ones and trailers */
    fetch_error_bytes = 256,         /* of an answer's error, with its NUL */
};

struct fetch;
struct fetch_request;

/* What came back. Valid while `done` runs. */
struct fetch_answer {
    long status;           /* of the final head; 0: none came */
    const char *error;     /* why there is no whole answer, for people; NULL: there is one */
    bool cut;              /* the content was longer than body_bytes_max, which is no error */
    struct span body;      /* at most body_bytes_max bytes of it */
    const char *location;  /* an absolute URL, where a redirect leads; NULL: it is none */
    int64_t retry_after_s; /* Retry-After (RFC 9110, 10.2.3), from now; 0: it has none */
    const char *address;   /* that was asked: "192.0.2.7"; "": there was no connection */
    uint16_t port;
    int64_t content_length;  /* as it says; -1: it does not */
    int64_t last_modified_s; /* since 1970, likewise */
    int64_t latency_us;      /* since its turn began */
};

typedef void fetch_done_fn(void *context, const struct fetch_answer *answer);

/* What is asked. All of it is copied by fetch_start. */
struct fetch_options {
    const char *method;        /* NULL: GET, or POST with content */
    const char *url;           /* http or https, absolute; sent as it is, dot segments too */
    const char *const *fields; /* "Name: value"; at most fetch_fields_max */
    size_t field_count;
    struct span content;         /* ptr NULL: the request has none */
    const char *connect_to;      /* "192.0.2.7:8443", "[::1]:443": whom to ask in the place of the
                                    URL's host and port, which stay in Host and in TLS; NULL */
    const char *user_agent;      /* NULL: "detour/<version>" */
    uint32_t timeout_ms;         /* for all of it; not 0 */
    uint32_t connect_timeout_ms; /* of these, for a connection with TLS; 0: no bound of its own */
    size_t body_bytes_max;       /* 0: the status is all that counts, and the rest is not read */

    bool fresh;              /* over a connection of its own, which is closed after it */
    bool unverified;         /* TLS: any certificate will do */
    const char *ca_file;     /* authorities in PEM; NULL: the system's */
    const char *certificate; /* of the client, in PEM, and … */
    const char *key;         /* … its key; NULL */

    fetch_done_fn *done;
    void *context;
};

/* at_once_max: requests, and so connections, at the same time; not 0. The loop outlives it.
 * ERR_MEMORY. */
enum err fetch_new(struct ev_loop *loop, size_t at_once_max, struct fetch **out);
/* Cancels what is under way. Not from within `done`. NULL is allowed; the pointer becomes NULL. */
void fetch_free(struct fetch **fetch);

/* *out may be cancelled until `done` is called. A URL that cannot be asked is told by `done`.
 * ERR_MEMORY; ERR_LIMIT: too many wait, or too many fields. */
enum err fetch_start(struct fetch *fetch, const struct fetch_options *options,
                     struct fetch_request **out);
/* `done` is not called. NULL is allowed; the pointer becomes NULL. */
void fetch_cancel(struct fetch_request **request);
