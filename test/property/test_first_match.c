/* SPDX-License-Identifier: MIT */
/* First match wins, whatever structure makes it fast: random rules and paths, against a
 * loop over the rules in their order. DETOUR_SEED=n tries other ones. */
#include "compile/compile.h"
#include "decide/decide.h"
#include "http/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { configurations = 400, paths_each = 50, rules_max = 200, text_max = 256 };

static uint64_t seed;

static uint32_t below(uint32_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % bound;
}

/* ---- random texts: few letters, so that rules and paths meet ---- */

static const char *const path_parts[] = {"/a", "/b",   "/ab",     "/c",   "/",  "//",    "/a",
                                         "/b", "/..",  "/./",     "/%61", "/A", "/ba-b", "/%2F",
                                         "/7", "/a.b", "/%2e%2e", "/bb",  "/a", "/b"};
/* %d makes the names of variables different. */
static const char *const pattern_parts[] = {
    "/a",   "/b",         "/ab",      "/c",     "/",      "/:n%d",   "/:n%d",   "/*",    "/a",
    "/a*",  "{/a}?",      "{/:n%d}?", "/a:n%d", "/b",     "/:n%d-b", "/A",      "/:n%d", "{/b}*",
    "/%61", "/:n%d(\\d)", "/:n%d+",   "/:n%d?", "/:n%d*", "{/a/b}?", "/a.:n%d", "*",     "/(a|b)"};
static const char *const prefix_parts[] = {"/a", "/b", "/ab", "/a", "/c", "/7"};

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof(array[0]))

static struct span random_text(char *out, const char *const *parts, uint32_t count,
                               uint32_t longest)
{
    size_t len = 0;
    uint32_t pieces = below(longest + 1);
    for (uint32_t i = 0; i < pieces; i++) {
        const char *part = parts[below(count)];
        const char *number = strstr(part, "%d");
        if (number == NULL) {
            len += (size_t)snprintf(out + len, text_max - len, "%s", part);
        } else {
            len += (size_t)snprintf(out + len, text_max - len, "%.*s%u%s", (int)(number - part),
                                    part, i, number + 2);
        }
    }
    return span_of(out, len);
}

/* ---- a random configuration ---- */

struct setting {
    struct arena arena;
    struct model model;
    struct model_site site;
    struct model_rule rules[rules_max];
    char texts[rules_max][text_max];
    uint8_t *bytes;
    size_t len;
    struct regex_set *regexes;
    struct decide_context context;
};

static const uint32_t method_sets[] = {
    0, 0, 0, 1u << METHOD_GET, 1u << METHOD_POST, 1u << METHOD_GET | 1u << METHOD_PUT};

static void plain_rule(struct setting *s, struct model_rule *rule)
{
    *rule = (struct model_rule){
        .identity = span_cstr(arena_printf(&s->arena, "r/%zu", s->site.route_count)),
        .action = {.kind = ACTION_RESPOND, .status = 200, .retry_after_s = -1},
        .rest = {.kind = ACTION_NEXT, .retry_after_s = -1},
        .share_ppm = 1000000,
        .max_age_s = -1,
        .conditions.methods = method_sets[below(COUNT(method_sets))],
    };
}

static void random_rule(struct setting *s)
{
    char *text = s->texts[s->site.route_count];
    struct model_rule *rule = &s->rules[s->site.route_count];
    struct pattern_error error;
    plain_rule(s, rule);
    if (below(4) == 0) {
        rule->prefix = random_text(text, prefix_parts, COUNT(prefix_parts), 3);
    } else {
        rule->path_source = random_text(text, pattern_parts, COUNT(pattern_parts), 4);
        if (pattern_compile(PATTERN_PATH, rule->path_source, &s->arena, &rule->path, &error) !=
            ERR_NONE) {
            return; /* not every text is a pattern */
        }
    }
    s->site.route_count++;
}

static struct setting *setting_new(uint32_t rules)
{
    struct setting *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    arena_init(&s->arena, 0);
    for (uint32_t i = 0; i < rules; i++) {
        random_rule(s);
    }
    s->site.name = SPAN("s");
    s->site.catch_all = true;
    s->site.routes = s->rules;
    plain_rule(s, &s->site.fallback);
    s->site.fallback.kind = RULE_DEFAULT;
    s->model = (struct model){.sites = &s->site, .site_count = 1};
    assert_int_equal(snapshot_compile(&s->model, NULL, 1, 0, &s->bytes, &s->len), ERR_NONE);
    s->context.snapshot = snapshot_open(span_of(s->bytes, s->len));
    assert_int_equal(regex_set_new(s->context.snapshot, NULL, &s->regexes), ERR_NONE);
    s->context.regexes = s->regexes;
    return s;
}

