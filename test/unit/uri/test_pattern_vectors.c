/* SPDX-License-Identifier: MIT */
/* The URLPattern vectors of the web-platform-tests: paths and hosts, as far as the file
 * holds them. Every other component of a pattern or of an input stands for itself. */
#include "uri/path.h"
#include "uri/pattern.h"
#include "uri/url.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const components[] = {[PATTERN_PATH] = "pathname", [PATTERN_HOST] = "hostname"};

/* What a row is matched with; ptr NULL: the component is not given. */
struct input {
    bool valid;
    struct span component[2];
};

static struct span text_of(json_t *value)
{
    return span_of(json_string_value(value), json_string_length(value));
}

/* ---- inputs ---- */

/* As a path is encoded that does not begin with a slash. */
static struct span relative_path(struct span text, struct arena *arena)
{
    struct url url;
    char *whole = arena_printf(arena, "http://h/-%.*s", SPAN_ARG(text));
    assert_int_equal(url_parse(span_cstr(whole), NULL, arena, &url), ERR_NONE);
    return span_from(url.path, 2);
}

static struct span path_of(struct span text, struct arena *arena)
{
    struct path path;
    struct path_scratch *scratch = arena_alloc(arena, sizeof(*scratch));
    if (text.len == 0 || text.ptr[0] != '/') {
        return relative_path(text, arena);
    }
    assert_int_equal(path_normalise(text, scratch, &path), ERR_NONE);
    return path.norm;
}

static struct span host_of(struct span text, struct arena *arena)
{
    struct url url;
    char *whole = arena_printf(arena, "http://%.*s/", SPAN_ARG(text));
    assert_int_equal(url_parse(span_cstr(whole), NULL, arena, &url), ERR_NONE);
    return url.host;
}

/* A URL gives both components; path: what stands instead of its own, resolved against it. */
static struct input input_of_url(struct span text, json_t *path, struct arena *arena)
{
    struct url base;
    struct url url;
    struct input input = {0};
    if (url_parse(text, NULL, arena, &base) != ERR_NONE ||
        (path != NULL && url_parse(text_of(path), &base, arena, &url) != ERR_NONE)) {
        return input;
    }
    input.valid = true;
    input.component[PATTERN_HOST] = base.host;
    input.component[PATTERN_PATH] = path_of(path != NULL ? url.path : base.path, arena);
    return input;
}

static struct input input_of(json_t *inputs, struct arena *arena)
{
    json_t *first = json_array_get(inputs, 0);
    json_t *path = json_object_get(first, "pathname");
    json_t *host = json_object_get(first, "hostname");
    json_t *base = json_object_get(first, "baseURL");
    struct input input = {.valid = true};
    if (json_is_string(first)) {
        return input_of_url(text_of(first), NULL, arena);
    }
    if (base != NULL) {
        return input_of_url(text_of(base), path, arena);
    }
    if (path != NULL) {
        input.component[PATTERN_PATH] = path_of(text_of(path), arena);
    }
    if (host != NULL) {
        input.component[PATTERN_HOST] = host_of(text_of(host), arena);
    }
    return input;
}

/* ---- one component of a row ---- */

static bool groups_as_expected(const struct pattern *pattern, const struct pattern_groups *groups,
                               struct span subject, json_t *expected)
{
    if (json_object_size(expected) != pattern_group_count(pattern)) {
        return false;
    }
    for (size_t i = 0; i < pattern_group_count(pattern); i++) {
        struct span name = pattern_group_name(pattern, i);
        json_t *value = json_object_getn(expected, (const char *)name.ptr, name.len);
        bool there = groups->at[i].from != UINT32_MAX;
        if (value == NULL || json_is_string(value) != there ||
            (there &&
             !span_eq(text_of(value), span_slice(subject, groups->at[i].from, groups->at[i].to)))) {
            return false;
        }
    }
    return true;
}

static enum match match_one(const struct pattern *pattern, struct span subject,
                            struct pattern_groups *groups)
{
    struct regex *regex = NULL;
    const char *reason = NULL;
    struct regex_budget budget = {.steps = regex_steps_per_request};
    struct span source = pattern_regex(pattern);
    if (source.len > 0) {
        assert_int_equal(regex_compile(source, &regex, &reason), ERR_NONE);
    }
    enum match match = pattern_match(pattern, regex, subject, &budget, groups);
    regex_free(&regex);
    return match;
}

