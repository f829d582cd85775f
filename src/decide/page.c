/* SPDX-License-Identifier: MIT */
/* Pages as responses. */
#include "decide/page.h"

#include "decide/internal.h"
#include "http/field.h"

#include <assert.h>

static_assert((int)wait_page_bytes_max <= (int)sizeof(((struct answer_scratch *)NULL)->body),
              "a page has room");

/* Whether the body is a page of ours. */
static bool is_page(const struct decision *decision)
{
    return decision->action != NULL && decision->action->kind == SNAP_ACTION_WAIT &&
           decision->location.len == 0 && !decision->problem;
}

static bool is_form(const struct decision *decision)
{
    return decision->html && decision->action != NULL &&
           (decision->action->kind == SNAP_ACTION_PAGE ||
            decision->action->kind == SNAP_ACTION_WAIT);
}

static const struct words *words_of(const struct request *request)
{
    return words_for(field_find(request, SPAN("Accept-Language")));
}

static bool is_operators(const struct decide_context *context, const struct decision *decision)
{
    const struct snap_page *page = snapshot_page(context->snapshot, decision->action->page);
    return page->before.len + page->after.len > 0;
}

static void add_page_fields(const struct decide_context *context, const struct request *request,
                            const struct decision *decision, struct answer_scratch *scratch,
                            struct response *response)
{
    bool operators = is_page(decision) && is_operators(context, decision);
    struct buffer policy = buffer_over(scratch->policy, sizeof(scratch->policy));
    wait_policy_write(operators, &policy);
    assert(!policy.full);
    response_add(response, SPAN("Content-Security-Policy"), buffer_span(&policy));
    response_add(response, SPAN("Referrer-Policy"), SPAN("no-referrer"));
    if (!operators) {
        response_add(response, SPAN("Content-Language"), span_cstr(words_of(request)->tag));
    }
}

void page_add_fields(const struct decide_context *context, const struct request *request,
                     const struct decision *decision, struct answer_scratch *scratch,
                     struct response *response)
{
    switch (decision->reason) {
    case REASON_WAIT:
    case REASON_WAIT_OVER:
    case REASON_WAIT_STATUS:
    case REASON_TICKET:
        response_add(response, SPAN("X-Robots-Tag"), SPAN("noindex"));
        response_add(response, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
        break;
    case REASON_WAIT_METHOD:
        response_add(response, SPAN("Allow"), SPAN("GET, HEAD"));
        break;
    default:
        break;
    }
    if (is_page(decision) || is_form(decision)) {
        add_page_fields(context, request, decision, scratch, response);
    }
}

static void write_page(const struct decide_context *context, const struct request *request,
                       const struct decision *decision, struct buffer *body)
{
    const struct decide_wait *wait = &context->wait;
    const struct snapshot *snapshot = context->snapshot;
    const struct snap_page *page = snapshot_page(snapshot, wait->page);
    const struct snap_rule *rule = wait->rule;
    const struct wait_page out = {
        .words = words_of(request),
        .title = snapshot_text(snapshot, page->title),
        .reason = rule != NULL ? snapshot_text(snapshot, rule->reason) : (struct span){0},
        .before = snapshot_text(snapshot, page->before),
        .after = snapshot_text(snapshot, page->after),
        .target = wait->target,
        .ticket = wait->ticket,
        .from_ns = rule != NULL ? rule->opened_ns : INT64_MIN,
        .until_ns = wait->until_ns,
        .now_ns = wait->now_ns,
        .jitter = (uint32_t)client_hash(&decision->client, (uint64_t)wait->now_ns),
    };
    wait_page_write(&out, body);
    assert(!body->full);
}

bool page_add_body(const struct decide_context *context, const struct request *request,
                   const struct decision *decision, struct answer_scratch *scratch,
                   struct response *response)
{
    struct buffer body = buffer_over(scratch->body, sizeof(scratch->body));
    if (decision->reason == REASON_WAIT_STATUS) {
        wait_status_write(!context->wait.shown, context->wait.until_ns, &body);
        response->content_type = SPAN("application/json");
        response->body = buffer_span(&body);
        return true;
    }
    if (is_form(decision)) {
        wait_sent_write(words_of(request), &body);
    } else if (is_page(decision)) {
        write_page(context, request, decision, &body);
    } else {
        return false;
    }
    response->content_type = SPAN("text/html; charset=utf-8");
    response->body = buffer_span(&body);
    return true;
}
