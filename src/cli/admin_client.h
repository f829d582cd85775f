/* SPDX-License-Identifier: MIT */
/* The admin API, as commands ask it: where it listens, a question, the answer.
 *
 * Failures have been printed when a function returns: exit_could_not_run when there was no
 * answer, exit_errors when the server refused. */
#pragma once

#include "base/arena.h"
#include "cli/options.h"

#include <jansson.h>

/* What the command line says of it; NULL: nothing. */
struct admin_where {
    const char *config;
    const char *token_file;
};

/* Where to ask. */
struct admin_address {
    const char *shown; /* as people write it */
    const char *url;   /* "http://127.0.0.1:8308", without a slash at the end */
    const char *path;  /* of a unix socket; NULL: TCP */
};

/* "unix:/run/detour/admin.sock", "/run/detour/admin.sock", "http://127.0.0.1:8308", also
 * "http://unix:…". An address that stands for all of the machine's is that of the loopback.
 * False: it is none of these. */
bool admin_address_read(struct arena *arena, struct span text, struct admin_address *out);

/* `admin.listen` of the file -c names, else of ./detour.yaml, else DETOUR_ADMIN, else
 * /run/detour/admin.sock. A file without it is passed over. */
int admin_address_find(const char *command, const struct admin_where *where, struct arena *arena,
                       struct admin_address *out);

struct admin_client;

/* command is for complaints; json: answers are printed as they are, refusals too. */
int admin_client_open(const char *command, const struct admin_where *where, bool json,
                      struct admin_client **out);
void admin_client_close(struct admin_client **client);
/* What a command keeps until it ends. */
struct arena *admin_client_arena(struct admin_client *client);

struct admin_question {
    const char *method;      /* NULL: GET */
    const char *path;        /* "/v1/detours" */
    const char *segments[3]; /* what follows it, not encoded; up to the first NULL */
    const char *query;       /* "limit=10"; NULL: none */
    bool dry_run;
    const char *owner; /* for the history; NULL: nothing is claimed */
    const char *why;
    json_t *content;   /* borrowed */
    struct span yaml;  /* content of that kind; ptr NULL: none */
    const char *match; /* If-Match; NULL: none */
    bool if_new;       /* If-None-Match: * */
    bool may_miss;     /* 404 is an answer: exit_ok, with status 404 */
};

struct admin_reply {
    long status;
    json_t *json; /* NULL: it was none */
    char *text;
    size_t len;
    char etag[64]; /* "" : none */
};

/* *out is to be ended by admin_reply_fini, whatever this returns. */
int admin_ask(struct admin_client *client, const struct admin_question *question,
              struct admin_reply *out);
void admin_reply_fini(struct admin_reply *reply);

/* The number of the change that a write made: of its ETag. Lives in the client's arena;
 * "": it made none. */
const char *admin_reply_change(struct admin_client *client, const struct admin_reply *reply);

/* With --json prints the answer, and is true: there is nothing more to say. */
bool admin_print_json(const struct admin_client *client, const struct admin_reply *reply);
