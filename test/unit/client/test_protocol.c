/* SPDX-License-Identifier: MIT */
/* What the standards ask of a client that follows redirects, section by section. Each test is named
 * after the section, of RFC 9110 where no other is named. */
#include "fixture.h"

#include <string.h>

#define RFC DETOUR_MODE_RFC

static void s4_2_1_an_empty_host_is_rejected(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "rfc",
         .mode = RFC,
         .answers = {{302, "Location: http:///x", .verdict = "refuse no-host"}}},
        {.name = "rfc, https",
         .mode = RFC,
         .answers = {{302, "Location: https:///x", .verdict = "refuse no-host"}}},
        {.name = "rfc, no slashes",
         .mode = RFC,
         .answers = {{302, "Location: http:x", .verdict = "refuse no-host"}}},
        {.name = "rfc, relative",
         .mode = RFC,
         .answers = {{302, "Location: ///x", .verdict = "refuse no-host"}}},
        {.name = "rfc, backslashes",
         .mode = RFC,
         .answers = {{302, "Location: \\\\/x", .verdict = "refuse no-host"}}},
        {.name = "rfc, port alone",
         .mode = RFC,
         .answers = {{302, "Location: http://:80/", .verdict = "refuse no-host"}}},
        {.name = "browser, nothing left",
         .answers = {{302, "Location: http://", .verdict = "refuse no-host"}}},
        {.name = "browser, query",
         .answers = {{302, "Location: //?x", .verdict = "refuse no-host"}}},
        {.name = "browser, port alone",
         .answers = {{302, "Location: http://:80/", .verdict = "refuse no-host"}}},
        {.name = "first, rfc", .mode = RFC, .url = "http:///x", .begun = "refuse no-host"},
        {.name = "first", .url = "http://", .begun = "refuse no-host"},
        {.name = "first, https", .url = "https://?", .begun = "refuse no-host"},
    };
    FIXTURE_RUN(cases);
}

static void s4_2_4_userinfo_in_a_location_is_an_error_or_goes(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "rfc",
         .mode = RFC,
         .answers = {{307, "Location: http://u:p@a.test/x", .verdict = "refuse userinfo"}}},
        {.name = "rfc, name alone",
         .mode = RFC,
         .answers = {{307, "Location: //u@b.test/x", .verdict = "refuse userinfo"}}},
        {.name = "browser",
         .answers = {{307, "Location: http://u:p@a.test/x", .verdict = "follow GET http://a.test/x",
                      .notes = "userinfo-dropped temporary"}}},
        {.name = "none, though there is an @",
         .mode = RFC,
         .answers = {{307, "Location: http://@a.test/x@y",
                      .verdict = "follow GET http://a.test/x@y"}}},
        {.name = "one's own is not inherited",
         .url = "http://u:p@a.test/one",
         .begun = "begin GET http://a.test/one",
         .begun_notes = "userinfo-dropped",
         .answers = {{307, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .notes = "temporary"}}},
    };
    FIXTURE_RUN(cases);
}

/* Whether the second URL has the origin of the first. */
static void s4_3_1_an_origin_is_scheme_host_and_port_normalised(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } cases[] = {
        {"http://a.test/", "HTTP://A.test:80/x?y#z", true},
        {"https://a.test:443", "https://a.test/", true},
        {"http://[::1]/", "http://[0:0::1]/", true},
        {"http://127.0.0.1/", "http://0x7f.1/", true},
        {"http://u:p@a.test/", "http://a.test/", true},
        {"http://a.test/", "https://a.test/", false},
        {"http://a.test:443/", "https://a.test/", false},
        {"http://a.test/", "http://a.test:8080/", false},
        {"http://a.test/", "http://www.a.test/", false},
        {"http://a.test/", "http://a.test./", false},
        {"data:x", "data:x", false},
        {"ftp://a.test/", "ftp://a.test/", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detour_url *a;
        struct detour_url *b;
        assert_int_equal(detour_url_new(detour_text_of(cases[i].a), NULL, &a), DETOUR_OK);
        assert_int_equal(detour_url_new(detour_text_of(cases[i].b), NULL, &b), DETOUR_OK);
        if (detour_url_same_origin(a, b) != cases[i].same) {
            fail_msg("%s and %s", cases[i].a, cases[i].b);
        }
        detour_url_free(&a);
        detour_url_free(&b);
    }
}

