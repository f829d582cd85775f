/* SPDX-License-Identifier: MIT */
/* From YAML to answers, for tests. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint32_t rule_slot(void *context, struct span identity)
{
    (void)context;
    (void)identity;
    return 0;
}

static uint32_t server_slot(void *context, struct span identity)
{
    struct fixture *f = context;
    (void)identity;
    assert_true(f->slots < fixture_servers_max);
    atomic_store(&f->live[f->slots].word, server_live_word(SERVER_UP, server_weight_ppm_full));
    return f->slots++;
}

void fixture_compile(struct fixture *f, int64_t now_ns)
{
    struct compile_slots slots = {.rule = rule_slot, .server = server_slot, .context = f};
    regex_set_free(&f->regexes);
    free(f->bytes);
    f->slots = 0;
    assert_int_equal(snapshot_compile(f->model, &slots, 1, now_ns, &f->bytes, &f->len), ERR_NONE);
    f->snapshot = snapshot_open(span_of(f->bytes, f->len));
    assert_non_null(f->snapshot);
    assert_int_equal(regex_set_new(f->snapshot, NULL, &f->regexes), ERR_NONE);
    f->context.snapshot = f->snapshot;
    f->context.regexes = f->regexes;
    fixture_rewind(f);
}

void fixture_rewind(struct fixture *f)
{
    struct pools_setting setting = {.live = f->live};
    pools_free(&f->pools);
    assert_int_equal(pools_new(f->snapshot, &setting, NULL, &f->pools), ERR_NONE);
    f->context.pools = f->pools;
}

struct fixture *fixture_new(const char *yaml)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    arena_init(&f->arena, 0);
    problems_init(&f->problems, &f->arena, "test.yaml");
    f->model = model_load(span_cstr(yaml), NOW, &f->problems);
    if (f->model == NULL) {
        problems_print(&f->problems, stderr);
    }
    assert_non_null(f->model);
    fixture_compile(f, NOW);
    return f;
}

void fixture_free(struct fixture **f)
{
    regex_set_free(&(*f)->regexes);
    pools_free(&(*f)->pools);
    free((*f)->bytes);
    arena_fini(&(*f)->arena);
    free(*f);
    *f = NULL;
}

const struct decision *fixture_ask(struct fixture *f, const struct ask *ask)
{
    size_t scanned = 0;
    size_t used;
    uint16_t status;
    struct client peer = {.port = 1234, .secure = ask->secure};
    int len = snprintf(f->text, sizeof(f->text), "%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", ask->line,
                       ask->host != NULL ? ask->host : "shop.example",
                       ask->fields != NULL ? ask->fields : "");
    assert_true(len > 0 && (size_t)len < sizeof(f->text));
    struct span head = span_of(f->text, (size_t)len);
    if (h1_parse(head, &scanned, &f->head, &used, &status) != H1_DONE) {
        fail_msg("no request: %s", f->text);
    }
    assert_true(
        address_parse(span_cstr(ask->from != NULL ? ask->from : "192.0.2.1"), peer.address));
    decide(&f->context, &f->head.request, &peer, ask->at_ns != 0 ? ask->at_ns : NOW, &f->decision);
    return &f->decision;
}

const struct response *fixture_answer(struct fixture *f, const struct ask *ask)
{
    fixture_ask(f, ask);
    answer_from_decision(&f->context, &f->head.request, &f->decision, &f->scratch, &f->response);
    return &f->response;
}

struct span fixture_field(const struct fixture *f, const char *name)
{
    struct span found = {0};
    for (size_t i = 0; i < f->response.field_count; i++) {
        if (span_eq_ci(f->response.fields[i].name, span_cstr(name))) {
            if (found.ptr != NULL) {
                fail_msg("%s stands twice", name);
            }
            found = f->response.fields[i].value;
        }
    }
    return found;
}

void fixture_set(struct fixture *f, const char *identity, enum server_state state,
                 uint32_t weight_ppm)
{
    for (uint32_t i = 0; i < f->snapshot->servers.count; i++) {
        const struct snap_server *server = snapshot_server(f->snapshot, i);
        if (span_eq(snapshot_text(f->snapshot, server->identity), span_cstr(identity))) {
            atomic_store(&f->live[server->slot].word, server_live_word(state, weight_ppm));
            return;
        }
    }
    fail_msg("no server %s", identity);
}

struct span fixture_server(const struct fixture *f)
{
    if (f->decision.server == SNAP_NONE) {
        return SPAN("");
    }
    return snapshot_text(f->snapshot, snapshot_server(f->snapshot, f->decision.server)->identity);
}

struct span fixture_rule(const struct fixture *f)
{
    if (f->decision.rule == SNAP_NONE) {
        return SPAN("");
    }
    return snapshot_text(f->snapshot, snapshot_rule(f->snapshot, f->decision.rule)->identity);
}

void fixture_same(const char *name, const char *what, struct span got, const char *wanted)
{
    if (!span_eq(got, span_cstr(wanted))) {
        fail_msg("%s: %s is \"%.*s\", not \"%s\"", name, what, SPAN_ARG(got), wanted);
    }
}
