/* SPDX-License-Identifier: MIT */
/* Questions are read when the bell rings, and then again and again after a short pause until
 * there are none: so a flood of them costs a known part of a core, and what does not fit into the
 * rings is dropped where it comes from. */
#include "control/existence.h"

#include "control/files/named.h"
#include "control/probes.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { look_questions_max = 512 };

static_assert((int)exists_life_s_max <= (int)fact_life_s_max, "an answer is kept as long");

static const double pause_s = .01;

struct existence {
    struct ev_loop *loop;
    struct servers_map *servers;
    const struct resolver *names;
    struct facts *facts;
    struct exists *exists;
    struct ring **rings;
    uint32_t ring_count;
    uint32_t turn; /* of the ring that is read first */
    int bell_fd;
    ev_io bell;
    ev_timer pause;
};

/* ---- questions ---- */

static bool take_question(struct existence *e, struct ring *ring)
{
    struct span record;
    struct question_asked asked;
    if (!ring_peek(ring, &record)) {
        return false;
    }
    if (question_decode(record, &asked)) {
        exists_ask(e->exists, asked.server, asked.path);
    }
    ring_pop(ring);
    return true;
}

/* One of each ring at a time, so that no worker drowns the others. Gives how many there were. */
static size_t take_questions(struct existence *e)
{
    size_t taken = 0;
    uint32_t empty = 0;
    while (taken < look_questions_max && empty < e->ring_count) {
        e->turn = (e->turn + 1) % e->ring_count;
        bool found = take_question(e, e->rings[e->turn]);
        taken += found;
        empty = found ? 0 : empty + 1;
    }
    return taken;
}

static bool any_question(const struct existence *e)
{
    struct span record;
    bool any = false;
    for (uint32_t i = 0; i < e->ring_count && !any; i++) {
        any = ring_peek(e->rings[i], &record);
    }
    return any;
}

static void set_asleep(struct existence *e, bool asleep)
{
    for (uint32_t i = 0; i < e->ring_count; i++) {
        if (asleep) {
            ring_sleep(e->rings[i]);
        } else {
            ring_wake(e->rings[i]);
        }
    }
}

static void look_again(struct existence *e)
{
    set_asleep(e, false);
    ev_timer_set(&e->pause, pause_s, 0.);
    ev_timer_start(e->loop, &e->pause);
}

static void look(struct existence *e)
{
    if (take_questions(e) > 0) {
        look_again(e);
        return;
    }
    set_asleep(e, true);
    if (any_question(e)) { /* it came after the look and before the bell was armed */
        look_again(e);
    }
}

static void on_pause(struct ev_loop *loop, ev_timer *timer, int events)
{
    look(timer->data);
}

static void on_bell(struct ev_loop *loop, ev_io *io, int events)
{
    struct existence *e = io->data;
    uint64_t rung;
    ssize_t ignored = read(e->bell_fd, &rung, sizeof(rung));
    (void)ignored;
    if (!ev_is_active(&e->pause)) {
        look(e);
    }
}

/* ---- a life ---- */

static bool find(void *context, struct span host, uint8_t address_out[16])
{
    const struct existence *e = context;
    uint32_t scope;
    /* The function reads, but is called by one who passes a context of anything. */
    return probes_find((void *)(uintptr_t)e->names, host, address_out, &scope) == HEALTH_FOUND;
}

static enum err open_rings(struct existence *e, int fd, uint32_t lanes)
{
    e->rings = calloc(lanes, sizeof(struct ring *));
    enum err err = e->rings == NULL ? ERR_MEMORY : ERR_NONE;
    for (uint32_t i = 0; i < lanes && err == ERR_NONE; i++) {
        err = ring_open_consumer(RING_QUESTIONS, fd, i, &e->rings[i]);
        e->ring_count += err == ERR_NONE;
    }
    return err;
}

static enum err open_all(struct existence *e, const struct existence_setting *setting)
{
    enum err err = facts_open(setting->facts_fd, true, &e->facts);
    if (err == ERR_NONE) {
        err = open_rings(e, setting->questions_fd, setting->lanes);
    }
    if (err == ERR_NONE) {
        const struct exists_setting exists = {.loop = setting->loop,
                                              .facts = e->facts,
                                              .servers = setting->servers,
                                              .context = e,
                                              .find = find,
                                              .keys = setting->keys};
        err = exists_new(&exists, &e->exists);
    }
    return err;
}

