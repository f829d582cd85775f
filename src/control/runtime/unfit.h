/* SPDX-License-Identifier: MIT */
/* What was set at run time and no longer fits the file: its site is gone, its pool, its
 * target is not allowed any more. At a start it is set aside, so that the rest is served; it
 * stays in the store, and holds again when a file comes that it fits (doc/internals/store.md). */
#pragma once

#include "base/arena.h"
#include "base/span.h"

struct configuration;
struct model_overrides;

/* One that is set aside; texts live in its configuration's arena. */
struct unfit {
    struct span key;  /* "site/name" */
    struct span json; /* as it was set aside: what is set anew is looked at anew */
    const char *why;
};

struct unfit_list {
    struct unfit *items;
    size_t count;
};

/* NULL: it is not among them. */
const struct unfit *unfit_find(const struct unfit_list *list, struct span key);

/* As configuration_load, but without those that do not fit, which configuration->unfit then
 * has. any: whichever they are, as long as the file alone is good; else only those that were
 * set aside before (known; NULL: none), and another one is an error. Notes in the overrides
 * what was found. */
bool unfit_load(struct configuration *configuration, struct model_overrides *overrides,
                const struct unfit_list *known, bool any, int64_t now_ns);

/* The same without looking whether those that were set aside fit by now. */
bool unfit_load_without(struct configuration *configuration, struct model_overrides *overrides,
                        const struct unfit_list *known, int64_t now_ns);

/* Those that are not set aside, in the arena. ERR_MEMORY. */
enum err unfit_without(const struct unfit_list *known, const struct model_overrides *overrides,
                       struct arena *arena, struct model_overrides *out);
