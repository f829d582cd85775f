/* SPDX-License-Identifier: MIT */
/* A server on a loop in this process, with a handler that answers what the path asks for,
 * and clients on loopback sockets. Nothing blocks: waiting means turning the loop. */
#pragma once

#include "base/span.h"
#include "serve/serve.h"

enum { fixture_large_bytes = 4 << 20, reply_bytes_max = fixture_large_bytes + 65536 };

struct fixture {
    struct ev_loop *loop;
    struct server *server;
    struct counters_worker counters;
    struct listener listener;
    struct serve_limits limits;
    unsigned handled;
    unsigned bad;
    uint16_t last_bad_status;
    int64_t last_duration_ns;
    size_t last_content_len;
    uint64_t last_content_sum; /* of each byte times its place, from 1 */
    struct client last_peer;
    unsigned emptied;
    char body[64];
    struct serve_later *later; /* of "/later" */
    serve_handler_fn pass;     /* of every path, where it is set; the context is the fixture */
};

/* Paths: "/large" answers fixture_large_bytes, "/close" closes; "/later" is
 * answered when the test says so; every other one is answered with itself, and with the
 * content of the request if there is any. */
void fixture_init(struct fixture *fixture);
void fixture_init_limits(struct fixture *fixture, const struct serve_limits *limits,
                         bool proxy_protocol);
void fixture_fini(struct fixture *fixture);
struct serve_limits fixture_limits(void);

/* As last_content_sum. */
uint64_t fixture_sum(struct span bytes);

/* Turns the loop as long as there is something to do without waiting. */
void fixture_turn(struct fixture *fixture);
void fixture_turn_ms(struct fixture *fixture, int ms);

/* A connected, non-blocking client. */
int client_open(const struct fixture *fixture);
void client_send(struct fixture *fixture, int fd, struct span bytes);

struct reply {
    size_t len;
    bool end;   /* the server has closed or half-closed */
    bool reset; /* … with a reset */
    char bytes[reply_bytes_max + 1];
};

/* Turns the loop and reads, until as many answers have come, or the end, or 2 seconds
 * have passed. An answer is counted by its status line. The reply is static. */
struct reply *client_read(struct fixture *fixture, int fd, unsigned answers);
/* … until the server closes. */
struct reply *client_read_end(struct fixture *fixture, int fd);

unsigned count_text(const char *text, const char *part);
void fixture_on_empty(void *context);
