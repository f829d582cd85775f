/* SPDX-License-Identifier: MIT */
/* The layout: one page of head, the directory of servers, and a word for each of them. */
#include "shared/servers.h"

#include "base/clock.h"
#include "shared/directory.h"
#include "shared/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static const uint64_t magic = UINT64_C(0x3356525352544544); /* "DETRSRV3" */

struct servers_head {
    uint64_t magic;
    struct directory_head servers;
    _Atomic uint64_t epoch;
};

struct servers_map {
    uint8_t *memory;
    struct directory servers;
};

/* Where the words begin, behind the directory. */
static size_t live_at(void)
{
    return page_bytes + pages_round(sizeof(uint64_t) * servers_max);
}

static size_t map_bytes(void)
{
    return live_at() + pages_round(sizeof(struct server_live) * servers_max);
}

static void make_ready(struct server_live *server)
{
    atomic_store_explicit(&server->word, server_live_word(SERVER_UP, server_weight_ppm_full),
                          memory_order_release);
}

enum err servers_create(int *fd_out)
{
    int fd;
    void *memory;
    enum err err = pages_create("detour-servers", map_bytes(), &fd);
    if (err != ERR_NONE) {
        return err;
    }
    err = pages_map(fd, 0, map_bytes(), true, &memory);
    if (err != ERR_NONE) {
        close(fd);
        return err;
    }
    struct servers_map map = {.memory = memory};
    make_ready(&servers_live(&map)[servers_slot_overflow]);
    ((struct servers_head *)memory)->magic = magic;
    pages_unmap(memory, map_bytes());
    *fd_out = fd;
    return ERR_NONE;
}

enum err servers_open(int fd, bool writable, struct servers_map **out)
{
    void *memory;
    enum err err = pages_map(fd, 0, map_bytes(), writable, &memory);
    if (err != ERR_NONE) {
        return err;
    }
    struct servers_head *head = memory;
    struct servers_map *map = calloc(1, sizeof(*map));
    if (map == NULL || head->magic != magic) {
        err = map == NULL ? ERR_MEMORY : ERR_SYNTAX;
        free(map);
        pages_unmap(memory, map_bytes());
        return err;
    }
    map->memory = memory;
    directory_init(&map->servers, &head->servers, (uint64_t *)(void *)(map->memory + page_bytes),
                   servers_max);
    *out = map;
    return ERR_NONE;
}

void servers_close(struct servers_map **map)
{
    if (*map == NULL) {
        return;
    }
    directory_fini(&(*map)->servers);
    pages_unmap((*map)->memory, map_bytes());
    free(*map);
    *map = NULL;
}

struct server_live *servers_live(struct servers_map *map)
{
    return (struct server_live *)(void *)(map->memory + live_at());
}

const _Atomic uint64_t *servers_epoch(const struct servers_map *map)
{
    return &((const struct servers_head *)(const void *)map->memory)->epoch;
}

/* The next free slot is made ready before it is given, so that a control that dies in
 * between leaves none behind that has no weight. */
enum err servers_slot(struct servers_map *map, struct span identity, uint32_t *slot_out)
{
    uint32_t next = directory_next(&map->servers);
    if (next < servers_max) {
        make_ready(&servers_live(map)[next]);
    }
    return directory_slot(&map->servers, identity, slot_out);
}

uint64_t servers_merge(const uint64_t parts[SERVERS_PARTS])
{
    static const enum server_state by_rank[] = {SERVER_MAINT, SERVER_DOWN, SERVER_DRAIN};
    enum server_state state = SERVER_UP;
    uint64_t ppm = server_weight_ppm_full;
    bool drains = false;
    for (size_t i = 0; i < SERVERS_PARTS; i++) {
        ppm = ppm * server_word_weight_ppm(parts[i]) / server_weight_ppm_full;
        drains = drains || server_word_state(parts[i]) == SERVER_DRAIN;
    }
    for (size_t rank = sizeof(by_rank) / sizeof(by_rank[0]); rank-- > 0;) {
        for (size_t i = 0; i < SERVERS_PARTS; i++) {
            state = server_word_state(parts[i]) == by_rank[rank] ? by_rank[rank] : state;
        }
    }
    return server_live_word(state, state == SERVER_DOWN && drains ? 0 : (uint32_t)ppm);
}

/* The moment is kept before the word that it belongs to. */
static void note_since(_Atomic uint64_t *since_ns, uint64_t before, uint64_t after)
{
    if (server_word_state(before) != server_word_state(after)) {
        atomic_store_explicit(since_ns, (uint64_t)clock_monotonic_ns(), memory_order_release);
    }
}

void servers_set_part(struct servers_map *map, uint32_t slot, enum servers_part part,
                      enum server_state state, uint32_t weight_ppm)
{
    assert(slot < servers_max && slot != servers_slot_overflow);
    struct server_live *server = &servers_live(map)[slot];
    uint64_t parts[SERVERS_PARTS];
    uint64_t said = server_live_word(state, weight_ppm);
    note_since(&server->part_since_ns[part], server_live_part(server, part), said);
    atomic_store_explicit(&server->parts[part], said | server_part_said, memory_order_release);
    for (size_t i = 0; i < SERVERS_PARTS; i++) {
        parts[i] = server_live_part(server, (enum servers_part)i);
    }
    uint64_t word = servers_merge(parts);
    uint64_t before = atomic_load_explicit(&server->word, memory_order_acquire);
    if (word == before) {
        return;
    }
    note_since(&server->since_ns, before, word);
    atomic_store_explicit(&server->word, word, memory_order_release);
    struct servers_head *head = (void *)map->memory;
    atomic_fetch_add_explicit(&head->epoch, 1, memory_order_release);
}

void servers_set(struct servers_map *map, uint32_t slot, enum server_state state,
                 uint32_t weight_ppm)
{
    servers_set_part(map, slot, SERVERS_BY_HEALTH, state, weight_ppm);
}
