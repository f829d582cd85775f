/* SPDX-License-Identifier: MIT */
/* The walker: libcurl's multi handle, and what all walks share. */
#include "walk/internal.h"

#include <stdlib.h>

static bool add_lines(struct curl_slist **list, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct curl_slist *longer = curl_slist_append(*list, lines[i]);
        if (longer == NULL) {
            return false;
        }
        *list = longer;
    }
    return true;
}

static enum err fill(struct walker *walker, const struct walker_options *options)
{
    walker->options = *options;
    if (options->policy != NULL) {
        walker->policy = *options->policy;
    } else {
        detour_options_init(&walker->policy, sizeof(walker->policy));
    }
    if (!add_lines(&walker->resolve, options->resolve, options->resolve_count) ||
        !add_lines(&walker->connect_to, options->connect_to, options->connect_to_count)) {
        return ERR_MEMORY;
    }
    walker->multi = curl_multi_init();
    if (walker->multi == NULL) {
        return ERR_MEMORY;
    }
    curl_multi_setopt(walker->multi, CURLMOPT_MAXCONNECTS, (long)options->at_once_max);
    return ERR_NONE;
}

enum err walker_new(struct ev_loop *loop, const struct walker_options *options, struct walker **out)
{
    struct walker *walker = calloc(1, sizeof(*walker));
    if (walker == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(walker);
        return ERR_MEMORY;
    }
    walker->loop = loop;
    enum err err = fill(walker, options);
    err = err == ERR_NONE ? wires_new(walker, &walker->wires) : err;
    if (err != ERR_NONE) {
        curl_multi_cleanup(walker->multi);
        curl_slist_free_all(walker->resolve);
        curl_slist_free_all(walker->connect_to);
        free(walker);
        return err;
    }
    loop_init(walker);
    *out = walker;
    return ERR_NONE;
}

static void free_idle(struct walker *walker)
{
    while (walker->idle != NULL) {
        struct walk *walk = walker->idle;
        walker->idle = walk->next;
        walk_free(walk);
    }
}

void walker_free(struct walker **walker)
{
    if (*walker == NULL) {
        return;
    }
    struct walker *old = *walker;
    while (old->all != NULL) {
        walk_drop(old->all);
    }
    free_idle(old);
    wires_free(&old->wires);
    turns_fini(old);
    curl_multi_cleanup(old->multi);
    loop_fini(old);
    curl_slist_free_all(old->resolve);
    curl_slist_free_all(old->connect_to);
    free(old);
    *walker = NULL;
}
