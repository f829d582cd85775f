/* SPDX-License-Identifier: MIT */
/* Questions of proxies: which request they are about, and what the answer looks like. */
#include "worker/question.h"

#include "decide/active.h"
#include "http/field.h"
#include "http/method.h"

#include <assert.h>

static_assert((int)SUBREQUEST_ANY == LISTENER_ORIGINAL_ANY &&
                  (int)SUBREQUEST_FORWARDED == LISTENER_ORIGINAL_FORWARDED &&
                  (int)SUBREQUEST_URL == LISTENER_ORIGINAL_URL &&
                  (int)SUBREQUEST_PATH == LISTENER_ORIGINAL_PATH,
              "one order");

enum { pass_status_default = 204 };

/* ---- what is asked ---- */

static struct forwarded_trust trust_of(const struct snapshot *snapshot)
{
    return (struct forwarded_trust){.proxies = snapshot_at(snapshot, snapshot->trusted.off),
                                    .proxy_count = snapshot->trusted.count,
                                    .family = (enum forwarded_family)snapshot->forwarded};
}

static bool is_health_check(const struct request *request)
{
    return span_eq(request->path, SPAN(ACTIVE_PATH));
}

static void check_health(struct worker *worker, const struct request *request,
                         struct decision *decision)
{
    static const uint16_t statuses[] = {
        [ACTIVE_YES] = 200, [ACTIVE_NO] = 404, [ACTIVE_UNKNOWN] = 400};
    decision->reason = REASON_ACTIVE;
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
        decision->status = 405;
        return;
    }
    decision->status = statuses[active_find(&worker->decide, request->query, &worker->active)];
}

static bool is_ours(const struct request *request)
{
    return span_starts(request->path, SPAN(WAIT_BASE));
}

/* Whether there is nothing to do for a proxy that goes on by itself: it knows where the site
 * lives, for what the file says nothing of as well. */
static bool passes(const struct worker *worker, const struct request *request,
                   const struct decision *decision)
{
    switch (decision->reason) {
    case REASON_NO_SITE:
    case REASON_OPTIONS:
        return true;
    case REASON_DEFAULT:
        if (decision->site != SNAP_NONE &&
            snapshot_site(worker->current.snapshot, decision->site)->default_implied) {
            return true;
        }
        break;
    default:
        break;
    }
    return decision->pass || is_ours(request);
}

/* A preflight is answered here when the request that it announces is, and by the origin when
 * that goes there. */
static bool preflight_passes(struct worker *worker, const struct request *request,
                             const struct client *client, int64_t now_ns)
{
    struct request announced = *request;
    struct decision decision;
    announced.method_name = field_find(request, SPAN("Access-Control-Request-Method"));
    announced.method = method_find(announced.method_name);
    decide_known(&worker->decide, &announced, client, now_ns, &decision);
    return passes(worker, &announced, &decision);
}

static void decide_original(struct worker *worker, const struct serve_request *asked,
                            const struct subrequest *about, struct decision *decision)
{
    const struct request *original = &about->request;
    worker->decide.for_proxy = true;
    decide_known(&worker->decide, original, &about->client, asked->now_ns, decision);
    worker->decide.for_proxy = false;
    bool pass = passes(worker, original, decision);
    if (decision->reason == REASON_PREFLIGHT) {
        pass = preflight_passes(worker, original, &about->client, asked->now_ns);
    }
    if (pass) {
        decision->pass = true;
        decision->problem = false;
        decision->status = pass_status_default;
        decision->location = (struct span){0};
        decision->action = NULL;
        decision->origin = SNAP_NONE; /* the proxy goes there by itself */
        decision->max_age_s = -1;
        decision->retry_after_s = -1;
    } else {
        decision->pass = false;
    }
}

const struct request *question_decide(struct worker *worker, const struct serve_request *asked,
                                      struct subrequest *room, struct decision *decision)
{
    const struct request *request = asked->request;
    struct forwarded_trust trust = trust_of(worker->current.snapshot);
    decision_init(decision, request, asked->peer);
    if (is_health_check(request) &&
        cidr_any_holds(trust.proxies, trust.proxy_count, asked->peer->address)) {
        check_health(worker, request, decision);
        return request;
    }
    switch (subrequest_read(request, asked->peer, &trust,
                            (enum subrequest_form)asked->listener->answer.original, room)) {
    case SUBREQUEST_READ:
        decide_original(worker, asked, room, decision);
        return &room->request;
    case SUBREQUEST_UNTRUSTED:
        decision_refuse(decision, REASON_UNTRUSTED, 403);
        break;
    case SUBREQUEST_MISSING:
        decision_refuse(decision, REASON_NO_ORIGINAL, 400);
        break;
    case SUBREQUEST_DIFFERS:
        decision_refuse(decision, REASON_ORIGINAL_DIFFERS, 400);
        break;
    case SUBREQUEST_BAD:
        decision_refuse(decision, REASON_BAD_REQUEST, 400);
        break;
    }
    return request;
}

/* ---- what is told ---- */

static void tell_health(struct worker *worker, const struct decision *decision,
                        struct response *response)
{
    struct buffer body = buffer_over(worker->answer.body, sizeof(worker->answer.body));
    if (decision->status == 200) {
        const struct snapshot *snapshot = worker->current.snapshot;
        buffer_put(&body, SPAN("{\"active\":true,\"detour\":\""));
        buffer_put(&body,
                   snapshot_text(snapshot, snapshot_rule(snapshot, worker->active)->identity));
        buffer_put(&body, SPAN("\"}\n"));
    } else if (decision->status == 404) {
        buffer_put(&body, SPAN("{\"active\":false}\n"));
    } else {
        buffer_put(&body, SPAN("{\"type\":\"about:blank\",\"status\":"));
        buffer_decimal(&body, decision->status);
        buffer_put(&body, SPAN(",\"detail\":\"Ask with GET for ?site=NAME, the name of a site, and "
                               "maybe &path=PATH.\"}\n"));
    }
    response->status = decision->status;
    response->content_type = decision->status == 200 || decision->status == 404
                                 ? SPAN("application/json")
                                 : SPAN("application/problem+json");
    response->body = buffer_span(&body);
    if (decision->status == 405) {
        response_add(response, SPAN("Allow"), SPAN("GET, HEAD"));
    }
}

/* Mistakes of the proxy's configuration are said as they are: they should be noticed. */
static bool is_mistake(const struct decision *decision)
{
    return decision->reason == REASON_UNTRUSTED || decision->reason == REASON_NO_ORIGINAL ||
           decision->reason == REASON_ORIGINAL_DIFFERS;
}

/* For proxies that take one status only: the true one stands in a field, and whoever wants the
 * content asks for it. */
static void tell_status(struct worker *worker, uint16_t status, struct response *response)
{
    struct buffer text = buffer_over(worker->detour_status, sizeof(worker->detour_status));
    buffer_decimal(&text, response->status);
    response_add(response, SPAN("Detour-Status"), buffer_span(&text));
    response->status = status;
    response->content_type = (struct span){0};
    response->body = (struct span){0};
}

void question_answer(struct worker *worker, const struct serve_request *asked,
                     const struct decision *decision, struct response *response)
{
    const struct listener_answer *told = &asked->listener->answer;
    /* A proxy may announce the original's content without sending it. Then the next question
     * must not be taken for it. */
    response->close = response->close || asked->request->body != BODY_NONE;
    if (decision->reason == REASON_ACTIVE) {
        tell_health(worker, decision, response);
    } else if (told->detour_status != 0 && !decision->pass && !is_mistake(decision)) {
        tell_status(worker, told->detour_status, response);
    }
}
