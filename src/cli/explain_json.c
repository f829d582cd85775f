/* SPDX-License-Identifier: MIT */
/* An explanation to be processed. */
#include "cli/explain.h"

#include "cli/json.h"
#include "config/time.h"

#include <stdio.h>

static json_t *json_request(const struct explanation *e)
{
    char address[address_text_max];
    size_t len = address_format(e->run.decision.client.address, address);
    json_t *object =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:b}", "method", e->options.method, "url",
                  json_text(e->request.shown), "host", json_text(e->run.decision.host), "path",
                  json_text(e->run.trace.path.norm), "client", json_text(span_of(address, len)),
                  "secure", e->run.decision.client.secure);
    if (object != NULL && e->options.at_given) {
        char text[time_text_max];
        json_object_set_new(object, "at", json_string(time_format(e->options.at_ns, text)));
    }
    return object;
}

/* A field that is sent more than once has its values joined, as RFC 9110, 5.3 allows. */
static int add_field(json_t *object, struct span name, struct span value)
{
    char key[256];
    snprintf(key, sizeof(key), "%.*s", SPAN_ARG(name));
    const char *before = json_string_value(json_object_get(object, key));
    json_t *text = json_text(value);
    if (before != NULL && text != NULL) {
        json_t *joined = json_sprintf("%s, %s", before, json_string_value(text));
        json_decref(text);
        text = joined;
    }
    return json_object_set_new(object, key, text);
}

static json_t *json_fields(const struct response *response)
{
    json_t *object = json_object();
    int failed = 0;
    if (response->content_type.len > 0) {
        failed |= add_field(object, SPAN("Content-Type"), response->content_type);
    }
    for (size_t i = 0; i < response->field_count; i++) {
        failed |= add_field(object, response->fields[i].name, response->fields[i].value);
    }
    if (failed != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *json_rules(const struct explain_rule *rules, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct explain_rule *rule = &rules[i];
        json_t *object = json_pack("{s:o, s:i, s:s, s:o, s:b, s:o}", "rule",
                                   json_text(rule->identity), "line", (int)rule->line, "kind",
                                   rule->kind, "source", json_text_or_null(rule->source), "matched",
                                   rule->matched, "reason", json_text(rule->why));
        if (json_array_append_new(array, object) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *json_ticket(const struct explanation *e)
{
    const struct snap_pool *pool = explain_ticket(e);
    return pool == NULL ? json_null()
                        : json_pack("{s:o, s:i}", "param",
                                    json_text(snapshot_text(e->snapshot, pool->sign_param)),
                                    "ttl_s", (int)pool->sign_ttl_s);
}

static json_t *json_existence(const struct explanation *e)
{
    if (!explain_existence(e)) {
        return json_null();
    }
    return json_string(e->run.context.exists.facts == NULL ? "assumed" : "known");
}

static json_t *json_servers(const struct explanation *e)
{
    size_t count;
    const struct explain_server *servers = explain_servers(e, &count);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *object = json_pack(
            "{s:o, s:i, s:b, s:o, s:o, s:o}", "server", json_text(servers[i].identity), "line",
            (int)servers[i].line, "chosen", servers[i].chosen, "km",
            servers[i].km >= 0 ? json_integer((json_int_t)(servers[i].km + 0.5)) : json_null(),
            "alternative",
            servers[i].alternative != 0 ? json_integer(servers[i].alternative) : json_null(),
            "reason", json_text(servers[i].why));
        if (json_array_append_new(array, object) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* What is passed on is answered by somebody else. */
static json_t *json_status(const struct decision *decision, uint16_t status)
{
    return decision->origin == SNAP_NONE ? json_integer(status) : json_null();
}

static json_t *json_origin(const struct explanation *e, const struct decision *decision)
{
    return decision->origin != SNAP_NONE ? json_text(explain_origin_name(e, decision))
                                         : json_null();
}

static json_t *json_bare(const struct explanation *e, const struct explain_rule *rules,
                         size_t count)
{
    const struct decision *bare = &e->bare.decision;
    struct explain_rule rule = {0};
    if (!e->detoured) {
        return json_null();
    }
    for (size_t i = 0; i < count; i++) {
        rule = rules[i].bare ? rules[i] : rule;
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "decision",
                     json_text(reason_text(bare->reason)), "status",
                     json_status(bare, bare->status), "origin", json_origin(e, bare), "location",
                     json_text_or_null(bare->location), "rule", json_text_or_null(rule.identity),
                     "line", rule.line != 0 ? json_integer(rule.line) : json_null());
}

/* What is told to who asks for JSON. */
static json_t *json_told(const struct explanation *e)
{
    struct span body = e->response.body;
    return e->run.decision.json ? json_loadb((const char *)body.ptr, body.len, 0, NULL)
                                : json_null();
}

/* The winner's own words go to the top, the others are the losers. */
static json_t *json_explanation(const struct explanation *e, const struct explain_rule *rules,
                                size_t count)
{
    struct explain_rule *losers = arena_array(&e->configuration->arena, count, sizeof(*losers));
    struct explain_rule none = {0};
    const struct explain_rule *winner = &none;
    size_t loser_count = 0;
    if (losers == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (rules[i].won) {
            winner = &rules[i];
        } else {
            losers[loser_count++] = rules[i];
        }
    }
    struct span site = {0};
    struct span server = {0};
    if (e->run.decision.site != SNAP_NONE) {
        site = snapshot_text(e->snapshot, snapshot_site(e->snapshot, e->run.decision.site)->name);
    }
    if (e->run.decision.server != SNAP_NONE) {
        server = snapshot_text(e->snapshot,
                               snapshot_server(e->snapshot, e->run.decision.server)->identity);
    }
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:o, s:o}",
        "request", json_request(e), "site", json_text_or_null(site), "decision",
        json_text(reason_text(e->run.decision.reason)), "status",
        json_status(&e->run.decision, e->response.status), "origin",
        json_origin(e, &e->run.decision), "location", json_text_or_null(e->run.decision.location),
        "told", json_told(e), "ticket", json_ticket(e), "existence", json_existence(e), "rule",
        json_text_or_null(winner->identity), "line",
        winner->line != 0 ? json_integer(winner->line) : json_null(), "source",
        json_text_or_null(winner->source), "reason", json_text_or_null(winner->reason), "window",
        json_text_or_null(winner->window), "link", json_text_or_null(winner->link), "server",
        json_text_or_null(server), "servers", json_servers(e), "max_age",
        e->run.decision.max_age_s >= 0 ? json_integer(e->run.decision.max_age_s) : json_null(),
        "fields", json_fields(&e->response), "without_detours", json_bare(e, rules, count),
        "losers", json_rules(losers, loser_count));
}

int explain_print_json(const struct explanation *e)
{
    size_t count;
    const struct explain_rule *rules = explain_rules(e, &count);
    json_t *object = rules != NULL ? json_explanation(e, rules, count) : NULL;
    if (object == NULL) {
        return complain("explain", "out of memory");
    }
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
    return exit_ok;
}
