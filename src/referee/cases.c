/* SPDX-License-Identifier: MIT */
/* The table of cases. */
#include "referee/judge.h"

#include <assert.h>

/* clang-format off */
#define AUTHORIZATION "Authorization: Basic dXNlcjpwYXNz"
#define PROXY_AUTHORIZATION "Proxy-Authorization: Basic dXNlcjpwYXNz"
#define COOKIE "Cookie: secret=1"
#define OWN_TYPE "Content-Type: text/plain"

#define METHOD(code, name, bytes, what, where)                                                \
    {                                                                                         \
        .id = #code "-" #name, .group = "method", .title = #code " to " #name, .right = what, \
        .section = where, .method = #name, .content_bytes = (bytes),                          \
        .legs = {{.status = (code), .location = "{path}/1"}}, .judge = judge_method           \
    }

#define METHODS(code, what, post, other, where)                               \
    METHOD(code, GET, 0, "GET", where), METHOD(code, HEAD, 0, "HEAD", where), \
        METHOD(code, POST, content_small, post, where),                       \
        METHOD(code, PUT, content_small, other, where), METHOD(code, DELETE, 0, what, where)

/* A redirect by 302 that a GET meets. */
#define PLACES(name, place_title, secret, where, rule)                              \
    {                                                                               \
        .group = "credentials", .id = name, .title = place_title, .section = where, \
        .method = "GET", .fields = {secret}, .judge = rule

#define LOCATION(name, what, wanted, where, rule)                                    \
    {                                                                                \
        .group = "location", .id = "location-" name, .title = what, .right = wanted, \
        .section = where, .method = "GET", .judge = rule

#define STATUS(code, wanted, where, rule)                                            \
    {                                                                                \
        .group = "status", .id = "status-" #code, .title = #code " with a Location", \
        .right = wanted, .section = where, .method = "GET", .judge = rule, .legs = { \
            {.status = (code), .location = "{path}/1"}                               \
        }                                                                            \
    }

#define KEPT(named, code, what, wanted, control, where, rule)                         \
    {.group = "cache", .id = "cache-" named, .title = what, .right = wanted,          \
     .section = where, .method = "GET", .times = 2, .judge = rule,                    \
     .legs = {{.status = (code), .location = "{path}/1",                              \
               .name = (control) != NULL ? "Cache-Control" : NULL, .value = (control)}}}

#define FRAGMENT(name, what, wanted, where, target, end)                                          \
    {                                                                                             \
        .group = "fragment", .id = "fragment-" name, .title = what, .right = wanted,              \
        .section = where, .method = "GET", .navigate = true, .fragment = "part", .expected = end, \
        .judge = judge_fragment, .legs = {                                                        \
            {.status = 302, .location = target}                                                   \
        }                                                                                         \
    }

/* Says that it is compressed, and is not: whoever decodes it stumbles. */
static const uint8_t no_gzip[] = "\x1f\x8b\x08 this is no gzip at all";

const struct test_case test_cases[] = {
    METHODS(301, "DELETE", "GET without content, or POST with it", "PUT with its content",
            "RFC 9110, 15.4.2; Fetch"),
    METHODS(302, "DELETE", "GET without content, or POST with it", "PUT with its content",
            "RFC 9110, 15.4.3; Fetch"),
    METHODS(303, "GET", "GET without content", "GET without content", "RFC 9110, 15.4.4"),
    METHODS(307, "DELETE", "POST with its content", "PUT with its content", "RFC 9110, 15.4.8"),
    METHODS(308, "DELETE", "POST with its content", "PUT with its content", "RFC 9110, 15.4.9"),

    {.group = "method", .id = "307-POST-up", .title = "307 to POST, from http to https",
     .right = "POST with its content", .section = "RFC 9110, 15.4.8", .method = "POST",
     .content_bytes = content_small, .legs = {{.status = 307, .location = "{secure}/1"}},
     .judge = judge_method},

    PLACES("authorization-same", "Authorization to the same origin", AUTHORIZATION,
           "RFC 9110, 15.4; Fetch", judge_authorization),
     .right = "is kept", .legs = {{.status = 302, .location = "{path}/1"}}},
    PLACES("authorization-port", "Authorization to another port", AUTHORIZATION,
           "RFC 9110, 15.4; Fetch", judge_authorization),
     .right = "is dropped", .legs = {{.status = 302, .location = "{port}/1"}}},
    PLACES("authorization-host", "Authorization to another host", AUTHORIZATION,
           "RFC 9110, 15.4; Fetch", judge_authorization),
     .right = "is dropped", .legs = {{.status = 302, .location = "{name}/1"}}},
    PLACES("authorization-back", "Authorization after a way through another port and back",
           AUTHORIZATION, "Fetch, HTTP-redirect fetch", judge_authorization),
     .right = "stays dropped", .legs = {{.status = 302, .location = "{port}/1"},
                                        {.status = 302, .location = "{here}/2"}}},
    PLACES("cookie-port", "an own Cookie to another port", COOKIE,
           "RFC 9110, 15.4; RFC 6265, 8.5", judge_cookie),
     .right = "is dropped, or kept as cookies know no ports",
     .legs = {{.status = 302, .location = "{port}/1"}}},
    PLACES("cookie-host", "an own Cookie to another host", COOKIE,
           "RFC 9110, 15.4; RFC 6265, 5.4", judge_cookie),
     .right = "is dropped", .legs = {{.status = 302, .location = "{name}/1"}}},
    PLACES("cookie-back", "an own Cookie after a way through another host and back", COOKIE,
           "RFC 9110, 15.4; Fetch", judge_cookie),
     .right = "stays dropped", .legs = {{.status = 302, .location = "{name}/1"},
                                        {.status = 302, .location = "{here}/2"}}},
    PLACES("authorization-up", "Authorization from http to https", AUTHORIZATION,
           "RFC 9110, 15.4; Fetch", judge_authorization),
     .right = "is dropped", .legs = {{.status = 302, .location = "{secure}/1"}}},
    PLACES("authorization-down", "Authorization from https to http", AUTHORIZATION,
           "RFC 9110, 15.4; Fetch", judge_authorization),
     .right = "is dropped", .secure = true, .legs = {{.status = 302, .location = "{here}/1"}}},
    PLACES("proxy-authorization", "Proxy-Authorization to another port", PROXY_AUTHORIZATION,
           "RFC 9110, 15.4, 11.7.2", judge_proxy_authorization),
     .right = "is dropped", .legs = {{.status = 302, .location = "{port}/1"}}},
    {.group = "credentials", .id = "host-relative", .title = "an own Host, and a relative Location",
     .right = "Host follows from the new URL", .section = "RFC 9110, 15.4", .method = "GET",
     .fields = {"Host: own.example"}, .legs = {{.status = 302, .location = "{here}/1"}},
     .judge = judge_host},

    {.group = "loop", .id = "loop-self", .title = "a redirect to itself",
     .right = "ends after 20 redirects at most", .section = "RFC 9110, 15.4; Fetch",
     .method = "GET", .loop = true, .legs = {{.status = 307, .location = "{path}/0"}},
     .judge = judge_loop},
    {.group = "loop", .id = "loop-two", .title = "two URLs that lead to each other",
     .right = "ends after 20 redirects at most", .section = "RFC 9110, 15.4; Fetch",
     .method = "GET", .loop = true,
     .legs = {{.status = 302, .location = "{path}/1"}, {.status = 302, .location = "{path}/0"}},
     .judge = judge_loop},
    {.group = "loop", .id = "loop-cookie", .title = "a redirect to itself that sets a cookie",
     .right = "is none: it is followed, with the cookie", .section = "RFC 9110, 15.4",
     .method = "GET", .jar = true, .loop = true,
     .legs = {{.status = 302, .location = "{path}/0", .name = "Set-Cookie", .value = "seen=1"}},
     .judge = judge_cookie_loop},
    {.group = "loop", .id = "hops-20", .title = "20 redirects in a row", .right = "are followed",
     .section = "Fetch, HTTP-redirect fetch", .method = "GET", .hops = 20, .judge = judge_hops},
    {.group = "loop", .id = "hops-21", .title = "21 redirects in a row",
     .right = "the last one is an error", .section = "Fetch, HTTP-redirect fetch", .method = "GET",
     .hops = 21, .judge = judge_hops},

    {.group = "upload", .id = "early-307", .title = "307 before the content of a POST has come",
     .right = "POST with all of its content", .section = "RFC 9110, 7.5, 15.4.8", .method = "POST",
     .content_bytes = content_large, .early = true,
     .legs = {{.status = 307, .location = "{path}/1"}}, .judge = judge_early},
    {.group = "upload", .id = "early-307-expect",
     .title = "307 to a POST that expects 100-continue",
     .right = "POST with all of its content", .section = "RFC 9110, 10.1.1, 15.4.8",
     .method = "POST", .fields = {"Expect: 100-continue"},
     .content_bytes = content_large, .early = true,
     .legs = {{.status = 307, .location = "{path}/1"}}, .judge = judge_early},
    {.group = "upload", .id = "early-303", .title = "303 before the content of a POST has come",
     .right = "GET without content", .section = "RFC 9110, 7.5, 15.4.4", .method = "POST",
     .content_bytes = content_large, .early = true,
     .legs = {{.status = 303, .location = "{path}/1"}}, .judge = judge_early},

    KEPT("307-bare", 307, "307 that says nothing of caches, twice",
         "both times the server is asked", NULL, "RFC 9111, 3; RFC 9110, 15.1", judge_kept_never),
    KEPT("302-bare", 302, "302 that says nothing of caches, twice",
         "both times the server is asked", NULL, "RFC 9111, 3; RFC 9110, 15.1", judge_kept_never),
    KEPT("307-fresh", 307, "307 with max-age, twice", "the first one may be used again",
         "max-age=60", "RFC 9111, 4.2", judge_kept_perhaps),
    KEPT("307-no-store", 307, "307 with no-store, twice", "both times the server is asked",
         "no-store", "RFC 9111, 5.2.2.5", judge_kept_never),
    KEPT("308-bare", 308, "308 that says nothing of caches, twice",
         "the first one may be used again", NULL, "RFC 9111, 4.2.2; RFC 9110, 15.1",
         judge_kept_perhaps),
    KEPT("301-bare", 301, "301 that says nothing of caches, twice",
         "the first one may be used again", NULL, "RFC 9111, 4.2.2; RFC 9110, 15.1",
         judge_kept_perhaps),

    LOCATION("several", "two Locations that differ", "neither is followed", "RFC 9110, 10.2.2, 5.3",
             judge_several),
     .legs = {{.status = 302, .location = "{path}/1", .location2 = "{path}/2"}}},
    LOCATION("twice", "the same Location twice", "is followed, or refused", "RFC 9110, 5.3",
             judge_mended),
     .legs = {{.status = 302, .location = "{path}/1", .location2 = "{path}/1"}}},
    LOCATION("missing", "no Location", "the answer is the last one", "Fetch, HTTP-redirect fetch",
             judge_stays), .legs = {{.status = 302}}},
    LOCATION("empty", "an empty Location", "means the URL itself", "RFC 3986, 5.2.2", judge_empty),
     .loop = true, .legs = {{.status = 302, .location = ""}}},
    LOCATION("invalid", "a Location that is no URL", "is not followed", "Fetch; RFC 9110, 10.2.2",
             judge_stays), .legs = {{.status = 302, .location = "http://[::1%25.{path}/1"}}},
    LOCATION("no-host", "a Location with an empty host", "is not followed", "RFC 9110, 4.2.1",
             judge_stays), .legs = {{.status = 302, .location = "http://:80/"}}},
    LOCATION("file", "a file: Location", "is not followed", "Fetch, HTTP-redirect fetch",
             judge_stays), .legs = {{.status = 302, .location = "file:///etc/hostname"}}},
    LOCATION("data", "a data: Location", "is not followed", "Fetch, HTTP-redirect fetch",
             judge_stays), .legs = {{.status = 302, .location = "data:text/plain,here"}}},
    LOCATION("javascript", "a javascript: Location", "is not followed",
             "Fetch, HTTP-redirect fetch", judge_stays),
     .legs = {{.status = 302, .location = "javascript:0"}}},
    LOCATION("userinfo", "a Location with a user's name and password",
             "is not followed, or without them", "RFC 9110, 4.2.4", judge_userinfo),
     .legs = {{.status = 302, .location = "{user}/1"}}},
    LOCATION("relative", "a Location with dot segments", "is resolved", "RFC 3986, 5.2.4",
             judge_arrives), .legs = {{.status = 302, .location = ".././x/../{id}/./1"}}},
    LOCATION("backslash", "backslashes in a Location", "count as slashes, as in WHATWG URL",
             "WHATWG URL, 4.4; RFC 3986, 2", judge_mended),
     .legs = {{.status = 302, .location = ".\\1"}}},
    LOCATION("tab", "a tab in a Location", "is left out, as in WHATWG URL",
             "WHATWG URL, 4.4; RFC 3986, 2", judge_mended),
     .legs = {{.status = 302, .location = "{path}/\t1"}}},
    LOCATION("space", "a space in a Location", "is sent as %20", "WHATWG URL, 4.4; RFC 3986, 2",
             judge_mended), .alias = "a%20b", .legs = {{.status = 302, .location = "{path}/a b"}}},
    LOCATION("utf8", "UTF-8 in a Location", "is sent as %C3%BC", "WHATWG URL, 4.4; RFC 3986, 2",
             judge_mended), .alias = "%C3%BC",
     .legs = {{.status = 302, .location = "{path}/\xC3\xBC"}}},

    STATUS(201, "is no redirect", "RFC 9110, 15.3.2", judge_stays),
    STATUS(300, "may be followed", "RFC 9110, 15.4.1; Fetch", judge_may_stay),
    STATUS(304, "is no redirect", "RFC 9110, 15.4.5", judge_stays),
    STATUS(305, "is never followed", "RFC 9110, 15.4.6", judge_stays),
    STATUS(306, "is never followed", "RFC 9110, 15.4.7", judge_stays),
    STATUS(399, "is treated as 300", "RFC 9110, 15; Fetch", judge_may_stay),

    {.group = "wait", .id = "retry-after", .title = "302 with Retry-After: 1",
     .right = "is followed a second later", .section = "RFC 9110, 10.2.3", .method = "GET",
     .legs = {{.status = 302, .location = "{path}/1", .name = "Retry-After", .value = "1"}},
     .judge = judge_retry_after},

    {.group = "referer", .id = "referer-clean",
     .title = "Referer of a URL with userinfo and fragment",
     .right = "is sent without them", .section = "RFC 9110, 10.1.3", .method = "GET",
     .fields = {"Referer: http://user:pass@own.example/from#part"},
     .legs = {{.status = 302, .location = "{path}/1"}}, .judge = judge_referer},
    {.group = "referer", .id = "referer-policy",
     .title = "Referrer-Policy: no-referrer on a redirect",
     .right = "holds from the next request on", .section = "Fetch; Referrer Policy, 8.1",
     .method = "GET", .fields = {"Referer: http://own.example/from"},
     .legs = {{.status = 302, .location = "{path}/1", .name = "Referrer-Policy",
               .value = "no-referrer"}}, .judge = judge_referrer_policy},

    {.group = "referer", .id = "referer-down", .title = "Referer from https to http",
     .right = "is dropped", .section = "RFC 9110, 10.1.3", .method = "GET", .secure = true,
     .fields = {"Referer: https://own.example/from"},
     .legs = {{.status = 302, .location = "{here}/1"}}, .judge = judge_downgraded_referer},

    FRAGMENT("kept", "a Location without a fragment", "the first one's is kept",
             "RFC 9110, 10.2.2", "{path}/1", "part"),
    FRAGMENT("new", "a Location with a fragment", "that one counts", "RFC 9110, 10.2.2",
             "{path}/1#other", "other"),
    FRAGMENT("empty", "a Location with an empty fragment", "the first one's is gone",
             "RFC 9110, 17.11", "{path}/1#", ""),

    {.group = "content", .id = "content-type", .title = "302 to POST with an own Content-Type",
     .right = "goes with the content", .section = "RFC 9110, 15.4; Fetch", .method = "POST",
     .content_bytes = content_small, .fields = {OWN_TYPE},
     .legs = {{.status = 302, .location = "{path}/1"}}, .judge = judge_method},
    {.group = "content", .id = "content-broken",
     .title = "a redirect whose content cannot be decoded",
     .right = "is followed: nobody wants that content", .section = "RFC 9110, 15.4",
     .method = "GET",
     .legs = {{.status = 302, .location = "{path}/1", .name = "Content-Encoding", .value = "gzip",
               .content = {no_gzip, sizeof(no_gzip) - 1}}}, .judge = judge_arrives},
};
/* clang-format on */

const size_t test_case_count = sizeof(test_cases) / sizeof(*test_cases);

static_assert(sizeof(test_cases) / sizeof(*test_cases) <= case_count_max, "more cases than may be");
