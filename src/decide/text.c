/* SPDX-License-Identifier: MIT */
/* How reasons are called in logs and by explain. */
#include "decide/decide.h"

struct span reason_text(enum reason reason)
{
    static const char *const texts[] = {
        [REASON_ROUTE] = "route",
        [REASON_DETOUR] = "detour",
        [REASON_DEFAULT] = "default",
        [REASON_REST] = "not in the share",
        [REASON_PAGE_OTHERS] = "page is for people",
        [REASON_POOL_EMPTY] = "pool has nobody left",
        [REASON_POOL_LACKS] = "nobody is known to have it",
        [REASON_HTTPS] = "https_redirect",
        [REASON_PREFLIGHT] = "cors preflight",
        [REASON_OPTIONS] = "options",
        [REASON_NO_SITE] = "no site",
        [REASON_MISDIRECTED] = "misdirected",
        [REASON_REGEX_LIMIT] = "regex limit",
        [REASON_LOCATION_LONG] = "too long",
        [REASON_LOCATION_ESCAPES] = "outside what was declared",
        [REASON_FORWARDED_DIFFER] = "Forwarded and X-Forwarded differ",
        [REASON_WAIT] = "wait page",
        [REASON_WAIT_OVER] = "back from the wait page",
        [REASON_WAIT_STATUS] = "wait page asks",
        [REASON_WAIT_METHOD] = "wait page has no such method",
        [REASON_TICKET] = "no such ticket",
        [REASON_LINK] = "link for testers",
        [REASON_ORIGIN_REFUSED] = "origin not reached",
        [REASON_ORIGIN_BAD] = "origin's answer",
        [REASON_ORIGIN_LATE] = "origin too late",
        [REASON_ORIGIN_BUSY] = "origin busy",
        [REASON_ORIGIN_NOT] = "not passed on",
        [REASON_BAD_REQUEST] = "bad request",
        [REASON_UNTRUSTED] = "asked by nobody whom trusted_proxies lists",
        [REASON_NO_ORIGINAL] = "asked about no request",
        [REASON_ORIGINAL_DIFFERS] = "asked about two requests",
        [REASON_LOOP] = "loop",
        [REASON_ACTIVE] = "asked whether a detour is active",
    };
    return span_cstr(texts[reason]);
}

struct span lost_text(enum lost lost)
{
    static const char *const texts[] = {
        [LOST_NOT] = "wins",
        [LOST_LATER] = "matches too, but an earlier rule won",
        [LOST_PATH] = "the path does not match",
        [LOST_HOST] = "the host does not match",
        [LOST_METHOD] = "the method is not one of its methods",
        [LOST_HEADER] = "a header is not as it asks",
        [LOST_COOKIE] = "a cookie is not as it asks",
        [LOST_QUERY] = "a query parameter is not as it asks",
        [LOST_CLIENT] = "the client's address is not in its list",
        [LOST_SHARE] = "the client is not in its share",
        [LOST_RAMP] = "its ramp has not reached the client, or has let it go",
        [LOST_EXCEPT] = "the path is excepted",
        [LOST_BYPASS] = "the client bypasses it",
        [LOST_LABEL] = "a value for the target's host is not listed",
    };
    return span_cstr(texts[lost]);
}
