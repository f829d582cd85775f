/* SPDX-License-Identifier: MIT */
/* The HTTP server that workers and control share: listening sockets and connections on a
 * libev loop, and a handler that turns a request into a response. One thread.
 *
 * What is read goes into one buffer for the whole loop, what is answered into another,
 * and a write follows when all requests that had arrived are answered; so a connection
 * owns buffers only while it is in the middle of something. A client that does not read
 * its answers is not read from. */
#pragma once

#include "base/error.h"
#include "http/response.h"
#include "net/listener.h"
#include "shared/counters.h"

#include <ev.h>

/* Which timeouts and sizes hold (the configuration's `limits`). */
struct serve_limits {
    uint32_t header_timeout_ms; /* from the first byte of a head to its end: then 408 */
    uint32_t idle_timeout_ms;   /* between requests, and before the first one */
    uint32_t write_timeout_ms;  /* without any progress of the reader */
    uint64_t linger_bytes;      /* of a request body, read only to be thrown away */
    uint32_t linger_idle_ms;    /* of a request body without progress */
    uint32_t linger_time_ms;    /* after our half-close, for the client's */
    uint32_t connections_max;
};

/* What a handler sees of the place a request came in. */
struct serve_request {
    const struct request *request;
    const struct client *peer; /* of the connection, after the PROXY protocol */
    const struct listener *listener;
    int64_t now_ns;      /* wall clock, when the loop woke up */
    int64_t duration_ns; /* since the first byte of this request */
    uint16_t bad_status; /* not 0: the head was refused with this; request is partial */
    struct span content; /* of the request, for those who want it; empty otherwise */
    struct conn *conn;   /* for server_defer, server_pass and server_peer_user */
};

/* Fills *response, which is empty but for its status of 0; its spans must live until the
 * next call. Called once for each request, also for one that was refused, so that both
 * are counted and logged. Connections, timeouts and bodies are counted by the server;
 * requests and statuses by the handler. */
typedef void (*serve_handler_fn)(void *context, const struct serve_request *request,
                                 struct response *response);

struct server;

/* The largest response, with its head: a larger one closes the connection. */
enum { serve_response_bytes_max = 64 << 20 };

/* From here on the process ignores SIGPIPE. counters: NULL when nobody reads them. The loop must
 * use a level-triggered backend (epoll). */
enum err server_new(struct ev_loop *loop, const struct serve_limits *limits,
                    serve_handler_fn handler, void *context, struct counters_worker *counters,
                    struct server **out);
/* Closes everything at once. Not to be called by the handler. */
void server_free(struct server **server);

/* For an API: requests come with their content, at most content_max bytes (413 else; 411
 * when nobody says how long it is), and clients that ask get 100 (RFC 9110, 10.1.1). Such a
 * server speaks HTTP/1.1 only. Where there are as many connections as may be, one that says
 * nothing gives way to a new one at once, and one that has said a part of a request after a
 * second. To be called before it listens. */
enum { serve_content_bytes_max = 64 << 10 };
void server_want_content(struct server *server, size_t content_max);

/* Which requests may carry more than that: how much this one may, whose head is there and
 * whose content is not; called once for each that says it carries more. */
typedef size_t (*serve_admit_fn)(void *context, const struct serve_request *request);
/* The contents of all requests on their way take at most total_max bytes, heads included;
 * one that does not fit beside the others is a 503, one that admit does not let in a 413. */
void server_admit_content(struct server *server, serve_admit_fn admit, size_t total_max);

/* An answer that comes later: the handler leaves response->status at 0 and its connection
 * waits; requests behind this one too. Only where content is wanted. NULL: no memory. */
struct serve_later;
struct serve_later *server_defer(const struct serve_request *asked);
/* Gives the answer, and ends *later. When the client has gone nothing happens. Not to be
 * called by the handler itself. */
void server_answer(struct serve_later **later, const struct response *response);

/* Which user is at the other end of a unix socket, as the kernel says (unix(7)). False: it
 * is no unix socket. */
bool server_peer_user(const struct serve_request *asked, uint32_t *uid_out);

/* What TLS connections to come begin with; those that are open keep what they have. Takes
 * the reference over. Until it is called they are refused. */
struct tls_context;
void server_set_tls(struct server *server, struct tls_context *context);

void server_set_limits(struct server *server, const struct serve_limits *limits);

/* Begins accepting on fd, which it owns from here, also on an error. A listener that is
 * already known by its text keeps its descriptor and the new one is closed. */
enum err server_listen(struct server *server, const struct listener *listener, int fd);
/* Serves what already waits in the listener's queue, then closes it. */
void server_unlisten(struct server *server, const struct listener *listener);

/* No new connections, but for those that already wait in a listener's queue; idle ones
 * are closed, the others after their answer. on_empty is called once when none is left,
 * from the loop, with the handler's context; it may free the server. */
void server_drain(struct server *server, void (*on_empty)(void *context));
/* Before server_drain: another process listens on the same sockets and goes on. They stay open
 * until this one ends, since epoll(7) forgets a descriptor that is closed only when nobody else
 * has its socket, and libev would then make its epoll anew, which a worker may not. Connections
 * that have not said anything yet are not idle then: they have header_timeout for a request. */
void server_share_sockets(struct server *server);

size_t server_connection_count(const struct server *server);
