/* SPDX-License-Identifier: MIT */
/* What the readers of one configuration share. Internal to config/. */
#pragma once

#include "config/model.h"
#include "config/names.h"
#include "config/yaml.h"
#include "config/zones.h"
#include "uri/path.h"

/* An origin of allowed_targets, or what a target was declared with. */
struct origin {
    struct span scheme;
    struct span host; /* canonical; with `wildcard`: what must follow a label and its dot */
    int32_t port;     /* -1: the scheme's own */
    bool wildcard;
};

struct load {
    struct problems *problems;
    struct arena *arena;   /* of the model */
    struct arena *scratch; /* freed at the end of the reading */
    int64_t now_ns;
    struct model *model;

    struct model_pool *pools;
    size_t pool_count;
    struct names pool_names;
    struct model_page *pages;
    size_t page_count;
    struct names page_names;
    struct model_origin *origins; /* room for model_origins_max; NULL: none yet */
    size_t origin_count;
    struct names origin_names;
    struct model_site *sites;
    size_t site_count;
    struct names site_names;
    struct names hosts;    /* to the index of their site */
    size_t catch_all_site; /* SIZE_MAX: none */

    const struct origin *allowed;
    size_t allowed_count;
    bool allowed_given;
    bool proxies_given;
    struct place clients_place; /* of the first look at client addresses; line 0: none */

    struct path_scratch *path_scratch;
    uint8_t *location;       /* room for location_bytes_max */
    struct search *search;   /* of loop.c */
    struct own_servers *own; /* of hop.c: for each of the pools; NULL: not looked at yet */
    struct zones zones;
    uint32_t suggestions_left;
    bool no_memory;
};

/* Zeroed. NULL is noted in load->no_memory, which becomes an error at the end. */
void *load_alloc(struct load *load, size_t count, size_t size);
void *load_scratch(struct load *load, size_t count, size_t size);
struct span load_copy(struct load *load, struct span text);
/* NUL-terminated; an empty span when there is no memory. */
struct span load_printf(struct load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "; did you mean `x`?" or "". */
const char *load_hint(struct load *load, struct span wanted, const struct span *candidates,
                      size_t count);
