/* SPDX-License-Identifier: MIT */
/* What the files of the API share: one call on its way, and those that wait. */
#pragma once

#include "control/api/api.h"

#include "admin/admin.h"

/* An answer that waits for the workers, or for a reload. */
struct waiting {
    struct waiting *next;
    struct admin_pending *pending;
    struct admin_result result;
    uint64_t generation; /* 0: of a reload that has not ended, and … */
    uint64_t reading;    /* … is this one */
    bool refused;        /* it waits for nobody any more */
};

struct api {
    struct api_core core;
    struct admin *admin;
    struct server *server;
    struct listener listener;
    bool listening;
    struct store *store; /* NULL: there is none */
    struct live *live;
    struct arena token_arena; /* of the name of the token that was checked last */
    struct waiting *waiting;
};

/* One call on its way. */
struct turn {
    struct api *api;
    const struct admin_call *call;
    struct admin_pending *pending;
    struct admin_result *result;
    struct arena arena;
    int64_t now_ns;
    bool later;
};

/* api.c */

const struct model *turn_model(const struct turn *t);
/* Takes body over; NULL: no memory, which is refused. */
void turn_give(struct turn *t, uint16_t status, json_t *body);
void turn_refuse_problems(struct turn *t, const struct problems *problems);
/* Puts the answer, which stands in the result, off until all workers have this generation;
 * 0: until a reload has ended. */
void turn_wait(struct turn *t, uint64_t generation);

/* read.c */

/* "site/name" in the turn's arena. */
struct span turn_key(struct turn *t, struct span site, struct span name);
/* NULL: there is none of that name. */
const struct model_detour *turn_detour(const struct model *model, struct span site,
                                       struct span name);
const struct store_override *turn_override(const struct turn *t, struct span key);
/* The same by "site/name". */
const struct model_detour *turn_detour_of(const struct turn *t, struct span key);
/* NULL: it is not set aside. */
const struct unfit *turn_unfit(const struct turn *t, struct span key);
void turn_not_found(struct turn *t);
/* False: refused. */
bool turn_change(struct turn *t, struct store_change *out);

void api_list_detours(struct turn *t);
void api_get_detour(struct turn *t);
void api_list_changes(struct turn *t);
void api_get_change(struct turn *t);
void api_list_sites(struct turn *t);
void api_list_pools(struct turn *t);
void api_get_existence(struct turn *t);
void api_get_status(struct turn *t);
void api_export(struct turn *t);
void api_diff(struct turn *t);
/* A reload that changes nothing: what it would change. */
void api_try_reload(struct turn *t);

/* server.c */

/* Of "/pool/server"; NULL: there is none. */
const struct model_server *turn_server_of(const struct turn *t, struct span key);
json_t *turn_server_shown(struct turn *t, const struct model *model,
                          const struct store_change *made);
/* What is wanted of it, and who wanted it: the schema ServerOperator. */
json_t *turn_operator(struct turn *t, const struct model_pool *pool,
                      const struct model_server *server);
void api_get_server(struct turn *t);
void api_put_server(struct turn *t);
void api_patch_server(struct turn *t);
void api_delete_server(struct turn *t);

/* link.c */

void api_link_detour(struct turn *t);

/* token.c */

void api_list_tokens(struct turn *t);
void api_put_token(struct turn *t);
void api_delete_token(struct turn *t);

/* change.c */

/* A change by whoever asks. */
struct store_change turn_change_of(const struct turn *t, struct span key,
                                   const struct store_value *after);
void turn_refuse_store(struct turn *t, enum err err);
/* RFC 9110, 13.1.1 and 13.1.2. What the file alone says has no number and no tag. */
bool turn_preconditions_hold(struct turn *t, bool exists, const struct store_override *override);
/* The hash of what the file says now of a detour or server; 0: nothing. What an override remembers
 * may be older: one that was made of the history is. */
uint64_t turn_stanza_now(const struct turn *t, struct span key);
/* In the turn's arena, as stanzas are compared. */
struct span turn_dumped(struct turn *t, json_t *json);
/* To the nanosecond, so that of two the newer one is known. */
json_t *turn_begin_now(const struct turn *t);
/* Tries, stores, publishes. status and the answer of *changes: one, or all in a list. */
void turn_change_all(struct turn *t, const struct store_change *changes, size_t count,
                     uint16_t status, const char *list_name);
void turn_put_value(struct turn *t, struct span key, struct span json, uint64_t stanza,
                    uint16_t status);

void api_put_detour(struct turn *t);
void api_delete_detour(struct turn *t);
void api_delete_all(struct turn *t);
void api_extend_detour(struct turn *t);
void api_revert_change(struct turn *t);