/* What a component has to do with the row: it does not compile, does not match, or does. */
enum verdict { VERDICT_ERROR, VERDICT_NO, VERDICT_YES, VERDICT_GROUPS };

static enum verdict judge(enum pattern_kind kind, json_t *source, const struct input *input,
                          json_t *expected, struct arena *arena)
{
    const struct pattern *pattern = NULL;
    struct pattern_error error;
    struct pattern_groups groups;
    struct span subject = input->component[kind];
    enum err err = pattern_compile(kind, text_of(source), arena, &pattern, &error);
    if (err != ERR_NONE) {
        assert_int_equal(err, ERR_SYNTAX);
        return VERDICT_ERROR;
    }
    assert_true(pattern_verify(pattern, pattern_size(pattern)));
    if (!input->valid || match_one(pattern, subject, &groups) != MATCH_YES) {
        return VERDICT_NO;
    }
    json_t *as = json_object_get(expected, components[kind]);
    if (json_is_object(expected) &&
        !(span_eq(text_of(json_object_get(as, "input")), subject) &&
          groups_as_expected(pattern, &groups, subject, json_object_get(as, "groups")))) {
        return VERDICT_GROUPS;
    }
    return VERDICT_YES;
}

/* ---- rows ---- */

/* A base beside a pattern that is an object is an error of the constructor, which nobody
 * can make here. */
static bool is_ours(json_t *row)
{
    return json_array_size(json_object_get(row, "pattern")) == 1;
}

static bool run_row(json_t *row)
{
    struct arena arena;
    arena_init(&arena, 0);
    json_t *sources = json_array_get(json_object_get(row, "pattern"), 0);
    json_t *expected = json_object_get(row, "expected_match");
    json_t *inputs = json_object_get(row, "inputs");
    json_t *object = json_object_get(row, "expected_obj");
    bool error = json_is_string(object);
    struct input input = {0};
    if (inputs != NULL) {
        input = input_of(inputs, &arena);
    }
    enum verdict worst = VERDICT_GROUPS;
    for (enum pattern_kind kind = PATTERN_PATH; kind <= PATTERN_HOST; kind++) {
        json_t *source = json_object_get(sources, components[kind]);
        if (source != NULL) {
            enum verdict verdict = judge(kind, source, &input, expected, &arena);
            worst = verdict < worst || worst == VERDICT_GROUPS ? verdict : worst;
        }
    }
    arena_fini(&arena);
    return worst == (error ? VERDICT_ERROR : json_is_object(expected) ? VERDICT_YES : VERDICT_NO);
}

/* The standard's strings cannot hold half a pair of surrogates: it becomes U+FFFD before
 * anybody looks, and jansson would not read it. */
static void mend_surrogates(char *text)
{
    for (char *at = strstr(text, "\\ud83d "); at != NULL; at = strstr(at, "\\ud83d ")) {
        memcpy(at, "\\ufffd", 6);
    }
    for (char *at = strstr(text, " \\udeb2"); at != NULL; at = strstr(at, " \\udeb2")) {
        memcpy(at + 1, "\\ufffd", 6);
    }
}

static json_t *load(void)
{
    static char text[1 << 16];
    FILE *file = fopen(DATA "/urlpattern.json", "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    assert_true(feof(file));
    fclose(file);
    text[len] = '\0';
    mend_surrogates(text);
    json_t *rows = json_loadb(text, len, 0, NULL);
    assert_non_null(rows);
    return rows;
}

static void public_vectors(void **state)
{
    (void)state;
    json_t *rows = load();
    json_t *row;
    size_t index;
    size_t ran = 0;
    size_t failed = 0;
    json_array_foreach(rows, index, row)
    {
        if (is_ours(row)) {
            ran++;
            if (!run_row(row)) {
                char *text = json_dumps(row, JSON_COMPACT);
                print_error("%s\n", text);
                free(text);
                failed++;
            }
        }
    }
    json_decref(rows);
    assert_int_equal(ran, 114);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
