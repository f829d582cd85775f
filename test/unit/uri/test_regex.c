/* SPDX-License-Identifier: MIT */
/* JavaScript's dialect on PCRE2, and the budget. The results of the first table are those
 * of a JavaScript engine, with the flag `v`. */
#include "uri/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { shown_groups = 4 };

static struct regex *compiled(const char *source)
{
    struct regex *regex = NULL;
    const char *reason = "";
    if (regex_compile(span_cstr(source), &regex, &reason) != ERR_NONE) {
        fail_msg("%s: %s", source, reason);
    }
    return regex;
}

/* "0-2 1-1 -": where the groups are, up to the last that the expression may have. */
static const char *run(const struct regex *regex, struct span subject, size_t count)
{
    static char text[128];
    size_t groups[2 * shown_groups];
    struct regex_budget budget = {.steps = regex_steps_per_request};
    enum match match = regex_match(regex, subject, &budget, groups, shown_groups);
    if (match != MATCH_YES) {
        return match == MATCH_NO ? "no" : "limit";
    }
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *space = i > 0 ? " " : "";
        len += (size_t)(groups[2 * i] == SIZE_MAX
                            ? snprintf(text + len, sizeof(text) - len, "%s-", space)
                            : snprintf(text + len, sizeof(text) - len, "%s%zu-%zu", space,
                                       groups[2 * i], groups[2 * i + 1]));
    }
    return text;
}

static void dialect(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        const char *subject;
        const char *found;
        size_t groups;
    } cases[] = {
        {"a+?b", "xaab", "1-4", 1},
        {"^a$", "a\n", "no", 1}, /* the end, not before a last line end */
        {".", "\n", "no", 1},
        {".", "\r", "no", 1},
        {".", "\v", "0-1", 1},
        {"^(a)|(b)$", "b", "0-1 - 0-1", 3},
        {"(?<x>a)\\k<x>", "aa", "0-2 0-1", 2},
        {"(a)?\\1b", "b", "0-1 -", 2}, /* what took no part is empty */
        {"(?:a|(b))\\1c", "ac", "0-2 -", 2},
        {"(?=(a))ab", "ab", "0-2 0-1", 2},
        {"(?<=a)b", "ab", "1-2", 1},
        {"(?<!a)b", "ab", "no", 1},
        {"[]", "a", "no", 1},
        {"[^]", "\n", "0-1", 1},
        {"[\\b]", "\b", "0-1", 1},
        {"[a\\-z]+", "a-z", "0-3", 1},
        {"[a\\-z]", "b", "no", 1},
        {"[:alpha:]+", ":al", "0-3", 1}, /* a set of five characters and no class of POSIX */
        {"[.]", "a", "no", 1},
        {"[\\d.]+", "1.2", "0-3", 1},
        {"\\v", "\v", "0-1", 1}, /* one character, not a class */
        {"\\v", "\n", "no", 1},
        {"\\cA\\0\\x41\\u0042\\u{43}", "\001", "no", 1},
        {"\\x41\\u0042\\u{43}", "ABC", "0-3", 1},
        {"^\\ud83d\\ude00$", "\xf0\x9f\x98\x80", "0-4", 1},
        {"^.$", "\xc3\xa9", "0-2", 1},
        {"\\w", "\xc3\xa9", "no", 1},
        {"\\p{Lu}\\p{Letter}\\P{L}", "Ab1", "0-3", 1},
        {"\\p{gc=Nd}", "1", "0-1", 1},
        {"a{2}b{1,}c{0,1}", "aab", "0-3", 1},
        {"\\/\\{\\}\\[\\]", "/{}[]", "0-5", 1},
        {"#x y", "#x y", "0-4", 1},
        {"", "a", "0-0", 1},
        {"a|", "b", "0-0", 1},
        {"a",
         "\xff"
         "a",
         "no", 1}, /* not UTF-8: nothing matches */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex = compiled(cases[i].source);
        const char *found = run(regex, span_cstr(cases[i].subject), cases[i].groups);
        if (strcmp(found, cases[i].found) != 0) {
            fail_msg("%s on %s: %s", cases[i].source, cases[i].subject, found);
        }
        regex_free(&regex);
        assert_null(regex);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const char *const cases[] = {
        /* no JavaScript, and PCRE2 would have taken it */
        "\\m", "\\_", "\\-", "\\A", "\\z", "\\Z", "\\Qa\\E", "\\K", "\\G", "\\R", "\\h", "\\H",
        "\\N", "\\X", "\\C", "\\e", "\\a", "\\g{1}", "\\8", "\\01", "\\00", "\\x4", "\\x{41}",
        "\\u41", "\\u{}", "\\u{110000}", "\\ud83d", "\\c1", "a++", "a*+", "a?+", "a{2}+", "a**",
        "a{2}{3}", "(?>a)", "(?i)a", "(?i:a)", "(?#a)", "(?P<a>b)", "(?P=a)", "(?'a'b)", "(?|a)",
        "(?1)", "(?R)", "(?&a)", "(?C1)", "(?(1)a)", "(*FAIL)", "(*UTF)a", "[[:alpha:]]", "a{,5}",
        "a{", "a{1", "a{x}", "]", "}", "{1}", "*", "+", "?", "^*", "$?", "\\b+", "(?=a)*",
        "(?<=a)?", "[a-", "[b-a]", "[\\d-x]", "[a-\\d]", "[-]", "[a-]", "[(]", "[/]", "[|]", "[{]",
        "[\\m]", "[\\B]", "[!!]", "[a^^]", "(", ")", "(a", "a)", "(?<1>a)", "(?<a", "(?<>a)",
        "(?<a>b)(?<a>c)", "(?<a>b)|(?<a>c)", "\\k<a>", "\\k", "\\pL", "\\p{^L}", "\\p{Greek}",
        "\\p{L&}", "\\p{Xan}", "\\p{L", "\\", "[\\", "a{2,1}", "a{99999}", "\xff",
        /* JavaScript, and PCRE2 reads it otherwise or not at all */
        "[a-z&&[aeiou]]", "[a--b]", "[[a-z]--b]", "[a[b]]", "[\\q{ab|c}]", "(?<=a+)b", "\\1(a)",
        "(a\\1)", "(?:(a)|b)*\\1", "(?:(a)?\\1b)*", "(?<=(a)\\1)b"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex = NULL;
        const char *reason = NULL;
        enum err err = regex_compile(span_cstr(cases[i]), &regex, &reason);
        if (err != ERR_SYNTAX || reason == NULL || reason[0] == '\0') {
            fail_msg("%s: %d", cases[i], err);
        }
        assert_null(regex);
    }
}

