/* SPDX-License-Identifier: MIT */
/* What a case answers, and where it leads. */
#include "referee/case.h"

#include <assert.h>

static const struct span note = {(const uint8_t *)"see Location\n", 13};
static const struct span arrived = {(const uint8_t *)"<!doctype html><title>here</title>\n", 35};

const struct test_case *case_find(struct span id)
{
    for (size_t i = 0; i < test_case_count; i++) {
        if (span_eq(span_cstr(test_cases[i].id), id)) {
            return &test_cases[i];
        }
    }
    return NULL;
}

uint8_t case_step(const struct test_case *test, struct span text)
{
    uint64_t number = 0;
    if (test->alias != NULL && span_eq_ci(text, span_cstr(test->alias))) {
        return 1;
    }
    if (!span_decimal(text, step_unknown - 1, &number)) {
        return step_unknown;
    }
    return (uint8_t)number;
}

static void put_path(const struct test_case *test, const struct case_names *names,
                     struct buffer *out)
{
    buffer_put(out, SPAN("/t/"));
    buffer_put(out, names->key);
    buffer_byte(out, '/');
    buffer_put(out, span_cstr(test->id));
}

static void put_place(const struct test_case *test, const struct case_names *names,
                      enum case_place place, struct span userinfo, struct buffer *out)
{
    assert(place < PLACE_OTHER);
    buffer_put(out, place == PLACE_SECURE ? SPAN("https://") : SPAN("http://"));
    buffer_put(out, userinfo);
    buffer_put(out, names->places[place]);
    put_path(test, names, out);
}

bool case_needs_tls(const struct test_case *test)
{
    bool needs = test->secure;
    for (size_t i = 0; i < case_legs_max; i++) {
        const char *location = test->legs[i].location;
        needs = needs || (location != NULL && strstr(location, "{secure}") != NULL);
    }
    return needs;
}

void case_url(const struct test_case *test, const struct case_names *names, struct buffer *out)
{
    put_place(test, names, test->secure ? PLACE_SECURE : PLACE_HERE, SPAN(""), out);
    buffer_put(out, SPAN("/0"));
    if (test->fragment != NULL) {
        buffer_byte(out, '#');
        buffer_put(out, span_cstr(test->fragment));
    }
}

static void put_word(const struct test_case *test, const struct case_names *names, struct span word,
                     struct buffer *out)
{
    if (span_eq(word, SPAN("path"))) {
        put_path(test, names, out);
    } else if (span_eq(word, SPAN("id"))) {
        buffer_put(out, span_cstr(test->id));
    } else if (span_eq(word, SPAN("port"))) {
        put_place(test, names, PLACE_PORT, SPAN(""), out);
    } else if (span_eq(word, SPAN("name"))) {
        put_place(test, names, PLACE_NAME, SPAN(""), out);
    } else if (span_eq(word, SPAN("secure"))) {
        put_place(test, names, PLACE_SECURE, SPAN(""), out);
    } else if (span_eq(word, SPAN("user"))) {
        put_place(test, names, PLACE_HERE, SPAN("user:pass@"), out);
    } else {
        assert(span_eq(word, SPAN("here")));
        put_place(test, names, PLACE_HERE, SPAN(""), out);
    }
}

static void put_location(const struct test_case *test, const struct case_names *names,
                         const char *pattern, struct buffer *out)
{
    struct span rest = span_cstr(pattern);
    while (rest.len > 0) {
        size_t open = span_find(rest, 0, '{');
        buffer_put(out, span_slice(rest, 0, open));
        if (open == rest.len) {
            return;
        }
        size_t close = span_find(rest, open, '}');
        assert(close < rest.len);
        put_word(test, names, span_slice(rest, open + 1, close), out);
        rest = span_from(rest, close + 1);
    }
}

static void add(struct case_answer *out, struct span name, struct span value)
{
    assert(out->field_count < case_answer_fields_max);
    out->fields[out->field_count++] = (struct field){.name = name, .value = value};
}

static void add_location(const struct test_case *test, const struct case_names *names,
                         const char *pattern, size_t which, struct case_answer *out)
{
    struct buffer text = buffer_over(out->text[which], sizeof(out->text[which]));
    put_location(test, names, pattern, &text);
    assert(!text.full);
    add(out, SPAN("Location"), buffer_span(&text));
}

static void answer_leg(const struct test_case *test, const struct case_names *names,
                       const struct leg *leg, struct case_answer *out)
{
    out->status = leg->status;
    out->content = leg->content.ptr != NULL ? leg->content : note;
    if (leg->location != NULL) {
        add_location(test, names, leg->location, 0, out);
    }
    if (leg->location2 != NULL) {
        add_location(test, names, leg->location2, 1, out);
    }
    if (leg->name != NULL) {
        add(out, span_cstr(leg->name), span_cstr(leg->value));
    }
}

static void answer_end(struct case_answer *out)
{
    out->status = 200;
    out->content = arrived;
    add(out, SPAN("Cache-Control"), SPAN("no-store"));
}

static void answer_hop(const struct test_case *test, const struct case_names *names, uint8_t step,
                       struct case_answer *out)
{
    struct buffer text = buffer_over(out->text[0], sizeof(out->text[0]));
    put_path(test, names, &text);
    buffer_byte(&text, '/');
    buffer_decimal(&text, step + 1u);
    assert(!text.full);
    out->status = 302;
    out->content = note;
    add(out, SPAN("Location"), buffer_span(&text));
}

static bool loop_is_over(const struct test_case *test, bool cookie, uint32_t number)
{
    if (number + 1 >= loop_requests_max || (test->jar && cookie)) {
        return true;
    }
    /* An empty Location leads to where one is. */
    const char *location = test->legs[0].location;
    return location != NULL && location[0] == '\0' && number > 0;
}

void case_answer(const struct test_case *test, const struct case_names *names, uint8_t step,
                 bool cookie, uint32_t number, struct case_answer *out)
{
    out->field_count = 0;
    bool redirects = step < case_legs_max && test->legs[step].status != 0;
    if (step < test->hops) {
        answer_hop(test, names, step, out);
    } else if (!redirects || (test->loop && loop_is_over(test, cookie, number))) {
        answer_end(out);
    } else {
        answer_leg(test, names, &test->legs[step], out);
    }
}