static void s5_5_line_ends_in_a_value_are_rejected(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "CR in Location",
         .answers = {{302, "Location: /x\ry", .verdict = "refuse field-invalid"}}},
        {.name = "CR in another field",
         .answers = {{302, "Location: /x\nX: a\rb", .verdict = "refuse field-invalid"}}},
        {.name = "in an answer to deliver",
         .answers = {{200, "X: a\rb", .verdict = "refuse field-invalid"}}},
        {.name = "other controls stay", .answers = {{200, "X: a\001b", .verdict = "deliver"}}},
        {.name = "in the request", .fields = "X: a\rb", .begun = "refuse field-invalid"},
        {.name = "a name that is no token", .fields = "X Y: a", .begun = "refuse field-invalid"},
        {.name = "an empty name", .fields = ": a", .begun = "refuse field-invalid"},
    };
    static const char bad[] = {'\r', '\n', '\0'};
    FIXTURE_RUN(cases);
    for (size_t i = 0; i < sizeof(bad); i++) {
        char value[] = "/x?y";
        value[2] = bad[i];
        const struct detour_verdict *verdict;
        struct detour_chain *chain =
            fixture_begin(&(struct fixture_case){.name = "begun"}, &verdict);
        struct detour_field field = {.name = detour_text_of("Location"), .value = {value, 4}};
        struct detour_answer answer = {
            .size = sizeof(answer), .status = 307, .fields = &field, .field_count = 1};
        assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
        assert_int_equal(verdict->action, DETOUR_REFUSE);
        assert_int_equal(verdict->reason, DETOUR_REASON_FIELD_INVALID);
        detour_chain_free(&chain);
    }
}

static void s7_1_and_7_2_no_fragment_goes_out_and_host_is_told(void **state)
{
    static const struct fixture_case each = {.name = "a fragment",
                                             .url = "https://B\xC3\xBC"
                                                    "cher.test:8443/a b?c d#e f"};
    const struct detour_verdict *verdict;
    struct detour_chain *chain = fixture_begin(&each, &verdict);
    const struct detour_url *url = verdict->next->url;
    struct detour_text sent = verdict->next->request->url;
    static const char target[] = "https://xn--bcher-kva.test:8443/a%20b?c%20d";
    assert_int_equal(sent.len, strlen(target));
    assert_memory_equal(sent.ptr, target, sent.len);
    assert_memory_equal(url->href.ptr, "https://xn--bcher-kva.test:8443/a%20b?c%20d#e%20f",
                        url->href.len);
    assert_memory_equal(url->authority.ptr, "xn--bcher-kva.test:8443", url->authority.len);
    assert_memory_equal(url->request_target.ptr, "/a%20b?c%20d", url->request_target.len);
    assert_memory_equal(url->fragment.ptr, "e%20f", url->fragment.len);
    assert_int_equal(url->port, 8443);
    detour_chain_free(&chain);
}

