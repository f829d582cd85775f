/* SPDX-License-Identifier: MIT */
/* Answers: the fields, which body, and that whatever a client wrote is escaped. */
#include "fixture.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PERSON "Accept: text/html\r\n"
#define PREFLIGHT "Access-Control-Request-Method: PUT\r\n"

static const char config[] =
    "redirect_by: true\n"
    "trusted_proxies: []\n"
    "sites:\n"
    "  - name: shop\n"
    "    hosts: shop.example\n"
    "    cors: {origins: [https://app.example, https://b.example:81], methods: [PUT, POST],\n"
    "           headers: [X-A, X-B], expose: X-C, credentials: true, max_age: 10m}\n"
    "    routes:\n"
    "      - {name: plain, path: /307, to: 'https://n.example/'}\n"
    "      - {name: kept, path: /kept, to: 'https://n.example/', max_age: 1m}\n"
    "      - {name: pool, path: /pool, pool: p, max_age: 1m}\n"
    "      - {name: found, path: /302, to: 'https://n.example/', status: 302}\n"
    "      - {name: see, path: /303, to: 'https://n.example/', status: 303}\n"
    "      - {name: moved, path: /308, to: 'https://n.example/', status: 308}\n"
    "      - {name: silent, path: /silent, to: 'https://n.example/', note: false}\n"
    "      - {name: note, path: '/note/*', to: 'https://n.example/{+0}'}\n"
    "      - {name: climb, path: '/climb/*', to: 'https://n.example/a/{+0}'}\n"
    "      - {name: gone, path: /410, respond: {status: 410, body: gone}}\n"
    "      - {name: bare, path: /418, respond: {status: 418}}\n"
    "      - {name: empty, path: /204, respond: {status: 204}}\n"
    "      - {name: json, path: /json, respond: {body: '{}', content_type: application/json,\n"
    "         headers: {Cache-Control: max-age=9, X-Own: a}}}\n"
    "      - {name: added, path: /added, to: 'https://n.example/', headers: {\n"
    "         Strict-Transport-Security: max-age=1, X-Own: 'b c'}}\n"
    "      - {name: ua, path: /vary, when: {headers: {User-Agent: '*x*', X-Q: false}},\n"
    "         cookies: {a: true}, to: 'https://n.example/', max_age: 1m}\n"
    "      - {name: ub, path: /vary, when: {headers: {User-Agent: '*y*'}},\n"
    "         to: 'https://n.example/', max_age: 1m}\n"
    "      - {name: vary, path: /vary, to: 'https://n.example/', max_age: 1m}\n"
    "  - name: open\n"
    "    hosts: open.example\n"
    "    cors: {origins: '*'}\n"
    "    default: {to: 'https://n.example/'}\n"
    "pools: {p: [https://s.example]}\n"
    "detours:\n"
    "  - {name: page, site: shop, path_prefix: /page, page: 'https://s.example/', until: off,\n"
    "     retry_after: 2m, reason: r}\n";

/* Each is the whole value; NULL: the field is not there. */
struct row {
    const char *name;
    struct ask ask;
    uint16_t status;
    const char *cache_control;
    const char *vary;
    const char *retry_after;
    const char *by;
    const char *type;
};

