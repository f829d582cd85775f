/* SPDX-License-Identifier: MIT */
/* Patterns: what the public vectors do not reach. */
#include "uri/pattern_block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct compiled {
    struct arena arena;
    const struct pattern *pattern;
    struct pattern_error error;
    struct regex *regex;
    enum err err;
};

static void compile(enum pattern_kind kind, struct span source, struct compiled *out)
{
    const char *reason = NULL;
    *out = (struct compiled){0};
    arena_init(&out->arena, 0);
    out->err = pattern_compile(kind, source, &out->arena, &out->pattern, &out->error);
    if (out->err == ERR_NONE && pattern_regex(out->pattern).len > 0) {
        assert_int_equal(regex_compile(pattern_regex(out->pattern), &out->regex, &reason), 0);
    }
}

static void drop(struct compiled *compiled)
{
    regex_free(&compiled->regex);
    arena_fini(&compiled->arena);
}

/* "name=value name=value"; a group that took no part is "name". */
static const char *describe(const struct compiled *c, const struct pattern_groups *groups,
                            const char *subject)
{
    static char text[512];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < groups->count; i++) {
        struct span name = pattern_group_name(c->pattern, i);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i > 0 ? " " : "",
                                SPAN_ARG(name));
        if (groups->at[i].from != UINT32_MAX) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "=%.*s",
                                    (int)(groups->at[i].to - groups->at[i].from),
                                    subject + groups->at[i].from);
        }
    }
    return text;
}

struct match_row {
    enum pattern_kind kind;
    const char *pattern;
    const char *subject;
    const char *groups; /* NULL: no match */
};

static void run_row(const struct match_row *row)
{
    struct compiled c;
    struct pattern_groups groups = {.count = 99};
    struct regex_budget budget = {.steps = regex_steps_per_request};
    compile(row->kind, span_cstr(row->pattern), &c);
    if (c.err != ERR_NONE) {
        fail_msg("%s: %s", row->pattern, c.error.reason);
    }
    assert_true(pattern_verify(c.pattern, pattern_size(c.pattern)));
    enum match match = pattern_match(c.pattern, c.regex, span_cstr(row->subject), &budget, &groups);
    const char *found = match == MATCH_YES ? describe(&c, &groups, row->subject) : "no match";
    const char *wanted = row->groups != NULL ? row->groups : "no match";
    if (match == MATCH_LIMIT || strcmp(found, wanted) != 0) {
        fail_msg("%s on %s: %s", row->pattern, row->subject, found);
    }
    assert_true(match == MATCH_YES || groups.count == 99);
    drop(&c);
}

static void own_steps(void **state)
{
    (void)state;
    static const struct match_row rows[] = {
        /* what a group ends at */
        {PATTERN_PATH, "/blog/:slug", "/blog/x", "slug=x"},
        {PATTERN_PATH, "/blog/:slug", "/blog/x/y", NULL},
        {PATTERN_PATH, "/blog/:slug", "/blog/", NULL},
        {PATTERN_PATH, "/:a-:b", "/x-y-z", "a=x b=y-z"},
        {PATTERN_PATH, "/:a-:b", "/x/-y", NULL},
        {PATTERN_PATH, "/:a.:b?", "/x.y.z", "a=x b=y.z"},
        {PATTERN_PATH, "/*.html", "/a/b.html.html", "0=a/b.html"},
        {PATTERN_PATH, "*", "", "0="},
        {PATTERN_PATH, "*-*-*", "a-b-c-d", "0=a-b 1=c 2=d"},
        {PATTERN_PATH, "", "", ""},
        {PATTERN_PATH, "", "/", NULL},
        /* modifiers */
        {PATTERN_PATH, "/shop{/*}?", "/shop", "0"},
        {PATTERN_PATH, "/shop{/*}?", "/shop/", "0="},
        {PATTERN_PATH, "/shop{/*}?", "/shopping", NULL},
        {PATTERN_PATH, "/:a+/end", "/x/y/end/end", "a=x/y/end"},
        {PATTERN_PATH, "/:a*/end", "/end", "a"},
        {PATTERN_PATH, "/a{-:b-}+", "/a-x--y-", "b=x--y"},
        {PATTERN_PATH, "/a{-:b-}+", "/a-x-y-", "b=x-y"},
        {PATTERN_PATH, "/{ab}+c", "/ababc", ""},
        {PATTERN_PATH, "/{ab}*a", "/ababa", ""},
        {PATTERN_PATH, "*{}?", "", "0="},
        {PATTERN_PATH, "{*}?", "", "0"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&rows[i]);
    }
}

