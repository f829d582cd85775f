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

static json_t *health_of(json_t *pools, struct span identity)
{
    size_t i;
    size_t k;
    json_t *pool;
    json_t *server;
    json_array_foreach(pools, i, pool)
    {
        struct span name = span_cstr(json_string_value(json_object_get(pool, "name")));
        if (!span_starts(identity, name) || identity.len <= name.len ||
            identity.ptr[name.len] != '/') {
            continue;
        }
        struct span own = span_from(identity, name.len + 1);
        json_array_foreach(json_object_get(pool, "servers"), k, server)
        {
            if (span_eq(own, span_cstr(json_string_value(json_object_get(server, "name"))))) {
                return server;
            }
        }
    }
    return NULL;
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
    const json_t *server = health_of(e->pools, identity);
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
        row->why = lost_because(e, row->identity, pool_lost_text(lost));
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
    const struct model *model = e->configuration->model;
    for (size_t i = 0; i < model->pool_count; i++) {
        for (size_t k = 0; k < model->pools[i].server_count; k++) {
            const struct model_server *server = &model->pools[i].servers[k];
            if (!span_eq(server->identity, identity)) {
                continue;
            }
            return server->wish == WISH_MAINT   ? server_live_word(SERVER_MAINT, 0)
                   : server->wish == WISH_DRAIN ? server_live_word(SERVER_DRAIN, 0)
                                                : server_live_word(SERVER_UP, server->share_ppm);
        }
    }
    return server_live_word(SERVER_UP, server_weight_ppm_full);
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
    json_t *server = health_of(e->pools, identity);
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
    return (struct compile_slots){
        .rule = rule_slot, .server = server_slot, .point = server_point, .context = e};
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
        json_t *whole = json_loadb(reply.text, reply.len, 0, NULL);
        e->pools = json_incref(json_object_get(whole, "pools"));
        json_decref(whole);
        e->live = calloc(servers_max, sizeof(*e->live));
    }
    admin_reply_fini(&reply);
    admin_client_close(&client);
    return status == exit_ok && (e->pools == NULL || e->live == NULL)
               ? complain("explain", "cannot read the state of the servers")
               : status;
}
