/* SPDX-License-Identifier: MIT */
/* A context: groups of certificates, and which of them has a name. */
#include "tls/internal.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* Where a certificate goes: beside an earlier one for the same names whose key is of
 * another kind, or into a group of its own. */
static struct tls_group *group_for(struct tls_context *context, const struct names *names, int kind)
{
    for (size_t i = 0; i < context->group_count; i++) {
        struct tls_group *group = &context->groups[i];
        bool fits = group->pair_count < group_pairs_max && names_eq(&group->names, names);
        for (size_t k = 0; fits && k < group->pair_count; k++) {
            fits = group->pairs[k].kind != kind;
        }
        if (fits) {
            return group;
        }
    }
    return &context->groups[context->group_count++];
}

static enum err add_chain(struct tls_context *context, const struct tls_pair *pair,
                          const struct chain *chain, const char **reason)
{
    struct names names;
    enum err err = names_new(chain->first, &names);
    if (err != ERR_NONE) {
        return err;
    }
    struct tls_group *group = group_for(context, &names, chain_kind(chain));
    if (group->pair_count == 0) {
        group->names = names;
    } else {
        names_free(&names);
    }
    return group_add(group, pair, chain, reason);
}

static enum err add_pair(struct tls_context *context, const struct tls_pair *pair,
                         const char **reason)
{
    struct chain chain;
    enum err err = chain_init(&chain, pair->chain);
    if (err != ERR_NONE) {
        *reason = "a certificate cannot be read";
        return err;
    }
    err = add_chain(context, pair, &chain, reason);
    chain_fini(&chain);
    return err;
}

static int by_name_and_group(const void *left, const void *right)
{
    const struct tls_owner *a = left;
    const struct tls_owner *b = right;
    int order = span_order(a->name, b->name);
    return order != 0 ? order : (a->group > b->group) - (a->group < b->group);
}

static enum err index_names(struct tls_context *context)
{
    size_t count = 0;
    for (size_t i = 0; i < context->group_count; i++) {
        count += context->groups[i].names.count;
    }
    context->owners = calloc(count + 1, sizeof(*context->owners));
    if (context->owners == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < context->group_count; i++) {
        const struct names *names = &context->groups[i].names;
        for (size_t k = 0; k < names->count; k++) {
            context->owners[context->owner_count++] =
                (struct tls_owner){.name = names->items[k], .group = (uint32_t)i};
        }
    }
    qsort(context->owners, context->owner_count, sizeof(*context->owners), by_name_and_group);
    return ERR_NONE;
}

static enum err fill(struct tls_context *context, const struct tls_material *material,
                     const char **reason)
{
    context->bio = stream_bio_new();
    context->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    context->groups = calloc(material->pair_count, sizeof(*context->groups));
    if (context->bio == NULL || context->ticket_cipher == NULL || context->groups == NULL) {
        return ERR_MEMORY;
    }
    context->ticket_key_count = material->ticket_key_count;
    memcpy(context->ticket_keys, material->ticket_keys, sizeof(context->ticket_keys));
    for (size_t i = 0; i < material->pair_count; i++) {
        enum err err = add_pair(context, &material->pairs[i], reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return index_names(context);
}

static enum err make(const struct tls_material *material, struct tls_context **out,
                     const char **reason)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    if (context == NULL) {
        return ERR_MEMORY;
    }
    context->references = 1;
    enum err err = fill(context, material, reason);
    if (err != ERR_NONE) {
        tls_context_free(&context);
        ERR_clear_error();
        return err;
    }
    *out = context;
    return ERR_NONE;
}

enum err tls_context_new(struct span block, struct tls_context **out, const char **reason)
{
    struct tls_material *material = calloc(1, sizeof(*material));
    *reason = "out of memory";
    if (material == NULL) {
        return ERR_MEMORY;
    }
    enum err err = tls_material_decode(block, material);
    if (err == ERR_NONE) {
        err = make(material, out, reason);
    } else {
        *reason = "the block of certificates is damaged";
    }
    tls_wipe(material, sizeof(*material));
    free(material);
    return err;
}

struct tls_context *tls_context_hold(struct tls_context *context)
{
    assert(context->references > 0 && context->references < UINT32_MAX);
    context->references++;
    return context;
}

void tls_context_free(struct tls_context **owner)
{
    struct tls_context *context = *owner;
    *owner = NULL;
    if (context == NULL) {
        return;
    }
    assert(context->references > 0);
    if (--context->references > 0) {
        return;
    }
    for (size_t i = 0; i < context->group_count; i++) {
        group_fini(&context->groups[i]);
    }
    free(context->groups);
    free(context->owners);
    EVP_CIPHER_free(context->ticket_cipher);
    BIO_meth_free(context->bio);
    tls_wipe(context, sizeof(*context));
    free(context);
}

/* The first place in the list that is not before the name. */
static size_t lower_bound(const struct tls_context *context, struct span name)
{
    size_t low = 0;
    size_t high = context->owner_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_order(context->owners[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t find_name(const struct tls_context *context, struct span name)
{
    size_t place = lower_bound(context, name);
    bool found = place < context->owner_count && span_eq(context->owners[place].name, name);
    return found ? context->owners[place].group : group_none;
}

uint32_t context_find(const struct tls_context *context, const struct host *host)
{
    struct host wildcard;
    uint32_t group = find_name(context, host_span(host));
    if (group == group_none && host_wildcard(host, &wildcard)) {
        group = find_name(context, host_span(&wildcard));
    }
    return group;
}
