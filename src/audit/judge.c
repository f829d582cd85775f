/* SPDX-License-Identifier: MIT */
/* Each finding has one cause: what follows from another one is not told as well. */
#include "audit/judge.h"

#include "http/status.h"

static const struct {
    const char *name;
    const char *text;
} findings[audit_finding_count] = {
    [audit_failed] = {"failed", "no answer"},
    [audit_refused] = {"refused", "the redirect cannot be followed"},
    [audit_loop] = {"loop", "goes round in a loop"},
    [audit_no_redirect] = {"no-redirect", "does not redirect"},
    [audit_target] = {"target", "ends elsewhere"},
    [audit_status] = {"status", "another status"},
    [audit_temporary] = {"temporary", "temporary, where permanent was expected"},
    [audit_permanent] = {"permanent", "permanent, where temporary was expected"},
    [audit_hops] = {"hops", "too many redirects"},
    [audit_bad_end] = {"bad-end", "ends in an error"},
    [audit_home] = {"home", "ends at the home page"},
    [audit_downgrade] = {"downgrade", "goes from https to http"},
    [audit_credentials] = {"credentials", "credentials would leak"},
    [audit_hosts] = {"hosts", "goes over another host"},
};

const char *audit_finding_name(enum audit_finding finding)
{
    return findings[finding].name;
}

const char *audit_finding_text(enum audit_finding finding)
{
    return findings[finding].text;
}

