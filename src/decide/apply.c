/* SPDX-License-Identifier: MIT */
/* Carries out the action of a rule: the Location, the status, how long it holds. */
#include "decide/internal.h"

#include "http/accept.h"

static struct span path_group(const struct asked *asked, const struct matched *matched,
                              uint32_t group)
{
    const struct pattern_groups *groups = &matched->path_groups;
    if (!pattern_group_found(groups, group)) {
        return (struct span){0};
    }
    return path_sent(&asked->path, groups->at[group].from, groups->at[group].to);
}

static struct span host_group(const struct asked *asked, const struct matched *matched,
                              uint32_t group)
{
    const struct pattern_groups *groups = &matched->host_groups;
    if (!pattern_group_found(groups, group)) {
        return (struct span){0};
    }
    return span_slice(asked->decision->host, groups->at[group].from, groups->at[group].to);
}

static struct span port_text(const struct asked *asked, struct buffer *digits)
{
    const struct decision *out = asked->decision;
    uint16_t fallback = out->client.secure ? 443 : 80;
    buffer_decimal(digits, out->port >= 0 ? (uint64_t)out->port : fallback);
    return buffer_span(digits);
}

static struct template_value value_of(const struct asked *asked, const struct matched *matched,
                                      uint32_t source, struct buffer *digits)
{
    struct span bytes = {0};
    switch (source) {
    case SNAP_SCHEME:
        bytes = asked->decision->client.secure ? SPAN("https") : SPAN("http");
        break;
    case SNAP_HOST:
        bytes = asked->decision->host;
        break;
    case SNAP_PORT:
        bytes = port_text(asked, digits);
        break;
    case SNAP_PATH:
        bytes = path_sent(&asked->path, 0, asked->path.norm.len);
        break;
    case SNAP_QUERY:
        bytes = asked->request->query;
        break;
    case SNAP_METHOD:
        bytes = asked->request->method_name;
        break;
    default:
        bytes = source >= SNAP_HOST_GROUP ? host_group(asked, matched, source - SNAP_HOST_GROUP)
                                          : path_group(asked, matched, source - SNAP_PATH_GROUP);
    }
    return (struct template_value){.bytes = bytes, .defined = bytes.ptr != NULL, .sent = true};
}

void accept_location(struct asked *asked, enum location_result result, const struct buffer *built,
                     struct span authority)
{
    if (result == LOCATION_LONG) {
        decision_refuse(asked->decision, REASON_LOCATION_LONG, 414);
    } else if (result == LOCATION_ESCAPES || !location_check(buffer_span(built), authority)) {
        decision_refuse(asked->decision, REASON_LOCATION_ESCAPES, 400);
    } else {
        asked->decision->location = buffer_span(built);
    }
}

struct span kept_query(const struct asked *asked, const struct matched *matched)
{
    bool keep = matched->rule != NULL && matched->rule->flags & SNAP_QUERY_KEEP;
    return keep ? asked->request->query : (struct span){0};
}

static void redirect_to(struct asked *asked, const struct matched *matched,
                        const struct snap_action *action, struct span query)
{
    const struct template *to = snapshot_at(asked->snapshot, action->to.off);
    const uint32_t *sources = snapshot_at(asked->snapshot, action->sources.off);
    /* What was matched has passed this; a default and a fallback were not matched. */
    if (!labels_listed(asked, matched, action)) {
        decision_refuse(asked->decision, REASON_LOCATION_ESCAPES, 400);
        return;
    }
    struct template_value values[template_vars_max];
    uint8_t port[8];
    struct buffer digits = buffer_over(port, sizeof(port));
    for (uint32_t i = 0; i < action->sources.count; i++) {
        values[i] = value_of(asked, matched, sources[i], &digits);
    }
    struct buffer built = buffer_over(asked->context->location, location_bytes_max);
    enum location_result result = location_build(to, values, query, &built);
    struct span authority = snapshot_text(asked->snapshot, action->authority);
    if (authority.len == 0) {
        authority = location_authority(buffer_span(&built));
    }
    asked->decision->status = (uint16_t)action->status;
    accept_location(asked, result, &built, authority);
}

/* Seconds until a moment, rounded up; at least 1. */
static int64_t seconds_until(const struct asked *asked, int64_t then_ns)
{
    int64_t left = (then_ns - asked->now_ns + 999999999) / 1000000000;
    return left > 1 ? left : 1;
}

enum { retry_after_default_s = 60 };

/* What an operator has written is said as it is; what is computed differs from client to
 * client, so that they do not all come back in the second in which it is over. */
int64_t retry_after(const struct asked *asked, const struct matched *matched,
                    const struct snap_action *action)
{
    int64_t wanted = retry_after_default_s;
    if (action->retry_after_s >= 0) {
        return action->retry_after_s;
    }
    const struct snap_rule *rule = matched->rule;
    if (rule != NULL && rule->until_ns != SNAP_NEVER && rule->until_ns > asked->now_ns) {
        wanted = seconds_until(asked, rule->until_ns);
    }
    uint64_t second = (uint64_t)(asked->now_ns / 1000000000);
    return wait_jittered_s(wanted, (uint32_t)client_hash(&asked->decision->client, second));
}

bool person_reads(const struct request *request)
{
    return (request->method == METHOD_GET || request->method == METHOD_HEAD) &&
           accept_names_html(request->known.accept);
}

void refuse_others(struct asked *asked, const struct matched *matched,
                   const struct snap_action *action)
{
    struct decision *out = asked->decision;
    out->reason = REASON_PAGE_OTHERS;
    out->max_age_s = -1; /* of the redirect; a refusal is not to be remembered */
    out->status = 503;
    out->problem = true;
    out->html = accept_names_html(asked->request->known.accept);
    out->retry_after_s = retry_after(asked, matched, action);
}

static void redirect_to_page(struct asked *asked, const struct matched *matched,
                             const struct snap_action *action)
{
    asked->decision->vary |= VARY_ACCEPT;
    if (person_reads(asked->request)) {
        redirect_to(asked, matched, action, (struct span){0});
    } else {
        refuse_others(asked, matched, action);
    }
}

static void respond(struct asked *asked, const struct snap_action *action)
{
    asked->decision->status = (uint16_t)action->status;
    asked->decision->retry_after_s = action->retry_after_s;
    asked->decision->problem = action->body.len == 0 && action->status >= 400;
}

void apply_action(struct asked *asked, const struct matched *matched,
                  const struct snap_action *action)
{
    struct decision *out = asked->decision;
    out->action = action;
    switch ((enum snap_action_kind)action->kind) {
    case SNAP_ACTION_TO:
        redirect_to(asked, matched, action, kept_query(asked, matched));
        break;
    case SNAP_ACTION_POOL:
        apply_pool(asked, matched, action);
        break;
    case SNAP_ACTION_PAGE:
        redirect_to_page(asked, matched, action);
        break;
    case SNAP_ACTION_WAIT:
        apply_wait(asked, matched, action);
        break;
    case SNAP_ACTION_RESPOND:
        respond(asked, action);
        break;
    case SNAP_ACTION_ORIGIN:
        out->origin = action->origin;
        out->pass = true;
        out->status = 204;
        break;
    case SNAP_ACTION_PASS:
    case SNAP_ACTION_NEXT: /* only as `rest`, where the search has gone on */
        out->pass = true;
        out->status = 204;
        break;
    }
}
