/* SPDX-License-Identifier: MIT */
/* One detour. */
#include "config/rule.h"

#include "http/field.h"

/* ---- bypass and except ---- */

static bool read_bypass_cookie(struct load *load, const struct node *node, struct model_test *out)
{
    size_t equals = node->kind == NODE_SCALAR ? span_find(node->text, 0, '=') : 0;
    bool good = node->kind == NODE_SCALAR && equals > 0 && equals + 1 < node->text.len &&
                token_valid(span_slice(node->text, 0, equals)) &&
                memchr(node->text.ptr, 0, node->text.len) == NULL;
    if (!good) {
        return read_refuse(load, node, "a cookie like `name=value`");
    }
    *out = (struct model_test){.kind = TEST_EQUAL,
                               .name = load_copy(load, span_slice(node->text, 0, equals)),
                               .value = load_copy(load, span_from(node->text, equals + 1))};
    return true;
}

static bool read_bypass_cookies(struct load *load, const struct node *node,
                                struct model_detour *detour)
{
    bool good = true;
    size_t count = 0;
    struct model_test *items = load_alloc(load, list_count(node), sizeof(*items));
    for (const struct node *item = list_first(node); item != NULL && items != NULL;
         item = list_next(node, item)) {
        if (read_bypass_cookie(load, item, &items[count])) {
            count++;
        } else {
            good = false;
        }
    }
    detour->bypass_cookies = (struct model_tests){.items = items, .count = count};
    return good && items != NULL;
}

static bool read_bypass(struct load *load, const struct node *node, struct model_detour *detour)
{
    static const char *const keys[] = {"clients", "cookie", "link"};
    const struct node *at[3];
    bool good = true;
    if (!read_map(load, node, "`bypass`", keys, 3, at)) {
        return false;
    }
    if (at[2] != NULL) {
        good = read_bool(load, at[2], &detour->bypass_link);
    }
    if (at[0] != NULL) {
        if (load->clients_place.line == 0) {
            load->clients_place = at[0]->place;
        }
        good =
            read_cidrs(load, at[0], &detour->bypass_clients, &detour->bypass_client_count) && good;
    }
    return (at[1] == NULL || read_bypass_cookies(load, at[1], detour)) && good;
}

static bool read_except(struct load *load, const struct node *node, struct model_detour *detour)
{
    bool good = true;
    size_t count = 0;
    const struct pattern **items =
        load_alloc(load, list_count(node), sizeof(const struct pattern *));
    for (const struct node *item = list_first(node); item != NULL && items != NULL;
         item = list_next(node, item)) {
        if (read_pattern(load, item, PATTERN_PATH, &items[count])) {
            count++;
        } else {
            good = false;
        }
    }
    detour->except = items;
    detour->except_count = count;
    return good && items != NULL;
}

/* ---- site and name ---- */

static bool report_site(struct load *load, const struct node *node)
{
    struct span *names = load_scratch(load, load->site_count, sizeof(*names));
    for (size_t i = 0; names != NULL && i < load->site_count; i++) {
        names[i] = load->sites[i].name;
    }
    const char *hint = names != NULL ? load_hint(load, node->text, names, load->site_count) : "";
    problems_error(load->problems, node->place, "there is no site `%.*s`%s", SHOW(node->text),
                   hint[0] != 0 ? hint : "; write the `name` or the first host of one");
    return false;
}

static bool read_detour_site(struct load *load, const struct node *at_site, const struct node *node,
                             struct model_detour *detour)
{
    if (at_site == NULL) {
        if (load->site_count == 1) {
            return true;
        }
        problems_error(load->problems, node->place,
                       load->site_count == 0
                           ? "a detour overrides a site, and there is none; add one under `sites:`"
                           : "there are several sites; say which one with `site: NAME`");
        return false;
    }
    if (at_site->kind != NODE_SCALAR) {
        return read_refuse(load, at_site, "the name of a site");
    }
    return names_find(&load->site_names, at_site->text, &detour->site) ||
           report_site(load, at_site);
}

static bool read_detour_name(struct load *load, const struct node *at_name, const struct node *node,
                             struct model_detour *detour)
{
    if (at_name == NULL) {
        problems_error(load->problems, node->place,
                       "a detour needs a `name`, which logs and `explain` call it by");
        return false;
    }
    return read_name(load, at_name, &detour->rule.name);
}

