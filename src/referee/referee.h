/* SPDX-License-Identifier: MIT */
/* The server behind `detour conformance`: redirects of every kind on loopback, and a table of what
 * a client made of them. One thread. doc/internals/conformance.md
 *
 *   GET  /                  a page that runs all cases in a browser
 *   GET  /cases[.json]      the cases, for other clients; ?key=KEY
 *   any  /t/KEY/CASE/STEP   what is judged
 *   POST /say/KEY/CASE      how it ended: "STATUS URL", or "error"
 *   POST /done/KEY          that was all; the content is the client's name
 *   GET  /report/KEY[.json] the table */
#pragma once

#include "net/listener.h"
#include "referee/session.h"

#include <ev.h>

struct referee;

struct referee_options {
    struct listener listener; /* 127.0.0.1 or ::1; port 0: any; else the two after it are used, too,
                                 the last one for TLS */
    /* A client has done all it wanted to. */
    void (*done)(void *context, const struct session *session);
    void *context;
};

/* ERR_RANGE: no address of loopback, or no two ports after it; ERR_MEMORY; ERR_IO: errno says why.
 */
enum err referee_new(struct ev_loop *loop, const struct referee_options *options,
                     struct referee **out);
/* NULL is allowed; the pointer becomes NULL. */
void referee_free(struct referee **referee);

/* "127.0.0.1:8390". */
const char *referee_place(const struct referee *referee, enum case_place place);
/* Calls done for each session that has not been told. */
void referee_tell_rest(struct referee *referee);