enum err existence_new(const struct existence_setting *setting, struct existence **out)
{
    struct existence *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        close(setting->bell_fd);
        return ERR_MEMORY;
    }
    e->loop = setting->loop;
    e->servers = setting->servers;
    e->names = setting->names;
    e->bell_fd = setting->bell_fd;
    ev_io_init(&e->bell, on_bell, e->bell_fd, EV_READ);
    e->bell.data = e;
    ev_timer_init(&e->pause, on_pause, 0., 0.);
    e->pause.data = e;
    enum err err = open_all(e, setting);
    if (err != ERR_NONE) {
        existence_free(&e);
        return err;
    }
    ev_io_start(e->loop, &e->bell);
    *out = e;
    return ERR_NONE;
}

void existence_free(struct existence **existence)
{
    struct existence *e = *existence;
    *existence = NULL;
    if (e == NULL) {
        return;
    }
    ev_io_stop(e->loop, &e->bell);
    ev_timer_stop(e->loop, &e->pause);
    exists_free(&e->exists);
    for (uint32_t i = 0; i < e->ring_count; i++) {
        ring_close(&e->rings[i]);
    }
    free(e->rings);
    facts_close(&e->facts);
    close(e->bell_fd);
    free(e);
}

const struct exists *existence_exists(const struct existence *existence)
{
    return existence != NULL ? existence->exists : NULL;
}

/* ---- the servers ---- */

struct making {
    struct servers_map *servers;
    const char *file; /* of the configuration */
    struct arena arena;
    struct exists_target *targets;
    size_t count;
};

static size_t count_servers(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->pool_count; i++) {
        count += model->pools[i].exists.required ? model->pools[i].server_count : 0;
    }
    return count;
}

static bool add_server(struct making *making, const struct model_pool *pool,
                       const struct model_server *server, struct span ca_file)
{
    const struct model_exists *exists = &pool->exists;
    bool compared = exists->same_size || exists->same_date;
    const struct model_server *first = &pool->servers[0];
    struct exists_target target = {
        .key = model_exists_key(pool, server),
        .original = compared && server != first ? model_exists_key(pool, first) : 0,
        .same_size = exists->same_size,
        .same_date = exists->same_date,
        .is_original = compared && server == first,
        .url = server->url,
        .authority = pool->health.host,
        .ca_file = ca_file,
        .unverified = pool->health.unverified,
        .yes_s = exists->yes_s,
        .no_s = exists->no_s,
        .signs = pool->sign.key_file.len > 0,
        .sign_key = signing_key_id(pool->sign.key_file),
        .sign_param = pool->sign.param,
        .sign_ttl_s = pool->sign.ttl_s,
    };
    if (servers_slot(making->servers, server->identity, &target.slot) != ERR_NONE) {
        target.slot = servers_slot_overflow;
    }
    if (!probes_place(&making->arena, server->url, &target.host, &target.port)) {
        return false;
    }
    making->targets[making->count++] = target;
    return true;
}

static bool add_pool(struct making *making, const struct model_pool *pool)
{
    struct span ca_file = {0};
    bool good = true;
    if (pool->exists.required && pool->health.ca.len > 0) {
        const char *path = named_path(&making->arena, making->file, pool->health.ca);
        ca_file = path != NULL ? span_cstr(path) : ca_file;
        good = path != NULL;
    }
    for (size_t i = 0; pool->exists.required && i < pool->server_count && good; i++) {
        good = add_server(making, pool, &pool->servers[i], ca_file);
    }
    return good;
}

enum err existence_set(struct existence *existence, const struct model *model, const char *file)
{
    bool good = true;
    struct making making = {.servers = existence->servers, .file = file};
    making.targets = calloc(count_servers(model) + 1, sizeof(*making.targets));
    if (making.targets == NULL) {
        return ERR_MEMORY;
    }
    arena_init(&making.arena, 0);
    for (size_t i = 0; i < model->pool_count; i++) {
        good = add_pool(&making, &model->pools[i]) && good;
    }
    enum err err = exists_set(existence->exists, making.targets, making.count);
    arena_fini(&making.arena);
    free(making.targets);
    if (err == ERR_NONE && making.count > 0 && !ev_is_active(&existence->pause)) {
        look(existence); /* what was asked while nobody was here */
    }
    return good ? err : ERR_MEMORY;
}
