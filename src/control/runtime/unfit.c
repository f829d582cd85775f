/* SPDX-License-Identifier: MIT */
/* Which of what was set at run time is at fault is told by the problems, which name it; where
 * they do not, by trying halves. */
#include "control/runtime/unfit.h"

#include "control/configuration.h"

#include <string.h>

/* One reading on its way. */
struct trial {
    struct configuration *configuration;
    struct model_overrides *all;
    struct model_overrides fit; /* what it is read with */
    const char **aside;         /* for each of all, why; NULL: it is not set aside */
    int64_t now_ns;
};

const struct unfit *unfit_find(const struct unfit_list *list, struct span key)
{
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (span_eq(list->items[i].key, key)) {
            return &list->items[i];
        }
    }
    return NULL;
}

static bool is_known(const struct unfit_list *known, const struct model_override *override)
{
    const struct unfit *found = unfit_find(known, override->key);
    return found != NULL && !override->off && span_eq(found->json, override->json);
}

/* ---- reading ---- */

static bool read_fitting(struct trial *trial)
{
    trial->fit.count = 0;
    for (size_t i = 0; i < trial->all->count; i++) {
        if (trial->aside[i] == NULL) {
            trial->fit.items[trial->fit.count++] = trial->all->items[i];
        }
    }
    return configuration_load(trial->configuration, trial->fit.count > 0 ? &trial->fit : NULL,
                              trial->now_ns);
}

/* What was found of those that were read. */
static void note_found(const struct trial *trial)
{
    const struct model_override *found = trial->fit.items;
    for (size_t i = 0; i < trial->all->count; i++) {
        struct model_override *override = &trial->all->items[i];
        bool read = trial->aside[i] == NULL;
        override->seen = read && found->seen;
        override->stands = read && found->stands;
        found += read;
    }
}

static bool note_unfit(const struct trial *trial)
{
    struct configuration *c = trial->configuration;
    struct unfit_list *list = &c->unfit;
    list->count = 0;
    list->items = arena_array(&c->arena, trial->all->count, sizeof(*list->items));
    for (size_t i = 0; list->items != NULL && i < trial->all->count; i++) {
        if (trial->aside[i] != NULL) {
            const struct model_override *override = &trial->all->items[i];
            list->items[list->count++] =
                (struct unfit){.key = arena_copy(&c->arena, override->key),
                               .json = arena_copy(&c->arena, override->json),
                               .why = arena_printf(&c->arena, "%s", trial->aside[i])};
        }
    }
    return list->items != NULL || trial->all->count == 0;
}

/* ---- who is at fault ---- */

/* What an error says of this one, behind its name (config/override.c); NULL: nothing. */
static const char *fault_of(const struct trial *trial, const struct model_override *override)
{
    const struct problems *problems = &trial->configuration->problems;
    bool server = override_is_server(override->key);
    const char *prefix =
        arena_printf(&trial->configuration->arena,
                     server ? "server %.*s of run time: " : "detour %.*s of run time: ",
                     SPAN_ARG(span_from(override->key, server)));
    size_t len = prefix != NULL ? strlen(prefix) : 0;
    for (size_t i = 0; i < problems->count && len > 0; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem->severity == SEVERITY_ERROR && strncmp(problem->text, prefix, len) == 0) {
            return arena_printf(&trial->configuration->arena, "%s", problem->text + len);
        }
    }
    return NULL;
}

static const char *first_error(const struct trial *trial)
{
    const struct problems *problems = &trial->configuration->problems;
    for (size_t i = 0; i < problems->count; i++) {
        if (problems->items[i].severity == SEVERITY_ERROR) {
            return arena_printf(&trial->configuration->arena, "%s", problems->items[i].text);
        }
    }
    return "it does not fit the file";
}

