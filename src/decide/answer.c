/* SPDX-License-Identifier: MIT */
/* A decision as a response: its fields, and which body. */
#include "decide/answer.h"

#include "decide/body.h"
#include "decide/page.h"
#include "http/field.h"
#include "http/status.h"

/* One response on its way. */
struct reply {
    const struct decide_context *context;
    const struct request *request;
    const struct decision *decision;
    struct response *response;
    struct buffer text; /* for values that are made here */
};

/* A value that was made since `from` in the text buffer. */
static void add_made(struct reply *reply, struct span name, size_t from)
{
    if (!reply->text.full) {
        struct span made = span_slice(buffer_span(&reply->text), from, reply->text.len);
        response_add(reply->response, name, made);
    }
}

static void add_number(struct reply *reply, struct span name, int64_t number)
{
    size_t from = reply->text.len;
    buffer_decimal(&reply->text, (uint64_t)number);
    add_made(reply, name, from);
}

static const struct snap_rule *rule_of(const struct reply *reply)
{
    uint32_t rule = reply->decision->rule;
    return rule != SNAP_NONE ? snapshot_rule(reply->context->snapshot, rule) : NULL;
}

/* Where an answer is what the rule asked for, its own Cache-Control stands instead. */
static bool rule_says_freshness(const struct reply *reply)
{
    const struct decision *decision = reply->decision;
    const struct snapshot *snapshot = reply->context->snapshot;
    const struct snap_rule *rule = rule_of(reply);
    bool asked_for = decision->location.len > 0 ||
                     (decision->action != NULL && decision->action->kind == SNAP_ACTION_RESPOND &&
                      decision->reason != REASON_POOL_EMPTY);
    if (rule == NULL || !asked_for) {
        return false;
    }
    const struct snap_field *fields = snapshot_at(snapshot, rule->headers.off);
    for (uint32_t i = 0; i < rule->headers.count; i++) {
        if (span_eq_ci(snapshot_text(snapshot, fields[i].name), SPAN("Cache-Control"))) {
            return true;
        }
    }
    return false;
}

/* RFC 9111. A bare 307 is not stored, so silence is its freshness; 302 and 303 are kept by
 * some caches all the same; other statuses may be given a heuristic lifetime. */
static void add_freshness(struct reply *reply)
{
    const struct decision *decision = reply->decision;
    bool bare_307 = decision->location.len > 0 && decision->status == 307 &&
                    decision->reason != REASON_WAIT_OVER && decision->reason != REASON_LINK &&
                    !decision->json;
    if (decision->max_age_s < 0) {
        if (!bare_307 && decision->reason != REASON_PREFLIGHT && !rule_says_freshness(reply)) {
            response_add(reply->response, SPAN("Cache-Control"), SPAN("no-store"));
        }
        return;
    }
    size_t from = reply->text.len;
    if (decision->depends_on_client) {
        buffer_put(&reply->text, SPAN("private, "));
    }
    buffer_put(&reply->text, SPAN("max-age="));
    buffer_decimal(&reply->text, (uint64_t)decision->max_age_s);
    add_made(reply, SPAN("Cache-Control"), from);
}

static bool vary_holds(const struct reply *reply, size_t from, struct span name)
{
    struct span list = span_slice(buffer_span(&reply->text), from, reply->text.len);
    struct span member;
    while (field_list_next(&list, &member)) {
        if (span_eq_ci(member, name)) {
            return true;
        }
    }
    return false;
}

static void vary_name(struct reply *reply, size_t from, struct span name)
{
    if (vary_holds(reply, from, name)) {
        return;
    }
    if (reply->text.len > from) {
        buffer_put(&reply->text, SPAN(", "));
    }
    buffer_put(&reply->text, name);
}

static void vary_by_rules(struct reply *reply, size_t from)
{
    const struct snapshot *snapshot = reply->context->snapshot;
    for (uint32_t i = 0; i < reply->decision->vary_rule_count; i++) {
        const struct snap_rule *rule = snapshot_rule(snapshot, reply->decision->vary_rules[i]);
        const struct snap_test *tests = snapshot_at(snapshot, rule->conditions.headers.off);
        for (uint32_t k = 0; k < rule->conditions.headers.count; k++) {
            vary_name(reply, from, snapshot_text(snapshot, tests[k].name));
        }
    }
}

/* Only what may be stored needs it, and what depends on Origin for browsers' sake; and where one
 * URL has two kinds of answers, of which a rule's own Cache-Control may say anything. */
