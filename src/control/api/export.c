/* SPDX-License-Identifier: MIT */
/* Configurations as trees of JSON: written as YAML, and compared by name. */
#include "control/api/export.h"

#include "base/buffer.h"
#include "config/json.h"

#include <stdlib.h>

static bool has_live(const struct model_pool *pool, const json_t *of_file)
{
    bool live = json_is_array(of_file) && json_array_size(of_file) != pool->server_count;
    for (size_t i = 0; i < pool->server_count && !live; i++) {
        live = pool->servers[i].live;
    }
    return live;
}

/* A pool of the file that run time has changed, with the servers that it has now. */
static void put_servers(json_t *pools, const struct model_pool *pool)
{
    const char *name = (const char *)pool->name.ptr;
    json_t *of_file = json_object_getn(pools, name, pool->name.len);
    json_t *list = json_is_object(of_file) ? json_object_get(of_file, "servers") : of_file;
    if (!has_live(pool, list)) {
        return;
    }
    json_t *servers = json_array();
    for (size_t i = 0; i < pool->server_count; i++) {
        struct span json = pool->servers[i].json;
        json_array_append_new(servers, json_loadb((const char *)json.ptr, json.len, 0, NULL));
    }
    if (json_is_object(of_file)) {
        json_object_set_new(of_file, "servers", servers);
    } else {
        json_object_setn_new(pools, name, pool->name.len, servers);
    }
}

/* The file, with the detours and servers that are in force in the place of its own. */
static json_t *effective(struct span text, const struct model *model)
{
    json_t *file = model_text_to_json(text);
    json_t *pools = json_object_get(file, "pools");
    for (size_t i = 0; i < model->pool_count && json_is_object(pools); i++) {
        put_servers(pools, &model->pools[i]);
    }
    json_t *detours = json_array();
    for (size_t i = 0; i < model->detour_count; i++) {
        struct span json = model->detours[i].json;
        json_array_append_new(detours, json_loadb((const char *)json.ptr, json.len, 0, NULL));
    }
    if (json_array_size(detours) > 0) {
        json_object_set(file, "detours", detours);
    } else {
        json_object_del(file, "detours");
    }
    json_decref(detours);
    return file;
}

/* ---- YAML ---- */

struct text {
    char *bytes;
    size_t len;
    size_t cap;
    bool failed;
};

static void put(struct text *out, const char *bytes, size_t len)
{
    if (out->cap - out->len <= len && !out->failed) {
        size_t cap = (out->cap + len) * 2 + 256;
        char *grown = realloc(out->bytes, cap);
        if (grown == NULL) {
            out->failed = true;
            return;
        }
        out->bytes = grown;
        out->cap = cap;
    }
    if (!out->failed) {
        memcpy(out->bytes + out->len, bytes, len);
        out->len += len;
        out->bytes[out->len] = 0;
    }
}

static void put_text(struct text *out, const char *bytes)
{
    put(out, bytes, strlen(bytes));
}

static void put_indent(struct text *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        put_text(out, "  ");
    }
}

/* JSON is YAML, but for its escaped slash, which jansson does not write. */
static void put_scalar(struct text *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    out->failed = out->failed || text == NULL;
    put_text(out, text != NULL ? text : "");
    free(text);
}

static bool is_block(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value) > 0) ||
           (json_is_array(value) && json_array_size(value) > 0);
}

static void put_key(struct text *out, const char *key)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (key[0] != '-' && key[0] != 0 && strspn(key, plain) == strlen(key)) {
        put_text(out, key);
        return;
    }
    json_t *text = json_string(key);
    put_scalar(out, text);
    json_decref(text);
}

static void put_block(struct text *out, const json_t *value, unsigned depth, bool begun);

static void put_member(struct text *out, const json_t *value, unsigned depth)
{
    if (is_block(value)) {
        put_text(out, "\n");
        put_block(out, value, depth, false);
    } else {
        put_text(out, " ");
        put_scalar(out, value);
        put_text(out, "\n");
    }
}

/* begun: the first line stands behind a "- " already. */
static void put_map(struct text *out, const json_t *map, unsigned depth, bool begun)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        if (!begun) {
            put_indent(out, depth);
        }
        begun = false;
        put_key(out, key);
        put_text(out, ":");
        put_member(out, value, depth + 1);
    }
}

static void put_block(struct text *out, const json_t *value, unsigned depth, bool begun)
{
    if (json_is_object(value)) {
        put_map(out, value, depth, begun);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        put_indent(out, depth);
        put_text(out, "- ");
        if (json_is_object(item) && is_block(item)) {
            put_map(out, item, depth + 1, true);
        } else {
            put_scalar(out, item);
            put_text(out, "\n");
        }
    }
}

char *export_yaml(struct span text, const struct model *model)
{
    struct text out = {0};
    json_t *file = effective(text, model);
    if (file != NULL) {
        put_block(&out, file, 0, false);
    }
    json_decref(file);
    if (file == NULL || out.failed) {
        free(out.bytes);
        return NULL;
    }
    return out.bytes;
}

/* ---- differences ---- */

