/* SPDX-License-Identifier: MIT */
/* What is found in a walk: each fault by its one name. */
#include "audit/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { hops_max = 8 };

struct hop {
    const char *url;
    uint16_t status;
    bool downgrade;
    bool credentials;
    bool loop;
};

static const struct judge_case {
    const char *name;
    const char *target;
    uint16_t status;
    enum audit_class class;
    struct hop hops[hops_max];
    enum walk_outcome outcome;
    enum detour_reason reason;
    const char *found; /* names with spaces between them */
    const char *allowed[2];
} cases[] = {
    {.name = "as expected",
     .target = "http://a/n",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{"http://a/o", 301}, {"http://a/n", 200}},
     .found = ""},
    {.name = "nothing is expected",
     .hops = {{"http://a/o", 302}, {"http://b/n", 200}},
     .found = ""},
    {.name = "elsewhere",
     .target = "http://a/n",
     .hops = {{"http://a/o", 301}, {"http://a/m", 200}},
     .found = "target"},
    {.name = "elsewhere is allowed",
     .target = "http://a/n",
     .hops = {{"http://a/o", 301}, {"http://a/m", 200}},
     .found = "",
     .allowed = {"http://a/o*", "*/m"}},
    {.name = "a fragment does not count",
     .target = "http://a/n",
     .hops = {{"http://a/o", 301}, {"http://a/n#x", 200}},
     .found = ""},
    {.name = "the other status of the class",
     .target = "http://a/n",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{"http://a/o", 308}, {"http://a/n", 200}},
     .found = "status"},
    {.name = "temporary",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{"http://a/o", 307}, {"http://a/n", 200}},
     .found = "temporary"},
    {.name = "temporary further on",
     .class = audit_class_permanent,
     .hops = {{"http://a/o", 301}, {"http://a/p", 302}, {"http://a/n", 200}},
     .found = "temporary"},
    {.name = "permanent",
     .class = audit_class_temporary,
     .hops = {{"http://a/o", 308}, {"http://a/n", 200}},
     .found = "permanent"},
    {.name = "permanent further on is no fault",
     .class = audit_class_temporary,
     .hops = {{"http://a/o", 307}, {"http://a/p", 301}, {"http://a/n", 200}},
     .found = ""},
    {.name = "too long",
     .hops = {{"http://a/1", 301}, {"http://a/2", 301}, {"http://a/3", 301}, {"http://a/4", 200}},
     .found = "hops"},
    {.name = "much too long",
     .hops = {{"http://a/1", 301}},
     .outcome = walk_refused,
     .reason = DETOUR_REASON_TOO_MANY,
     .found = "hops"},
    {.name = "a loop",
     .target = "http://a/n",
     .hops = {{"http://a/1", 301}, {"http://a/2", 301}},
     .outcome = walk_refused,
     .reason = DETOUR_REASON_LOOP,
     .found = "loop"},
    {.name = "404 at the end",
     .target = "http://a/n",
     .hops = {{"http://a/o", 301}, {"http://a/n", 404}},
     .found = "bad-end"},
    {.name = "404 at once",
     .target = "http://a/n",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{"http://a/o", 404}},
     .found = "bad-end"},
    {.name = "410 is wanted", .status = 410, .hops = {{"http://a/o", 410}}, .found = ""},
    {.name = "410 is wanted, and comes later",
     .status = 410,
     .hops = {{"http://a/o", 301}, {"http://a/n", 410}},
     .found = "status bad-end"},
    {.name = "home",
     .target = "http://a/n",
     .hops = {{"http://a/o", 301}, {"http://a/", 200}},
     .found = "home"},
    {.name = "home, whatever was expected",
     .hops = {{"http://a/o", 301}, {"http://b/", 200}},
     .found = "home"},
    {.name = "home is wanted",
     .target = "http://b/",
     .hops = {{"http://a/o", 301}, {"http://b/", 200}},
     .found = ""},
    {.name = "from home to home", .hops = {{"http://a/", 301}, {"https://a/", 200}}, .found = ""},
    {.name = "home with a query is a page",
     .hops = {{"http://a/o", 301}, {"http://a/?p=1", 200}},
     .found = ""},
    {.name = "no redirect",
     .target = "http://a/n",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{"http://a/o", 200}},
     .found = "no-redirect"},
    {.name = "no redirect is wanted",
     .target = "http://a/o",
     .status = 200,
     .hops = {{"http://a/o", 200}},
     .found = ""},
    {.name = "a redirect where none was wanted",
     .target = "http://a/o",
     .status = 200,
     .hops = {{"http://a/o", 302}, {"http://a/n", 200}},
     .found = "target status"},
    {.name = "https to http",
     .hops = {{"https://a/o", 301, .downgrade = true}, {"http://a/n", 200}},
     .found = "downgrade"},
    {.name = "https to http is allowed",
     .hops = {{"https://a/o", 301, .downgrade = true}, {"http://a/n", 200}},
     .found = "",
     .allowed = {"https://a/*", "http://a/*"}},
    {.name = "a secret",
     .hops = {{"http://a/o", 301, .credentials = true}, {"http://b/n", 200}},
     .found = "credentials"},
    {.name = "a token in the query",
     .hops = {{"http://a/o?x=1&Token=abc", 301}, {"http://b/n?t=abc", 200}},
     .found = "credentials"},
    {.name = "a token that stays at home",
     .hops = {{"http://a/o?token=abc", 301}, {"http://a/n?token=abc", 200}},
     .found = ""},
    {.name = "a token that is left behind",
     .hops = {{"http://a/o?token=abc", 301}, {"http://b/n", 200}},
     .found = ""},
    {.name = "userinfo that is refused",
     .hops = {{"http://a/o", 301}},
     .outcome = walk_refused,
     .reason = DETOUR_REASON_USERINFO,
     .found = "credentials"},
    {.name = "over a third host",
     .hops = {{"http://a/o", 301}, {"http://t/", 301}, {"http://b/n", 200}},
     .found = "hosts"},
    {.name = "over another port",
     .hops = {{"http://a/o", 301}, {"http://a:81/", 301}, {"https://b/n", 200}},
     .found = ""},
    {.name = "hosts with brackets",
     .hops = {{"http://[::1]:1/o", 301}, {"http://[::2]/", 301}, {"http://[::1]/n", 200}},
     .found = "hosts"},
    {.name = "no answer",
     .target = "http://a/n",
     .hops = {{"http://a/o", 0}},
     .outcome = walk_failed,
     .found = "failed"},
    {.name = "no answer further on",
     .status = 307,
     .class = audit_class_temporary,
     .hops = {{"http://a/o", 301}, {"http://a/n", 0}},
     .outcome = walk_failed,
     .found = "failed permanent"},
    {.name = "no URL",
     .outcome = walk_refused,
     .reason = DETOUR_REASON_URL_INVALID,
     .found = "refused"},
    {.name = "no URL further on",
     .hops = {{"http://a/o", 301}},
     .outcome = walk_refused,
     .reason = DETOUR_REASON_SCHEME,
     .found = "refused"},
};

