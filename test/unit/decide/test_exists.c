/* SPDX-License-Identifier: MIT */
/* `require: exists`: who is chosen by what is known, and what is asked for. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char config[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: '/o/*', pool: ordered}\n"
    "      - {path: '/w/*', pool: weighted}\n"
    "      - {path: '/s/:x/*', pool: strip}\n"
    "      - {path: '/all/*', pool: all}\n"
    "      - {path: '/link/*', pool: link}\n"
    "      - {path: '/stay/*', pool: stay}\n"
    "      - {path: '/many/*', pool: many}\n"
    "pools:\n"
    "  ordered:\n"
    "    require: {exists: {found: 100s, missing: 10s}}\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example'}\n"
    "      - {name: b, url: 'https://b.example', priority: 2}\n"
    "      - {name: c, url: 'https://c.example', priority: 3}\n"
    "  weighted:\n"
    "    require: exists\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example', weight: 3}\n"
    "      - {name: b, url: 'https://b.example', weight: 1}\n"
    "  strip: {path: strip, require: exists, servers: [{name: m, url: "
    "'https://m.example/mirror'}]}\n"
    "  all:\n"
    "    require: exists\n"
    "    fallback: all\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example',\n"
    "              priority: 2}]\n"
    "  link:\n"
    "    require: exists\n"
    "    link: true\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example',\n"
    "              priority: 2}, {name: c, url: 'https://c.example', priority: 3}]\n"
    "  stay:\n"
    "    require: exists\n"
    "    sticky: {cookie: at}\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example',\n"
    "              priority: 2}]\n"
    "  many:\n"
    "    require: exists\n"
    "    balance: round-robin\n"
    "    servers: [https://s1.example, https://s2.example, https://s3.example, "
    "https://s4.example,\n"
    "              https://s5.example, https://s6.example, https://s7.example]\n";

struct knowing {
    struct fixture *f;
    struct facts *facts;
    int fd;
};

static int begin(void **state)
{
    struct knowing *k = calloc(1, sizeof(*k));
    k->f = fixture_new(config);
    assert_int_equal(facts_create(&k->fd), ERR_NONE);
    assert_int_equal(facts_open(k->fd, true, &k->facts), ERR_NONE);
    k->f->context.exists.facts = k->facts;
    k->f->context.exists.now_s = 1000;
    *state = k;
    return 0;
}

static int end(void **state)
{
    struct knowing *k = *state;
    fixture_free(&k->f);
    facts_close(&k->facts);
    close(k->fd);
    free(k);
    return 0;
}

static const struct snap_server *server_of(const struct knowing *k, const char *identity)
{
    for (uint32_t i = 0; i < k->f->snapshot->servers.count; i++) {
        const struct snap_server *server = snapshot_server(k->f->snapshot, i);
        if (span_eq(snapshot_text(k->f->snapshot, server->identity), span_cstr(identity))) {
            return server;
        }
    }
    fail_msg("no server %s", identity);
    return NULL;
}

static void know(struct knowing *k, const char *identity, const char *path, enum fact fact,
                 uint32_t life_s)
{
    uint64_t key =
        facts_key(facts_path(k->facts, span_cstr(path)), server_of(k, identity)->exists_key);
    facts_set(k->facts, key, fact, 1000, life_s);
}

/* The request's server, "" for none, and whom the decision asks about: "a b!", where '!' says that
 * it is known and due. */
static void expect(struct knowing *k, const char *line, const char *server, const char *asked)
{
    char got[256] = "";
    struct decide_exists *exists = &k->f->context.exists;
    exists->ask_count = 0;
    fixture_ask(k->f, &(struct ask){.line = line});
    fixture_same(line, "server", fixture_server(k->f), server);
    for (uint32_t i = 0; i < exists->ask_count; i++) {
        for (uint32_t n = 0; n < k->f->snapshot->servers.count; n++) {
            const struct snap_server *about = snapshot_server(k->f->snapshot, n);
            if (about->exists_key == exists->asks[i].server) {
                struct span name = snapshot_text(k->f->snapshot, about->identity);
                size_t used = strlen(got);
                snprintf(got + used, sizeof(got) - used, "%s%.*s%s", used > 0 ? " " : "",
                         SPAN_ARG(name), exists->asks[i].again ? "!" : "");
            }
        }
    }
    fixture_same(line, "questions", span_cstr(got), asked);
}