static void expressions_and_texts(void **state)
{
    (void)state;
    static const struct match_row rows[] = {
        /* expressions */
        {PATTERN_PATH, "/v:n(\\d+)/*", "/v12/x", "n=12 0=x"},
        {PATTERN_PATH, "/v:n(\\d+)/*", "/vx/x", NULL},
        {PATTERN_PATH, "/(a(?<x>b))/:c(\\w+)", "/ab/d", "0=ab c=d"},
        {PATTERN_PATH, "/:a((?<x>b)|c)?/:d(\\w)", "/c/e", "a=c d=e"},
        {PATTERN_PATH, "/(a*)?b{(c)}?", "/b", "0= 1"},
        {PATTERN_PATH, "{(a*)}?b", "b", "0"},
        {PATTERN_PATH, "/:a(\\d+)+", "/1/2/34", "a=1/2/34"},
        {PATTERN_PATH, "/(\\/x)", "//x", "0=/x"},
        /* the same as a name and an asterisk */
        {PATTERN_PATH, "/([^\\/]+?)(.*)", "/xy/z", "0=x 1=y/z"},
        {PATTERN_PATH, "/([^/]+?)", "/xy", "0=xy"},
        /* literals become what requests are */
        {PATTERN_PATH, "/%73hop//x/./y/../%c3%a9\xc3\xa9", "/shop/x/%C3%A9%C3%A9", ""},
        {PATTERN_PATH, "/a//:b", "/a/x", "b=x"},
        {PATTERN_PATH, "/a/{/b/}/c", "/a/b/c", ""},
        {PATTERN_PATH, "/a\\?b", "/a%3Fb", ""},
        {PATTERN_PATH, "/a\tb", "/ab", ""},
        {PATTERN_PATH, "/caf\xc3\xa9/:\xe2\x84\x98", "/caf%C3%A9/x", "\xe2\x84\x98=x"},
        /* hosts */
        {PATTERN_HOST, "{:sub.}?example.com", "example.com", "sub"},
        {PATTERN_HOST, "{:sub.}?example.com", "a.example.com", "sub=a"},
        {PATTERN_HOST, "{:sub.}?example.com", "a.b.example.com", NULL},
        {PATTERN_HOST, "{*.}?Example.com.", "a.b.example.com", "0=a.b"},
        {PATTERN_HOST,
         "B\xc3\xbc"
         "cher.:tld",
         "xn--bcher-kva.de", "tld=de"},
        {PATTERN_HOST, "10.:a.0.1", "10.7.0.1", "a=7"},
        {PATTERN_HOST, "0x7f.1", "127.0.0.1", ""},
        {PATTERN_HOST, "192.0.2.1", "192.0.2.1", ""},
        {PATTERN_HOST, "[2001\\:DB8\\:*]", "[2001:db8::1]", "0=:1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&rows[i]);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        enum pattern_kind kind;
        const char *pattern;
        size_t offset;
        const char *reason; /* a part of it */
    } cases[] = {
        {PATTERN_PATH, "/a/:", 3, "without a name"},
        {PATTERN_PATH, "/a/:1", 3, "without a name"},
        {PATTERN_PATH, "/a}", 2, "'}' without"},
        {PATTERN_PATH, "/a?", 2, "behind a group"},
        {PATTERN_PATH, "/{a", 3, "in braces"},
        {PATTERN_PATH, "/{a{b}}", 3, "in braces"},
        {PATTERN_PATH, "/{:a:b}", 4, "in braces"},
        {PATTERN_PATH, "/a\\", 2, "backslash at the end"},
        {PATTERN_PATH, "/(a", 1, "no ')'"},
        {PATTERN_PATH, "/()", 1, "empty"},
        {PATTERN_PATH, "/(?:a)", 2, "begin with '?'"},
        {PATTERN_PATH, "/(a(b))", 3, "followed by '?'"},
        {PATTERN_PATH, "/(\xc3\xa9)", 2, "ASCII"},
        {PATTERN_PATH, "/(a\\", 3, "backslash at the end"},
        {PATTERN_PATH, "/:a/:a", 4, "one name"},
        {PATTERN_PATH, "/:a*?", 4, "behind a group"},
        {PATTERN_PATH, "/x/(\\m)", 3, "unknown escape"},
        {PATTERN_PATH, "/([a-z&&b])", 1, "&&"},
        {PATTERN_PATH, "/(a)/(b\\2)", 1, "has not ended"},
        {PATTERN_PATH, "/:a((?<x>b))+", 3, "one name"},
        {PATTERN_PATH, "/a\xff", 2, "UTF-8"},
        {PATTERN_PATH, "/a\xed\xa0\x80", 2, "UTF-8"},
        {PATTERN_HOST, "a b", 0, "host name"},
        {PATTERN_HOST, "x.:y@z", 4, "host name"},
        {PATTERN_HOST, "a:8080", 1, "without a name"},
        {PATTERN_HOST, "a\\:b", 0, "host name"},
        {PATTERN_HOST, "/x", 0, "host name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct compiled c;
        compile(cases[i].kind, span_cstr(cases[i].pattern), &c);
        if (c.err != ERR_SYNTAX || c.error.offset != cases[i].offset ||
            strstr(c.error.reason, cases[i].reason) == NULL) {
            fail_msg("%s: %d at %zu: %s", cases[i].pattern, c.err, c.error.offset, c.error.reason);
        }
        drop(&c);
    }
}

/* A pattern that consists of a text so many times. */
static struct span repeat(const char *text, size_t count, struct arena *arena)
{
    size_t len = strlen(text);
    uint8_t *memory = arena_alloc(arena, count * len);
    for (size_t i = 0; i < count; i++) {
        memcpy(memory + i * len, text, len);
    }
    return span_of(memory, count * len);
}

static void maxima(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        const char *reason; /* NULL: it compiles */
    } cases[] = {
        {"/*", 32, NULL},          {"/*", 33, "32 groups"}, {"{a}?", 256, NULL},
        {"{a}?", 257, "too many"}, {"/a", 2048, NULL},      {"/a/", 1366, "longer than"},
        {"(a)b", 33, "32 groups"},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct compiled c;
        compile(PATTERN_PATH, repeat(cases[i].text, cases[i].count, &arena), &c);
        bool good = cases[i].reason == NULL
                        ? c.err == ERR_NONE && pattern_verify(c.pattern, pattern_size(c.pattern))
                        : c.err == ERR_SYNTAX && strstr(c.error.reason, cases[i].reason) != NULL;
        if (!good) {
            fail_msg("%s %zu times: %s", cases[i].text, cases[i].count, c.error.reason);
        }
        drop(&c);
    }
    arena_fini(&arena);
}

/* Segments as text: '=' before a literal, ':' for any, '*' for the rest, '.' for the end. */
static void segments(void **state)
{
    (void)state;
    static const struct {
        enum pattern_kind kind;
        const char *pattern;
        const char *segments;
    } cases[] = {
        {PATTERN_PATH, "/a/:b/c", "=a : =c ."},
        {PATTERN_PATH, "/a/*", "=a *"},
        {PATTERN_PATH, "/a/", "=a = ."},
        {PATTERN_PATH, "/", "= ."},
        {PATTERN_PATH, "/a/{:b}/c", "=a : =c ."},
        {PATTERN_PATH, "/a/x:b", "=a *"},
        {PATTERN_PATH, "/a/:b\\x", "=a *"},
        {PATTERN_PATH, "/a/{:b}:c", "=a *"},
        {PATTERN_PATH, "/a/:b?", "=a *"},
        {PATTERN_PATH, "/a/:b{/c}?", "=a : *"},
        {PATTERN_PATH, "/a/b{/c}?", "=a =b *"},
        {PATTERN_PATH, "/shop{/*}?", "=shop *"},
        {PATTERN_PATH, "/a:b{/c}+", "*"},
        {PATTERN_PATH, "/a/b/{c}?", "=a =b *"},
        {PATTERN_PATH, "/a/:b(\\d+)/c", "=a *"},
        {PATTERN_PATH, "/a/:b/*", "=a : *"},
        {PATTERN_PATH, "/%61//b/../:c", "=a : ."},
        {PATTERN_PATH, "/([^\\/]+?)", ": ."},
        {PATTERN_PATH, "/:a/", ": = ."},
        {PATTERN_PATH, "*", "*"},
        {PATTERN_PATH, "a/b", "*"},
        {PATTERN_PATH, "{/a}?/b", "*"},
        {PATTERN_PATH, "", "*"},
        {PATTERN_HOST, "example.com", "*"},
    };
    static const char marks[] = {
        [SEGMENT_LITERAL] = '=', [SEGMENT_ANY] = ':', [SEGMENT_REST] = '*', [SEGMENT_END] = '.'};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct compiled c;
        char text[64] = "";
        size_t len = 0;
        enum segment_kind kind = SEGMENT_ANY;
        compile(cases[i].kind, span_cstr(cases[i].pattern), &c);
        assert_int_equal(c.err, ERR_NONE);
        for (size_t at = 0; kind != SEGMENT_END && kind != SEGMENT_REST; at++) {
            struct span literal = SPAN("");
            kind = pattern_segment(c.pattern, at, &literal);
            assert_int_equal(pattern_segment(c.pattern, at + 1000, &literal),
                             kind == SEGMENT_END || kind == SEGMENT_REST
                                 ? kind
                                 : pattern_segment(c.pattern, 9999, &literal));
            pattern_segment(c.pattern, at, &literal);
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%.*s", at > 0 ? " " : "",
                                    marks[kind], kind == SEGMENT_LITERAL ? (int)literal.len : 0,
                                    (const char *)literal.ptr);
        }
        if (strcmp(text, cases[i].segments) != 0) {
            fail_msg("%s: %s", cases[i].pattern, text);
        }
        drop(&c);
    }
}

