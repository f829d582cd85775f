/* SPDX-License-Identifier: MIT */
/* A text that is read once, and the models of it that differ by what run time says: their
 * detours are put together of stanzas that were read alone, and only what the detours can
 * change is looked at again. */
#include "config/rule.h"

#include "config/override.h"
#include "config/pool.h"
#include "config/time.h"
#include "uri/location.h"

#include <assert.h>
#include <stdlib.h>

enum { hints_max = 200 };

struct model_text {
    struct load load;         /* its tables; problems, arena and scratch are those of a call */
    struct problems problems; /* of all but the detours */
    bool read;                /* it is YAML, so that there is something to look at */
    struct stanza *stanzas;
    size_t stanza_count;
};

/* ---- the text ---- */

static void read_stanzas(struct model_text *text, const struct node *list)
{
    struct load *load = &text->load;
    if (list == NULL || !read_is_list(load, list)) {
        return;
    }
    text->stanzas = load_alloc(load, list->count, sizeof(*text->stanzas));
    for (const struct node *item = list->first; item != NULL && text->stanzas != NULL;
         item = item->next) {
        stanza_read(load, item, &text->stanzas[text->stanza_count++]);
    }
}

static void read_all(struct model_text *text, struct span bytes)
{
    struct load *load = &text->load;
    const struct node *detours;
    const struct node *root = yaml_read(bytes, load->scratch, load->problems);
    if (root == NULL) {
        return;
    }
    text->read = true;
    limits_default(&load->model->limits);
    load->model->ending_s = model_ending_s;
    read_top(load, root, &detours);
    load->model->sites = load->sites;
    load->model->site_count = load->site_count;
    load->model->pools = load->pools;
    load->model->pool_count = load->pool_count;
    load->model->pages = load->pages;
    load->model->page_count = load->page_count;
    load->model->origins = load->origins;
    load->model->origin_count = load->origin_count;
    read_stanzas(text, detours);
    validate_rest(load);
}

struct model_text *model_text_read(struct span bytes, struct arena *arena, const char *file)
{
    struct arena scratch;
    struct model_text *text = arena_alloc(arena, sizeof(*text));
    if (text == NULL) {
        return NULL;
    }
    arena_init(&scratch, 0);
    problems_init(&text->problems, arena, file);
    struct load *load = &text->load;
    *load = (struct load){.problems = &text->problems,
                          .arena = arena,
                          .scratch = &scratch,
                          .catch_all_site = SIZE_MAX,
                          .suggestions_left = hints_max,
                          .pool_names = {.arena = arena},
                          .page_names = {.arena = arena},
                          .origin_names = {.arena = arena},
                          .site_names = {.arena = arena},
                          .hosts = {.arena = arena},
                          .zones = {.arena = arena}}; /* recurrences keep them */
    load->model = load_alloc(load, 1, sizeof(*load->model));
    load->path_scratch = load_alloc(load, 1, sizeof(*load->path_scratch));
    load->location = load_alloc(load, 1, location_bytes_max);
    if (!load->no_memory) {
        read_all(text, bytes);
    }
    arena_fini(&scratch);
    load->scratch = NULL;
    return load->no_memory ? NULL : text;
}

/* ---- a model of it ---- */

/* One that is put together. */
struct assembly {
    struct model_text *text;
    struct load *load;
    struct model_overrides *overrides; /* NULL: none */
    struct model_detour *detours;
    struct names names;    /* of detours, to their lines */
    struct names keys;     /* of overrides, to their indexes */
    struct names keys_old; /* of those that were read before */
    struct model_live before;
    struct model_live live;
    bool shared;
};

static void add_name(struct assembly *a, struct names *names, struct span name, size_t index)
{
    uint32_t old;
    if (names_add(names, name, (uint32_t)index, &old) == ERR_MEMORY) {
        a->load->no_memory = true;
    }
}

