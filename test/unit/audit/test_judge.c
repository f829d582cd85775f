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
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/n", .status = 200}},
     .found = ""},
    {.name = "nothing is expected",
     .hops = {{.url = "http://a/o", .status = 302}, {.url = "http://b/n", .status = 200}},
     .found = ""},
    {.name = "elsewhere",
     .target = "http://a/n",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/m", .status = 200}},
     .found = "target"},
    {.name = "elsewhere is allowed",
     .target = "http://a/n",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/m", .status = 200}},
     .found = "",
     .allowed = {"http://a/o*", "*/m"}},
    {.name = "a fragment does not count",
     .target = "http://a/n",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/n#x", .status = 200}},
     .found = ""},
    {.name = "the other status of the class",
     .target = "http://a/n",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{.url = "http://a/o", .status = 308}, {.url = "http://a/n", .status = 200}},
     .found = "status"},
    {.name = "temporary",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{.url = "http://a/o", .status = 307}, {.url = "http://a/n", .status = 200}},
     .found = "temporary"},
    {.name = "temporary further on",
     .class = audit_class_permanent,
     .hops = {{.url = "http://a/o", .status = 301},
              {.url = "http://a/p", .status = 302},
              {.url = "http://a/n", .status = 200}},
     .found = "temporary"},
    {.name = "permanent",
     .class = audit_class_temporary,
     .hops = {{.url = "http://a/o", .status = 308}, {.url = "http://a/n", .status = 200}},
     .found = "permanent"},
    {.name = "permanent further on is no fault",
     .class = audit_class_temporary,
     .hops = {{.url = "http://a/o", .status = 307},
              {.url = "http://a/p", .status = 301},
              {.url = "http://a/n", .status = 200}},
     .found = ""},
    {.name = "too long",
     .hops = {{.url = "http://a/1", .status = 301},
              {.url = "http://a/2", .status = 301},
              {.url = "http://a/3", .status = 301},
              {.url = "http://a/4", .status = 200}},
     .found = "hops"},
    {.name = "much too long",
     .hops = {{.url = "http://a/1", .status = 301}},
     .outcome = walk_refused,
     .reason = DETOUR_REASON_TOO_MANY,
     .found = "hops"},
    {.name = "a loop",
     .target = "http://a/n",
     .hops = {{.url = "http://a/1", .status = 301}, {.url = "http://a/2", .status = 301}},
     .outcome = walk_refused,
     .reason = DETOUR_REASON_LOOP,
     .found = "loop"},
    {.name = "404 at the end",
     .target = "http://a/n",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/n", .status = 404}},
     .found = "bad-end"},
    {.name = "404 at once",
     .target = "http://a/n",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{.url = "http://a/o", .status = 404}},
     .found = "bad-end"},
    {.name = "503 where 200 was wanted",
     .status = 200,
     .hops = {{.url = "http://a/o", .status = 503}},
     .found = "bad-end"},
    {.name = "410 is wanted",
     .status = 410,
     .hops = {{.url = "http://a/o", .status = 410}},
     .found = ""},
    {.name = "410 is wanted, and comes later",
     .status = 410,
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/n", .status = 410}},
     .found = "status bad-end"},
    {.name = "home",
     .target = "http://a/n",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/", .status = 200}},
     .found = "home"},
    {.name = "home, whatever was expected",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://b/", .status = 200}},
     .found = "home"},
    {.name = "home is wanted",
     .target = "http://b/",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://b/", .status = 200}},
     .found = ""},
    {.name = "from home to home",
     .hops = {{.url = "http://a/", .status = 301}, {.url = "https://a/", .status = 200}},
     .found = ""},
    {.name = "home with a query is a page",
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/?p=1", .status = 200}},
     .found = ""},
    {.name = "no redirect",
     .target = "http://a/n",
     .status = 301,
     .class = audit_class_permanent,
     .hops = {{.url = "http://a/o", .status = 200}},
     .found = "no-redirect"},
    {.name = "no redirect is wanted",
     .target = "http://a/o",
     .status = 200,
     .hops = {{.url = "http://a/o", .status = 200}},
     .found = ""},
    {.name = "a redirect where none was wanted",
     .target = "http://a/o",
     .status = 200,
     .hops = {{.url = "http://a/o", .status = 302}, {.url = "http://a/n", .status = 200}},
     .found = "target status"},
    {.name = "https to http",
     .hops = {{.url = "https://a/o", .status = 301, .downgrade = true},
              {.url = "http://a/n", .status = 200}},
     .found = "downgrade"},
    {.name = "https to http is allowed",
     .hops = {{.url = "https://a/o", .status = 301, .downgrade = true},
              {.url = "http://a/n", .status = 200}},
     .found = "",
     .allowed = {"https://a/*", "http://a/*"}},
    {.name = "a secret",
     .hops = {{.url = "http://a/o", .status = 301, .credentials = true},
              {.url = "http://b/n", .status = 200}},
     .found = "credentials"},
    {.name = "a token in the query",
     .hops = {{.url = "http://a/o?x=1&Token=abc", .status = 301},
              {.url = "http://b/n?t=abc", .status = 200}},
     .found = "credentials"},
    {.name = "a token that stays at home",
     .hops = {{.url = "http://a/o?token=abc", .status = 301},
              {.url = "http://a/n?token=abc", .status = 200}},
     .found = ""},
    {.name = "a token that is left behind",
     .hops = {{.url = "http://a/o?token=abc", .status = 301}, {.url = "http://b/n", .status = 200}},
     .found = ""},
    {.name = "userinfo that is refused",
     .hops = {{.url = "http://a/o", .status = 301}},
     .outcome = walk_refused,
     .reason = DETOUR_REASON_USERINFO,
     .found = "credentials"},
    {.name = "over a third host",
     .hops = {{.url = "http://a/o", .status = 301},
              {.url = "http://t/", .status = 301},
              {.url = "http://b/n", .status = 200}},
     .found = "hosts"},
    {.name = "over another port",
     .hops = {{.url = "http://a/o", .status = 301},
              {.url = "http://a:81/", .status = 301},
              {.url = "https://b/n", .status = 200}},
     .found = ""},
    {.name = "hosts with brackets",
     .hops = {{.url = "http://[::1]:1/o", .status = 301},
              {.url = "http://[::2]/", .status = 301},
              {.url = "http://[::1]/n", .status = 200}},
     .found = "hosts"},
    {.name = "no answer",
     .target = "http://a/n",
     .hops = {{.url = "http://a/o", .status = 0}},
     .outcome = walk_failed,
     .found = "failed"},
    {.name = "no answer further on",
     .status = 307,
     .class = audit_class_temporary,
     .hops = {{.url = "http://a/o", .status = 301}, {.url = "http://a/n", .status = 0}},
     .outcome = walk_failed,
     .found = "failed permanent"},
    {.name = "no URL",
     .outcome = walk_refused,
     .reason = DETOUR_REASON_URL_INVALID,
     .found = "refused"},
    {.name = "no URL further on",
     .hops = {{.url = "http://a/o", .status = 301}},
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
            .class_wanted = (uint8_t)each->class};
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