static void add_vary(struct reply *reply, bool by_origin)
{
    const struct decision *decision = reply->decision;
    size_t from = reply->text.len;
    if (by_origin) {
        vary_name(reply, from, SPAN("Origin"));
    }
    if (decision->max_age_s >= 0 || decision->vary & VARY_SAID) {
        if (decision->vary & VARY_COOKIE) {
            vary_name(reply, from, SPAN("Cookie"));
        }
        if (decision->vary & VARY_ACCEPT) {
            vary_name(reply, from, SPAN("Accept"));
        }
        if (decision->vary & VARY_AVOID) {
            vary_name(reply, from, SPAN("Detour-Avoid"));
        }
        vary_by_rules(reply, from);
    }
    if (reply->text.full) {
        response_add(reply->response, SPAN("Vary"), SPAN("*"));
    } else if (reply->text.len > from) {
        add_made(reply, SPAN("Vary"), from);
    }
}

static bool origin_allowed(const struct reply *reply, const struct snap_cors *cors)
{
    const struct snapshot *snapshot = reply->context->snapshot;
    const struct snap_ref *origins = snapshot_at(snapshot, cors->origins.off);
    bool allowed = cors->any_origin;
    for (uint32_t i = 0; i < cors->origins.count && !allowed; i++) {
        allowed = span_eq(snapshot_text(snapshot, origins[i]), reply->request->known.origin);
    }
    return allowed;
}

static void add_text(struct reply *reply, struct span name, struct snap_ref value)
{
    if (value.len > 0) {
        response_add(reply->response, name, snapshot_text(reply->context->snapshot, value));
    }
}

static void add_preflight(struct reply *reply, const struct snap_cors *cors)
{
    add_text(reply, SPAN("Access-Control-Allow-Methods"), cors->methods);
    add_text(reply, SPAN("Access-Control-Allow-Headers"), cors->headers);
    if (cors->max_age_s >= 0) {
        add_number(reply, SPAN("Access-Control-Max-Age"), cors->max_age_s);
    }
}

/* Fetch, 3.2. Gives whether the answer depends on the Origin. */
static bool add_cors(struct reply *reply)
{
    const struct decision *decision = reply->decision;
    if (decision->site == SNAP_NONE) {
        return false;
    }
    const struct snap_site *site = snapshot_site(reply->context->snapshot, decision->site);
    const struct snap_cors *cors = &site->cors;
    if (!cors->enabled) {
        return false;
    }
    bool star = cors->any_origin && !cors->credentials;
    if (reply->request->known.origin.ptr == NULL || !origin_allowed(reply, cors)) {
        return !star;
    }
    response_add(reply->response, SPAN("Access-Control-Allow-Origin"),
                 star ? SPAN("*") : reply->request->known.origin);
    if (cors->credentials) {
        response_add(reply->response, SPAN("Access-Control-Allow-Credentials"), SPAN("true"));
    }
    if (decision->reason == REASON_PREFLIGHT) {
        add_preflight(reply, cors);
    } else {
        add_text(reply, SPAN("Access-Control-Expose-Headers"), cors->expose);
    }
    return !star;
}

static void add_rule_fields(struct reply *reply)
{
    const struct snapshot *snapshot = reply->context->snapshot;
    const struct snap_rule *rule = rule_of(reply);
    if (rule == NULL) {
        return;
    }
    const struct snap_field *fields = snapshot_at(snapshot, rule->headers.off);
    for (uint32_t i = 0; i < rule->headers.count; i++) {
        response_add(reply->response, snapshot_text(snapshot, fields[i].name),
                     snapshot_text(snapshot, fields[i].value));
    }
    if (snapshot->redirect_by) {
        response_add(reply->response, SPAN("X-Redirect-By"),
                     snapshot_text(snapshot, rule->identity));
    }
}

/* RFC 6265bis. Lax: whoever follows a link from elsewhere is a tester too. */
static void add_link_cookie(struct reply *reply)
{
    const struct decide_link *link = &reply->context->link;
    size_t from = reply->text.len;
    buffer_put(&reply->text, span_of(link->cookie_name, sizeof(link->cookie_name)));
    buffer_byte(&reply->text, '=');
    buffer_put(&reply->text, link->text);
    buffer_put(&reply->text, SPAN("; Path=/; Max-Age="));
    buffer_decimal(&reply->text, (uint64_t)link->life_s);
    buffer_put(&reply->text, SPAN("; HttpOnly; SameSite=Lax"));
    if (reply->decision->client.secure) {
        buffer_put(&reply->text, SPAN("; Secure"));
    }
    add_made(reply, SPAN("Set-Cookie"), from);
}