static bool name_is_free(struct assembly *a, const struct stanza *stanza)
{
    const struct model_rule *rule = &stanza->detour.rule;
    struct load *load = a->load;
    uint32_t line;
    enum err err =
        rule->name.len > 0 ? names_add(&a->names, rule->name, rule->place.line, &line) : ERR_NONE;
    if (err == ERR_RANGE) {
        const char *who =
            stanza->detour.live
                ? arena_printf(load->scratch, "detour %.*s of run time: ", SHOW(stanza->key))
                : "";
        const char *where = line > 0 ? arena_printf(load->scratch, "the one in line %u", line)
                                     : "one that was switched on at run time";
        problems_error(load->problems, stanza->name_place,
                       "%sthe detour name `%.*s` is taken by %s; give it another",
                       who != NULL ? who : "", SHOW(rule->name),
                       where != NULL ? where : "another one");
    }
    load->no_memory = load->no_memory || err == ERR_MEMORY;
    return err == ERR_NONE;
}

static void warn_of_the_past(struct load *load, const struct stanza *stanza)
{
    const struct model_detour *detour = &stanza->detour;
    struct schedule_view view;
    char text[time_text_max];
    schedule_at(&detour->schedule, load->now_ns, &view);
    if (view.state != SCHEDULE_OVER && view.state != SCHEDULE_HELD) {
        return;
    }
    const char *who =
        detour->live ? arena_printf(load->scratch, "detour %.*s of run time: ", SHOW(stanza->key))
                     : "";
    if (view.state == SCHEDULE_OVER) {
        problems_warning(load->problems, detour->end_place,
                         "%sthis detour is over since %s; take it away when it is not needed again",
                         who != NULL ? who : "", time_format(view.closes_ns, text));
    } else {
        problems_warning(load->problems, detour->end_place,
                         "%sthis detour should have ended at %s and is held; take it away, or give "
                         "it a later end",
                         who != NULL ? who : "", time_format(view.closes_ns, text));
    }
}

/* hash: of what the file says of it; 0: nothing. */
static void add_detour(struct assembly *a, const struct stanza *stanza, uint64_t hash)
{
    struct load *load = a->load;
    problems_add_all(load->problems, &stanza->problems);
    if (load->clients_place.line == 0) {
        load->clients_place = stanza->clients_place;
    }
    if (!name_is_free(a, stanza) || !stanza->good) {
        return;
    }
    struct model_detour *detour = &a->detours[load->model->detour_count++];
    *detour = stanza->detour;
    detour->stanza = hash;
    warn_of_the_past(load, stanza);
}

/* As it was read before, or read now. */
static void add_live(struct assembly *a, const struct model_override *override, uint64_t hash)
{
    uint32_t index;
    struct stanza *stanza = NULL;
    if (names_find(&a->keys_old, override->key, &index) &&
        span_eq(a->before.items[index]->json, override->json)) {
        stanza = a->before.items[index];
        stanza->users++;
    } else {
        stanza = stanza_read_live(a->load, override, a->shared);
    }
    if (stanza != NULL) {
        a->live.items[a->live.count++] = stanza;
        add_detour(a, stanza, hash);
    }
}

static void add_of_file(struct assembly *a, const struct stanza *stanza)
{
    uint32_t index;
    if (!names_find(&a->keys, stanza->key, &index)) {
        add_detour(a, stanza, stanza->hash);
        return;
    }
    assert(a->overrides != NULL); /* the keys are theirs */
    struct model_override *override = &a->overrides->items[index];
    override->seen = true;
    override->stands = a->overrides->stands(override, stanza->hash);
    if (!override->stands) {
        add_detour(a, stanza, stanza->hash);
    } else if (!override->off) {
        add_live(a, override, stanza->hash);
    }
}

/* Those of run time that the file does not know come last. */
static void assemble(struct assembly *a)
{
    size_t overrides = a->overrides != NULL ? a->overrides->count : 0;
    for (size_t i = 0; i < overrides; i++) {
        add_name(a, &a->keys, a->overrides->items[i].key, i);
    }
    for (size_t i = 0; i < a->before.count; i++) {
        add_name(a, &a->keys_old, a->before.items[i]->key, i);
    }
    for (size_t i = 0; i < a->text->stanza_count; i++) {
        add_of_file(a, &a->text->stanzas[i]);
    }
    for (size_t i = 0; i < overrides; i++) {
        struct model_override *override = &a->overrides->items[i];
        if (!override->seen && !override_is_server(override->key)) {
            override->seen = true;
            override->stands = a->overrides->stands(override, 0);
            if (override->stands && !override->off) {
                add_live(a, override, 0);
            }
        }
    }
}

