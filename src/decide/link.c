/* SPDX-License-Identifier: MIT */
/* Signed links for testers: the URL that carries one is answered with a redirect to the same
 * URL without it, and a cookie that lets its bearer pass by this one detour. */
#include "decide/internal.h"

#include "http/field.h"
#include "page/link.h"

#define MEMBER LINK_PARAMETER "="

static struct span identity_of(const struct asked *asked, const struct snap_rule *rule)
{
    return snapshot_text(asked->snapshot, rule->identity);
}

static bool is_good(const struct asked *asked, const struct snap_rule *rule, struct span text,
                    int64_t *expires_s_out)
{
    const struct ticket_key *key = asked->context->ticket_key;
    return key != NULL && link_open(key, identity_of(asked, rule), text, asked->now_ns / 1000000000,
                                    expires_s_out);
}

bool link_bypasses(const struct asked *asked, const struct snap_rule *rule)
{
    uint8_t name[link_cookie_bytes];
    int64_t expires_s;
    struct span cookies = asked->request->known.cookie;
    if (cookies.len == 0) {
        return false;
    }
    link_cookie_name(identity_of(asked, rule), name);
    struct span text = cookie_find(cookies, span_of(name, sizeof(name)));
    return text.len == link_text_bytes && is_good(asked, rule, text, &expires_s);
}

/* ---- the URL ---- */

/* The next member of a query, without its '&'. */
static bool next_member(struct span *rest, struct span *out)
{
    if (rest->ptr == NULL) {
        return false;
    }
    size_t end = span_find(*rest, 0, '&');
    *out = span_slice(*rest, 0, end);
    *rest = end < rest->len ? span_from(*rest, end + 1) : (struct span){0};
    return true;
}

/* The first one; empty: there is none. */
static struct span find_text(struct span query)
{
    struct span member;
    while (next_member(&query, &member)) {
        if (span_starts(member, SPAN(MEMBER))) {
            return span_from(member, strlen(MEMBER));
        }
    }
    return (struct span){0};
}

/* The query without any link; ptr NULL: nothing is left of it. */
static struct span without_link(struct span query, uint8_t *room)
{
    size_t len = 0;
    struct span member;
    while (next_member(&query, &member)) {
        if (span_starts(member, SPAN(MEMBER))) {
            continue;
        }
        if (len > 0) {
            room[len++] = '&';
        }
        memcpy(room + len, member.ptr, member.len);
        len += member.len;
    }
    return len > 0 ? span_of(room, len) : (struct span){0};
}

/* SNAP_NONE: it is for no detour of this site that is active. */
static uint32_t find_detour(const struct asked *asked, struct span text)
{
    const struct snap_ruleset *set = &asked->site->detours;
    for (uint32_t i = set->first; i < set->first + set->count; i++) {
        const struct snap_rule *rule = snapshot_rule(asked->snapshot, i);
        if (rule->flags & SNAP_BYPASS_LINK && link_names(identity_of(asked, rule), text)) {
            return i;
        }
    }
    return SNAP_NONE;
}

/* Seconds that the cookie lives: as long as the link, and no longer than the detour. */
static int64_t life_s(const struct asked *asked, const struct snap_rule *rule, int64_t expires_s)
{
    int64_t now_s = asked->now_ns / 1000000000;
    int64_t until_s = rule->until_ns != SNAP_NEVER ? rule->until_ns / 1000000000 : expires_s;
    return (until_s < expires_s ? until_s : expires_s) - now_s;
}

/* Where the same URL without the link leads. */
static struct span clean_target(struct asked *asked)
{
    const struct request *sent = asked->request;
    struct request clean = *sent;
    uint8_t room[request_target_bytes_max];
    clean.query = without_link(sent->query, room);
    asked->request = &clean;
    struct span target = wait_local_target(asked, path_sent(&asked->path, 0, asked->path.norm.len));
    if (target.len == 0) {
        target = wait_local_target(asked, asked->path.norm);
    }
    asked->request = sent;
    return target.len > 0 ? target : SPAN("/");
}

bool decide_link(struct asked *asked)
{
    const struct request *request = asked->request;
    struct decision *out = asked->decision;
    struct decide_link *link = &asked->context->link;
    struct span text = find_text(request->query);
    int64_t expires_s;
    if (text.len != link_text_bytes ||
        (request->method != METHOD_GET && request->method != METHOD_HEAD)) {
        return false;
    }
    uint32_t found = find_detour(asked, text);
    const struct snap_rule *rule =
        found != SNAP_NONE ? snapshot_rule(asked->snapshot, found) : NULL;
    if (rule == NULL || !is_good(asked, rule, text, &expires_s)) {
        return false;
    }
    link->life_s = life_s(asked, rule, expires_s);
    if (link->life_s <= 0) {
        return false;
    }
    link_cookie_name(identity_of(asked, rule), link->cookie_name);
    link->text = text;
    out->location = clean_target(asked);
    out->status = 307;
    out->reason = REASON_LINK;
    return true;
}
