/* SPDX-License-Identifier: MIT */
/* What went wrong in other clients, each as a table, in both modes where they do not differ. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define RFC DETOUR_MODE_RFC
#define SECRETS "Authorization: Basic eA==\nCookie: a=b\n!X-Token: t\n"

/* The same table in the other mode as well. */
static void run_in_both_modes(const struct fixture_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fixture_case each = cases[i];
        fixture_run(&each, 1);
        each.mode = RFC;
        fixture_run(&each, 1);
    }
}
#define RUN_IN_BOTH_MODES(cases) run_in_both_modes(cases, sizeof(cases) / sizeof((cases)[0]))

static void credentials_are_not_sent_again_after_a_b_a(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "a, b, a",
         .fields = SECRETS "X: y",
         .answers = {{307, "Location: //b.test/", .left = "X: y", .credentials = "no"},
                     {307, "Location: //a.test/two", .verdict = "follow GET http://a.test/two",
                      .left = "X: y", .credentials = "no"},
                     {307, "Location: /three", .left = "X: y", .credentials = "no"}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void credentials_are_not_kept_for_another_origin(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "https to http",
         .url = "https://a.test/",
         .fields = SECRETS,
         .answers = {{307, "Location: http://a.test/", .left = "", .credentials = "no"}}},
        {.name = "http to https",
         .fields = SECRETS,
         .answers = {{307, "Location: https://a.test/", .left = "", .credentials = "no"}}},
        {.name = "another port",
         .fields = SECRETS,
         .answers = {{307, "Location: http://a.test:8080/", .left = "", .credentials = "no"}}},
        {.name = "a subdomain",
         .fields = SECRETS,
         .answers = {{307, "Location: http://www.a.test/", .left = "", .credentials = "no"}}},
        {.name = "the domain above",
         .url = "http://www.a.test/",
         .fields = SECRETS,
         .answers = {{307, "Location: http://a.test/", .left = "", .credentials = "no"}}},
        {.name = "a host that begins alike",
         .fields = SECRETS,
         .answers = {{307, "Location: http://a.test.evil.test/", .left = "", .credentials = "no"}}},
        {.name = "a dot at the end",
         .fields = SECRETS,
         .answers = {{307, "Location: http://a.test./", .left = "", .credentials = "no"}}},
        {.name = "the same, written otherwise",
         .fields = "Cookie: a=b",
         .answers = {{307, "Location: HTTP://A.TEST:80/", .left = "Cookie: a=b",
                      .credentials = "yes"}}},
        {.name = "names without case",
         .fields = "AUTHORIZATION: x\ncookie: y\nproxy-authorization: z",
         .answers = {{307, "Location: //b.test/", .left = ""}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void a_custom_host_is_not_kept(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "relative",
         .fields = "Host: virtual.test\nX: y",
         .begun_left = "X: y",
         .begun_notes = "field-dropped",
         .answers = {{302, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .left = "X: y"}}},
        {.name = "elsewhere",
         .fields = "host: virtual.test",
         .answers = {{302, "Location: //b.test/", .left = ""}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void head_does_not_become_get(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "303",
         .method = "HEAD",
         .answers = {{303, "Location: /two", .verdict = "follow HEAD http://a.test/two"}}},
        {.name = "301",
         .method = "HEAD",
         .answers = {{301, "Location: /two", .verdict = "follow HEAD http://a.test/two"}}},
        {.name = "307",
         .method = "HEAD",
         .answers = {{307, "Location: /two", .verdict = "follow HEAD http://a.test/two"}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void put_does_not_become_get(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "301",
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{301, "Location: /two", .verdict = "follow PUT http://a.test/two",
                      .body = "replayable"}}},
        {.name = "302",
         .method = "PATCH",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{302, "Location: /two", .verdict = "follow PATCH http://a.test/two",
                      .body = "replayable"}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void a_body_is_neither_kept_on_303_nor_emptied_on_307(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "303",
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "Content-Type: a/b\nContent-Length: 9\nTransfer-Encoding: chunked",
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .body = "none", .left = ""}}},
        {.name = "303 with GET",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "Content-Type: a/b",
         .answers = {{303, "Location: /two", .body = "none", .left = ""}}},
        {.name = "307",
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "Content-Type: a/b\nContent-Length: 9",
         .answers = {{307, "Location: /two", .verdict = "follow POST http://a.test/two",
                      .body = "replayable", .left = "Content-Type: a/b\nContent-Length: 9"}}},
        {.name = "308",
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{308, "Location: //b.test/", .body = "replayable"}}},
        {.name = "307, spent",
         .method = "POST",
         .body = DETOUR_BODY_ONCE,
         .answers = {{307, "Location: /two", .body_begun = true, .verdict = "refuse body-spent"}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void other_schemes_are_not_followed(void **state)
{
    static const char *const locations[] = {
        "file:///etc/passwd",    "data:text/html,x",
        "javascript:alert(1)",   "JavaScript:alert(1)",
        "ftp://a.test/",         "about:blank",
        "blob:http://a.test/x",  "view-source:http://a.test/",
        "ws://a.test/",          "gopher://a.test/",
        "java\tscript:alert(1)", " file:///etc/passwd",
        "mailto:a@b.test",       "urn:x:y",
        "unix:/run/x",
    };
    for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
        char line[100];
        snprintf(line, sizeof(line), "Location: %s", locations[i]);
        const struct fixture_case cases[] = {
            {.name = locations[i], .answers = {{302, line, .verdict = "refuse scheme"}}},
        };
        RUN_IN_BOTH_MODES(cases);
    }
}

static void the_fragment_is_not_lost(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "over two",
         .url = "http://a.test/one#f",
         .answers = {{301, "Location: /two", .verdict = "follow GET http://a.test/two#f"},
                     {302, "Location: three?x", .verdict = "follow GET http://a.test/three?x#f"}}},
        {.name = "over 303",
         .method = "POST",
         .url = "http://a.test/one#f",
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two#f"}}},
        {.name = "an empty one takes it away",
         .url = "http://a.test/one#f",
         .answers = {{301, "Location: //b.test/#", .verdict = "follow GET http://b.test/#"}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void a_cookie_that_is_set_makes_another_request(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "the same URL with a new cookie",
         .mode = RFC,
         .answers = {{302, "Location: /one\nSet-Cookie: seen=1; Path=/",
                      .verdict = "follow GET http://a.test/one", .notes = "temporary"},
                     {200, NULL, .verdict = "deliver"}}},
        {.name = "the cookie counts up",
         .mode = RFC,
         .answers =
             {{302, "Location: /one\nSet-Cookie: n=1", .verdict = "follow GET http://a.test/one"},
              {302, "Location: /one\nSet-Cookie: n=2", .verdict = "follow GET http://a.test/one"},
              {302, "Location: /one\nSet-Cookie: n=3", .verdict = "follow GET http://a.test/one"}}},
        {.name = "the same cookie again is a loop",
         .mode = RFC,
         .answers = {{302, "Location: /one\nSet-Cookie: n=1",
                      .verdict = "follow GET http://a.test/one"},
                     {302, "Location: /one\nSet-Cookie: n=1", .verdict = "refuse loop"}}},
        {.name = "so are two that come in turn",
         .mode = RFC,
         .answers = {{302, "Location: /one\nSet-Cookie: n=1",
                      .verdict = "follow GET http://a.test/one"},
                     {302, "Location: /one\nSet-Cookie: n=2",
                      .verdict = "follow GET http://a.test/one"},
                     {302, "Location: /one\nSet-Cookie: n=1", .verdict = "refuse loop"}}},
        {.name = "without a cookie it is a loop at once",
         .mode = RFC,
         .answers = {{302, "Location: /one", .verdict = "refuse loop"}}},
        {.name = "another method is no loop",
         .method = "POST",
         .mode = RFC,
         .answers = {{303, "Location: /one", .verdict = "follow GET http://a.test/one"},
                     {302, "Location: #x", .verdict = "refuse loop"}}},
        {.name = "browsers go on, and it is told",
         .answers = {{302, "Location: /one", .verdict = "follow GET http://a.test/one",
                      .notes = "loop temporary"},
                     {302, "Location: /one", .verdict = "follow GET http://a.test/one",
                      .notes = "loop temporary"},
                     {200, NULL, .verdict = "deliver"}}},
    };
    FIXTURE_RUN(cases);
}

static void several_locations_are_not_joined(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "different",
         .answers = {{302, "Location: http://b.test/\nLocation: http://c.test/",
                      .verdict = "refuse locations-differ"}}},
        {.name = "with another between",
         .answers = {{302, "Location: /two\nX: y\nLOCATION: /three",
                      .verdict = "refuse locations-differ"}}},
        {.name = "one empty",
         .answers = {{302, "Location:\nLocation: /three", .verdict = "refuse locations-differ"}}},
        {.name = "a comma in one is part of the URL",
         .answers = {{302, "Location: /two, /three",
                      .verdict = "follow GET http://a.test/two,%20/three"}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

/* The policy takes no content, and asks for none: what a redirect's fields say about it changes
 * nothing. */
static void a_redirects_own_body_means_nothing(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "encoded",
         .answers = {{302,
                      "Location: /two\nContent-Encoding: gzip\nContent-Length: "
                      "99999999999\nTransfer-Encoding: chunked",
                      .verdict = "follow GET http://a.test/two", .left = "", .body = "none"}}},
        {.name = "it is not the next request's",
         .fields = "Accept-Encoding: gzip",
         .answers = {{302, "Location: /two\nContent-Encoding: bomb",
                      .left = "Accept-Encoding: gzip"}}},
    };
    RUN_IN_BOTH_MODES(cases);
}

static void the_file_name_is_that_of_the_first_url(void **state)
{
    const struct detour_verdict *verdict;
    struct detour_chain *chain =
        fixture_begin(&(struct fixture_case){.url = "http://a.test/wanted.txt#x"}, &verdict);
    struct detour_field field = {.name = detour_text_of("Location"),
                                 .value = detour_text_of("//b.test/.bashrc")};
    struct detour_answer answer = {
        .size = sizeof(answer), .status = 302, .fields = &field, .field_count = 1};
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(detour_chain_hop_count(chain), 2);
    static const char wanted[] = "http://a.test/wanted.txt#x";
    const struct detour_hop *first = detour_chain_hop(chain, 0);
    assert_int_equal(first->url.len, strlen(wanted));
    assert_memory_equal(first->url.ptr, wanted, first->url.len);
    assert_int_equal(first->status, 302);
    assert_int_equal(detour_chain_hop(chain, 1)->status, 0);
    assert_null(detour_chain_hop(chain, 2));
    detour_chain_free(&chain);
}

static void an_answer_is_not_lost_to_a_reset(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "while uploading",
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{307, "Location: //b.test/", .body_begun = true,
                      .verdict = "follow PUT http://b.test/", .body = "replayable"}}},
        {.name = "an error while uploading",
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .answers = {{413, NULL, .body_begun = true, .verdict = "deliver"}}},
    };
    struct detour_answer answer = {.size = sizeof(answer), .status = 307};
    assert_int_equal(detour_upload_advice(&answer, 20, true), DETOUR_UPLOAD_STOP);
    RUN_IN_BOTH_MODES(cases);
}

static void hosts_are_not_confused(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "a zone",
         .answers = {{302, "Location: http://[::1%25.foo.com]/", .verdict = "refuse url-invalid"}}},
        {.name = "a zone of one's own",
         .answers = {{302, "Location: http://[fe80::1%25eth0]/", .verdict = "refuse url-invalid"}}},
        {.name = "behind the bracket",
         .answers = {{302, "Location: http://[::1].foo.com/", .verdict = "refuse url-invalid"}}},
        {.name = "an escaped slash",
         .answers = {{302, "Location: http://a.test%2F.b.test/", .verdict = "refuse url-invalid"}}},
        {.name = "an escaped NUL",
         .answers = {{302, "Location: http://a.test%00.b.test/", .verdict = "refuse url-invalid"}}},
        {.name = "a backslash ends the host",
         .answers = {{302, "Location: http://b.test\\.a.test/",
                      .verdict = "follow GET http://b.test/.a.test/", .credentials = "no"}}},
        {.name = "a number is an address",
         .answers = {{302, "Location: http://2130706433/",
                      .verdict = "follow GET http://127.0.0.1/"}}},
        {.name = "a full-width stop",
         .answers = {{302, "Location: http://b\xEF\xBC\x8Etest/",
                      .verdict = "follow GET http://b.test/"}}},
        {.name = "too great a port",
         .answers = {{302, "Location: http://a.test:65536/", .verdict = "refuse url-invalid"}}},
    };
    static const struct fixture_case userinfo[] = {
        {.name = "what stands before @ is no host",
         .answers = {{302, "Location: http://a.test@b.test/",
                      .verdict = "follow GET http://b.test/", .credentials = "no"}}},
        {.name = "nor what looks like one with a port",
         .answers = {{302, "Location: http://a.test:80@b.test/",
                      .verdict = "follow GET http://b.test/"}}},
        {.name = "rfc",
         .mode = RFC,
         .answers = {{302, "Location: http://a.test@b.test/", .verdict = "refuse userinfo"}}},
    };
    RUN_IN_BOTH_MODES(cases);
    FIXTURE_RUN(userinfo);
}

/* Each row of the table of modes in detour.h. */
static void the_modes_differ_where_it_is_said(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "300, browser",
         .answers = {{300, "Location: /two", .verdict = "deliver not-followed"}}},
        {.name = "300, rfc",
         .mode = RFC,
         .answers = {{300, "Location: /two", .verdict = "follow GET http://a.test/two"}}},
        {.name = "POST, browser",
         .method = "POST",
         .answers = {{302, "Location: /two", .verdict = "follow GET http://a.test/two"}}},
        {.name = "POST, rfc",
         .mode = RFC,
         .method = "POST",
         .answers = {{302, "Location: /two", .verdict = "follow POST http://a.test/two"}}},
        {.name = "no host, browser",
         .answers = {{302, "Location: http:///b.test/x", .verdict = "follow GET http://b.test/x"}}},
        {.name = "no slashes, browser",
         .answers = {{302, "Location: http:two", .verdict = "follow GET http://a.test/two"}}},
        {.name = "policy, browser",
         .fields = "Referer: http://a.test/from?x",
         .answers = {{302, "Location: /two", .left = "Referer: http://a.test/from?x"},
                     {302, "Location: //b.test/", .left = "Referer: http://a.test/"},
                     {302, "Location: //a.test/", .left = "Referer: http://a.test/from?x"}}},
        {.name = "policy, rfc",
         .mode = RFC,
         .fields = "Referer: http://a.test/from?x",
         .answers = {{302, "Location: //b.test/\nReferrer-Policy: no-referrer",
                      .left = "Referer: http://a.test/from?x"}}},
        {.name = "validators, browser",
         .fields = "If-None-Match: \"x\"\nIf-Modified-Since: y",
         .answers = {{302, "Location: /two",
                      .left = "If-None-Match: \"x\"\nIf-Modified-Since: y"}}},
        {.name = "validators, rfc",
         .mode = RFC,
         .fields = "If-None-Match: \"x\"\nIf-Modified-Since: y",
         .answers = {{302, "Location: /two", .left = ""}}},
    };
    FIXTURE_RUN(cases);
}