static void note(json_t *out, const char *what, const char *resource, const char *name)
{
    json_array_append_new(
        out, json_pack("{s:s, s:s, s:s}", "what", what, "resource", resource, "name", name));
}

/* What a member of a list is called: by its name, or what else stands for one. */
static const char *name_of(const json_t *item, char room[32], size_t index)
{
    static const char *const names[] = {"name", "path", "path_prefix", "url", "host"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *name = json_string_value(json_object_get(item, names[i]));
        if (name != NULL) {
            return name;
        }
    }
    snprintf(room, 32, "#%zu", index + 1);
    return room;
}

static const json_t *find_named(const json_t *list, const char *name)
{
    char room[32];
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (strcmp(name_of(item, room, i), name) == 0) {
            return item;
        }
    }
    return NULL;
}

/* The lists whose members are resources, and those within them. */
struct resource {
    const char *key;
    const char *name;
    const char *inner; /* NULL: none */
};
static const struct resource resources[] = {
    {"sites", "site", "routes"}, {"pools", "pool", "servers"}, {"detours", "detour", NULL},
    {"routes", "route", NULL},   {"servers", "server", NULL},  {"pages", "page", NULL},
};

static const struct resource *resource_of(const char *key)
{
    for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
        if (strcmp(resources[i].key, key) == 0) {
            return &resources[i];
        }
    }
    return NULL;
}

static void diff_members(json_t *out, const json_t *from, const json_t *to, const char *inner,
                         const char *resource, const char *name);

static void diff_lists(json_t *out, const json_t *from, const json_t *to,
                       const struct resource *resource, const char *prefix)
{
    char room[32];
    for (size_t i = 0; i < json_array_size(from); i++) {
        const json_t *item = json_array_get(from, i);
        const char *name = name_of(item, room, i);
        json_t *full = json_sprintf("%s%s", prefix, name);
        const json_t *other = find_named(to, name);
        if (other == NULL) {
            note(out, "removed", resource->name, json_string_value(full));
        } else {
            diff_members(out, item, other, resource->inner, resource->name,
                         json_string_value(full));
        }
        json_decref(full);
    }
    for (size_t i = 0; i < json_array_size(to); i++) {
        const char *name = name_of(json_array_get(to, i), room, i);
        if (find_named(from, name) == NULL) {
            json_t *full = json_sprintf("%s%s", prefix, name);
            note(out, "added", resource->name, json_string_value(full));
            json_decref(full);
        }
    }
}

/* Two resources: whether they differ beside what they hold, and what they hold. */
static void diff_members(json_t *out, const json_t *from, const json_t *to, const char *inner,
                         const char *resource, const char *name)
{
    json_t *a = json_copy((json_t *)(uintptr_t)from);
    json_t *b = json_copy((json_t *)(uintptr_t)to);
    if (inner != NULL) {
        json_t *prefix = json_sprintf("%s/", name);
        diff_lists(out, json_object_get(from, inner), json_object_get(to, inner),
                   resource_of(inner), json_string_value(prefix));
        json_decref(prefix);
        json_object_del(a, inner);
        json_object_del(b, inner);
    }
    if (!json_equal(a, b)) {
        note(out, "changed", resource, name);
    }
    json_decref(a);
    json_decref(b);
}

/* Pools and pages are a map by name, and become a list of those that have one. */
static json_t *listed(const json_t *value)
{
    const char *name;
    json_t *member;
    if (!json_is_object(value)) {
        return json_incref((json_t *)(uintptr_t)value);
    }
    json_t *list = json_array();
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        json_t *item = json_is_object(member) ? json_copy(member) : json_object();
        json_object_set_new(item, "name", json_string(name));
        json_array_append_new(list, item);
    }
    return list;
}

static void diff_resources(json_t *out, const json_t *from, const json_t *to,
                           const struct resource *resource)
{
    json_t *a = listed(from);
    json_t *b = listed(to);
    diff_lists(out, a, b, resource, "");
    json_decref(a);
    json_decref(b);
}

static void diff_files(json_t *out, const json_t *from, const json_t *to)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        const struct resource *resource = resource_of(key);
        const json_t *other = json_object_get(to, key);
        if (resource != NULL) {
            diff_resources(out, value, other, resource);
        } else if (other == NULL) {
            note(out, "removed", "setting", key);
        } else if (!json_equal(value, other)) {
            note(out, "changed", "setting", key);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)to, key, value)
    {
        const struct resource *resource = resource_of(key);
        if (json_object_get(from, key) != NULL) {
            continue;
        }
        if (resource != NULL) {
            diff_resources(out, NULL, value, resource);
        } else {
            note(out, "added", "setting", key);
        }
    }
}

json_t *export_diff(struct span old_text, const struct model *old_model, struct span new_text,
                    const struct model *new_model)
{
    json_t *from = effective(old_text, old_model);
    json_t *to = effective(new_text, new_model);
    json_t *out = from != NULL && to != NULL ? json_array() : NULL;
    if (out != NULL) {
        diff_files(out, from, to);
    }
    json_decref(from);
    json_decref(to);
    return out;
}
