/* SPDX-License-Identifier: MIT */
/* Which servers of the pool have what is asked for, as the server that runs knows. */
#include "cli/explain.h"

#include "cli/admin_client.h"
#include "cli/show.h"

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

/* What the answer says of a server; NULL: nothing that is of use here. */
static const char *known_of(const json_t *servers, const struct names *names, struct span name)
{
    uint32_t index;
    if (!names_find(names, name, &index)) {
        return NULL;
    }
    const char *known = json_string_value(json_object_get(json_array_get(servers, index), "known"));
    return known != NULL && strcmp(known, "unknown") != 0 ? known : NULL;
}

/* There may be tens of thousands of them, in another order than here. */
static void learn(const struct explanation *e, const json_t *servers, struct facts *facts)
{
    const struct snap_pool *pool = snapshot_pool(e->snapshot, e->run.trace.pool);
    size_t prefix = snapshot_text(e->snapshot, pool->name).len + 1;
    struct names names = {.arena = &e->configuration->arena};
    size_t i;
    json_t *item;
    uint32_t old;
    json_array_foreach(servers, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        names_add(&names, span_cstr(name != NULL ? name : ""), (uint32_t)i, &old);
    }
    for (uint32_t k = 0; k < pool->server_count; k++) {
        uint32_t server = pool->first_server + k;
        struct span identity =
            snapshot_text(e->snapshot, snapshot_server(e->snapshot, server)->identity);
        const char *known = known_of(servers, &names, span_from(identity, prefix));
        if (known != NULL) {
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
    int status = admin_client_open("explain", &where, false, &client);
    if (status != exit_ok) {
        return status;
    }
    const char *name = show_printf(admin_client_arena(client), "%.*s",
                                   SPAN_ARG(snapshot_text(e->snapshot, pool->name)));
    struct span path = e->run.trace.pool_path;
    json_t *content =
        json_pack("{s:s%}", "path", path.len > 0 ? (const char *)path.ptr : "", path.len);
    const struct admin_question question = {
        .method = "POST", .path = "/v1/pools", .segments = {name, "existence"}, .content = content};
    status = content != NULL
                 ? admin_ask(client, &question, &reply)
                 : complain("explain", "a path that is not UTF-8 cannot be asked about");
    if (status == exit_ok && (*facts_out = make_facts()) != NULL) {
        learn(e, json_object_get(reply.json, "servers"), *facts_out);
    }
    admin_reply_fini(&reply);
    json_decref(content);
    admin_client_close(&client);
    return status;
}