static void test_by_what_is_known(void **state)
{
    struct knowing *k = *state;
    expect(k, "GET /o/x", "", "ordered/a ordered/b ordered/c");
    assert_int_equal(k->f->decision.reason, REASON_POOL_LACKS);
    assert_int_equal(k->f->decision.status, 503);
    assert_int_equal(k->f->decision.retry_after_s, 1);
    know(k, "ordered/b", "/o/x", FACT_YES, 100);
    expect(k, "GET /o/x", "ordered/b", "ordered/a");
    expect(k, "HEAD /o/x?q=1", "ordered/b", "ordered/a");
    know(k, "ordered/a", "/o/x", FACT_TRIED, 5);
    expect(k, "GET /o/x", "ordered/b", "");
    know(k, "ordered/a", "/o/x", FACT_NO, 10);
    expect(k, "GET /o/x", "ordered/b", "");
    know(k, "ordered/a", "/o/x", FACT_YES, 100);
    expect(k, "GET /o/x", "ordered/a", "");
    /* Other paths, and other servers of the same name, are others. */
    expect(k, "GET /o/y", "", "ordered/a ordered/b ordered/c");
    expect(k, "GET /w/x", "", "weighted/a weighted/b");
    /* Whoever does not fetch is not held up. */
    expect(k, "POST /o/y", "ordered/a", "");
    expect(k, "PUT /o/y", "ordered/a", "");
}

static void test_nobody_has_it(void **state)
{
    struct knowing *k = *state;
    know(k, "ordered/a", "/o/x", FACT_NO, 10);
    know(k, "ordered/b", "/o/x", FACT_NO, 10);
    know(k, "ordered/c", "/o/x", FACT_TRIED, 10);
    expect(k, "GET /o/x", "", "");
    assert_int_equal(k->f->decision.reason, REASON_POOL_LACKS);
    assert_int_equal(k->f->decision.retry_after_s, -1);
    k->f->context.exists.now_s = 1011;
    expect(k, "GET /o/x", "", "ordered/a ordered/b ordered/c");
}

static void test_it_is_asked_again_in_time(void **state)
{
    struct knowing *k = *state;
    know(k, "ordered/a", "/o/x", FACT_YES, 100);
    k->f->context.exists.now_s = 1074;
    expect(k, "GET /o/x", "ordered/a", "");
    k->f->context.exists.now_s = 1075;
    expect(k, "GET /o/x", "ordered/a", "ordered/a!");
    k->f->context.exists.now_s = 1100;
    expect(k, "GET /o/x", "", "ordered/a ordered/b ordered/c");
}

static void test_who_is_down_is_neither_given_nor_asked(void **state)
{
    struct knowing *k = *state;
    know(k, "ordered/a", "/o/x", FACT_YES, 100);
    know(k, "ordered/c", "/o/x", FACT_YES, 100);
    fixture_set(k->f, "ordered/a", SERVER_DOWN, 1000000);
    fixture_rewind(k->f);
    expect(k, "GET /o/x", "ordered/c", "ordered/b");
    expect(k, "GET /o/y", "", "ordered/b ordered/c");
    fixture_set(k->f, "ordered/b", SERVER_DOWN, 1000000);
    fixture_set(k->f, "ordered/c", SERVER_MAINT, 1000000);
    fixture_rewind(k->f);
    expect(k, "GET /o/x", "", "");
    assert_int_equal(k->f->decision.reason, REASON_POOL_EMPTY);
}

/* Where all have it, it is as if nothing were required. */
static void test_shares_stay_exact(void **state)
{
    struct knowing *k = *state;
    know(k, "weighted/a", "/w/x", FACT_YES, 600);
    know(k, "weighted/b", "/w/x", FACT_YES, 600);
    int first = 0;
    for (int i = 0; i < 400; i++) {
        fixture_ask(k->f, &(struct ask){.line = "GET /w/x"});
        first += span_eq(fixture_server(k->f), SPAN("weighted/a"));
    }
    assert_int_equal(first, 300);
}

