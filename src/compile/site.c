/* SPDX-License-Identifier: MIT */
/* Sites, the order of their detours, and the table of hosts. */
#include "compile/parts.h"

/* A detour that is active now, and how specific it is. */
struct ranked {
    const struct model_detour *detour;
    int64_t opened_ns;
    size_t index; /* in the file */
    size_t literal_bytes;
    bool exact;
};

static size_t literal_bytes(const struct model_rule *rule, bool *exact)
{
    struct span text;
    size_t bytes = rule->prefix.len;
    *exact = false;
    if (rule->path == NULL) {
        return bytes;
    }
    for (size_t at = 0;; at++) {
        enum segment_kind kind = pattern_segment(rule->path, at, &text);
        if (kind == SEGMENT_LITERAL) {
            bytes += 1 + text.len;
        } else if (kind != SEGMENT_ANY) {
            *exact = kind == SEGMENT_END;
            return bytes;
        }
    }
}

/* The most specific path first, then the newest: the one that opened last, then the one that
 * stands last in the file. */
static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->literal_bytes != b->literal_bytes) {
        return a->literal_bytes > b->literal_bytes ? -1 : 1;
    }
    if (a->exact != b->exact) {
        return a->exact ? -1 : 1;
    }
    if (a->opened_ns != b->opened_ns) {
        return a->opened_ns > b->opened_ns ? -1 : 1;
    }
    return a->index > b->index ? -1 : 1;
}

bool compile_equally_specific(const struct model_rule *a, const struct model_rule *b)
{
    bool exact_a;
    bool exact_b;
    return literal_bytes(a, &exact_a) == literal_bytes(b, &exact_b) && exact_a == exact_b;
}

static struct snap_ruleset compile_detours(struct compile *compile, uint32_t site)
{
    const struct model *model = compile->model;
    struct snap_ruleset set = {.first = compile->rule_count};
    struct ranked *ranked = calloc(model->detour_count + 1, sizeof(*ranked));
    size_t count = 0;
    if (ranked == NULL) {
        compile->block.err = ERR_MEMORY;
        return set;
    }
    for (size_t i = 0; i < model->detour_count; i++) {
        const struct model_detour *detour = &model->detours[i];
        const struct schedule_view *view = &compile->views[i];
        if (detour->site == site && view->share_ppm > 0) {
            ranked[count] =
                (struct ranked){.detour = detour, .opened_ns = view->opened_ns, .index = i};
            ranked[count].literal_bytes = literal_bytes(&detour->rule, &ranked[count].exact);
            count++;
        }
    }
    qsort(ranked, count, sizeof(*ranked), compare_ranked);
    for (size_t i = 0; i < count; i++) {
        compile_rule(compile, &ranked[i].detour->rule, ranked[i].detour);
    }
    free(ranked);
    set.count = compile->rule_count - set.first;
    compile_index(compile, &set);
    return set;
}

static struct snap_ruleset compile_routes(struct compile *compile, const struct model_site *site)
{
    struct snap_ruleset set = {.first = compile->rule_count};
    for (size_t i = 0; i < site->route_count; i++) {
        compile_rule(compile, &site->routes[i], NULL);
    }
    set.count = compile->rule_count - set.first;
    compile_index(compile, &set);
    return set;
}

static struct snap_cors compile_cors(struct compile *compile, const struct model_cors *from)
{
    struct block *block = &compile->block;
    return (struct snap_cors){
        .enabled = from->enabled,
        .any_origin = from->any_origin,
        .credentials = from->credentials,
        .origins = block_texts(block, from->origins, from->origin_count),
        .methods = block_text(block, from->methods),
        .headers = block_text(block, from->headers),
        .expose = block_text(block, from->expose),
        .max_age_s = from->max_age_s,
    };
}

struct snap_list compile_sites(struct compile *compile)
{
    static const struct model_rule any_request;
    const struct model *model = compile->model;
    struct snap_list list = {.count = (uint32_t)model->site_count};
    list.off = block_reserve(&compile->block, model->site_count * sizeof(struct snap_site));
    for (uint32_t i = 0; i < list.count; i++) {
        const struct model_site *from = &model->sites[i];
        compile->site = i;
        struct snap_site site = {
            .name = block_text(&compile->block, from->name),
            .detours = compile_detours(compile, i),
            .routes = compile_routes(compile, from),
            .https_status = from->https_redirect ? from->https_status : 0,
            .https_port = from->https_port,
            .default_implied = from->default_implied,
            .cors = compile_cors(compile, &from->cors),
            .change_ns = openings_soonest(&compile->openings, i, &any_request),
        };
        site.fallback = compile_rule(compile, &from->fallback, NULL);
        block_write(&compile->block, list.off + i * (uint32_t)sizeof(site), &site, sizeof(site));
    }
    return list;
}

static size_t host_table_size(const struct model *model)
{
    size_t hosts = 0;
    size_t size = 8;
    for (size_t i = 0; i < model->site_count; i++) {
        hosts += model->sites[i].host_count;
    }
    while (size < hosts * 2) {
        size *= 2;
    }
    return size;
}

static void add_host(struct compile *compile, struct snap_host *table, size_t size,
                     struct span host, uint32_t site)
{
    struct span key = host.len > 1 && host.ptr[0] == '*' ? span_from(host, 1) : host;
    size_t at = snapshot_host_hash(key) & (size - 1);
    while (table[at].host.len > 0) {
        at = (at + 1) & (size - 1);
    }
    table[at] = (struct snap_host){.host = block_text(&compile->block, key), .site = site};
}

struct snap_list compile_hosts(struct compile *compile, uint32_t *catch_all_out)
{
    const struct model *model = compile->model;
    size_t size = host_table_size(model);
    struct snap_host *table = calloc(size, sizeof(*table));
    *catch_all_out = SNAP_NONE;
    if (table == NULL) {
        compile->block.err = ERR_MEMORY;
        return (struct snap_list){0};
    }
    for (uint32_t i = 0; i < model->site_count; i++) {
        for (size_t k = 0; k < model->sites[i].host_count; k++) {
            add_host(compile, table, size, model->sites[i].hosts[k], i);
        }
        if (model->sites[i].catch_all) {
            *catch_all_out = i;
        }
    }
    struct snap_list list = block_list(&compile->block, table, size, sizeof(*table));
    free(table);
    return list;
}
