/* SPDX-License-Identifier: MIT */
/* Runs a table of chains, and says which one differs. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

void fixture_split(const char *lines, struct fixture_fields *out)
{
    out->count = 0;
    while (lines != NULL && *lines != '\0') {
        const char *end = strchr(lines, '\n');
        size_t length = end != NULL ? (size_t)(end - lines) : strlen(lines);
        struct detour_field *field = &out->fields[out->count++];
        assert_true(out->count <= fixture_fields_max);
        *field = (struct detour_field){.flags = *lines == '!' ? DETOUR_FIELD_SENSITIVE : 0};
        size_t from = *lines == '!';
        const char *colon = memchr(lines, ':', length);
        assert_non_null(colon);
        size_t at = (size_t)(colon - lines) + 1;
        field->name = (struct detour_text){lines + from, at - 1 - from};
        at += at < length && lines[at] == ' ';
        field->value = (struct detour_text){lines + at, length - at};
        lines += end != NULL ? length + 1 : length;
    }
}

void fixture_write_verdict(const struct detour_verdict *verdict, char out[fixture_text_bytes])
{
    const char *action = detour_action_name(verdict->action);
    if (verdict->next != NULL) {
        snprintf(out, fixture_text_bytes, "%s %.*s %.*s", action,
                 DETOUR_TEXT_ARG(verdict->next->request->method),
                 DETOUR_TEXT_ARG(verdict->next->url->href));
    } else if (verdict->reason != DETOUR_REASON_NONE) {
        snprintf(out, fixture_text_bytes, "%s %s", action, detour_reason_name(verdict->reason));
    } else {
        snprintf(out, fixture_text_bytes, "%s", action);
    }
}

static void write_fields(const struct detour_verdict *verdict, char out[fixture_text_bytes])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; verdict->next != NULL && i < verdict->next->request->field_count; i++) {
        const struct detour_field *field = &verdict->next->request->fields[i];
        int length = snprintf(out + at, fixture_text_bytes - at, "%s%.*s: %.*s", at > 0 ? "\n" : "",
                              DETOUR_TEXT_ARG(field->name), DETOUR_TEXT_ARG(field->value));
        at += (size_t)length;
    }
}

static void write_notes(const struct detour_verdict *verdict, char out[fixture_text_bytes])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < verdict->note_count; i++) {
        at += (size_t)snprintf(out + at, fixture_text_bytes - at, "%s%s", at > 0 ? " " : "",
                               detour_note_name(verdict->notes[i].kind));
    }
}

bool fixture_has_note(const struct detour_verdict *verdict, enum detour_note_kind kind)
{
    for (size_t i = 0; i < verdict->note_count; i++) {
        if (verdict->notes[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static bool is_said(const struct detour_verdict *verdict, const char *piece)
{
    char text[fixture_text_bytes];
    for (size_t i = 0; i < verdict->note_count; i++) {
        detour_note_write(&verdict->notes[i], text, sizeof(text));
        if (strstr(text, piece) != NULL) {
            return true;
        }
    }
    return false;
}

static void compare(const char *name, int step, const char *what, const char *have,
                    const char *want)
{
    if (want != NULL && strcmp(have, want) != 0) {
        fail_msg("%s, answer %d, %s:\nhave: %s\nwant: %s", name, step, what, have, want);
    }
}

struct detour_chain *fixture_begin(const struct fixture_case *each,
                                   const struct detour_verdict **verdict)
{
    struct detour_options options;
    struct detour_chain *chain;
    struct fixture_fields fields;
    detour_options_init(&options, sizeof(options));
    options.mode = each->mode;
    options.redirects_max = each->redirects_max != 0 ? each->redirects_max : options.redirects_max;
    options.schemes = each->schemes != 0 ? each->schemes : options.schemes;
    options.location_trusted = each->location_trusted;
    options.allow_downgrade = !each->no_downgrade;
    options.follow_unsafe = !each->no_unsafe;
    options.auto_referer = each->auto_referer;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_OK);
    fixture_split(each->fields, &fields);
    struct detour_request request = {
        .size = sizeof(request),
        .method = detour_text_of(each->method != NULL ? each->method : "GET"),
        .url = detour_text_of(each->url != NULL ? each->url : "http://a.test/one"),
        .fields = fields.fields,
        .field_count = fields.count,
        .body = each->body,
    };
    assert_int_equal(detour_chain_begin(chain, &request, verdict), DETOUR_OK);
    return chain;
}

static void check_next(const char *name, int step, const struct fixture_answer *want,
                       const struct detour_next *next)
{
    static const char *const bodies[] = {"none", "replayable", "once"};
    if (next == NULL) {
        return;
    }
    compare(name, step, "body", bodies[next->request->body], want->body);
    compare(name, step, "credentials", next->credentials ? "yes" : "no", want->credentials);
    if (next->wait_s != want->wait_s) {
        fail_msg("%s, answer %d: waits %lld s", name, step, (long long)next->wait_s);
    }
}

static void check(const char *name, int step, const struct fixture_answer *want,
                  const struct detour_verdict *verdict)
{
    char text[fixture_text_bytes];
    fixture_write_verdict(verdict, text);
    compare(name, step, "verdict", text, want->verdict);
    write_fields(verdict, text);
    compare(name, step, "fields", text, want->left);
    write_notes(verdict, text);
    compare(name, step, "notes", text, want->notes);
    if (want->said != NULL && !is_said(verdict, want->said)) {
        fail_msg("%s, answer %d: no note says \"%s\"", name, step, want->said);
    }
    check_next(name, step, want, verdict->next);
}

static void run(const struct fixture_case *each)
{
    const struct detour_verdict *verdict;
    struct detour_chain *chain = fixture_begin(each, &verdict);
    const struct fixture_answer begun = {
        .verdict = each->begun, .left = each->begun_left, .notes = each->begun_notes};
    check(each->name, 0, &begun, verdict);
    for (int i = 0; i < fixture_steps_max && each->answers[i].status != 0; i++) {
        const struct fixture_answer *want = &each->answers[i];
        struct fixture_fields fields;
        fixture_split(want->fields, &fields);
        struct detour_answer answer = {.size = sizeof(answer),
                                       .status = want->status,
                                       .fields = fields.fields,
                                       .field_count = fields.count,
                                       .body_begun = want->body_begun,
                                       .from_store = want->from_store,
                                       .received_s = FIXTURE_NOW};
        if (detour_chain_answer(chain, &answer, &verdict) != DETOUR_OK) {
            fail_msg("%s: answer %d is not awaited", each->name, i + 1);
        }
        check(each->name, i + 1, want, verdict);
    }
    detour_chain_free(&chain);
    assert_null(chain);
}

void fixture_run(const struct fixture_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        run(&cases[i]);
    }
}
