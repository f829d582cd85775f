/* SPDX-License-Identifier: MIT */
/* From text to model: what was written, what was filled in, and what it costs. */
#include "config/model.h"

#include "base/clock.h"
#include "http/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW (INT64_C(1795000000) * NS_PER_SECOND) /* 2026-11-18 */

struct fixture {
    struct arena arena;
    struct problems problems;
    const struct model *model;
};

static void load(struct fixture *f, struct span text)
{
    arena_init(&f->arena, 0);
    problems_init(&f->problems, &f->arena, "t.yaml");
    f->model = model_load(text, NOW, &f->problems);
}

static const struct model *load_good(struct fixture *f, struct span text)
{
    load(f, text);
    if (f->model == NULL) {
        problems_print(&f->problems, stderr);
    }
    assert_non_null(f->model);
    return f->model;
}

static struct span file_read(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *bytes = arena_alloc(arena, 65536);
    size_t len = fread(bytes, 1, 65536, file);
    fclose(file);
    return span_of(bytes, len);
}

#define assert_span(span, text) assert_true(span_eq((span), span_cstr(text)))

static void test_defaults(void **state)
{
    struct fixture f;
    const struct model *m = load_good(&f, SPAN("sites:\n"
                                               "  - hosts: A.example\n"
                                               "    routes:\n"
                                               "      - {path: /a, to: \"https://b.example/\"}\n"));
    assert_int_equal(m->listener_count, 1);
    assert_string_equal(m->listeners[0].text, "http://127.0.0.1:8307");
    assert_int_equal(m->workers, 0);
    assert_int_equal(m->limits.header_timeout_ms, 10000);
    assert_int_equal(m->limits.lingering_bytes, UINT64_C(1) << 30);
    assert_int_equal(m->access_log.len, 0);
    assert_int_equal(m->state.len, 0);
    assert_false(m->has_metrics);
    const struct model_site *site = &m->sites[0];
    assert_span(site->name, "a.example");
    assert_span(site->hosts[0], "a.example");
    assert_int_equal(site->fallback.action.kind, ACTION_RESPOND);
    assert_int_equal(site->fallback.action.status, 404);
    assert_span(site->fallback.identity, "a.example/default");
    const struct model_rule *rule = &site->routes[0];
    assert_span(rule->name, "#1");
    assert_span(rule->identity, "a.example/routes/#1");
    assert_int_equal(rule->action.kind, ACTION_TO);
    assert_int_equal(rule->action.status, 307);
    assert_int_equal(rule->share_ppm, 1000000);
    assert_true(rule->query_keep);
    assert_true(rule->note);
    assert_int_equal(rule->max_age_s, -1);
    assert_int_equal(rule->place.line, 4);
    arena_fini(&f.arena);
}

static void test_the_design_file(void **state)
{
    struct fixture f;
    struct arena text;
    arena_init(&text, 0);
    const struct model *m = load_good(&f, file_read(&text, GOLDEN "/good/design.yaml"));
    /* Nothing of the model may point into the text. */
    arena_fini(&text);
    assert_int_equal(m->listener_count, 3);
    assert_true(m->listeners[2].proxy_protocol);
    assert_int_equal(m->trusted_proxy_count, 2);
    assert_int_equal(m->forwarded, FORWARDED_RFC7239);
    assert_true(m->has_metrics && m->redirect_by);
    assert_span(m->access_log, "-");
    assert_span(m->state, "/var/lib/detour");
    const struct model_site *shop = &m->sites[0];
    assert_int_equal(shop->https_status, 308);
    assert_int_equal(shop->https_port, 8443);
    assert_span(shop->cors.methods, "GET, POST");
    assert_int_equal(shop->cors.max_age_s, 600);
    assert_int_equal(shop->route_count, 8);
    assert_int_equal(shop->routes[0].conditions.methods, 1u << METHOD_GET | 1u << METHOD_POST);
    assert_int_equal(shop->routes[1].action.pool, 0);
    assert_span(shop->routes[2].prefix, "/old");
    assert_int_equal(shop->routes[2].max_age_s, 3600);
    assert_span(shop->routes[3].action.body, "gone");
    assert_span(shop->routes[3].action.content_type, "text/plain; charset=utf-8");
    assert_int_equal(shop->routes[4].label_count, 1);
    assert_int_equal(shop->routes[4].header_count, 1);
    const struct model_rule *canary = &shop->routes[5];
    assert_int_equal(canary->share_ppm, 125000);
    assert_int_equal(canary->rest.kind, ACTION_TO);
    assert_false(canary->query_keep || canary->note);
    assert_int_equal(canary->conditions.headers.count, 2);
    assert_true(canary->conditions.headers.items[0].glob);
    assert_int_equal(canary->conditions.headers.items[1].kind, TEST_ABSENT);
    assert_int_equal(canary->conditions.cookies.items[0].kind, TEST_PRESENT);
    assert_int_equal(shop->routes[6].conditions.query.count, 1);
    assert_int_equal(shop->fallback.action.kind, ACTION_PASS);
    arena_fini(&f.arena);
}