static void test_what_is_stripped_is_not_asked_for(void **state)
{
    struct knowing *k = *state;
    expect(k, "GET /s/1/a%20b?q", "", "strip/m");
    struct span path = k->f->context.exists.asks[0].path;
    fixture_same("strip", "path", path, "/1/a%20b");
    know(k, "strip/m", "/1/a%20b", FACT_YES, 600);
    expect(k, "GET /s/1/a%20b?q", "strip/m", "");
}

static void test_fallback_all(void **state)
{
    struct knowing *k = *state;
    expect(k, "GET /all/x", "all/a", "all/a all/b");
    know(k, "all/a", "/all/x", FACT_NO, 60);
    expect(k, "GET /all/x", "all/b", "all/b");
    know(k, "all/b", "/all/x", FACT_NO, 60);
    expect(k, "GET /all/x", "all/a", "");
}

/* What cannot be asked about is not known. */
static void test_a_long_path(void **state)
{
    struct knowing *k = *state;
    char line[question_path_bytes_max + 64];
    snprintf(line, sizeof(line), "GET /o/%0*d", question_path_bytes_max, 0);
    expect(k, line, "", "");
    assert_int_equal(k->f->decision.reason, REASON_POOL_LACKS);
    snprintf(line, sizeof(line), "GET /all/%0*d", question_path_bytes_max, 0);
    expect(k, line, "all/a", "");
}

static void test_alternatives_have_it(void **state)
{
    struct knowing *k = *state;
    know(k, "link/a", "/link/x", FACT_YES, 600);
    know(k, "link/c", "/link/x", FACT_YES, 600);
    fixture_answer(k->f, &(struct ask){.line = "GET /link/x"});
    struct span link = fixture_field(k->f, "Link");
    assert_non_null(
        memmem(link.ptr, link.len, "https://c.example/link/x", strlen("https://c.example/link/x")));
    assert_null(memmem(link.ptr, link.len, "https://b.example", strlen("https://b.example")));
}

static void test_a_client_stays(void **state)
{
    struct knowing *k = *state;
    char fields[64];
    uint8_t held[pool_held_bytes];
    pool_held_text(server_of(k, "stay/a"), held);
    snprintf(fields, sizeof(fields), "Cookie: at=%.*s\r\n", pool_held_bytes, (const char *)held);
    know(k, "stay/b", "/stay/x", FACT_YES, 600);
    fixture_ask(k->f, &(struct ask){.line = "GET /stay/x", .fields = fields});
    fixture_same("held", "server", fixture_server(k->f), "stay/b");
    assert_false(k->f->decision.hold);
    fixture_ask(k->f, &(struct ask){.line = "GET /stay/x"});
    fixture_same("new", "server", fixture_server(k->f), "stay/b");
    assert_true(k->f->decision.hold);
}

static void test_few_are_asked_at_a_time(void **state)
{
    struct knowing *k = *state;
    struct decide_exists *exists = &k->f->context.exists;
    fixture_ask(k->f, &(struct ask){.line = "GET /many/x"});
    assert_int_equal(exists->ask_count, decide_asks_max);
    /* Nobody took them: no more come on top. */
    fixture_ask(k->f, &(struct ask){.line = "GET /many/y"});
    assert_int_equal(exists->ask_count, decide_asks_max);
}

static void test_without_facts_all_is_everywhere(void **state)
{
    struct knowing *k = *state;
    k->f->context.exists.facts = NULL;
    expect(k, "GET /o/x", "ordered/a", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_what_is_known, begin, end),
        cmocka_unit_test_setup_teardown(test_nobody_has_it, begin, end),
        cmocka_unit_test_setup_teardown(test_it_is_asked_again_in_time, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_down_is_neither_given_nor_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_shares_stay_exact, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_stripped_is_not_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(test_fallback_all, begin, end),
        cmocka_unit_test_setup_teardown(test_a_long_path, begin, end),
        cmocka_unit_test_setup_teardown(test_alternatives_have_it, begin, end),
        cmocka_unit_test_setup_teardown(test_a_client_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_few_are_asked_at_a_time, begin, end),
        cmocka_unit_test_setup_teardown(test_without_facts_all_is_everywhere, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
