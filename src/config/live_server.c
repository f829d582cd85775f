/* SPDX-License-Identifier: MIT */
/* What run time says of servers, put into the pools of a text that was read once. A server that is
 * set at run time stands in the place of the file's, or behind all of them, and is read by the
 * same code. */
#include "config/pool.h"

#include "config/override.h"

/* Overrides of servers, put into a copy of the pools. */
struct staff {
    struct load *load;
    struct model_overrides *overrides;
    struct model_pool *pools;
    struct names keys; /* of the overrides, to their indexes */
};

static struct span key_of(struct load *load, const struct model_pool *pool, struct span name)
{
    return load_printf(load, "/%.*s/%.*s", SPAN_ARG(pool->name), SPAN_ARG(name));
}

/* It stands in no line: its problems begin with its name. */
static void name_problems(struct load *load, struct problems *own, struct span key)
{
    for (size_t i = 0; i < own->count; i++) {
        struct problem *problem = &own->items[i];
        const char *text = arena_printf(load->arena, "server %.*s of run time: %s",
                                        SHOW(span_from(key, 1)), problem->text);
        problem->text = text != NULL ? text : problem->text;
    }
}

static bool read_alone(struct load *load, const struct model_override *override,
                       const struct model_pool *pool, struct model_server *out)
{
    struct problems own;
    struct problems *problems = load->problems;
    problems_init(&own, load->arena, problems->file);
    load->problems = &own;
    struct node *root =
        (struct node *)(uintptr_t)yaml_read(load_copy(load, override->json), load->scratch, &own);
    bool good = root != NULL;
    if (good) {
        forget_places(root);
        good = read_server(load, root, pool, out);
    }
    load->problems = problems;
    name_problems(load, &own, override->key);
    problems_add_all(problems, &own);
    out->live = true;
    return good && own.error_count == 0;
}

/* Takes over what stands of the file's servers, and what run time says instead. */
static size_t settle_file(struct staff *staff, const struct model_pool *pool,
                          struct model_server *servers)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct model_server *server = &pool->servers[i];
        uint32_t index;
        servers[count] = *server;
        if (!names_find(&staff->keys, key_of(staff->load, pool, server->name), &index)) {
            count++;
            continue;
        }
        struct model_override *override = &staff->overrides->items[index];
        override->seen = true;
        override->stands = staff->overrides->stands(override, server->stanza);
        if (override->stands && !override->off) {
            bool good = read_alone(staff->load, override, pool, &servers[count]);
            servers[count].stanza = server->stanza;
            servers[count].place = server->place;
            count += good;
        } else {
            count += !override->stands;
        }
    }
    return count;
}

static bool is_of_pool(struct span key, const struct model_pool *pool)
{
    size_t len = pool->name.len;
    return key.len > len + 2 && key.ptr[len + 1] == '/' &&
           span_eq(span_slice(key, 1, len + 1), pool->name);
}

/* Those that the file does not know come last. */
static size_t add_others(struct staff *staff, const struct model_pool *pool,
                         struct model_server *servers, size_t count)
{
    for (size_t i = 0; i < staff->overrides->count; i++) {
        struct model_override *override = &staff->overrides->items[i];
        if (override->seen || !override_is_server(override->key) ||
            !is_of_pool(override->key, pool)) {
            continue;
        }
        override->seen = true;
        override->stands = staff->overrides->stands(override, 0);
        if (override->stands && !override->off &&
            read_alone(staff->load, override, pool, &servers[count])) {
            servers[count++].stanza = 0;
        }
    }
    return count;
}

static size_t count_of_pool(const struct staff *staff, const struct model_pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < staff->overrides->count; i++) {
        struct span key = staff->overrides->items[i].key;
        count += override_is_server(key) && is_of_pool(key, pool);
    }
    return count;
}

static void settle_pool(struct staff *staff, struct model_pool *pool)
{
    size_t more = count_of_pool(staff, pool);
    struct model_server *servers =
        more > 0 ? load_alloc(staff->load, pool->server_count + more, sizeof(*servers)) : NULL;
    if (servers == NULL) {
        return;
    }
    size_t errors = staff->load->problems->error_count;
    size_t count = settle_file(staff, pool, servers);
    count = add_others(staff, pool, servers, count);
    pool->servers = servers;
    pool->server_count = count;
    if (staff->load->problems->error_count == errors) {
        check_servers(staff->load, (struct place){0}, pool);
    }
}

/* Nobody is sent to a pool that the file does not have any more. */
static void report_others(struct staff *staff)
{
    for (size_t i = 0; i < staff->overrides->count; i++) {
        struct model_override *override = &staff->overrides->items[i];
        if (!override_is_server(override->key) || override->seen) {
            continue;
        }
        override->seen = true;
        override->stands = staff->overrides->stands(override, 0);
        if (override->stands) {
            problems_error(staff->load->problems, (struct place){0},
                           "server %.*s of run time: the file has no pool of that name",
                           SHOW(span_from(override->key, 1)));
        }
    }
}

void apply_servers(struct load *load, struct model_overrides *overrides)
{
    struct staff staff = {.load = load, .overrides = overrides, .keys = {.arena = load->scratch}};
    size_t count = 0;
    for (size_t i = 0; overrides != NULL && i < overrides->count; i++) {
        uint32_t old;
        if (override_is_server(overrides->items[i].key)) {
            enum err err = names_add(&staff.keys, overrides->items[i].key, (uint32_t)i, &old);
            load->no_memory = load->no_memory || err == ERR_MEMORY;
            count++;
        }
    }
    if (count == 0) {
        return;
    }
    staff.pools = load_alloc(load, load->pool_count + 1, sizeof(*staff.pools));
    if (staff.pools == NULL) {
        return;
    }
    for (size_t i = 0; i < load->pool_count; i++) {
        staff.pools[i] = load->pools[i];
        settle_pool(&staff, &staff.pools[i]);
    }
    report_others(&staff);
    load->pools = staff.pools;
    load->model->pools = staff.pools;
    check_server_count(load, (struct place){0});
    load->own = NULL;
}
