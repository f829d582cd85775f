/* SPDX-License-Identifier: MIT */
/* Any text: a model or an error, never both and never neither, problems in the order of
 * the file, and what compile/ relies on holds in every model. */
#include "config/model.h"

#include "base/clock.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_action(const struct model *model, const struct model_action *action)
{
    switch (action->kind) {
    case ACTION_TO:
    case ACTION_PAGE:
        assert(action->to != NULL);
        assert(action->kind == ACTION_TO || template_var_count(action->to) == 0);
        break;
    case ACTION_POOL:
        assert(action->pool < model->pool_count);
        break;
    case ACTION_WAIT:
        assert(action->page < model->page_count);
        break;
    case ACTION_RESPOND:
        assert(action->status >= 200 && action->status < 600);
        break;
    case ACTION_ORIGIN:
        assert(action->origin < model->origin_count);
        break;
    case ACTION_NEXT:
    case ACTION_PASS:
        break;
    }
}

static void check_rule(const struct model *model, const struct model_rule *rule)
{
    assert(rule->identity.len > 0 && rule->place.line > 0);
    assert(rule->path == NULL || rule->prefix.len == 0);
    assert(rule->prefix.len == 0 || rule->prefix.ptr[0] == '/');
    assert(rule->share_ppm <= 1000000);
    assert(rule->action.kind != ACTION_NEXT);
    check_action(model, &rule->action);
    check_action(model, &rule->rest);
    bool permanent = rule->action.status == 301 || rule->action.status == 308;
    bool redirect = rule->action.kind != ACTION_RESPOND && rule->action.kind != ACTION_PASS;
    assert(!redirect || !permanent || (rule->kind != RULE_DETOUR && rule->max_age_s >= 0));
}

static void check_model(const struct model *model)
{
    assert(model->listener_count > 0 && model->workers <= model_workers_max);
    for (size_t i = 0; i < model->site_count; i++) {
        const struct model_site *site = &model->sites[i];
        assert(site->name.len > 0 && (site->host_count > 0 || site->catch_all));
        for (size_t k = 0; k < site->route_count; k++) {
            check_rule(model, &site->routes[k]);
        }
        check_rule(model, &site->fallback);
    }
    for (size_t i = 0; i < model->pool_count; i++) {
        assert(model->pools[i].server_count > 0);
        assert(model->pools[i].fallback.kind != ACTION_POOL);
        check_action(model, &model->pools[i].fallback);
    }
    for (size_t i = 0; i < model->detour_count; i++) {
        const struct model_detour *detour = &model->detours[i];
        const struct schedule *s = &detour->schedule;
        assert(detour->site < model->site_count && s->from_ns < s->until_ns);
        assert(s->repeat == NULL || (!s->hold && s->until_ns != SCHEDULE_NEVER));
        assert(s->ramp_ns == 0 || s->ramp_ns <= s->until_ns - s->from_ns);
        assert(s->return_over_ns == 0 || (!s->hold && s->until_ns != SCHEDULE_NEVER));
        check_rule(model, &detour->rule);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct problems problems;
    arena_init(&arena, 64 << 20);
    problems_init(&problems, &arena, "fuzz.yaml");
    const struct model *model =
        model_load(span_of(data, size), INT64_C(1795000000) * NS_PER_SECOND, &problems);
    assert((model == NULL) == (problems.error_count > 0));
    assert(problems.error_count <= problems.count);
    for (size_t i = 1; i < problems.count; i++) {
        assert(problems.items[i - 1].place.line <= problems.items[i].place.line);
    }
    if (model != NULL) {
        check_model(model);
    }
    arena_fini(&arena);
    return 0;
}