static void s7_5_an_upload_goes_on_unless_told_otherwise(void **state)
{
    static const struct {
        uint16_t status;
        const char *fields;
        int http_version;
        bool peer_stopped;
        enum detour_upload advice;
    } cases[] = {
        {307, NULL, 11, false, DETOUR_UPLOAD_GO_ON},
        {413, NULL, 11, false, DETOUR_UPLOAD_GO_ON},
        /* RFC 9112, 9.5: the server is closing. */
        {307, "Connection: x, Close", 11, false, DETOUR_UPLOAD_STOP},
        {100, "Connection: close", 11, false, DETOUR_UPLOAD_GO_ON},
        {307, NULL, 10, false, DETOUR_UPLOAD_STOP},
        {307, "Connection: keep-alive", 10, false, DETOUR_UPLOAD_GO_ON},
        /* RFC 9113, 8.1, and RFC 9114, 4.1: only the stream says so. */
        {307, NULL, 20, false, DETOUR_UPLOAD_GO_ON},
        {307, "Connection: close", 20, false, DETOUR_UPLOAD_GO_ON},
        {307, NULL, 20, true, DETOUR_UPLOAD_STOP},
        {307, NULL, 30, true, DETOUR_UPLOAD_STOP},
        {307, NULL, 30, false, DETOUR_UPLOAD_GO_ON},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture_fields fields;
        fixture_split(cases[i].fields, &fields);
        struct detour_answer answer = {.size = sizeof(answer),
                                       .status = cases[i].status,
                                       .fields = fields.fields,
                                       .field_count = fields.count};
        if (detour_upload_advice(&answer, cases[i].http_version, cases[i].peer_stopped) !=
            cases[i].advice) {
            fail_msg("case %zu", i);
        }
    }
}

/* RFC 9113, 8.1; RFC 9114, 4.1: the reset that follows a complete answer does not undo it. */
static void rfc9113_8_1_the_answer_stands_when_the_stream_is_reset(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "in the middle of an upload",
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{307, "Location: //b.test/", .body_begun = true,
                      .verdict = "follow PUT http://b.test/", .body = "replayable"}}},
    };
    struct detour_answer answer = {.size = sizeof(answer), .status = 307};
    assert_int_equal(detour_upload_advice(&answer, 20, true), DETOUR_UPLOAD_STOP);
    FIXTURE_RUN(cases);
}

static void s7_6_1_fields_of_a_connection_are_per_hop(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "named and well known",
         .fields = "Connection: keep-alive, X-Mine\nKeep-Alive: 5\nX-Mine: 1\nTE: "
                   "trailers\nUpgrade: x\nTransfer-Encoding: chunked\nProxy-Connection: "
                   "close\nProxy-Authorization: Basic eA==\nX-Other: 2",
         .begun = "begin GET http://a.test/one",
         .begun_notes = "",
         .answers = {{302, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .left = "X-Other: 2",
                      .said = "X-Mine is dropped: it belongs to one connection"}}},
        {.name = "proxy",
         .fields = "Proxy-Authorization: Basic eA==",
         .answers = {{302, "Location: /two", .left = "", .notes = "temporary field-dropped",
                      .said = "it belongs to the proxy"}}},
    };
    FIXTURE_RUN(cases);
}

static void s9_2_2_only_idempotent_methods_may_be_sent_again(void **state)
{
    static const struct {
        const char *method;
        bool safe;
        bool idempotent;
    } cases[] = {
        {"GET", true, true},    {"HEAD", true, true},    {"OPTIONS", true, true},
        {"TRACE", true, true},  {"PUT", false, true},    {"DELETE", false, true},
        {"POST", false, false}, {"PATCH", false, false}, {"get", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detour_text method = detour_text_of(cases[i].method);
        assert_int_equal(detour_method_is_safe(method), cases[i].safe);
        assert_int_equal(detour_method_is_idempotent(method), cases[i].idempotent);
    }
}

static void s10_1_1_expect(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "not without content",
         .fields = "Expect: 100-Continue\nX: y",
         .begun = "begin GET http://a.test/one",
         .begun_left = "X: y",
         .begun_notes = "field-dropped"},
        {.name = "with content",
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .fields = "Expect: 100-continue",
         .begun = "begin PUT http://a.test/one",
         .begun_left = "Expect: 100-continue",
         .begun_notes = ""},
        {.name = "417: once more without it",
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .fields = "Expect: 100-continue\nX: y",
         .answers = {{417, NULL, .verdict = "repeat PUT http://a.test/one", .left = "X: y",
                      .notes = "field-dropped", .body = "once"},
                     {417, NULL, .verdict = "deliver"}}},
        {.name = "417 is no redirect",
         .redirects_max = 1,
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .fields = "Expect: 100-continue",
         .url = "http://a.test/one?x#y",
         .answers = {{417, NULL, .verdict = "repeat PUT http://a.test/one?x#y"},
                     {307, "Location: two", .verdict = "follow PUT http://a.test/two#y"},
                     {200, NULL, .verdict = "deliver"}}},
        {.name = "417 after a pipe was begun",
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .fields = "Expect: 100-continue",
         .answers = {{417, NULL, .body_begun = true, .verdict = "deliver"}}},
        {.name = "417 without Expect",
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{417, NULL, .verdict = "deliver"}}},
        {.name = "none any more when the content is gone",
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "Expect: 100-continue",
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .left = ""}}},
    };
    FIXTURE_RUN(cases);
}