/* The cookie of the pool: the same client comes to the same server. */
static void add_pool_cookie(struct reply *reply)
{
    const struct decision *decision = reply->decision;
    const struct snapshot *snapshot = reply->context->snapshot;
    const struct snap_pool *pool = snapshot_pool(snapshot, decision->action->pool);
    uint8_t held[pool_held_bytes];
    size_t from = reply->text.len;
    pool_held_text(snapshot_server(snapshot, decision->server), held);
    buffer_put(&reply->text, snapshot_text(snapshot, pool->sticky));
    buffer_byte(&reply->text, '=');
    buffer_put(&reply->text, span_of(held, sizeof(held)));
    buffer_put(&reply->text, SPAN("; Path=/; Max-Age="));
    buffer_decimal(&reply->text, pool->sticky_s);
    buffer_put(&reply->text, SPAN("; HttpOnly; SameSite=Lax"));
    if (decision->client.secure) {
        buffer_put(&reply->text, SPAN("; Secure"));
    }
    add_made(reply, SPAN("Set-Cookie"), from);
}

/* The fields are one each: clients are known that read no list. Whoever is told finds them in
 * the document, which they are no duplicates of. */
static void add_links(struct reply *reply)
{
    const struct decide_alternatives *from = &reply->context->alternatives;
    uint32_t count = reply->decision->json ? 0 : reply->decision->alternative_count;
    for (uint32_t i = 0; i < count; i++) {
        response_add(reply->response, SPAN("Link"), from->at[i].link);
    }
}

static void add_fields(struct reply *reply)
{
    const struct decision *decision = reply->decision;
    add_freshness(reply);
    add_links(reply);
    if (decision->reason == REASON_LINK) {
        add_link_cookie(reply);
    }
    if (decision->hold && decision->location.len > 0) {
        add_pool_cookie(reply);
    }
    bool by_origin = add_cors(reply);
    if (decision->retry_after_s >= 0) {
        add_number(reply, SPAN("Retry-After"), decision->retry_after_s);
    }
    if (by_origin || decision->max_age_s >= 0 || decision->vary & VARY_SAID) {
        add_vary(reply, by_origin); /* last of what is made: it alone may fill the text */
    }
    if (decision->reason == REASON_OPTIONS) {
        response_add(reply->response, SPAN("Allow"),
                     SPAN("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    add_rule_fields(reply);
}

static void add_body(struct reply *reply, struct buffer *body)
{
    const struct decision *decision = reply->decision;
    const struct snap_rule *rule = rule_of(reply);
    struct response *response = reply->response;
    if (decision->json) {
        body_told(body, reply->context, reply->request, decision);
        response->content_type = SPAN("application/json");
    } else if (decision->location.len > 0) {
        if (rule == NULL || rule->flags & SNAP_NOTE) {
            body_note(body, decision->status, decision->location);
            response->content_type = SPAN("text/html; charset=utf-8");
        }
    } else if (decision->problem) {
        body_problem(body, decision);
        response->content_type =
            decision->html ? SPAN("text/html; charset=utf-8") : SPAN("application/problem+json");
    } else if (decision->action != NULL && decision->action->kind == SNAP_ACTION_RESPOND) {
        response->content_type =
            snapshot_text(reply->context->snapshot, decision->action->content_type);
        response->body = snapshot_text(reply->context->snapshot, decision->action->body);
        return;
    }
    response->body = buffer_span(body);
}

void answer_from_decision(const struct decide_context *context, const struct request *request,
                          const struct decision *decision, struct answer_scratch *scratch,
                          struct response *response)
{
    struct reply reply = {.context = context,
                          .request = request,
                          .decision = decision,
                          .response = response,
                          .text = buffer_over(scratch->text, sizeof(scratch->text))};
    struct buffer body = buffer_over(scratch->body, sizeof(scratch->body));
    response->status = decision->status;
    response->location = decision->location;
    if (decision->json) {
        response->status = 200;
        response->location = (struct span){0};
    }
    response->content_type = (struct span){0};
    response->body = (struct span){0};
    response->close = false;
    response->field_count = 0;
    add_fields(&reply);
    bool redirects = decision->location.len > 0;
    if (!redirects || decision->reason == REASON_WAIT_OVER) {
        page_add_fields(context, request, decision, scratch, response);
    }
    if (redirects || !page_add_body(context, request, decision, scratch, response)) {
        add_body(&reply, &body);
    }
}
