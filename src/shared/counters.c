/* SPDX-License-Identifier: MIT */
/* The layout: one page of head and common counters, the directory of rules, and for each
 * lane of a worker its block and its array of rules, all of them on pages of their own. */
#include "shared/counters.h"

#include "shared/directory.h"
#include "shared/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static const uint64_t magic = UINT64_C(0x31544e4352544544); /* "DETRCNT1" */

struct counters_head {
    uint64_t magic;
    uint64_t workers;
    struct directory_head rules;
    _Alignas(64) struct counters_common common;
};

static_assert(sizeof(struct counters_head) <= page_bytes, "the head is one page");

struct counters_map {
    uint8_t *memory;
    size_t bytes;
    uint32_t workers;
    struct directory rules;
};

static size_t directory_bytes(void)
{
    return pages_round(sizeof(uint64_t) * counters_rules_max);
}

static size_t worker_block_bytes(void)
{
    return pages_round(sizeof(struct counters_worker));
}

static size_t worker_bytes(void)
{
    return worker_block_bytes() + pages_round(sizeof(struct counters_rule) * counters_rules_max);
}

static size_t map_bytes(uint32_t workers)
{
    return page_bytes + directory_bytes() + workers * worker_lanes * worker_bytes();
}

static uint8_t *lane_memory(struct counters_map *map, uint32_t lane)
{
    assert(lane < counters_lanes(map));
    return map->memory + page_bytes + directory_bytes() + lane * worker_bytes();
}

enum err counters_create(uint32_t workers, int *fd_out)
{
    assert(workers > 0 && workers <= counters_workers_max);
    int fd;
    void *memory;
    enum err err = pages_create("detour-counters", map_bytes(workers), &fd);
    if (err != ERR_NONE) {
        return err;
    }
    err = pages_map(fd, 0, page_bytes, true, &memory);
    if (err != ERR_NONE) {
        close(fd);
        return err;
    }
    struct counters_head *head = memory;
    head->workers = workers;
    head->magic = magic;
    pages_unmap(memory, page_bytes);
    *fd_out = fd;
    return ERR_NONE;
}

static enum err read_head(int fd, uint32_t *workers_out)
{
    void *memory;
    enum err err = pages_map(fd, 0, page_bytes, false, &memory);
    if (err != ERR_NONE) {
        return err;
    }
    const struct counters_head *head = memory;
    bool ours = head->magic == magic && head->workers > 0 && head->workers <= counters_workers_max;
    *workers_out = (uint32_t)head->workers;
    pages_unmap(memory, page_bytes);
    return ours ? ERR_NONE : ERR_SYNTAX;
}

enum err counters_open(int fd, struct counters_map **out)
{
    uint32_t workers;
    void *memory;
    enum err err = read_head(fd, &workers);
    if (err != ERR_NONE) {
        return err;
    }
    err = pages_map(fd, 0, map_bytes(workers), true, &memory);
    if (err != ERR_NONE) {
        return err;
    }
    struct counters_map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        pages_unmap(memory, map_bytes(workers));
        return ERR_MEMORY;
    }
    *map = (struct counters_map){.memory = memory, .bytes = map_bytes(workers), .workers = workers};
    struct counters_head *head = memory;
    directory_init(&map->rules, &head->rules, (uint64_t *)(void *)(map->memory + page_bytes),
                   counters_rules_max);
    *out = map;
    return ERR_NONE;
}

void counters_close(struct counters_map **map)
{
    if (*map == NULL) {
        return;
    }
    directory_fini(&(*map)->rules);
    pages_unmap((*map)->memory, (*map)->bytes);
    free(*map);
    *map = NULL;
}

uint32_t counters_workers(const struct counters_map *map)
{
    return map->workers;
}

uint32_t counters_lanes(const struct counters_map *map)
{
    return map->workers * worker_lanes;
}

struct counters_common *counters_common(struct counters_map *map)
{
    return &((struct counters_head *)(void *)map->memory)->common;
}

struct counters_worker *counters_of_worker(struct counters_map *map, uint32_t lane)
{
    return (struct counters_worker *)(void *)lane_memory(map, lane);
}

struct counters_rule *counters_rules(struct counters_map *map, uint32_t lane)
{
    return (struct counters_rule *)(void *)(lane_memory(map, lane) + worker_block_bytes());
}

enum err counters_slot(struct counters_map *map, struct span identity, uint32_t *slot_out)
{
    return directory_slot(&map->rules, identity, slot_out);
}
