/* SPDX-License-Identifier: MIT */
/* What run time says of a detour stands in the place of the file's stanza, and is read by
 * the same code: JSON is YAML. Stanzas are compared by what they mean, not by how they are
 * written. */
#include "config/override.h"

#include "config/json.h"
#include "config/read.h"

#include <stdlib.h>
#include <xxhash.h>

/* As JSON, with its keys in order, so that the same meaning is the same text. */
static struct span canonical(struct load *load, const struct node *node)
{
    json_t *json = node_to_json(node);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(json);
    struct span copy = text != NULL ? load_copy(load, span_cstr(text)) : SPAN("");
    free(text);
    return copy;
}

static uint64_t hash_of(struct span json)
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

/* The place of the override of a stanza; SIZE_MAX: there is none. What is wrong with its
 * name or site is for its reader to say. */
static size_t find_override(struct load *load, const struct node *node)
{
    const struct model_overrides *overrides = load->overrides;
    struct span site = member(node, "site");
    struct span name = member(node, "name");
    uint32_t index = 0;
    if (site.len > 0 && names_find(&load->site_names, site, &index)) {
        site = load->sites[index].name;
    } else if (site.len == 0 && load->site_count == 1) {
        site = load->sites[0].name;
    }
    for (size_t i = 0; i < overrides->count; i++) {
        struct span key = overrides->items[i].key;
        if (key.len == site.len + 1 + name.len && span_starts(key, site) &&
            key.ptr[site.len] == '/' && span_ends(key, name)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Lines of a text that nobody has before him say nothing. */
static void forget_places(struct node *node)
{
    for (; node != NULL; node = node->next) {
        node->place = (struct place){0};
        if (node->key != NULL) {
            ((struct node *)(uintptr_t)node->key)->place = (struct place){0};
        }
        forget_places(node->first);
    }
}

static const struct node *read_override(struct load *load, const struct model_override *override)
{
    struct node *root =
        (struct node *)(uintptr_t)yaml_read(override->json, load->scratch, load->problems);
    forget_places(root);
    return root;
}

void overrides_forget(struct model_overrides *overrides)
{
    for (size_t i = 0; overrides != NULL && i < overrides->count; i++) {
        overrides->items[i].seen = false;
        overrides->items[i].stands = false;
    }
}

const struct node *override_of(struct load *load, const struct node *node, struct provenance *out)
{
    struct span json = canonical(load, node);
    *out = (struct provenance){.json = json, .stanza = hash_of(json)};
    size_t at = load->overrides != NULL ? find_override(load, node) : SIZE_MAX;
    if (at == SIZE_MAX) {
        return node;
    }
    struct model_override *override = &load->overrides->items[at];
    override->seen = true;
    override->stands = load->overrides->stands(override, out->stanza);
    if (!override->stands) {
        return node;
    }
    if (override->off) {
        return NULL;
    }
    out->key = override->key;
    out->json = load_copy(load, override->json);
    return read_override(load, override);
}

const struct node *override_next(struct load *load, size_t *at, struct provenance *out)
{
    struct model_overrides *overrides = load->overrides;
    for (; overrides != NULL && *at < overrides->count; ++*at) {
        struct model_override *override = &overrides->items[*at];
        if (override->seen) {
            continue;
        }
        override->seen = true;
        override->stands = overrides->stands(override, 0);
        const struct node *node =
            override->stands && !override->off ? read_override(load, override) : NULL;
        if (node != NULL) {
            *out =
                (struct provenance){.key = override->key, .json = load_copy(load, override->json)};
            ++*at;
            return node;
        }
    }
    return NULL;
}
