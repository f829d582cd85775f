/* SPDX-License-Identifier: MIT */
/* Which servers of the pool have what is asked for, as the server that runs knows. */
#include "cli/explain.h"

#include "cli/admin_client.h"

#include <jansson.h>
#include <unistd.h>

bool explain_existence(const struct explanation *e)
{
    enum method method = e->request.head.request.method;
    return e->run.trace.pooled && (method == METHOD_GET || method == METHOD_HEAD) &&
           snapshot_pool(e->snapshot, e->run.trace.pool)->exists != 0;
}

static uint64_t key_of(const struct explanation *e, const struct facts *facts, uint32_t server)
{
    return facts_key(facts_path(facts, e->run.trace.pool_path),
                     snapshot_server(e->snapshot, server)->exists_key);
}

struct span explain_lacks(const struct explanation *e, uint32_t server, struct span otherwise)
{
    const struct decide_exists *exists = &e->run.context.exists;
    uint32_t left_s;
    if (!explain_existence(e) || exists->facts == NULL) {
        return otherwise;
    }
    switch (facts_find(exists->facts, key_of(e, exists->facts, server), exists->now_s, &left_s)) {
    case FACT_YES:
        break;
    case FACT_NO:
        return SPAN("it does not have this");
    case FACT_UNKNOWN:
    case FACT_TRIED:
        return SPAN("it is not known whether it has this");
    }
    return otherwise;
}

/* The server of the pool with this name; SNAP_NONE. */
static uint32_t find_server(const struct explanation *e, const struct snap_pool *pool,
                            const char *name)
{
    struct span prefix = snapshot_text(e->snapshot, pool->name);
    for (uint32_t i = 0; i < pool->server_count && name != NULL; i++) {
        const struct snap_server *server = snapshot_server(e->snapshot, pool->first_server + i);
        struct span identity = snapshot_text(e->snapshot, server->identity);
        if (span_eq(span_from(identity, prefix.len + 1), span_cstr(name))) {
            return pool->first_server + i;
        }
    }
    return SNAP_NONE;
}

static void learn(const struct explanation *e, const json_t *answer, struct facts *facts)
{
    const struct snap_pool *pool = snapshot_pool(e->snapshot, e->run.trace.pool);
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(answer, "servers"), i, item)
    {
        const char *known = json_string_value(json_object_get(item, "known"));
        uint32_t server = find_server(e, pool, json_string_value(json_object_get(item, "name")));
        if (server != SNAP_NONE && known != NULL && strcmp(known, "unknown") != 0) {
            facts_set(facts, key_of(e, facts, server),
                      strcmp(known, "yes") == 0 ? FACT_YES : FACT_NO, 0, fact_life_s_max);
        }
    }
}

static struct facts *make_facts(void)
{
    struct facts *facts = NULL;
    int fd;
    if (facts_create(&fd) == ERR_NONE) {
        if (facts_open(fd, true, &facts) != ERR_NONE) {
            facts = NULL;
        }
        close(fd);
    }
    return facts;
}

int explain_live_existence(struct explanation *e, struct facts **facts_out)
{
    struct admin_where where = {.config = e->options.path, .token_file = e->options.token_file};
    struct admin_client *client;
    struct admin_reply reply = {0};
    *facts_out = NULL;
    if (!e->options.live || !explain_existence(e) || !question_fits(e->run.trace.pool_path)) {
        return exit_ok;
    }
    const struct snap_pool *pool = snapshot_pool(e->snapshot, e->run.trace.pool);
    const char *name = arena_printf(&e->configuration->arena, "%.*s",
                                    SPAN_ARG(snapshot_text(e->snapshot, pool->name)));
    int status = admin_client_open("explain", &where, false, &client);
    if (status != exit_ok) {
        return status;
    }
    json_t *content =
        json_pack("{s:s%}", "path", e->run.trace.pool_path.ptr, e->run.trace.pool_path.len);
    const struct admin_question question = {
        .method = "POST", .path = "/v1/pools", .segments = {name, "existence"}, .content = content};
    status = name != NULL && content != NULL ? admin_ask(client, &question, &reply)
                                             : complain("explain", "%s", err_text(ERR_MEMORY));
    if (status == exit_ok && (*facts_out = make_facts()) != NULL) {
        learn(e, reply.json, *facts_out);
    }
    admin_reply_fini(&reply);
    json_decref(content);
    admin_client_close(&client);
    return status;
}