static void setting_free(struct setting *s)
{
    regex_set_free(&s->regexes);
    free(s->bytes);
    arena_fini(&s->arena);
    free(s);
}

/* ---- the naive way ---- */

static struct path_scratch scratch;
static struct regex *naive_regexes[rules_max];

static bool naive_method(const struct model_rule *rule, enum method method)
{
    uint32_t methods = rule->conditions.methods;
    bool as_get = method == METHOD_HEAD && (methods & 1u << METHOD_GET) != 0;
    return methods == 0 || (methods & 1u << method) != 0 || as_get;
}

static bool naive_path(const struct model_rule *rule, size_t at, struct span path)
{
    if (rule->path == NULL) {
        return span_starts(path, rule->prefix) &&
               (path.len == rule->prefix.len || path.ptr[rule->prefix.len] == '/');
    }
    struct regex_budget budget = {.steps = 1000000};
    struct pattern_groups groups;
    struct span source = pattern_regex(rule->path);
    const char *reason;
    if (source.len > 0 && naive_regexes[at] == NULL) {
        assert_int_equal(regex_compile(source, &naive_regexes[at], &reason), ERR_NONE);
    }
    enum match match = pattern_match(rule->path, naive_regexes[at], path, &budget, &groups);
    assert_int_not_equal(match, MATCH_LIMIT);
    return match == MATCH_YES;
}

/* The index of the first rule that matches; route_count: the default. */
static size_t naive(const struct setting *s, struct span sent, enum method method)
{
    struct path path;
    assert_int_equal(path_normalise(sent, &scratch, &path), ERR_NONE);
    size_t rule = 0;
    while (rule < s->site.route_count && !(naive_method(&s->rules[rule], method) &&
                                           naive_path(&s->rules[rule], rule, path.norm))) {
        rule++;
    }
    return rule;
}

/* ---- both ---- */

struct tally {
    uint32_t compared;
    uint32_t limited;
    uint32_t by_rule;
    uint32_t by_index;
};

static void compare(struct setting *s, struct tally *tally, uint64_t started_from)
{
    static const enum method methods[] = {METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT};
    char text[text_max] = "/";
    struct span sent = random_text(text, path_parts, COUNT(path_parts), 6);
    struct request request = {.method = methods[below(COUNT(methods))],
                              .host = SPAN("h.example"),
                              .port = -1,
                              .path = sent.len > 0 ? sent : SPAN("/")};
    struct client peer = {0};
    struct decision decision;
    request.method_name = method_name(request.method);
    size_t wanted = naive(s, request.path, request.method);
    decide(&s->context, &request, &peer, 0, &decision);
    tally->compared++;
    if (decision.reason == REASON_REGEX_LIMIT) {
        tally->limited++;
        return;
    }
    tally->by_rule += wanted < s->site.route_count;
    size_t got = decision.rule - snapshot_site(s->context.snapshot, 0)->routes.first;
    if (got != wanted) {
        fail_msg("seed %llu: %.*s %.*s: rule %zu, not %zu (\"%.*s\") of %zu",
                 (unsigned long long)started_from, SPAN_ARG(request.method_name),
                 SPAN_ARG(request.path), got, wanted,
                 SPAN_ARG(wanted < s->site.route_count ? span_cstr(s->texts[wanted]) : SPAN("-")),
                 s->site.route_count);
    }
}

static void one_configuration(struct tally *tally)
{
    uint64_t started_from = seed;
    uint32_t rules = below(8) == 0 ? 1 + below(rules_max) : 1 + below(24);
    struct setting *s = setting_new(rules);
    tally->by_index += snapshot_site(s->context.snapshot, 0)->routes.nodes.count > 0;
    for (int i = 0; i < paths_each; i++) {
        compare(s, tally, started_from);
    }
    for (size_t i = 0; i < rules_max; i++) {
        if (naive_regexes[i] != NULL) {
            regex_free(&naive_regexes[i]);
        }
    }
    setting_free(s);
}

static void first_match_wins(void **state)
{
    (void)state;
    struct tally tally = {0};
    const char *given = getenv("DETOUR_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) | 1 : 307;
    for (int i = 0; i < configurations; i++) {
        one_configuration(&tally);
    }
    print_message("%u compared, %u by a rule, %u met the limit; %u of %d had an index\n",
                  tally.compared, tally.by_rule, tally.limited, tally.by_index, configurations);
    /* Else the test would say little. */
    assert_true(tally.by_rule > tally.compared / 4 && tally.by_rule < tally.compared);
    assert_true(tally.by_index > configurations / 2);
    assert_true(tally.limited < tally.compared / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_match_wins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