/* What would take exponential time takes the budget, and no more. */
static void budget(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *subject; /* repeated */
        size_t count;
        enum match match;
    } cases[] = {
        {"/:a?/:b?/*/:c*/*/*/*/*/x*", "/a", 200, MATCH_LIMIT},
        {"*a*a*a*a*a*a*a*a*a*b*", "/a", 200, MATCH_LIMIT},
        {"*a*a*a*b*", "/a", 12, MATCH_NO},
        {"*a*a*a*a*a*a*a*a*a/b", "/a", 200, MATCH_NO},
        {"/{a}*{a}*{a}*{a}*:b/c", "a", 200, MATCH_NO},
        {"/((?:a+)+)x", "/aaaaaaaaaaaaaaaaaaaaaaaa", 1, MATCH_NO},
        {"/((?:a+)+)(x|y)", "/aaaaaaaaaaaaaaaaaaaaaaaa", 1, MATCH_LIMIT},
        {"/docs/*", "/docs/", 2700, MATCH_YES},
        {"/:a+", "/ab", 900, MATCH_YES},
        {"*/edit", "/a", 8000, MATCH_NO},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct compiled c;
        struct regex_budget steps = {.steps = regex_steps_per_request};
        struct pattern_groups groups;
        struct span subject = repeat(cases[i].subject, cases[i].count, &arena);
        compile(PATTERN_PATH, span_cstr(cases[i].pattern), &c);
        assert_int_equal(c.err, ERR_NONE);
        enum match match = pattern_match(c.pattern, c.regex, subject, &steps, &groups);
        if (match != cases[i].match) {
            fail_msg("%s: %d, %u steps left", cases[i].pattern, match, steps.steps);
        }
        assert_true(match != MATCH_LIMIT || steps.steps == 0);
        /* Nothing is left for the next pattern of the request, either. */
        if (match == MATCH_LIMIT) {
            assert_int_equal(pattern_match(c.pattern, c.regex, subject, &steps, &groups),
                             MATCH_LIMIT);
        }
        drop(&c);
    }
    arena_fini(&arena);
}

