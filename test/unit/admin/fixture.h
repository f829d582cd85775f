/* SPDX-License-Identifier: MIT */
/* The admin API on real sockets in this process, over a backend that notes what it was
 * asked. Nothing blocks: waiting means turning the loop. */
#pragma once

#include "admin/internal.h"

enum { reply_bytes_max = 1 << 20 };

/* Tokens that the backend knows: "reader" and "writer". What it answers hangs on the name
 * of the detour: "missing", "taken", "full", "broken" (422, two problems), "new" (201),
 * "silent" (no body), "nobody" (no
 * status), "later" (when the test says so), "sooner" (put off, and answered at once),
 * "odd" (a detail that is no UTF-8). All others are done, those of one detour with the ETag 7, and
 * a body as the OpenAPI document says. */
struct fixture {
    struct ev_loop *loop;
    struct server *server;
    struct admin *admin;
    struct listener listener;
    char folder[64];        /* of the unix socket */
    unsigned calls;         /* that the backend saw */
    unsigned tokens;        /* that it was asked for */
    struct admin_call call; /* the last one; its spans and JSON are below */
    char site[64];
    char name[64];
    char pool[64];
    char member[64];
    char owner[300];
    char why[4200];
    char text[256];
    char token[32];
    char *content; /* JSON text; NULL: none */
    struct admin_pending *pending;
};

void fixture_init(struct fixture *f, bool local);
/* On 0.0.0.0, or https as far as Host and Origin go. */
void fixture_init_tcp(struct fixture *f, const char *address, bool secure);
void fixture_fini(struct fixture *f);
void fixture_turn_ms(struct fixture *f, int ms);

/* Connects, sends and reads to the end. In head "$P" is the listener's port; the fields
 * Connection: close and, with content, Content-Length are added. */
struct reply_text {
    unsigned status;
    size_t len;
    char *body; /* within bytes */
    char bytes[reply_bytes_max + 1];
};

int client_open(struct fixture *f);
void client_send(struct fixture *f, int fd, const char *head, const char *content);
/* Static. */
struct reply_text *client_read(struct fixture *f, int fd);
struct reply_text *exchange(struct fixture *f, const char *head, const char *content);

void finish_later(struct fixture *f, const char *name);
/* The body of a good answer, as the document says. */
const char *good_body(int operation);