static void test_the_design_file_pools_and_detours(void **state)
{
    struct fixture f;
    struct arena text;
    arena_init(&text, 0);
    const struct model *m = load_good(&f, file_read(&text, GOLDEN "/good/design.yaml"));
    arena_fini(&text);
    const struct model_pool *mirrors = &m->pools[0];
    assert_span(mirrors->servers[0].url, "https://eu1.example.net");
    assert_span(mirrors->servers[1].url, "https://us1.example.net/mirror");
    assert_span(mirrors->servers[0].identity, "mirrors/eu1");
    assert_int_equal(mirrors->servers[0].weight, 3);
    assert_int_equal(mirrors->servers[1].priority, 2);
    assert_int_equal(mirrors->health.interval_ms, 2000);
    assert_int_equal(mirrors->fallback.retry_after_s, 30);
    const struct model_pool *sticky = &m->pools[1];
    assert_int_equal(sticky->hash_key, HASH_COOKIE);
    assert_true(sticky->strip && sticky->fallback_all);
    assert_span(sticky->servers[1].name, "a.example.net:8443");
    const struct model_detour *detour = &m->detours[0];
    assert_span(detour->rule.identity, "shop/detours/checkout-upgrade");
    assert_int_equal(detour->schedule.from_ns / NS_PER_SECOND, 1922317200);
    assert_int_equal(detour->schedule.until_ns / NS_PER_SECOND, 1922324400);
    assert_int_equal(detour->rule.action.kind, ACTION_PAGE);
    assert_int_equal(detour->rule.action.retry_after_s, 300);
    assert_int_equal(detour->bypass_client_count, 1);
    assert_span(detour->bypass_cookies.items[0].value, "letmein");
    assert_int_equal(detour->except_count, 1);
    arena_fini(&f.arena);
}

/* 5 December 2027 is a Sunday, and 02:00 in Berlin is 01:00 UTC. The text and all that was only
 * needed to read it are gone. */
static void test_windows(void **state)
{
    static const struct {
        int64_t opens_s, length_s, ramp_s, return_over_s;
        bool repeats, hold;
    } rows[] = {
        {1827968400, 7200, 0, 0, true, false},
        {1827968400, 7200, 0, 0, true, false},
        {1827972000, 1800, 0, 0, true, false},
        {1827968400, 86400, 600, 3600, false, false},
        {1827972000, 0, 600, 0, false, false},
        {0, 0, 0, 0, false, true},
        {0, 0, 0, 0, false, false},
    };
    struct fixture f;
    struct arena text;
    arena_init(&text, 0);
    const struct model *m = load_good(&f, file_read(&text, GOLDEN "/good/windows.yaml"));
    arena_fini(&text);
    assert_int_equal(m->detour_count, sizeof(rows) / sizeof(*rows));
    for (size_t i = 0; i < m->detour_count; i++) {
        const struct schedule *s = &m->detours[i].schedule;
        struct schedule_view view;
        schedule_at(s, NOW, &view);
        int64_t opens_ns = rows[i].opens_s * NS_PER_SECOND;
        assert_int_equal(view.opens_ns, opens_ns > 0 ? opens_ns : SCHEDULE_NEVER);
        if (rows[i].length_s > 0) {
            assert_int_equal(s->until_ns - s->from_ns, rows[i].length_s * NS_PER_SECOND);
        }
        assert_int_equal(s->ramp_ns, rows[i].ramp_s * NS_PER_SECOND);
        assert_int_equal(s->return_over_ns, rows[i].return_over_s * NS_PER_SECOND);
        assert_int_equal(s->repeat != NULL, rows[i].repeats);
        assert_int_equal(s->hold, rows[i].hold);
    }
    arena_fini(&f.arena);
}