static void names_of(uint32_t found, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t k = 0; k < audit_finding_count; k++) {
        if ((found >> k & 1) != 0) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? " " : "",
                                   audit_finding_name((enum audit_finding)k));
        }
    }
}

static void faults(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct judge_case *each = &cases[i];
        struct audit_hop hops[hops_max];
        struct audit_seen seen = {.hops = hops, .outcome = each->outcome, .reason = each->reason};
        char found[256];
        while (seen.hop_count < hops_max && each->hops[seen.hop_count].url != NULL) {
            const struct hop *hop = &each->hops[seen.hop_count];
            hops[seen.hop_count++] = (struct audit_hop){.url = span_cstr(hop->url),
                                                        .status = hop->status,
                                                        .loop = hop->loop,
                                                        .downgrade = hop->downgrade,
                                                        .credentials = hop->credentials};
        }
        const struct audit_pair pair = {
            .from = span_cstr(each->allowed[0] != NULL ? each->allowed[0] : ""),
            .to = span_cstr(each->allowed[0] != NULL ? each->allowed[1] : "")};
        const struct audit_rules rules = {
            .hops_max = 2, .allowed = &pair, .allowed_count = each->allowed[0] != NULL};
        const struct audit_row row = {
            .source = seen.hop_count > 0 ? hops[0].url : SPAN("http://a/o"),
            .target = each->target != NULL ? span_cstr(each->target) : span_of(NULL, 0),
            .status = each->status,
            .class_wanted = each->class};
        names_of(audit_judge(&rules, &row, &seen), found, sizeof(found));
        if (strcmp(found, each->found) != 0) {
            fail_msg("%s: %s", each->name, found);
        }
    }
}

static void patterns(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } rows[] = {
        {"", "", true},          {"*", "", true},
        {"*", "abc", true},      {"abc", "abc", true},
        {"abc", "abcd", false},  {"a*c", "abbc", true},
        {"a*c", "abcb", false},  {"*b*", "abc", true},
        {"a**", "a", true},      {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "acb", false}, {"", "a", false},
        {"*aab", "aaaab", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (audit_matches(span_cstr(rows[i].pattern), span_cstr(rows[i].text)) != rows[i].matches) {
            fail_msg("%s %s", rows[i].pattern, rows[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(faults), cmocka_unit_test(patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
