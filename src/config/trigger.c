/* SPDX-License-Identifier: MIT */
/* `from: when_origin_fails`: a detour that opens when the probes of an origin fail, and is over
 * when it is well again. */
#include "config/rule.h"

#define WORD SPAN("when_origin_fails")

bool is_trigger(const struct node *node)
{
    if (node == NULL || node->kind != NODE_SCALAR || !span_starts(node->text, WORD)) {
        return false;
    }
    return node->text.len == WORD.len || node->text.ptr[WORD.len] == ' ';
}

/* Whoever the site's default passes to, or the only one that its routes pass to; UINT32_MAX:
 * it cannot be said. */
static uint32_t origin_of_site(const struct model_site *site)
{
    uint32_t found = UINT32_MAX;
    if (site->fallback.kind == RULE_DEFAULT && site->fallback.action.kind == ACTION_ORIGIN) {
        return site->fallback.action.origin;
    }
    for (size_t i = 0; i < site->route_count; i++) {
        const struct model_action *action = &site->routes[i].action;
        if (action->kind != ACTION_ORIGIN || action->origin == found) {
            continue;
        }
        if (found != UINT32_MAX) {
            return UINT32_MAX;
        }
        found = action->origin;
    }
    return found;
}

/* Which origin is watched. */
static bool read_watched(struct load *load, const struct node *node, const struct model_site *site,
                         uint32_t *out)
{
    struct span name = span_trim(span_from(node->text, WORD.len));
    if (name.len > 0) {
        return find_origin(load, node->place, name, out);
    }
    uint32_t found = site != NULL ? origin_of_site(site) : UINT32_MAX;
    if (found == UINT32_MAX) {
        problems_error(load->problems, node->place,
                       "which origin? The site's `default` passes to none, and its routes not to "
                       "one alone; write `from: when_origin_fails NAME`");
        return false;
    }
    *out = found;
    return true;
}

static bool check_others(struct load *load, const struct node *const *at)
{
    static const enum rule_key keys[] = {KEY_UNTIL, KEY_FOR,         KEY_REPEAT, KEY_ZONE,
                                         KEY_RAMP,  KEY_RETURN_OVER, KEY_AT_END};
    bool good = true;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (at[keys[i]] != NULL) {
            problems_error(load->problems, at[keys[i]]->key->place,
                           "`%s` does nothing with `from: when_origin_fails`: such a detour is "
                           "over when the origin is well again; take it away",
                           rule_keys[keys[i]]);
            good = false;
        }
    }
    return good;
}

bool read_trigger(struct load *load, const struct node *const *at, const struct model_site *site,
                  struct model_detour *detour)
{
    const struct node *node = at[KEY_FROM];
    bool good = check_others(load, at);
    if (!read_watched(load, node, site, &detour->watched)) {
        return false;
    }
    const struct model_origin *origin = &load->origins[detour->watched];
    if (!origin->health.enabled) {
        problems_error(load->problems, node->place,
                       "nobody asks the origin `%.*s` how it is; declare it under `origins:` with "
                       "`health: {path: /healthz}`",
                       SHOW(origin->name));
        return false;
    }
    detour->schedule = (struct schedule){
        .trigger = &origin->live->failing, .from_ns = SCHEDULE_EVER, .until_ns = SCHEDULE_NEVER};
    return good;
}
