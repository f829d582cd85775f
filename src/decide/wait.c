/* SPDX-License-Identifier: MIT */
/* Pages of ours: who is shown one, and what the paths below /.well-known/detour/ get.
 *
 * A reader is sent to a wait page with a ticket that says where they wanted to go. Whoever
 * comes with it is asked about anew: the same request, but for that URL, goes through the
 * same rules. While it gets a page, that is the page to show; when it gets anything else it
 * is over, and the reader is taken back to that URL. So a page needs to know no detour: it
 * ends when nothing shows it any more, whatever the reason. */
#include "decide/internal.h"

#include "http/accept.h"

struct span wait_local_target(struct asked *asked, struct span path)
{
    static const char nobody[] = "http://a"; /* what is built needs a host; it is cut off */
    struct buffer built = buffer_over(asked->context->location, location_bytes_max);
    enum location_result result =
        location_append(span_cstr(nobody), path, asked->request->query, &built);
    struct span target = span_from(buffer_span(&built), result == LOCATION_OK ? strlen(nobody) : 0);
    return target_is_local(target) ? target : span_of(NULL, 0);
}

/* Where the reader wanted to go: as sent; where that would read as another host, as it was
 * matched; where it is too long, where the rule begins. */
static void note_target(struct asked *asked, const struct snap_action *action)
{
    struct decide_wait *wait = &asked->context->wait;
    struct span norm = asked->path.norm;
    struct span target = wait_local_target(asked, path_sent(&asked->path, 0, norm.len));
    if (target.len == 0) {
        target = wait_local_target(asked, norm);
    }
    if (target.len == 0) {
        target = snapshot_text(asked->snapshot, action->body);
    }
    memcpy(wait->target_bytes, target.ptr, target.len);
    wait->target = span_of(wait->target_bytes, target.len);
}

static void note_page(struct asked *asked, const struct matched *matched,
                      const struct snap_action *action)
{
    struct decide_wait *wait = &asked->context->wait;
    const struct snap_rule *rule = matched->rule;
    bool own = rule != NULL && (action == &rule->action || action == &rule->rest);
    wait->page = action->page;
    wait->rule = rule;
    wait->until_ns = own ? rule->until_ns : SNAP_NEVER; /* nobody knows it of a fallback */
    wait->now_ns = asked->now_ns;
    wait->shown = true;
}

/* Builds the page's own URL, and notes its ticket. False: there is no key. */
static bool make_ticket(struct asked *asked, struct span *url_out)
{
    struct decide_context *context = asked->context;
    struct buffer built = buffer_over(context->location, location_bytes_max);
    buffer_put(&built, SPAN(WAIT_PAGE));
    size_t from = built.len;
    if (context->ticket_key == NULL ||
        !ticket_seal(context->ticket_key, asked->decision->host, context->wait.target, &built)) {
        return false;
    }
    *url_out = buffer_span(&built);
    context->wait.ticket = span_from(*url_out, from);
    return true;
}

void apply_wait(struct asked *asked, const struct matched *matched,
                const struct snap_action *action)
{
    struct decision *out = asked->decision;
    struct span url;
    out->vary |= VARY_ACCEPT;
    out->max_age_s = -1; /* who is taken back must not be sent here again by a cache */
    note_page(asked, matched, action);
    if (asked->returning) {
        return; /* decide_wait says the rest */
    }
    if (!person_reads(asked->request)) {
        refuse_others(asked, matched, action);
        return;
    }
    note_target(asked, action);
    if (!make_ticket(asked, &url)) {
        refuse_others(asked, matched, action);
    } else if (snapshot_page(asked->snapshot, action->page)->in_place) {
        out->status = 503;
        out->retry_after_s = retry_after(asked, matched, action);
    } else {
        out->status = (uint16_t)action->status;
        out->location = url;
    }
}

/* ---- below /.well-known/detour/ ---- */

static bool open_ticket(struct asked *asked, struct span ticket)
{
    struct decide_context *context = asked->context;
    struct decide_wait *wait = &context->wait;
    struct buffer target = buffer_over(wait->target_bytes, sizeof(wait->target_bytes));
    if (context->ticket_key == NULL ||
        !ticket_open(context->ticket_key, asked->decision->host, ticket, &target)) {
        return false;
    }
    wait->target = buffer_span(&target);
    wait->ticket = ticket;
    return true;
}

/* The same reader's request for where they wanted to go. False: it is no path. */
static bool ask_again(struct asked *asked)
{
    const struct request *sent = asked->request;
    struct span target = asked->context->wait.target;
    size_t mark = span_find(target, 0, '?');
    struct request again = *sent;
    again.method = METHOD_GET;
    again.method_name = SPAN("GET");
    again.path = span_slice(target, 0, mark);
    again.query = mark < target.len ? span_from(target, mark + 1) : span_of(NULL, 0);
    if (path_normalise(again.path, &asked->context->path_scratch, &asked->path) != ERR_NONE) {
        return false;
    }
    asked->request = &again;
    asked->returning = true;
    asked->context->wait.shown = false;
    decide_by_rules(asked);
    asked->request = sent;
    return true;
}

/* What the rules said of the other URL is not what is answered here. */
static void forget(struct decision *out)
{
    out->status = 200;
    out->server = SNAP_NONE;
    out->origin = SNAP_NONE;
    out->location = (struct span){0};
    out->pass = false;
    out->problem = false;
    out->html = false;
    out->json = false;
    out->alternative_count = 0;
    out->hold = false;
    out->depends_on_client = false;
    out->vary = 0;
    out->vary_rule_count = 0;
    out->max_age_s = -1;
    out->retry_after_s = -1;
}

static void settle(struct asked *asked, bool status)
{
    struct decision *out = asked->decision;
    bool shown = asked->context->wait.shown;
    forget(out);
    if (status || !shown) {
        out->rule = SNAP_NONE; /* a question is no hit of a rule */
        out->action = NULL;
    }
    out->reason = status ? REASON_WAIT_STATUS : shown ? REASON_WAIT : REASON_WAIT_OVER;
    if (out->reason == REASON_WAIT_OVER) {
        out->status = 307;
        out->location = asked->context->wait.target;
    }
}

void decide_wait(struct asked *asked)
{
    struct decision *out = asked->decision;
    const struct request *request = asked->request;
    struct span path = asked->path.sent; /* that of norm is where the next one will be */
    bool status = span_starts(path, SPAN(WAIT_STATUS));
    size_t base = status ? strlen(WAIT_STATUS) : strlen(WAIT_PAGE);
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
        decision_refuse(out, REASON_WAIT_METHOD, 405);
        return;
    }
    bool good = span_eq(path, asked->path.norm) && (status || span_starts(path, SPAN(WAIT_PAGE))) &&
                open_ticket(asked, span_from(path, base)) && ask_again(asked);
    if (!good) {
        decision_refuse(out, REASON_TICKET, 404);
        out->html = accept_names_html(request->known.accept);
        return;
    }
    settle(asked, status);
}