/* Each byte of a block in turn becomes each value: what verify takes is matched, and the
 * sanitizers watch. */
static void hostile_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        const char *subject;
    } patterns[] = {{"/a/:b-:c/*", "/a/b-c/d"},
                    {"/{a}+:b*{/*}?x", "/aab/c/dx"},
                    {"/{a}?:b/*/:c*{/d}*", "/ab/c/d/d"},
                    {"/x(\\d+)/:y", "/x1/y"},
                    {"/lit", "/lit"}};
    size_t refused = 0;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct compiled c;
        compile(PATTERN_PATH, span_cstr(patterns[i].source), &c);
        assert_int_equal(c.err, ERR_NONE);
        size_t size = pattern_size(c.pattern);
        uint8_t *block = malloc(size);
        assert_non_null(block);
        for (size_t at = 0; at < size * 256; at++) {
            memcpy(block, c.pattern, size);
            block[at / 256] = (uint8_t)at;
            const struct pattern *p = (const struct pattern *)(const void *)block;
            struct regex_budget steps = {.steps = 200};
            struct pattern_groups groups;
            struct span subject = span_cstr(patterns[i].subject);
            if (!pattern_verify(block, size) || (pattern_regex(p).len > 0 && c.regex == NULL)) {
                refused++;
            } else if (pattern_match(p, c.regex, subject, &steps, &groups) == MATCH_YES) {
                for (size_t k = 0; k < groups.count; k++) {
                    assert_true(
                        groups.at[k].from == UINT32_MAX ||
                        (groups.at[k].from <= groups.at[k].to && groups.at[k].to <= subject.len));
                }
            }
        }
        assert_false(pattern_verify(c.pattern, size - 8));
        assert_false(pattern_verify(c.pattern, 0));
        free(block);
        drop(&c);
    }
    assert_true(refused > 10000);
}