static void test_permanent_redirects_are_guarded(void **state)
{
    struct fixture f;
    const struct model *m = load_good(
        &f, SPAN("sites:\n"
                 "  - hosts: a.example\n"
                 "    routes:\n"
                 "      - {path: /a, to: \"https://b.example/\", status: 308}\n"
                 "      - {path: /b, to: \"https://b.example/\", status: 308, max_age: 5m}\n"
                 "      - {path: /c, to: \"https://b.example/\", status: 303}\n"));
    assert_int_equal(m->sites[0].routes[0].max_age_s, 3600);
    assert_int_equal(m->sites[0].routes[1].max_age_s, 300);
    assert_int_equal(m->sites[0].routes[2].max_age_s, -1);
    arena_fini(&f.arena);
}

/* A mistake in one route hides none in another. */
static void test_all_problems_at_once(void **state)
{
    struct fixture f;
    char text[20000];
    size_t len =
        (size_t)snprintf(text, sizeof(text), "sites:\n  - hosts: a.example\n    routes:\n");
    for (int i = 0; i < 100; i++) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len,
                             "      - {path: /a%d, to: \"https://b.example/\", status: 99}\n", i);
    }
    load(&f, span_of(text, len));
    assert_null(f.model);
    assert_int_equal(f.problems.error_count, 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(f.problems.items[i].place.line, i + 4);
    }
    arena_fini(&f.arena);
}

static char *big_file(size_t routes, const char *host, size_t *len_out)
{
    size_t room = routes * 120 + 200;
    char *text = malloc(room);
    assert_non_null(text);
    size_t len = (size_t)snprintf(text, room, "sites:\n  - hosts: shop.example.com\n    routes:\n");
    static const char *const shapes[] = {"/lit/route-%zu", "/name%zu/:slug", "/star%zu/*"};
    for (size_t i = 0; i < routes; i++) {
        char path[64];
        snprintf(path, sizeof(path), shapes[i % 3], i);
        len +=
            (size_t)snprintf(text + len, room - len,
                             "      - {path: \"%s\", to: \"https://%s/to/%zu\"}\n", path, host, i);
    }
    *len_out = len;
    return text;
}

/* Looser than what is promised, since machines differ; a quadratic step would miss it. */
static void test_ten_thousand_routes(void **state)
{
    static const char *const hosts[] = {"new.example.com", "shop.example.com"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        size_t len;
        char *text = big_file(10000, hosts[i], &len);
        int64_t begin = clock_monotonic_ns();
        load_good(&f, span_of(text, len));
        int64_t spent_ms = (clock_monotonic_ns() - begin) / 1000000;
        free(text);
        assert_int_equal(f.model->sites[0].route_count, 10000);
        if (spent_ms > 10000) {
            fail_msg("%d ms", (int)spent_ms);
        }
        arena_fini(&f.arena);
    }
}

/* Whatever allocation fails: an error, and no model. */
static void test_no_memory_is_an_error(void **state)
{
    struct arena text;
    arena_init(&text, 0);
    struct span file = file_read(&text, GOLDEN "/good/design.yaml");
    bool loaded = false;
    for (size_t bytes = 64; bytes < 400000 && !loaded; bytes += 211) {
        struct arena arena;
        struct problems problems;
        arena_init(&arena, bytes);
        problems_init(&problems, &arena, "t.yaml");
        const struct model *m = model_load(file, NOW, &problems);
        assert_true((m == NULL) == (problems.error_count > 0));
        loaded = m != NULL;
        arena_fini(&arena);
    }
    assert_true(loaded);
    arena_fini(&text);
}

/* Each has its state in the shared pages, and no pool takes more than there are. */
static void servers_of_all_pools_are_counted(void **state)
{
    enum { many = 32501, line = 64 };
    static char text[2 * many * line];
    struct arena arena;
    struct problems problems;
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    (void)state;
    buffer_printf(&out, "sites: []\npools:\n");
    for (int pool = 0; pool < 2; pool++) {
        buffer_printf(&out, "  p%d:\n    health: off\n    servers:\n", pool);
        for (int i = 0; i < many; i++) {
            buffer_printf(&out, "      - http://s%d.example\n", i);
        }
    }
    assert_false(out.full);
    arena_init(&arena, 0);
    problems_init(&problems, &arena, "t.yaml");
    assert_null(model_load(buffer_span(&out), NOW, &problems));
    assert_non_null(strstr(problems.items[0].text, "65002 servers in all"));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_of_all_pools_are_counted),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_the_design_file),
        cmocka_unit_test(test_the_design_file_pools_and_detours),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_permanent_redirects_are_guarded),
        cmocka_unit_test(test_all_problems_at_once),
        cmocka_unit_test(test_ten_thousand_routes),
        cmocka_unit_test(test_no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