static void s10_1_3_referer(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "neither userinfo nor fragment",
         .fields = "Referer: http://u:p@c.test/x?y#z",
         .begun_left = "Referer: http://c.test/x?y",
         .begun_notes = "field-set"},
        {.name = "relative", .fields = "Referer: /x#z", .begun_left = "Referer: http://a.test/x"},
        {.name = "not from https to http",
         .fields = "Referer: https://a.test/secret",
         .begun_left = "",
         .begun_notes = "field-dropped"},
        {.name = "nor after a redirect, rfc",
         .mode = RFC,
         .url = "https://a.test/one",
         .fields = "Referer: https://a.test/x",
         .answers = {{307, "Location: /two", .left = "Referer: https://a.test/x"},
                     {307, "Location: http://a.test/", .left = "",
                      .said = "Referer is dropped: the way leads from https to http"},
                     {307, "Location: https://a.test/three", .left = "Referer: https://a.test/x"}}},
        {.name = "nor after a redirect, whatever the policy",
         .url = "https://a.test/one",
         .fields = "Referer: https://a.test/x",
         .answers = {{307, "Location: http://a.test/\nReferrer-Policy: unsafe-url", .left = ""}}},
        {.name = "not a URL", .fields = "Referer: http://[x/", .begun_left = ""},
        {.name = "nowhere",
         .fields = "Referer: about:blank",
         .begun_left = "Referer: about:blank",
         .answers = {{307, "Location: http://b.test/", .left = "Referer: about:blank"}}},
        {.name = "auto",
         .mode = RFC,
         .auto_referer = true,
         .url = "http://u:p@a.test/one#x",
         .answers = {{307, "Location: two", .left = "Referer: http://a.test/one"},
                     {307, "Location: three", .left = "Referer: http://a.test/two",
                      .said = "it is the URL that redirected"}}},
        {.name = "auto, from https",
         .mode = RFC,
         .auto_referer = true,
         .url = "https://a.test/one",
         .fields = "Referer: https://z.test/",
         .answers = {{307, "Location: http://a.test/two", .left = ""},
                     {307, "Location: three", .left = "Referer: http://a.test/two"}}},
        {.name = "two of them",
         .fields = "Referer: http://a.test/x\nReferer: http://u:p@a.test/y",
         .begun_left = "Referer: http://a.test/x"},
    };
    FIXTURE_RUN(cases);
}