enum edit { EDIT_GROUP, EDIT_YES, EDIT_NO, EDIT_TEXT, EDIT_NAME, EDIT_SEGMENT, EDIT_OP, EDITS };

/* Whether the step uses what the edit spoils. */
static bool concerned(enum edit edit, uint8_t op)
{
    bool take = op == STEP_TAKE_RUN || op == STEP_TAKE_ALL;
    bool choice = op == STEP_SPLIT || op == STEP_BRANCH;
    switch (edit) {
    case EDIT_GROUP:
        return take || op == STEP_BEGIN || op == STEP_FINISH || op == STEP_UNSET;
    case EDIT_YES:
        return take || choice || op == STEP_JUMP;
    case EDIT_NO:
        return choice;
    case EDIT_TEXT:
        return op == STEP_TEXT;
    default:
        return true;
    }
}

/* Places just outside of what there is. */
static void verify_refuses(void **state)
{
    (void)state;
    for (enum edit edit = 0; edit < EDITS; edit++) {
        struct compiled c;
        compile(PATTERN_PATH, SPAN("/ab/:a-:b{/c}?/*{/d}*"), &c);
        assert_int_equal(c.err, ERR_NONE);
        size_t size = pattern_size(c.pattern);
        struct pattern *block = malloc(size);
        assert_non_null(block);
        for (size_t i = 0; i < c.pattern->step_count; i++) {
            memcpy(block, c.pattern, size);
            struct pattern_step *step = &block->steps[i];
            struct pattern_group *group =
                (struct pattern_group *)(void *)(block->steps + block->step_count);
            struct pattern_segment_entry *segment =
                (struct pattern_segment_entry *)(void *)(group + block->group_count);
            step->group = edit == EDIT_GROUP ? block->group_count : step->group;
            step->yes = edit == EDIT_YES ? block->step_count : step->yes;
            step->no = edit == EDIT_NO ? block->step_count : step->no;
            step->len += edit == EDIT_TEXT ? block->size - step->at - step->len + 1 : 0;
            step->op = edit == EDIT_OP ? STEP_OP_COUNT : step->op;
            group->name_len = edit == EDIT_NAME ? block->size : group->name_len;
            segment->at = edit == EDIT_SEGMENT ? 0 : segment->at;
            if (pattern_verify(block, size) == concerned(edit, c.pattern->steps[i].op)) {
                fail_msg("edit %d of step %zu", (int)edit, i);
            }
        }
        free(block);
        drop(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_steps),      cmocka_unit_test(expressions_and_texts),
        cmocka_unit_test(refusals),       cmocka_unit_test(maxima),
        cmocka_unit_test(segments),       cmocka_unit_test(budget),
        cmocka_unit_test(hostile_blocks), cmocka_unit_test(verify_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
