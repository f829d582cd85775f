/* SPDX-License-Identifier: MIT */
/* Plain HTTP/1.1 without libcurl's transfers, for those who ask much and want to know little: a
 * request is one send and its answer one recv, where libcurl looks twice whether the connection is
 * alive, and describes it anew to find it.
 *
 * libcurl opens the connections: names, --resolve and --connect-to, attempts at several addresses,
 * the time that they may take, the look at an address (no_private) and what is said of a failure
 * are its own, and so the same for all walks. The socket is taken over from it, and kept for the
 * next request to that origin.
 *
 * A walk goes this way where nothing but the heads is wanted of it (walk_listener.brief, and no
 * content), by GET or HEAD without content; over http:, with HTTP/1.1, without proxy and cookie
 * jar, and with a limit per host, whose turns hold the kept connections. All else is libcurl's.
 *
 * Answers are read strictly (walk/reader.h). One that is not sound is not judged: libcurl asks once
 * more over a connection of its own, and so does all that is asked of this origin from then on. So
 * nothing is refused here that libcurl would have understood, and an answer is judged when all of
 * it has come. Content is gone over, up to walker_options.content_bytes_max.
 *
 * A kept connection that ends before a byte of the answer has come was closed while nobody used it,
 * and the request goes over a new one, once (RFC 9112, 9.3.1). Bytes that come unasked end their
 * connection. They may still be taken for the answer to a request that was sent in the same moment,
 * as in every HTTP/1.1; they come from the origin that was asked.
 *
 * Owner: the walker. Private to walk/. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

struct detour_request;
struct host;
struct walk;
struct walker;
struct wire;
struct wires;

enum { wire_read_bytes = 64 << 10 };

/* Connections that wait, the one that has waited longest first. */
struct wire_list {
    struct wire *first;
    struct wire *last;
};

/* ERR_MEMORY. *out is NULL where no walk of this walker can go this way. */
enum err wires_new(struct walker *walker, struct wires **out);
/* After the walks. NULL is allowed; the pointer becomes NULL. */
void wires_free(struct wires **wires);

/* Whether a walk that begins with this request, whose listener is set, goes this way where its URLs
 * allow it. */
bool wires_suit(const struct walk *walk, const struct detour_request *first);
/* Whether the request that is to be sent next does. */
bool wires_take(const struct walk *walk);

/* Sends the request under way, or has libcurl open a connection for it first: then walk->opening is
 * set, and walk->sending, too. Ends in walk_done or walk_by_curl. False: no memory. */
bool wires_send(struct walk *walk);
/* libcurl has opened it, and still has the walk's handle. */
void wires_opened(struct walk *walk);

/* The walk ends before its answer. Hands a head that has come to the chain. */
void wires_judge(struct walk *walk);
/* Takes the walk off its connection, and closes that; nothing where it has none. */
void wires_drop(struct walk *walk);
