/* SPDX-License-Identifier: MIT */
/* What the files of `detour explain` share: a request that somebody thinks of, and all that
 * is known of its answer. */
#pragma once

#include "cli/command.h"
#include "config/names.h"
#include "decide/answer.h"
#include "decide/decide.h"
#include "http/h1/parse.h"

enum { explain_headers_max = 64 };

/* The command line. */
struct explain_options {
    const char *path;
    const char *method;
    const char *headers[explain_headers_max];
    size_t header_count;
    struct client peer; /* secure as the URL says */
    bool at_given;
    int64_t at_ns;
    bool json;
    bool live;              /* what is in force now, and not what path says */
    const char *token_file; /* with live; NULL: none was given */
    const char *url;
};

/* explain_request.c */

struct explain_request {
    uint8_t bytes[4 * request_head_bytes_max];
    struct h1_head head;
    struct span shown; /* the URL without its fragment */
};

/* The bytes that a client would send for this URL, read as a worker reads them. Sets
 * options->peer.secure. exit_ok, or exit_could_not_run when the reason has been printed. */
int explain_request_init(struct explain_request *request, struct explain_options *options,
                         struct arena *arena);

/* explain_live.c: as config_load; path is NULL or says where to ask. */
int explain_live_load(const struct explain_options *options, struct configuration **out);

/* explain.c */

/* One run of the decision, with what it looked at. */
struct explain_run {
    struct decide_context context;
    struct decide_trace trace;
    struct decision decision;
};

struct explanation {
    struct explain_options options;
    struct explain_request request;
    struct configuration *configuration;
    struct snapshot *snapshot; /* of our own */
    uint8_t *places;           /* where addresses are; NULL: nobody knows */
    size_t places_len;
    struct server_live *live; /* with `live`: what is known of servers, by slot; NULL: all are up */
    uint32_t live_count;
    struct json_t *pools; /* … as the server that runs tells them */
    struct names known;   /* servers of these by their identities, to indexes of: */
    struct json_t **views;
    struct names filed; /* … and those of the model, to indexes of: */
    const struct model_server **file_servers;
    struct explain_run run;
    bool detoured;             /* a detour has answered: */
    struct explain_run bare;   /* the same without any detour */
    bool sent_to_https;        /* https_redirect has answered, or would without the detour: */
    struct explain_run routed; /* the same without either */
    struct answer_scratch scratch;
    struct response response;
};

/* One rule of the site, in the order in which they are asked; those detours whose window is
 * not open come last. */
struct explain_rule {
    struct span identity;
    uint32_t line;
    const char *kind;   /* "route", "detour", "default" */
    struct span source; /* the pattern as written; empty: none */
    struct span reason; /* of a detour */
    struct span owner;
    struct span why;    /* why it lost */
    struct span window; /* of a detour that the snapshot holds: when it is open */
    struct span link;   /* … and what a signed link does there; empty: nothing */
    bool matched;
    bool won;
    bool bare; /* answers where there is no detour */
};
/* Lives in the configuration's arena; NULL: no memory. */
const struct explain_rule *explain_rules(const struct explanation *explanation, size_t *count_out);

/* explain_pool.c */

/* One server of the pool that was asked, in the order of priorities. */
struct explain_server {
    struct span identity;
    uint32_t line;
    struct span why; /* it was not chosen */
    double km;       /* from the client; negative: not known */
    bool chosen;
    uint32_t alternative; /* as which it is named beside the chosen one; 0: it is not */
};
/* Lives in the configuration's arena; *count_out 0 and NULL: no pool was asked. */
const struct explain_server *explain_servers(const struct explanation *explanation,
                                             size_t *count_out);
/* The pool whose signed ticket goes with the Location when it is sent; NULL: none does. Here it is
 * not made: only the server knows the key. */
const struct snap_pool *explain_ticket(const struct explanation *explanation);
/* Whether the pool sends a request like this only to servers that have what it asks for. */
bool explain_existence(const struct explanation *explanation);
/* With `live`, after a run: what is known of who has it; *facts_out NULL: nothing was asked. Gives
 * an exit status. */
int explain_live_existence(struct explanation *explanation, struct facts **facts_out);
/* Of a server of the pool: what to say instead where the answer avoids it. */
struct span explain_lacks(const struct explanation *explanation, uint32_t server,
                          struct span otherwise);
/* How a snapshot is compiled so that servers have their places and states. */
struct compile_slots explain_slots(struct explanation *explanation);
/* Where the health of the server that runs is to be looked up: e->live. exit_ok, or the reason
 * has been printed. */
int explain_live_health(struct explanation *explanation);

/* explain_detour.c; texts live in the configuration's arena */

/* NULL: there is none. */
const struct model_detour *explain_detour_find(const struct explanation *explanation,
                                               struct span identity);
/* Whether it has nobody then, and why. */
bool explain_detour_closed(const struct explanation *explanation,
                           const struct model_detour *detour);
struct span explain_detour_why_closed(const struct explanation *explanation,
                                      const struct model_detour *detour);
/* "open since 2026-12-06T01:00:00Z until 2026-12-06T03:00:00Z, again at …" */
struct span explain_detour_window(const struct explanation *explanation,
                                  const struct model_detour *detour);
/* What a signed link does with it; empty: none passes by. Only the server knows the key. */
struct span explain_detour_link(const struct explanation *explanation,
                                const struct model_detour *detour);
/* Why the winner stands before the loser, which matches too. */
struct span explain_detour_before(const struct explanation *explanation,
                                  const struct model_detour *winner,
                                  const struct model_detour *loser);

/* explain_text.c, explain_json.c */

/* How an origin is called that a decision passes to. */
struct span explain_origin_name(const struct explanation *e, const struct decision *decision);
int explain_print_text(const struct explanation *explanation);
int explain_print_json(const struct explanation *explanation);
