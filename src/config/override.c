/* SPDX-License-Identifier: MIT */
/* What run time says of a detour stands in the place of the file's stanza, and is read by
 * the same code: JSON is YAML. Stanzas are compared by what they mean, not by how they are
 * written. */
#include "config/override.h"

#include "config/json.h"
#include "config/read.h"
#include "config/rule.h"

#include <stdlib.h>
#include <xxhash.h>

struct span canonical_json(struct load *load, const json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    struct span copy = text != NULL ? load_copy(load, span_cstr(text)) : SPAN("");
    free(text);
    return copy;
}

static struct span canonical(struct load *load, const struct node *node)
{
    json_t *json = node_to_json(node);
    struct span text = canonical_json(load, json);
    json_decref(json);
    return text;
}

uint64_t json_text_hash(struct span json)
{
    uint64_t hash = XXH3_64bits(json.ptr, json.len);
    return hash != 0 ? hash : 1; /* 0 stands for no stanza */
}

static struct span member(const struct node *node, const char *key)
{
    for (const struct node *item = node->kind == NODE_MAP ? node->first : NULL; item != NULL;
         item = item->next) {
        if (item->kind == NODE_SCALAR && span_eq(item->key->text, span_cstr(key))) {
            return item->text;
        }
    }
    return (struct span){0};
}

/* As run time calls it. What is wrong with its name or site is for its reader to say. */
static struct span key_of(struct load *load, const struct node *node)
{
    struct span site = member(node, "site");
    uint32_t index = 0;
    if (site.len > 0 && names_find(&load->site_names, site, &index)) {
        site = load->sites[index].name;
    } else if (site.len == 0 && load->site_count == 1) {
        site = load->sites[0].name;
    }
    return load_printf(load, "%.*s/%.*s", SPAN_ARG(site), SPAN_ARG(member(node, "name")));
}

static struct place name_place(const struct node *node)
{
    for (const struct node *item = node->kind == NODE_MAP ? node->first : NULL; item != NULL;
         item = item->next) {
        if (span_eq(item->key->text, SPAN("name"))) {
            return item->place;
        }
    }
    return node->place;
}

void forget_places(struct node *node)
{
    for (; node != NULL; node = node->next) {
        node->place = (struct place){0};
        if (node->key != NULL) {
            ((struct node *)(uintptr_t)node->key)->place = (struct place){0};
        }
        forget_places(node->first);
    }
}

void overrides_forget(struct model_overrides *overrides)
{
    for (size_t i = 0; overrides != NULL && i < overrides->count; i++) {
        overrides->items[i].seen = false;
        overrides->items[i].stands = false;
    }
}

/* Its problems are its own, to be told each time it is used. */
static void read_alone(struct load *load, const struct node *node, struct stanza *out)
{
    struct problems *problems = load->problems;
    struct place clients_place = load->clients_place;
    load->problems = &out->problems;
    load->clients_place = (struct place){0};
    out->good = read_detour(load, node, &out->detour);
    out->name_place = name_place(node);
    out->clients_place = load->clients_place;
    out->detour.json = out->json;
    load->problems = problems;
    load->clients_place = clients_place;
}

void stanza_read(struct load *load, const struct node *node, struct stanza *out)
{
    struct span json = canonical(load, node);
    *out = (struct stanza){.key = key_of(load, node), .json = json, .hash = json_text_hash(json)};
    problems_init(&out->problems, load->arena, load->problems->file);
    read_alone(load, node, out);
}

/* It stands in no line: its problems begin with its name. */
static void name_problems(struct stanza *stanza)
{
    for (size_t i = 0; i < stanza->problems.count; i++) {
        struct problem *problem = &stanza->problems.items[i];
        const char *text = arena_printf(stanza->problems.arena, "detour %.*s of run time: %s",
                                        SHOW(stanza->key), problem->text);
        problem->text = text != NULL ? text : problem->text;
    }
}

static void fill_live(struct load *load, const struct model_override *override,
                      struct stanza *stanza)
{
    stanza->users = 1;
    stanza->key = load_copy(load, override->key);
    stanza->json = load_copy(load, override->json);
    stanza->detour.live = true;
    problems_init(&stanza->problems, load->arena, load->problems->file);
    struct node *root =
        (struct node *)(uintptr_t)yaml_read(stanza->json, load->scratch, &stanza->problems);
    if (root != NULL) {
        forget_places(root);
        read_alone(load, root, stanza);
        stanza->detour.live = true;
    }
    name_problems(stanza);
}

struct stanza *stanza_read_live(struct load *load, const struct model_override *override,
                                bool shared)
{
    struct arena *arena = load->arena;
    struct stanza *stanza =
        shared ? calloc(1, sizeof(*stanza)) : load_alloc(load, 1, sizeof(*stanza));
    if (stanza == NULL) {
        load->no_memory = true;
        return NULL;
    }
    if (shared) {
        arena_init(&stanza->arena, 0);
        load->arena = &stanza->arena;
    }
    fill_live(load, override, stanza);
    load->arena = arena;
    return stanza;
}

void stanza_drop(struct stanza *stanza)
{
    if (stanza != NULL && --stanza->users == 0) {
        arena_fini(&stanza->arena);
        free(stanza);
    }
}