static const struct row rows[] = {
    {.name = "a bare 307 is not stored, so nothing is said",
     .ask = {.line = "GET /307"},
     .status = 307,
     .vary = "Origin",
     .by = "shop/routes/plain",
     .type = "text/html; charset=utf-8"},
    {.name = "max_age",
     .ask = {.line = "GET /kept"},
     .status = 307,
     .cache_control = "max-age=60",
     .vary = "Origin",
     .by = "shop/routes/kept",
     .type = "text/html; charset=utf-8"},
    {.name = "private",
     .ask = {.line = "GET /pool"},
     .status = 307,
     .cache_control = "private, max-age=60",
     .vary = "Origin, Detour-Avoid",
     .by = "shop/routes/pool",
     .type = "text/html; charset=utf-8"},
    {.name = "302",
     .ask = {.line = "GET /302"},
     .status = 302,
     .cache_control = "no-store",
     .vary = "Origin",
     .by = "shop/routes/found",
     .type = "text/html; charset=utf-8"},
    {.name = "303",
     .ask = {.line = "GET /303"},
     .status = 303,
     .cache_control = "no-store",
     .vary = "Origin",
     .by = "shop/routes/see",
     .type = "text/html; charset=utf-8"},
    {.name = "308 says how long",
     .ask = {.line = "GET /308"},
     .status = 308,
     .cache_control = "max-age=3600",
     .vary = "Origin",
     .by = "shop/routes/moved",
     .type = "text/html; charset=utf-8"},
    {.name = "no note",
     .ask = {.line = "GET /silent"},
     .status = 307,
     .vary = "Origin",
     .by = "shop/routes/silent"},
    {.name = "a body",
     .ask = {.line = "GET /410"},
     .status = 410,
     .cache_control = "no-store",
     .vary = "Origin",
     .by = "shop/routes/gone",
     .type = "text/plain; charset=utf-8"},
    {.name = "a problem",
     .ask = {.line = "GET /418"},
     .status = 418,
     .cache_control = "no-store",
     .vary = "Origin",
     .by = "shop/routes/bare",
     .type = "application/problem+json"},
    {.name = "nothing",
     .ask = {.line = "GET /204"},
     .status = 204,
     .cache_control = "no-store",
     .vary = "Origin",
     .by = "shop/routes/empty"},
    {.name = "the operator's own Cache-Control",
     .ask = {.line = "GET /json"},
     .status = 200,
     .cache_control = "max-age=9",
     .vary = "Origin",
     .by = "shop/routes/json",
     .type = "application/json"},
    {.name = "what had a say, each once",
     .status = 307,
     .cache_control = "max-age=60",
     .ask = {.line = "GET /vary"},
     .vary = "Origin, Cookie, User-Agent, X-Q",
     .by = "shop/routes/vary",
     .type = "text/html; charset=utf-8"},
    {.name = "404",
     .ask = {.line = "GET /"},
     .status = 404,
     .cache_control = "no-store",
     .vary = "Origin",
     .by = "shop/default",
     .type = "application/problem+json"},
    {.name = "421",
     .ask = {.line = "GET /", .host = "x.example"},
     .status = 421,
     .cache_control = "no-store",
     .type = "application/problem+json"},
    {.name = "maintenance",
     .ask = {.line = "POST /page"},
     .status = 503,
     .cache_control = "no-store",
     .vary = "Origin",
     .retry_after = "120",
     .by = "shop/detours/page",
     .type = "application/problem+json"},
    {.name = "maintenance, a form",
     .ask = {.line = "POST /page", .fields = PERSON},
     .status = 503,
     .cache_control = "no-store",
     .vary = "Origin",
     .retry_after = "120",
     .by = "shop/detours/page",
     .type = "text/html; charset=utf-8"},
    {.name = "never Retry-After with a redirect",
     .ask = {.line = "GET /page", .fields = PERSON},
     .status = 307,
     .vary = "Origin",
     .by = "shop/detours/page",
     .type = "text/html; charset=utf-8"},
    {.name = "any origin: no Vary",
     .ask = {.line = "GET /", .host = "open.example"},
     .status = 307,
     .by = "open/default",
     .type = "text/html; charset=utf-8"},
};

static void same_field(const struct row *row, const struct fixture *f, const char *field,
                       const char *wanted)
{
    struct span got = fixture_field(f, field);
    if (wanted == NULL ? got.ptr != NULL : got.ptr == NULL) {
        fail_msg("%s: %s is %s", row->name, field, wanted == NULL ? "there" : "not there");
    }
    if (wanted != NULL) {
        fixture_same(row->name, field, got, wanted);
    }
}

static void fields_say_what_they_must(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct response *response = fixture_answer(f, &rows[i].ask);
        if (response->status != rows[i].status) {
            fail_msg("%s: %u", rows[i].name, response->status);
        }
        same_field(&rows[i], f, "Cache-Control", rows[i].cache_control);
        same_field(&rows[i], f, "Vary", rows[i].vary);
        same_field(&rows[i], f, "Retry-After", rows[i].retry_after);
        same_field(&rows[i], f, "X-Redirect-By", rows[i].by);
        fixture_same(rows[i].name, "type", response->content_type,
                     rows[i].type != NULL ? rows[i].type : "");
        assert_int_equal(response->content_type.len > 0, response->body.len > 0);
    }
    fixture_free(&f);
}