static bool read_why(struct load *load, const struct node *const *at, const struct node *node,
                     struct model_detour *detour)
{
    if (at[KEY_REASON] == NULL) {
        problems_warning(load->problems, node->place,
                         "a detour without a `reason` puzzles those who meet it; add one");
    }
    bool good = at[KEY_REASON] == NULL || read_string(load, at[KEY_REASON], &detour->reason);
    return (at[KEY_OWNER] == NULL || read_string(load, at[KEY_OWNER], &detour->owner)) && good;
}

static bool check_until_healthy(struct load *load, const struct node *const *at)
{
    static const enum rule_key keys[] = {KEY_REPEAT, KEY_RETURN_OVER, KEY_AT_END, KEY_MAX_AGE};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (at[keys[i]] != NULL) {
            problems_error(load->problems, at[keys[i]]->key->place,
                           "`%s` does not go with `until_healthy`: nobody knows when such a detour "
                           "ends, and it ends once and at once; take one of them away",
                           rule_keys[keys[i]]);
            return false;
        }
    }
    if (is_trigger(at[KEY_FROM]) || (at[KEY_UNTIL] != NULL && node_is_word(at[KEY_UNTIL], "off"))) {
        problems_error(load->problems, at[KEY_UNTIL_HEALTHY]->key->place,
                       "`until_healthy` needs a latest end; add `until` or `for`");
        return false;
    }
    return true;
}

static bool read_until_healthy(struct load *load, const struct node *const *at,
                               struct model_detour *detour)
{
    const struct node *node = at[KEY_UNTIL_HEALTHY];
    uint32_t pool;
    if (!check_until_healthy(load, at)) {
        return false;
    }
    if (node->kind != NODE_SCALAR || !names_find(&load->pool_names, node->text, &pool)) {
        return read_refuse(load, node, "the name of a pool");
    }
    if (!load->pools[pool].health.enabled) {
        problems_error(load->problems, node->place,
                       "nobody asks the servers of `%.*s` how they are; give it `health: {path: "
                       "/healthz}`",
                       SHOW(node->text));
        return false;
    }
    if (load->model->state.len == 0) {
        problems_error(load->problems, node->place,
                       "that it has ended must be kept somewhere; add `state: FOLDER`");
        return false;
    }
    detour->until_healthy = pool;
    return true;
}

bool read_detour(struct load *load, const struct node *node, struct model_detour *detour)
{
    const struct node *at[DETOUR_KEYS];
    struct scope scope = {.detour = true};
    *detour = (struct model_detour){
        .rule.kind = RULE_DETOUR, .watched = UINT32_MAX, .until_healthy = UINT32_MAX};
    if (!read_map(load, node, "a detour", rule_keys, DETOUR_KEYS, at)) {
        return false;
    }
    bool good = read_detour_name(load, at[KEY_NAME], node, detour);
    if (read_detour_site(load, at[KEY_SITE], node, detour)) {
        scope.site = &load->sites[detour->site];
    } else {
        good = false;
    }
    good = (is_trigger(at[KEY_FROM]) ? read_trigger(load, at, scope.site, detour)
                                     : read_window(load, at, node, &detour->schedule)) &&
           good;
    good = (at[KEY_UNTIL_HEALTHY] == NULL || read_until_healthy(load, at, detour)) && good;
    good = (at[KEY_BYPASS] == NULL || read_bypass(load, at[KEY_BYPASS], detour)) && good;
    good = (at[KEY_EXCEPT] == NULL || read_except(load, at[KEY_EXCEPT], detour)) && good;
    good = read_why(load, at, node, detour) && good;
    good = read_rule(load, node, at, &scope, &detour->rule) && good;
    if (good) {
        detour->rule.identity =
            load_printf(load, "%.*s/detours/%.*s", SPAN_ARG(load->sites[detour->site].name),
                        SPAN_ARG(detour->rule.name));
        detour->end_place = at[KEY_UNTIL] != NULL ? at[KEY_UNTIL]->place
                            : at[KEY_FOR] != NULL ? at[KEY_FOR]->place
                                                  : (struct place){0};
        detour->leads_here = detour_leads_here(load, detour);
    }
    return good;
}
