/* SPDX-License-Identifier: MIT */
/* Whether somebody listens: a TCP connection is made and closed again, or kept until one line
 * has come over it. On an event loop; nothing blocks.
 *
 * Every question ends in exactly one of two ways: `done` is called, from the loop and never from
 * within tcp_start, or tcp_cancel is, and then `done` is not. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <ev.h>

enum { tcp_line_bytes_max = 1024 };

struct tcp_question;

struct tcp_answer {
    const char *error; /* for people; NULL: there was a connection, and the line that was wanted */
    struct span line;  /* with what ended it, or cut at tcp_line_bytes_max */
    int64_t latency_us;
};

typedef void tcp_done_fn(void *context, const struct tcp_answer *answer);

struct tcp_options {
    uint8_t address[16]; /* IPv4 mapped */
    uint32_t scope;      /* of a link-local one */
    uint16_t port;
    uint32_t timeout_ms; /* for all of it; not 0 */
    bool wants_line;     /* ends with LF, or with the connection */
    tcp_done_fn *done;
    void *context;
};

/* ERR_MEMORY. What the kernel refuses is told by `done`. */
enum err tcp_start(struct ev_loop *loop, const struct tcp_options *options,
                   struct tcp_question **out);
/* `done` is not called. NULL is allowed; the pointer becomes NULL. */
void tcp_cancel(struct tcp_question **question);