bool audit_matches(struct span pattern, struct span text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX; /* the last one met, and … */
    size_t begin = 0;       /* … where the text that it stands for ends, as tried */
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            begin = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++begin;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static bool is_allowed(const struct audit_rules *rules, struct span from, struct span to)
{
    for (size_t i = 0; i < rules->allowed_count; i++) {
        if (audit_matches(rules->allowed[i].from, from) &&
            audit_matches(rules->allowed[i].to, to)) {
            return true;
        }
    }
    return false;
}

/* ---- URLs, which are all in normal form ---- */

static struct span without_fragment(struct span url)
{
    return span_slice(url, 0, span_find(url, 0, '#'));
}

static size_t authority_begin(struct span url)
{
    size_t at = span_find(url, 0, ':') + 3; /* "://" */
    return at < url.len ? at : url.len;
}

static size_t authority_end(struct span url)
{
    size_t at = authority_begin(url);
    while (at < url.len && url.ptr[at] != '/' && url.ptr[at] != '?' && url.ptr[at] != '#') {
        at++;
    }
    return at;
}

static struct span origin_of(struct span url)
{
    return span_slice(url, 0, authority_end(url));
}

/* With its port; what a first URL has before an '@' is no part of it. */
static struct span host_of(struct span url)
{
    struct span authority = span_slice(url, authority_begin(url), authority_end(url));
    size_t at = span_find(authority, 0, '@');
    authority = at < authority.len ? span_from(authority, at + 1) : authority;
    size_t bracket = span_find(authority, 0, ']');
    size_t from = bracket < authority.len ? bracket : 0;
    return span_slice(authority, 0, span_find(authority, from, ':'));
}

static bool is_home(struct span url)
{
    return span_eq(span_from(without_fragment(url), authority_end(url)), SPAN("/"));
}

/* ---- secrets in queries ---- */

static const char *const secret_names[] = {
    "access_token", "api_key",   "apikey", "auth",     "client_secret", "id_token", "jwt",
    "key",          "pass",      "passwd", "password", "refresh_token", "secret",   "session",
    "session_id",   "sessionid", "sid",    "sig",      "signature",     "token",
};

static bool is_secret_name(struct span name)
{
    for (size_t i = 0; i < sizeof(secret_names) / sizeof(*secret_names); i++) {
        struct span known = span_cstr(secret_names[i]);
        bool same = known.len == name.len;
        for (size_t k = 0; same && k < name.len; k++) {
            same = ascii_lower(name.ptr[k]) == known.ptr[k];
        }
        if (same) {
            return true;
        }
    }
    return false;
}

static bool holds(struct span text, struct span part)
{
    return part.len > 0 && text.len >= part.len &&
           memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* Whether a parameter with a secret's name goes along. */
static bool query_leaks(struct span from, struct span to)
{
    struct span url = without_fragment(from);
    size_t at = span_find(url, 0, '?') + 1;
    while (at < url.len) {
        size_t end = span_find(url, at, '&');
        struct span pair = span_slice(url, at, end);
        size_t equals = span_find(pair, 0, '=');
        if (equals < pair.len && is_secret_name(span_slice(pair, 0, equals)) &&
            holds(to, span_from(pair, equals))) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* ---- what is wrong ---- */

static uint32_t bit(enum audit_finding finding)
{
    return UINT32_C(1) << finding;
}

static uint32_t judge_hops(const struct audit_rules *rules, const struct audit_seen *seen)
{
    uint32_t found = 0;
    struct span first = host_of(seen->hops[0].url);
    struct span last = host_of(seen->hops[seen->hop_count - 1].url);
    for (size_t i = 0; i + 1 < seen->hop_count; i++) {
        const struct audit_hop *hop = &seen->hops[i];
        struct span next = seen->hops[i + 1].url;
        if (is_allowed(rules, hop->url, next)) {
            continue;
        }
        bool leaves = !span_eq(origin_of(hop->url), origin_of(next));
        found |= hop->downgrade ? bit(audit_downgrade) : 0;
        found |= hop->credentials || (leaves && query_leaks(hop->url, next))
                     ? bit(audit_credentials)
                     : 0;
        bool between = i + 2 < seen->hop_count && !span_eq(host_of(next), first) &&
                       !span_eq(host_of(next), last);
        found |= between ? bit(audit_hosts) : 0;
    }
    return found;
}

static bool wants_redirect(const struct audit_row *row)
{
    return row->class_wanted != audit_class_any || row->status / 100 == 3 ||
           (row->status == 0 && row->target.len > 0 &&
            !span_eq(without_fragment(row->source), without_fragment(row->target)));
}

/* The first answer decides, but for a temporary redirect further on: it makes a way temporary that
 * was to be permanent. */
static uint32_t judge_status(const struct audit_row *row, const struct audit_seen *seen)
{
    uint16_t status = seen->hops[0].status;
    bool permanent = status == 301 || status == 308;
    bool temporary = status_redirects(status) && !permanent;
    if (status == 0 || (status >= 400 && row->status != status)) {
        return 0; /* that there is no answer, or an error, is told */
    }
    if (row->class_wanted == audit_class_temporary && permanent) {
        return bit(audit_permanent);
    }
    for (size_t i = 0; row->class_wanted == audit_class_permanent && i < seen->hop_count; i++) {
        uint16_t each = seen->hops[i].status;
        if (status_redirects(each) && each != 301 && each != 308) {
            return bit(audit_temporary);
        }
    }
    bool redirects = permanent || temporary;
    if (wants_redirect(row) && !redirects) {
        return bit(audit_no_redirect);
    }
    return row->status != 0 && row->status != status ? bit(audit_status) : 0;
}

static uint32_t judge_end(const struct audit_rules *rules, const struct audit_row *row,
                          const struct audit_seen *seen)
{
    const struct audit_hop *last = &seen->hops[seen->hop_count - 1];
    struct span end = row->target_fragment ? last->url : without_fragment(last->url);
    bool expected_status = seen->hop_count == 1 && row->status == last->status;
    uint32_t found = last->status >= 400 && !expected_status ? bit(audit_bad_end) : 0;
    if (seen->hop_count == 1 && (found != 0 || wants_redirect(row))) {
        return found; /* it did not go anywhere, and that is told */
    }
    if (is_allowed(rules, row->source, end) || (row->target.len > 0 && span_eq(end, row->target))) {
        return found;
    }
    bool home = seen->hop_count > 1 && is_home(end) && !is_home(row->source);
    if (home) {
        return found | bit(audit_home);
    }
    return found | (row->target.len > 0 ? bit(audit_target) : 0);
}

static bool has_loop(const struct audit_seen *seen)
{
    bool loop = seen->outcome == walk_refused && seen->reason == DETOUR_REASON_LOOP;
    for (size_t i = 0; i < seen->hop_count; i++) {
        loop = loop || seen->hops[i].loop;
    }
    return loop;
}

static uint32_t judge_refusal(enum detour_reason reason)
{
    switch (reason) {
    case DETOUR_REASON_TOO_MANY:
        return bit(audit_hops);
    case DETOUR_REASON_USERINFO:
        return bit(audit_credentials);
    case DETOUR_REASON_DOWNGRADE:
        return bit(audit_downgrade);
    default:
        return bit(audit_refused);
    }
}

uint32_t audit_judge(const struct audit_rules *rules, const struct audit_row *row,
                     const struct audit_seen *seen)
{
    if (seen->hop_count == 0) {
        return bit(seen->outcome == walk_failed ? audit_failed : audit_refused);
    }
    uint32_t found = judge_hops(rules, seen) | judge_status(row, seen);
    if (has_loop(seen)) {
        return found | bit(audit_loop);
    }
    if (seen->outcome == walk_failed) {
        return found | bit(audit_failed);
    }
    if (seen->outcome == walk_refused) {
        return found | judge_refusal(seen->reason);
    }
    found |= seen->hop_count - 1 > rules->hops_max ? bit(audit_hops) : 0;
    return found | judge_end(rules, row, seen);
}