static void s10_2_2_location(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "relative to the target URI",
         .url = "http://a.test/b/c/d;p?q",
         .answers = {{307, "Location: ../g?y", .verdict = "follow GET http://a.test/b/g?y"},
                     {307, "Location: ?z", .verdict = "follow GET http://a.test/b/g?z"}}},
        {.name = "a fragment is inherited",
         .url = "http://a.test/one#frag",
         .answers = {{307, "Location: /two", .verdict = "follow GET http://a.test/two#frag",
                      .notes = "fragment-inherited temporary"},
                     {307, "Location: /three#own", .verdict = "follow GET http://a.test/three#own",
                      .notes = "temporary"},
                     {307, "Location: //b.test/", .verdict = "follow GET http://b.test/#own",
                      .notes = "fragment-crossed origin-changed temporary"},
                     {307, "Location: /four#", .verdict = "follow GET http://b.test/four#",
                      .notes = "temporary"},
                     {307, "Location: /five", .verdict = "follow GET http://b.test/five#"}}},
        {.name = "several that differ",
         .answers = {{302, "Location: /two\nLocation: /three",
                      .verdict = "refuse locations-differ"}}},
        {.name = "three, the last differs",
         .answers = {{302, "Location: /two\nLocation: /two\nLocation: /three",
                      .verdict = "refuse locations-differ"}}},
        {.name = "several that are the same",
         .answers = {{302, "Location: /two\nlocation: /two",
                      .verdict = "follow GET http://a.test/two",
                      .notes = "locations-repeated temporary"}}},
        {.name = "none",
         .answers = {{302, "X: y", .verdict = "deliver no-location", .notes = "location-missing"}}},
        {.name = "not a URL",
         .answers = {{302, "Location: http://[::1/", .verdict = "refuse url-invalid"}}},
        {.name = "on a 201 it means something else",
         .answers = {{201, "Location: /two", .verdict = "deliver", .notes = ""}}},
    };
    FIXTURE_RUN(cases);
}

static void s10_2_3_retry_after_is_the_least_time_to_wait(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "seconds",
         .mode = RFC,
         .answers = {{307, "Location: /two\nRetry-After: 120", .wait_s = 120,
                      .notes = "temporary retry-after"}}},
        {.name = "a date",
         .mode = RFC,
         .answers = {{307, "Location: /two\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT",
                      .wait_s = 60}}},
        {.name = "an old date",
         .mode = RFC,
         .answers = {{307, "Location: /two\nRetry-After: Sunday, 06-Nov-94 08:40:37 GMT",
                      .wait_s = 0, .notes = "temporary retry-after"}}},
        {.name = "nonsense",
         .mode = RFC,
         .answers = {{307, "Location: /two\nRetry-After: soon", .wait_s = 0,
                      .notes = "temporary"}}},
        {.name = "negative",
         .mode = RFC,
         .answers = {{307, "Location: /two\nRetry-After: -5", .wait_s = 0, .notes = "temporary"}}},
        {.name = "too long a number",
         .mode = RFC,
         .answers = {{307, "Location: /two\nRetry-After: 99999999999999999999999",
                      .wait_s = INT64_C(1) << 31}}},
        {.name = "browsers do not wait",
         .answers = {{307, "Location: /two\nRetry-After: 120", .wait_s = 0,
                      .said = "to wait 120 s"}}},
    };
    FIXTURE_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s4_2_1_an_empty_host_is_rejected),
        cmocka_unit_test(s4_2_4_userinfo_in_a_location_is_an_error_or_goes),
        cmocka_unit_test(s4_3_1_an_origin_is_scheme_host_and_port_normalised),
        cmocka_unit_test(s5_5_line_ends_in_a_value_are_rejected),
        cmocka_unit_test(s7_1_and_7_2_no_fragment_goes_out_and_host_is_told),
        cmocka_unit_test(s7_5_an_upload_goes_on_unless_told_otherwise),
        cmocka_unit_test(rfc9113_8_1_the_answer_stands_when_the_stream_is_reset),
        cmocka_unit_test(s7_6_1_fields_of_a_connection_are_per_hop),
        cmocka_unit_test(s9_2_2_only_idempotent_methods_may_be_sent_again),
        cmocka_unit_test(s10_1_1_expect),
        cmocka_unit_test(s10_1_3_referer),
        cmocka_unit_test(s10_2_2_location),
        cmocka_unit_test(s10_2_3_retry_after_is_the_least_time_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