/* Sets aside those that the problems name. False: none, or one that must not be. */
static bool set_named_aside(struct trial *trial, const struct unfit_list *known, bool any)
{
    size_t count = 0;
    for (size_t i = 0; i < trial->all->count; i++) {
        const struct model_override *override = &trial->all->items[i];
        const char *fault = trial->aside[i] == NULL ? fault_of(trial, override) : NULL;
        if (fault == NULL) {
            continue;
        }
        if (!any && !is_known(known, override)) {
            return false;
        }
        trial->aside[i] = fault;
        count++;
    }
    return count > 0;
}

/* Takes in what fits of [from, to), all of which is set aside. */
static void take_in(struct trial *trial, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        trial->aside[i] = NULL;
    }
    if (read_fitting(trial)) {
        return;
    }
    const char *why = first_error(trial);
    for (size_t i = from; i < to; i++) {
        trial->aside[i] = why;
    }
    if (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        take_in(trial, from, middle);
        take_in(trial, middle, to);
    }
}

/* Nobody is named, such as one whose name is cut off. */
static bool find_by_halves(struct trial *trial)
{
    for (size_t i = 0; i < trial->all->count; i++) {
        trial->aside[i] = "it does not fit the file";
    }
    if (!read_fitting(trial)) {
        return false; /* the file alone is bad */
    }
    take_in(trial, 0, trial->all->count);
    return read_fitting(trial);
}

static bool read_what_fits(struct trial *trial, const struct unfit_list *known, bool any)
{
    while (!read_fitting(trial)) {
        if (!set_named_aside(trial, known, any)) {
            return any && trial->all->count > 0 && find_by_halves(trial);
        }
    }
    return true;
}

/* False: no memory. */
static bool trial_init(struct trial *trial, struct configuration *c,
                       struct model_overrides *overrides, int64_t now_ns)
{
    *trial = (struct trial){.configuration = c, .all = overrides, .now_ns = now_ns};
    trial->fit.stands = overrides->stands;
    trial->fit.items = arena_array(&c->arena, overrides->count, sizeof(*trial->fit.items));
    trial->aside = arena_array(&c->arena, overrides->count, sizeof(*trial->aside));
    if (trial->fit.items == NULL || trial->aside == NULL) {
        return false;
    }
    memset(trial->aside, 0, overrides->count * sizeof(*trial->aside));
    return true;
}

static bool finish(struct trial *trial)
{
    note_found(trial);
    return note_unfit(trial);
}

bool unfit_load(struct configuration *c, struct model_overrides *overrides,
                const struct unfit_list *known, bool any, int64_t now_ns)
{
    struct trial trial;
    c->unfit = (struct unfit_list){0};
    if (overrides == NULL || overrides->count == 0) {
        return configuration_load(c, overrides, now_ns);
    }
    /* Nearly always all of them fit, and nothing needs to be copied. */
    if (configuration_load(c, overrides, now_ns)) {
        return true;
    }
    if (!trial_init(&trial, c, overrides, now_ns)) {
        return false;
    }
    return read_what_fits(&trial, known, any) && finish(&trial);
}

bool unfit_load_without(struct configuration *c, struct model_overrides *overrides,
                        const struct unfit_list *known, int64_t now_ns)
{
    struct trial trial;
    c->unfit = (struct unfit_list){0};
    if (known->count == 0 || overrides == NULL) {
        return configuration_load(c, overrides, now_ns);
    }
    if (!trial_init(&trial, c, overrides, now_ns)) {
        return false;
    }
    for (size_t i = 0; i < overrides->count; i++) {
        trial.aside[i] = is_known(known, &overrides->items[i])
                             ? unfit_find(known, overrides->items[i].key)->why
                             : NULL;
    }
    return read_fitting(&trial) && finish(&trial);
}

enum err unfit_without(const struct unfit_list *known, const struct model_overrides *overrides,
                       struct arena *arena, struct model_overrides *out)
{
    struct model_overrides fit = {.stands = overrides->stands};
    fit.items = arena_array(arena, overrides->count, sizeof(*fit.items));
    if (fit.items == NULL && overrides->count > 0) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < overrides->count; i++) {
        if (!is_known(known, &overrides->items[i])) {
            fit.items[fit.count++] = overrides->items[i];
        }
    }
    *out = fit;
    return ERR_NONE;
}