/* So many captures, so deep, so long. */
static void maxima(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        const char *after;
        size_t count;
        enum err err;
    } cases[] = {
        {"(a)", "", 127, ERR_NONE},   {"(a)", "", 128, ERR_SYNTAX}, {"(?:", ")", 64, ERR_NONE},
        {"(?:", ")", 65, ERR_SYNTAX}, {"a", "", 32769, ERR_SYNTAX},
    };
    static char source[40000];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex = NULL;
        const char *reason = NULL;
        size_t len = 0;
        for (size_t k = 0; k < 2 * cases[i].count; k++) {
            const char *text = k < cases[i].count ? cases[i].before : cases[i].after;
            memcpy(source + len, text, strlen(text));
            len += strlen(text);
        }
        enum err err = regex_compile(span_of(source, len), &regex, &reason);
        if (err != cases[i].err) {
            fail_msg("%zu times %s: %d", cases[i].count, cases[i].before, err);
        }
        regex_free(&regex);
    }
}

static void budget_is_spent(void **state)
{
    (void)state;
    static const char *const sources[] = {"^(?:a+)+$",           "^(?:a|a)*$",
                                          "^(?:(?=[^x]*y)|a)*$", "^(.*)(.*)(.*)(.*)b$",
                                          "^(a*)(?:\\1b|a)*c",   "^(?:.*a){12}$"};
    static uint8_t subject[16000];
    memset(subject, 'a', sizeof(subject));
    subject[sizeof(subject) - 1] = '!';
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct regex *regex = compiled(sources[i]);
        struct regex_budget budget = {.steps = regex_steps_per_request};
        size_t groups[2] = {7, 7};
        struct span long_one = span_of(subject, sizeof(subject));
        if (regex_match(regex, long_one, &budget, groups, 1) != MATCH_LIMIT) {
            /* Only what PCRE2 sees without matching, that a letter is missing, is free. */
            assert_true(budget.steps == regex_steps_per_request);
        } else {
            assert_int_equal(budget.steps, 0);
            assert_int_equal(regex_match(regex, SPAN("b"), &budget, groups, 1), MATCH_LIMIT);
        }
        assert_int_equal(groups[0], 7);
        regex_free(&regex);
    }
}

/* Bytes that are gone over are paid for, and those that a reference may compare. */
static void long_subjects_cost_more(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        uint32_t least;
        uint32_t most;
    } cases[] = {
        {"^.*$", 400, 420},
        {"^.*(?=a*$)", 400, 450},
        {"^(b*)\\1a{0}.*$", 1200, 1400},
    };
    static uint8_t subject[6400];
    memset(subject, 'a', sizeof(subject));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex = compiled(cases[i].source);
        struct regex_budget budget = {.steps = regex_steps_per_request};
        size_t groups[2];
        struct span all = span_of(subject, sizeof(subject));
        assert_int_equal(regex_match(regex, all, &budget, groups, 1), MATCH_YES);
        assert_in_range(regex_steps_per_request - budget.steps, cases[i].least, cases[i].most);
        regex_free(&regex);
    }
}

/* Several expressions draw on one budget, and the same match always takes the same. */
static void budget_is_shared(void **state)
{
    (void)state;
    struct regex *regex = compiled("^\\/v(\\d+)(?:\\/(.*))$");
    struct regex_budget budget = {.steps = regex_steps_per_request};
    size_t groups[6];
    uint32_t before = budget.steps;
    assert_int_equal(regex_match(regex, SPAN("/v12/x"), &budget, groups, 3), MATCH_YES);
    uint32_t price = before - budget.steps;
    assert_in_range(price, 1, 30);
    size_t matches = 1;
    while (regex_match(regex, SPAN("/v12/x"), &budget, groups, 3) == MATCH_YES) {
        matches++;
    }
    assert_int_equal(matches, regex_steps_per_request / price);
    assert_int_equal(budget.steps, 0);
    /* Groups that are not asked for, and those that are not there. */
    budget.steps = regex_steps_per_request;
    size_t many[20];
    assert_int_equal(regex_match(regex, SPAN("/v12/x"), &budget, many, 10), MATCH_YES);
    assert_true(many[4] == 5 && many[5] == 6 && many[6] == SIZE_MAX && many[19] == SIZE_MAX);
    regex_free(&regex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialect),          cmocka_unit_test(refusals),
        cmocka_unit_test(maxima),           cmocka_unit_test(budget_is_spent),
        cmocka_unit_test(budget_is_shared), cmocka_unit_test(long_subjects_cost_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
