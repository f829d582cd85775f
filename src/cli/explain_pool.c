/* SPDX-License-Identifier: MIT */
/* Which server of a pool was chosen, and why each other was not. */
#include "cli/explain.h"

#include "cli/admin_client.h"
#include "compile/compile.h"
#include "control/files/places.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- what a snapshot is compiled with ---- */

static uint32_t rule_slot(void *context, struct span identity)
{
    (void)context;
    (void)identity;
    return 0;
}

/* There may be tens of thousands, and each is asked for. */
static bool index_views(struct explanation *e)
{
    struct arena *arena = &e->configuration->arena;
    size_t count = 0;
    size_t i;
    size_t k;
    json_t *pool;
    json_t *server;
    uint32_t old;
    json_array_foreach(e->pools, i, pool)
    {
        count += json_array_size(json_object_get(pool, "servers"));
    }
    e->known.arena = arena;
    e->views = arena_array(arena, count + 1, sizeof(*e->views));
    uint32_t next = 0;
    json_array_foreach(e->pools, i, pool)
    {
        const char *name = json_string_value(json_object_get(pool, "name"));
        json_array_foreach(json_object_get(pool, "servers"), k, server)
        {
            const char *own = json_string_value(json_object_get(server, "name"));
            const char *identity = name != NULL && own != NULL && e->views != NULL
                                       ? arena_printf(arena, "%s/%s", name, own)
                                       : NULL;
            if (identity == NULL) {
                return false;
            }
            e->views[next] = server;
            if (names_add(&e->known, span_cstr(identity), next++, &old) == ERR_MEMORY) {
                return false;
            }
        }
    }
    return true;
}

static const json_t *view_of(const struct explanation *e, struct span identity)
{
    uint32_t index;
    return names_find(&e->known, identity, &index) ? e->views[index] : NULL;
}

static bool index_file(struct explanation *e)
{
    const struct model *model = e->configuration->model;
    struct arena *arena = &e->configuration->arena;
    size_t count = 0;
    uint32_t next = 0;
    uint32_t old;
    for (size_t i = 0; i < model->pool_count; i++) {
        count += model->pools[i].server_count;
    }
    e->filed.arena = arena;
    e->file_servers = arena_array(arena, count + 1, sizeof(*e->file_servers));
    for (size_t i = 0; i < model->pool_count && e->file_servers != NULL; i++) {
        for (size_t k = 0; k < model->pools[i].server_count; k++) {
            e->file_servers[next] = &model->pools[i].servers[k];
            if (names_add(&e->filed, e->file_servers[next]->identity, next, &old) == ERR_MEMORY) {
                return false;
            }
            next++;
        }
    }
    return e->file_servers != NULL;
}

static enum server_state state_named(const char *text)
{
    static const struct {
        const char *text;
        enum server_state state;
    } states[] = {{"down", SERVER_DOWN}, {"drain", SERVER_DRAIN}, {"maint", SERVER_MAINT}};
    for (size_t i = 0; text != NULL && i < sizeof(states) / sizeof(*states); i++) {
        if (strcmp(text, states[i].text) == 0) {
            return states[i].state;
        }
    }
    return SERVER_UP;
}

/* Where the operator has taken it out, with the reason that was given. */
static struct span lost_because(const struct explanation *e, struct span identity, struct span text)
{
    const json_t *server = view_of(e, identity);
    const json_t *wanted = json_object_get(server, "operator");
    const char *wants = json_string_value(json_object_get(wanted, "wants"));
    const char *why = json_string_value(json_object_get(wanted, "why"));
    if (text.len == 0 || wants == NULL || strcmp(wants, "ready") == 0 || why == NULL ||
        why[0] == 0) {
        return text;
    }
    const char *whole = arena_printf(&e->configuration->arena, "%.*s: %s", SPAN_ARG(text), why);
    return whole != NULL ? span_cstr(whole) : text;
}

/* As which the answer names it; 0: it does not. */
static uint32_t named_as(const struct explanation *e, uint32_t server)
{
    const struct decide_alternatives *named = &e->run.context.alternatives;
    for (uint32_t i = 0; i < e->run.decision.alternative_count; i++) {
        if (named->at[i].server == server) {
            return named->at[i].priority;
        }
    }
    return 0;
}

const struct explain_server *explain_servers(const struct explanation *e, size_t *count_out)
{
    const struct decide_trace *trace = &e->run.trace;
    *count_out = 0;
    if (!trace->pooled) {
        return NULL;
    }
    const struct snap_pool *pool = snapshot_pool(e->snapshot, trace->pool);
    struct explain_server *rows =
        arena_array(&e->configuration->arena, pool->server_count + 1, sizeof(*rows));
    for (uint32_t i = 0; rows != NULL && i < pool->server_count; i++) {
        uint32_t index = pool->first_server + i;
        const struct snap_server *server = snapshot_server(e->snapshot, index);
        struct explain_server *row = &rows[(*count_out)++];
        enum pool_lost lost = pool_why_not(e->run.context.pools, trace->pool, &trace->pool_client,
                                           e->run.decision.server, index, &row->km);
        row->identity = snapshot_text(e->snapshot, server->identity);
        row->line = server->line;
        row->why = lost_because(e, row->identity,
                                lost == POOL_AVOIDED ? explain_lacks(e, index, pool_lost_text(lost))
                                                     : pool_lost_text(lost));
        row->chosen = lost == POOL_WON;
        row->alternative = named_as(e, index);
    }
    return rows;
}