static void cors_says_who_may_read(void **state)
{
    static const struct {
        struct ask ask;
        const char *origin, *credentials, *expose, *methods, *max_age;
    } cases[] = {
        {.ask = {.line = "GET /307"}},
        {.ask = {.line = "GET /307", .fields = "Origin: https://app.example\r\n"},
         .origin = "https://app.example",
         .credentials = "true",
         .expose = "X-C"},
        {.ask = {.line = "GET /", .fields = "Origin: https://b.example:81\r\n"},
         .origin = "https://b.example:81",
         .credentials = "true",
         .expose = "X-C"},
        {.ask = {.line = "GET /307", .fields = "Origin: https://b.example\r\n"}},
        {.ask = {.line = "GET /307", .fields = "Origin: null\r\n"}},
        {.ask = {.line = "OPTIONS /page", .fields = "Origin: https://app.example\r\n" PREFLIGHT},
         .origin = "https://app.example",
         .credentials = "true",
         .methods = "PUT, POST",
         .max_age = "600"},
        {.ask = {.line = "OPTIONS /page", .fields = "Origin: https://evil.example\r\n" PREFLIGHT}},
        {.ask = {.line = "GET /", .host = "open.example", .fields = "Origin: null\r\n"},
         .origin = "*"},
        {.ask = {.line = "GET /", .host = "open.example"}},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct row row = {.name = cases[i].ask.fields};
        fixture_answer(f, &cases[i].ask);
        same_field(&row, f, "Access-Control-Allow-Origin", cases[i].origin);
        same_field(&row, f, "Access-Control-Allow-Credentials", cases[i].credentials);
        same_field(&row, f, "Access-Control-Expose-Headers", cases[i].expose);
        same_field(&row, f, "Access-Control-Allow-Methods", cases[i].methods);
        same_field(&row, f, "Access-Control-Max-Age", cases[i].max_age);
        bool star = cases[i].ask.host != NULL;
        same_field(&row, f, "Vary", star ? NULL : "Origin");
    }
    fixture_free(&f);
}

/* A preflight is answered here, whatever the rules say; what only looks like one is not. */
static void preflights_are_not_redirected(void **state)
{
    static const struct {
        struct ask ask;
        uint16_t status;
    } cases[] = {
        {{.line = "OPTIONS /307", .fields = "Origin: https://app.example\r\n" PREFLIGHT}, 204},
        {{.line = "OPTIONS /307", .fields = "Origin: https://evil.example\r\n" PREFLIGHT}, 204},
        {{.line = "OPTIONS /page", .fields = "Origin: https://app.example\r\n" PREFLIGHT}, 204},
        {{.line = "OPTIONS /307", .fields = "Origin: https://app.example\r\n"}, 307},
        {{.line = "OPTIONS /307", .fields = PREFLIGHT}, 307},
        {{.line = "GET /307", .fields = "Origin: https://app.example\r\n" PREFLIGHT}, 307},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct response *response = fixture_answer(f, &cases[i].ask);
        assert_int_equal(response->status, cases[i].status);
        assert_int_equal(f->decision.reason == REASON_PREFLIGHT, cases[i].status == 204);
        assert_int_equal(response->location.len > 0, cases[i].status != 204);
    }
    fixture_free(&f);
}

static void the_rules_own_fields_are_added(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    struct row row = {.name = "added"};
    fixture_answer(f, &(struct ask){.line = "GET /added"});
    same_field(&row, f, "Strict-Transport-Security", "max-age=1");
    same_field(&row, f, "X-Own", "b c");
    fixture_answer(f, &(struct ask){.line = "GET /json"});
    same_field(&row, f, "X-Own", "a");
    fixture_answer(f, &(struct ask){.line = "OPTIONS *"});
    same_field(&row, f, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_int_equal(f->response.body.len, 0);
    fixture_free(&f);
}

/* The link as a browser reads it is the Location, and nothing in it ends the attribute. */
static void notes_are_escaped(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    fixture_answer(f, &(struct ask){.line = "GET /note/a'b\"<script>&c?d=e&f='g'"});
    fixture_same("note", "Location", f->response.location,
                 "https://n.example/a'b%22%3Cscript%3E&c?d=e&f='g'");
    fixture_same("note", "body", f->response.body,
                 "<a href=\"https://n.example/a&#39;b%22%3Cscript%3E&amp;c?d=e&amp;f=&#39;g&#39;\">"
                 "Temporary Redirect</a>\n");
    fixture_free(&f);
}

/* The longest Location, each byte of it escaped, still has a whole note. */
static void the_longest_note_fits(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    static char line[8100];
    strcpy(line, "GET /note/");
    memset(line + 10, '\'', 8000);
    const struct response *response = fixture_answer(f, &(struct ask){.line = line});
    assert_int_equal(response->status, 307);
    assert_true(response->location.len > 8000);
    assert_true(span_ends(response->body, SPAN("</a>\n")));
    assert_true(response->body.len > 8000 * 5);
    fixture_free(&f);
}

static void problems_are_json(void **state)
{
    static const struct {
        struct ask ask;
        int status;
    } cases[] = {
        {{.line = "GET /418"}, 418},
        {{.line = "GET /"}, 404},
        {{.line = "GET /", .host = "x.example"}, 421},
        {{.line = "GET https://shop.example/"}, 421},
        {{.line = "POST /page"}, 503},
        {{.line = "GET /climb/..;/x"}, 400},
    };
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct response *response = fixture_answer(f, &cases[i].ask);
        fixture_same(cases[i].ask.line, "type", response->content_type, "application/problem+json");
        json_error_t error;
        json_t *json = json_loadb((const char *)response->body.ptr, response->body.len, 0, &error);
        assert_non_null(json);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), cases[i].status);
        assert_int_equal(response->status, cases[i].status);
        assert_string_equal(json_string_value(json_object_get(json, "type")), "about:blank");
        const json_t *title = json_object_get(json, "title");
        assert_true(cases[i].status == 418 ? title == NULL : json_string_length(title) > 0);
        json_decref(json);
    }
    fixture_free(&f);
}

