/* SPDX-License-Identifier: MIT */
/* The header of the block, and the order in which it is filled. */
#include "compile/compile.h"

#include "compile/parts.h"

#include <assert.h>
#include <xxhash.h>

static struct snap_limits compile_limits(const struct model_limits *from)
{
    return (struct snap_limits){
        .header_timeout_ms = from->header_timeout_ms,
        .idle_timeout_ms = from->idle_timeout_ms,
        .write_timeout_ms = from->write_timeout_ms,
        .lingering_time_ms = from->lingering_time_ms,
        .lingering_idle_ms = from->lingering_idle_ms,
        .connections_max = from->connections_max,
        .lingering_bytes = from->lingering_bytes,
    };
}

static struct snapshot make_header(struct compile *compile, uint64_t generation)
{
    const struct model *model = compile->model;
    struct block *block = &compile->block;
    struct snapshot header = {
        .magic = SNAP_MAGIC,
        .version = snap_version,
        .header_bytes = sizeof(header),
        .generation = generation,
        .built_ns = compile->now_ns,
        .limits = compile_limits(&model->limits),
        .redirect_by = model->redirect_by,
        .forwarded = model->forwarded,
        .trusted = block_cidrs(block, model->trusted_proxies, model->trusted_proxy_count),
        .sites = compile_sites(compile),
    };
    header.pools = compile_pools(compile, &header.servers);
    header.pages = compile_pages(compile);
    header.origins = compile_origins(compile);
    header.hosts = compile_hosts(compile, &header.catch_all);
    header.rules = block_list(block, compile->rules, compile->rule_count, sizeof(*compile->rules));
    header.regexes = block_list(block, block->regexes, block->regex_count, sizeof(*block->regexes));
    return header;
}

static void write_header(struct block *block, struct snapshot *header)
{
    block->len = (block->len + 7) & ~(size_t)7;
    header->size = block->len;
    header->header_hash = 0;
    header->header_hash = XXH3_64bits(header, sizeof(*header));
    block_write(block, 0, header, sizeof(*header));
}

/* What holds at now_ns, detour by detour; NULL: no memory. */
static struct schedule_view *make_views(const struct model *model, int64_t now_ns)
{
    struct schedule_view *views = calloc(model->detour_count + 1, sizeof(*views));
    for (size_t i = 0; views != NULL && i < model->detour_count; i++) {
        schedule_at(&model->detours[i].schedule, now_ns, &views[i]);
    }
    return views;
}

static uint32_t count_rules(const struct model *model)
{
    size_t count = model->detour_count + model->site_count;
    for (size_t i = 0; i < model->site_count; i++) {
        count += model->sites[i].route_count;
    }
    return (uint32_t)count;
}

static enum err begin(struct compile *compile)
{
    const struct model *model = compile->model;
    block_init(&compile->block);
    compile->rule_max = count_rules(model);
    compile->rules = malloc((compile->rule_max + 1) * sizeof(*compile->rules));
    compile->sources = malloc((compile->rule_max + 1) * sizeof(*compile->sources));
    if (compile->rules == NULL || compile->sources == NULL || compile->views == NULL) {
        return ERR_MEMORY;
    }
    block_expect(&compile->block, compile->rule_max);
    return openings_init(&compile->openings, model, compile->views);
}

static void end(struct compile *compile)
{
    free(compile->rules);
    free(compile->sources);
    openings_fini(&compile->openings);
    block_fini(&compile->block);
}

enum err snapshot_compile(const struct model *model, const struct compile_slots *slots,
                          uint64_t generation, int64_t now_ns, uint8_t **bytes_out, size_t *len_out)
{
    struct schedule_view *views = make_views(model, now_ns);
    struct compile compile = {.model = model, .slots = slots, .now_ns = now_ns, .views = views};
    enum err err = begin(&compile);
    if (err == ERR_NONE) {
        block_reserve(&compile.block, sizeof(struct snapshot));
        struct snapshot header = make_header(&compile, generation);
        write_header(&compile.block, &header);
        err = compile.block.err;
    }
    if (err == ERR_NONE) {
        *len_out = compile.block.len;
        *bytes_out = compile.block.bytes;
        compile.block.bytes = NULL;
        assert(snapshot_verify(span_of(*bytes_out, *len_out)) != NULL);
    }
    end(&compile);
    free(views);
    return err;
}