static void check(struct load *load)
{
    validate_detours(load);
    if (load->site_count == 0 && load->problems->error_count == 0) {
        problems_error(load->problems, (struct place){1, 1},
                       "there is no site, so nothing could be answered; add one under `sites:`");
    }
}

static void make_model(struct assembly *a, const struct model *rest)
{
    struct load *load = a->load;
    size_t overrides = a->overrides != NULL ? a->overrides->count : 0;
    load->model = load_alloc(load, 1, sizeof(*load->model));
    a->detours = load_alloc(load, a->text->stanza_count + overrides, sizeof(*a->detours));
    a->live.items = a->shared ? calloc(overrides + 1, sizeof(struct stanza *))
                              : load_alloc(load, overrides + 1, sizeof(struct stanza *));
    load->no_memory = load->no_memory || a->live.items == NULL;
    if (load->no_memory) {
        return;
    }
    *load->model = *rest;
    load->model->detours = a->detours;
    apply_servers(load, a->overrides);
    assemble(a);
    check(load);
}

/* live NULL: what is read lives in the arena of the problems, as the model does. */
static const struct model *make(struct model_text *text, struct model_overrides *overrides,
                                int64_t now_ns, struct problems *problems, struct model_live *live)
{
    struct arena scratch;
    struct load kept = text->load;
    struct load *load = &text->load;
    size_t errors_before = problems->error_count;
    struct assembly a = {.text = text,
                         .load = load,
                         .overrides = overrides,
                         .names = {.arena = &scratch},
                         .keys = {.arena = &scratch},
                         .keys_old = {.arena = &scratch},
                         .shared = live != NULL};
    arena_init(&scratch, 0);
    overrides_forget(overrides);
    problems_add_all(problems, &text->problems);
    load->problems = problems;
    load->arena = problems->arena;
    load->scratch = &scratch;
    load->now_ns = now_ns;
    if (live != NULL) {
        a.before = *live;
    }
    if (text->read) {
        make_model(&a, kept.model);
    }
    if (load->no_memory) {
        problems_error(problems, (struct place){0}, "out of memory while reading the file");
    }
    if (live != NULL) {
        model_live_fini(&a.before);
        *live = a.live;
    }
    const struct model *model = load->model;
    struct zones zones = load->zones;
    struct search *search = load->search;
    *load = kept;
    load->zones = zones;
    load->search = search;
    arena_fini(&scratch);
    problems_sort(problems);
    return problems->error_count == errors_before ? model : NULL;
}

const struct model *model_of_text(struct model_text *text, struct model_overrides *overrides,
                                  int64_t now_ns, struct problems *problems,
                                  struct model_live *live)
{
    return make(text, overrides, now_ns, problems, live);
}

const struct model *model_load_live(struct span bytes, struct model_overrides *overrides,
                                    int64_t now_ns, struct problems *problems)
{
    struct model_text *text = model_text_read(bytes, problems->arena, problems->file);
    if (text == NULL) {
        overrides_forget(overrides);
        problems_error(problems, (struct place){0}, "out of memory while reading the file");
        return NULL;
    }
    return make(text, overrides, now_ns, problems, NULL);
}

const struct model *model_load(struct span text, int64_t now_ns, struct problems *problems)
{
    return model_load_live(text, NULL, now_ns, problems);
}

/* ---- what models share ---- */

enum err model_live_share(const struct model_live *live, struct model_live *out)
{
    struct model_live copy = {.count = live->count};
    copy.items = calloc(live->count + 1, sizeof(struct stanza *));
    if (copy.items == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < live->count; i++) {
        copy.items[i] = live->items[i];
        copy.items[i]->users++;
    }
    *out = copy;
    return ERR_NONE;
}

void model_live_fini(struct model_live *live)
{
    for (size_t i = 0; i < live->count; i++) {
        stanza_drop(live->items[i]);
    }
    free(live->items);
    *live = (struct model_live){0};
}