/* More names than there is room for: then nothing may be said to be enough. */
static void a_vary_that_does_not_fit_is_a_star(void **state)
{
    (void)state;
    static char text[20000];
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    buffer_printf(&out,
                  "sites:\n  - hosts: shop.example\n    routes:\n"
                  "      - {path: /, to: 'https://n.example/', max_age: 1m, when: {headers: {");
    for (int i = 0; i < 60; i++) {
        buffer_printf(&out, "%sx-%d-%0100d: false", i > 0 ? ", " : "", i, i);
    }
    buffer_printf(&out, "}}}\n");
    assert_false(out.full);
    text[out.len] = 0;
    struct fixture *f = fixture_new(text);
    fixture_answer(f, &(struct ask){.line = "GET /"});
    fixture_same("long", "Cache-Control", fixture_field(f, "Cache-Control"), "max-age=60");
    fixture_same("long", "Vary", fixture_field(f, "Vary"), "*");
    fixture_free(&f);
}

/* More rules with conditions on fields than are kept: private. */
static void too_many_rules_had_a_say(void **state)
{
    (void)state;
    static char text[4000];
    for (int rules = decision_vary_rules_max; rules <= decision_vary_rules_max + 1; rules++) {
        struct buffer out = buffer_over(text, sizeof(text) - 1);
        buffer_printf(&out, "sites:\n  - hosts: shop.example\n    routes:\n");
        for (int i = 0; i < rules; i++) {
            buffer_printf(&out,
                          "      - {path: /, to: 'https://n.example/', when: {headers: "
                          "{X-%d: true}}}\n",
                          i);
        }
        buffer_printf(&out, "      - {path: /, to: 'https://n.example/', max_age: 1m}\n");
        text[out.len] = 0;
        struct fixture *f = fixture_new(text);
        fixture_answer(f, &(struct ask){.line = "GET /"});
        bool few = rules <= decision_vary_rules_max;
        fixture_same("rules", "Cache-Control", fixture_field(f, "Cache-Control"),
                     few ? "max-age=60" : "private, max-age=60");
        fixture_free(&f);
    }
}

static void a_refused_request_needs_no_decision(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    struct request partial = {0};
    struct decision refused = {.reason = REASON_BAD_REQUEST,
                               .status = 431,
                               .site = SNAP_NONE,
                               .rule = SNAP_NONE,
                               .server = SNAP_NONE,
                               .problem = true,
                               .max_age_s = -1,
                               .retry_after_s = -1};
    answer_from_decision(&f->context, &partial, &refused, &f->scratch, &f->response);
    assert_int_equal(f->response.status, 431);
    fixture_same("431", "Cache-Control", fixture_field(f, "Cache-Control"), "no-store");
    fixture_same("431", "type", f->response.content_type, "application/problem+json");
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_say_what_they_must),
        cmocka_unit_test(cors_says_who_may_read),
        cmocka_unit_test(preflights_are_not_redirected),
        cmocka_unit_test(the_rules_own_fields_are_added),
        cmocka_unit_test(notes_are_escaped),
        cmocka_unit_test(the_longest_note_fits),
        cmocka_unit_test(problems_are_json),
        cmocka_unit_test(a_vary_that_does_not_fit_is_a_star),
        cmocka_unit_test(too_many_rules_had_a_say),
        cmocka_unit_test(a_refused_request_needs_no_decision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