/* https://w3c.github.io/webappsec-referrer-policy/#referrer-policies: from http://a.test/p to the
 * same origin, to another, and from https to http. */
static void referrer_policies(void **state)
{
    static const struct {
        const char *policy;
        const char *same;
        const char *other;
    } policies[] = {
        {"no-referrer", "", ""},
        {"no-referrer-when-downgrade", "Referer: http://a.test/p", "Referer: http://a.test/p"},
        {"same-origin", "Referer: http://a.test/p", ""},
        {"origin", "Referer: http://a.test/", "Referer: http://a.test/"},
        {"strict-origin", "Referer: http://a.test/", "Referer: http://a.test/"},
        {"origin-when-cross-origin", "Referer: http://a.test/p", "Referer: http://a.test/"},
        {"strict-origin-when-cross-origin", "Referer: http://a.test/p", "Referer: http://a.test/"},
        {"unsafe-url", "Referer: http://a.test/p", "Referer: http://a.test/p"},
        {"no-referrer, unknown", "", ""},
        {"unsafe-url, NO-REFERRER", "", ""},
        {"unknown", "Referer: http://a.test/p", "Referer: http://a.test/"},
    };
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        char same[100];
        char other[100];
        snprintf(same, sizeof(same), "Location: /two\nReferrer-Policy: %s", policies[i].policy);
        snprintf(other, sizeof(other), "Location: //b.test/\nReferrer-Policy: %s",
                 policies[i].policy);
        const struct fixture_case cases[] = {
            {.name = policies[i].policy,
             .fields = "Referer: http://a.test/p",
             .answers = {{302, same, .left = policies[i].same}}},
            {.name = policies[i].policy,
             .fields = "Referer: http://a.test/p",
             .answers = {{302, other, .left = policies[i].other}}},
            {.name = policies[i].policy,
             .url = "https://a.test/",
             .fields = "Referer: https://a.test/p",
             .answers = {{302, "Location: http://a.test/", .left = ""}}},
        };
        FIXTURE_RUN(cases);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_not_sent_again_after_a_b_a),
        cmocka_unit_test(credentials_are_not_kept_for_another_origin),
        cmocka_unit_test(a_custom_host_is_not_kept),
        cmocka_unit_test(head_does_not_become_get),
        cmocka_unit_test(put_does_not_become_get),
        cmocka_unit_test(a_body_is_neither_kept_on_303_nor_emptied_on_307),
        cmocka_unit_test(other_schemes_are_not_followed),
        cmocka_unit_test(the_fragment_is_not_lost),
        cmocka_unit_test(a_cookie_that_is_set_makes_another_request),
        cmocka_unit_test(several_locations_are_not_joined),
        cmocka_unit_test(a_redirects_own_body_means_nothing),
        cmocka_unit_test(the_file_name_is_that_of_the_first_url),
        cmocka_unit_test(an_answer_is_not_lost_to_a_reset),
        cmocka_unit_test(hosts_are_not_confused),
        cmocka_unit_test(the_modes_differ_where_it_is_said),
        cmocka_unit_test(referrer_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