const struct snap_pool *explain_ticket(const struct explanation *e)
{
    const struct decision *decision = &e->run.decision;
    if (!e->run.trace.pooled || decision->server == SNAP_NONE || decision->location.len == 0) {
        return NULL;
    }
    const struct snap_pool *pool = snapshot_pool(e->snapshot, e->run.trace.pool);
    return pool->sign_param.len > 0 ? pool : NULL;
}

static uint64_t word_of_live(const json_t *server)
{
    enum server_state state = state_named(json_string_value(json_object_get(server, "state")));
    double share = json_number_value(json_object_get(server, "share"));
    return server_live_word(state, (uint32_t)(share * (server_weight_ppm_full / 100.)));
}

/* As control begins with it; a drain of the file is taken as over. */
static uint64_t word_of_file(const struct explanation *e, struct span identity)
{
    uint32_t index;
    if (!names_find(&e->filed, identity, &index)) {
        return server_live_word(SERVER_UP, server_weight_ppm_full);
    }
    const struct model_server *server = e->file_servers[index];
    return server->wish == WISH_MAINT   ? server_live_word(SERVER_MAINT, 0)
           : server->wish == WISH_DRAIN ? server_live_word(SERVER_DRAIN, 0)
                                        : server_live_word(SERVER_UP, server->share_ppm);
}

/* Whether the file itself takes a server out, or gives it less. */
static bool file_has_wishes(const struct model *model)
{
    for (size_t i = 0; i < model->pool_count; i++) {
        for (size_t k = 0; k < model->pools[i].server_count; k++) {
            const struct model_server *server = &model->pools[i].servers[k];
            if (server->wish != WISH_READY || server->share_ppm != share_ppm_full) {
                return true;
            }
        }
    }
    return false;
}

/* A slot for each server, in the order in which they are compiled. */
static uint32_t server_slot(void *context, struct span identity)
{
    struct explanation *e = context;
    if (e->live == NULL || e->live_count == servers_max) {
        return 0;
    }
    uint32_t slot = e->live_count++;
    const json_t *server = view_of(e, identity);
    atomic_store(&e->live[slot].word,
                 server != NULL ? word_of_live(server) : word_of_file(e, identity));
    return slot;
}

static bool server_point(void *context, struct span url, float out[3])
{
    const struct explanation *e = context;
    return places_point_in(geo_open(span_of(e->places, e->places_len)), NULL, url, out);
}

struct compile_slots explain_slots(struct explanation *e)
{
    if (e->live == NULL && file_has_wishes(e->configuration->model)) {
        e->live = calloc(servers_max, sizeof(*e->live));
    }
    if (e->live != NULL && !index_file(e)) {
        free(e->live);
        e->live = NULL;
    }
    return (struct compile_slots){
        .rule = rule_slot, .server = server_slot, .point = server_point, .context = e};
}

/* The file is the server's, which may be elsewhere: without it nobody is placed. */
static void read_live_places(struct explanation *e)
{
    struct problems *problems = &e->configuration->problems;
    const struct problems before = *problems;
    problems->file = e->options.path != NULL ? e->options.path : problems->file;
    if (!places_read(e->configuration, &e->places, &e->places_len)) {
        complain("explain", "%s; so nobody knows here where clients are",
                 problems->items[problems->count - 1].text);
    }
    *problems = before;
}

int explain_live_health(struct explanation *e)
{
    struct admin_where where = {.config = e->options.path, .token_file = e->options.token_file};
    struct admin_client *client;
    struct admin_reply reply;
    int status = admin_client_open("explain", &where, false, &client);
    if (status != exit_ok) {
        return status;
    }
    status = admin_ask(client, &(struct admin_question){.path = "/v1/pools"}, &reply);
    if (status == exit_ok) {
        e->pools = json_incref(json_object_get(reply.json, "pools"));
        e->live = json_is_array(e->pools) && index_views(e) ? calloc(servers_max, sizeof(*e->live))
                                                            : NULL;
    }
    admin_reply_fini(&reply);
    admin_client_close(&client);
    if (status == exit_ok && e->configuration->model != NULL) {
        read_live_places(e);
    }
    return status == exit_ok && (e->pools == NULL || e->live == NULL)
               ? complain("explain", "cannot read the state of the servers")
               : status;
}
