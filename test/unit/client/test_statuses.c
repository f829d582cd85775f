/* SPDX-License-Identifier: MIT */
/* What the standards ask of a client, as test_protocol.c: what each status of 3xx means (RFC 9110,
 * 15), and the HTTP-redirect fetch of the Fetch standard. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define BROWSER DETOUR_MODE_BROWSER
#define RFC DETOUR_MODE_RFC

static void s15_an_unknown_3xx_is_treated_as_300(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "rfc",
         .mode = RFC,
         .answers = {{399, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .notes = "status-as-300 temporary"}}},
        {.name = "rfc, not safe",
         .mode = RFC,
         .method = "POST",
         .answers = {{399, "Location: /two", .verdict = "deliver not-followed"}}},
        {.name = "browser",
         .answers = {{399, "Location: /two", .verdict = "deliver not-followed",
                      .notes = "status-as-300"}}},
        {.name = "no status",
         .answers = {{99, "Location: /two", .verdict = "deliver status-invalid"}}},
        {.name = "too high",
         .answers = {{600, "Location: /two", .verdict = "deliver status-invalid"}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_1_only_300_301_and_308_are_kept_without_being_told(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "301",
         .answers = {{301, "Location: /two", .notes = "cacheable permanent",
                      .said = "may be remembered until it is forgotten"}}},
        {.name = "302", .answers = {{302, "Location: /two", .notes = "temporary"}}},
        {.name = "303", .answers = {{303, "Location: /two", .notes = "temporary"}}},
        {.name = "307", .answers = {{307, "Location: /two", .notes = "temporary"}}},
        {.name = "308", .answers = {{308, "Location: /two", .notes = "cacheable permanent"}}},
        {.name = "307, told",
         .answers = {{307, "Location: /two\nCache-Control: max-age=23",
                      .notes = "cacheable temporary",
                      .said = "until Sun, 06 Nov 1994 08:50:00 GMT"}}},
        {.name = "307, public",
         .answers = {{307, "Location: /two\nCache-Control: public",
                      .notes = "cache-guess temporary"}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_2_several_interim_answers_come_before_the_one(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "three",
         .answers = {{100, NULL, .verdict = "interim"},
                     {102, NULL, .verdict = "interim"},
                     {103, "Link: </x>", .verdict = "interim"},
                     {307, "Location: /two", .verdict = "follow GET http://a.test/two"},
                     {100, NULL, .verdict = "interim"},
                     {200, NULL, .verdict = "deliver"}}},
        {.name = "Location in one means nothing",
         .answers = {{103, "Location: /two", .verdict = "interim", .notes = ""},
                     {200, NULL, .verdict = "deliver"}}},
        {.name = "101 is the last", .answers = {{101, "Upgrade: x", .verdict = "deliver"}}},
    };
    FIXTURE_RUN(cases);
    const struct detour_verdict *verdict;
    struct detour_chain *chain = fixture_begin(&(struct fixture_case){.name = "many"}, &verdict);
    struct detour_answer answer = {.size = sizeof(answer), .status = 102};
    for (int i = 0; i < DETOUR_INTERIM_MAX; i++) {
        assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
        assert_int_equal(verdict->action, DETOUR_INTERIM);
    }
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_INTERIM);
    detour_chain_free(&chain);
}

#define ALL_FIELDS                                                                         \
    "Accept: */*\nHost: x\nAuthorization: Basic eA==\nCookie: a=b\n!X-Mine: "              \
    "secret\nContent-Type: text/plain\nContent-Length: 3\nIf-None-Match: \"x\"\nReferer: " \
    "http://c.test/\nOrigin: http://a.test"

static void s15_4_what_is_recomputed(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "same origin, GET",
         .mode = RFC,
         .fields = ALL_FIELDS,
         .begun_notes = "field-dropped",
         .answers = {{307, "Location: /two",
                      .left = "Accept: */*\nAuthorization: Basic eA==\nCookie: a=b\nX-Mine: "
                              "secret\nContent-Type: text/plain\nContent-Length: 3\nReferer: "
                              "http://c.test/\nOrigin: http://a.test",
                      .credentials = "yes"}}},
        {.name = "another origin",
         .mode = RFC,
         .fields = ALL_FIELDS,
         .answers = {{307, "Location: //b.test/",
                      .left = "Accept: */*\nContent-Type: text/plain\nContent-Length: 3\nReferer: "
                              "http://c.test/\nOrigin: http://a.test",
                      .credentials = "no"},
                     {307, "Location: //c.test/",
                      .left = "Accept: */*\nContent-Type: text/plain\nContent-Length: 3\nReferer: "
                              "http://c.test/\nOrigin: null"}}},
        {.name = "content fields go with the content",
         .mode = RFC,
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "Content-Type: a/b\nContent-Encoding: gzip\nContent-Language: "
                   "de\nContent-Location: /x\nContent-Length: 3\nDigest: x\nLast-Modified: y\nX: y",
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .left = "X: y", .body = "none"}}},
        {.name = "a condition on a method that is not safe stays",
         .mode = RFC,
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "If-None-Match: *\nIf-Match: \"x\"\nIf-Unmodified-Since: Sun, 06 Nov 1994 "
                   "08:49:37 GMT",
         .answers = {{307, "Location: /two",
                      .left = "If-None-Match: *\nIf-Match: \"x\"\nIf-Unmodified-Since: Sun, 06 Nov "
                              "1994 08:49:37 GMT"}}},
        {.name = "a cycle is found",
         .mode = RFC,
         .answers = {{302, "Location: /two", .verdict = "follow GET http://a.test/two"},
                     {302, "Location: /one", .verdict = "refuse loop", .notes = "loop"}}},
        {.name = "unsafe methods with care",
         .no_unsafe = true,
         .method = "DELETE",
         .answers = {{307, "Location: /two", .verdict = "deliver unsafe"}}},
        {.name = "and otherwise with a note",
         .method = "DELETE",
         .answers = {{307, "Location: /two", .verdict = "follow DELETE http://a.test/two",
                      .notes = "unsafe-resent temporary"}}},
        {.name = "303 makes it safe",
         .no_unsafe = true,
         .method = "DELETE",
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two"}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_4_2_and_3_only_post_may_become_get(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "301 POST, browser",
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{301, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .body = "none", .notes = "method-changed body-dropped permanent",
                      .said = "POST becomes GET"}}},
        {.name = "302 POST, browser",
         .method = "POST",
         .answers = {{302, "Location: /two", .verdict = "follow GET http://a.test/two"}}},
        {.name = "301 POST, rfc",
         .mode = RFC,
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{301, "Location: /two", .verdict = "follow POST http://a.test/two",
                      .body = "replayable"}}},
        {.name = "301 PUT",
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{301, "Location: /two", .verdict = "follow PUT http://a.test/two",
                      .body = "replayable"}}},
        {.name = "302 DELETE",
         .method = "DELETE",
         .answers = {{302, "Location: /two", .verdict = "follow DELETE http://a.test/two"}}},
        {.name = "302 PATCH",
         .method = "PATCH",
         .answers = {{302, "Location: /two", .verdict = "follow PATCH http://a.test/two"}}},
        {.name = "301 HEAD",
         .method = "HEAD",
         .answers = {{301, "Location: /two", .verdict = "follow HEAD http://a.test/two"}}},
        {.name = "methods have a case",
         .method = "post",
         .answers = {{302, "Location: /two", .verdict = "follow post http://a.test/two"}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_4_4_303_becomes_get_and_head_stays(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "POST",
         .method = "POST",
         .body = DETOUR_BODY_ONCE,
         .answers = {{303, "Location: /two", .body_begun = true,
                      .verdict = "follow GET http://a.test/two", .body = "none"}}},
        {.name = "PUT",
         .mode = RFC,
         .method = "PUT",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .body = "none"}}},
        {.name = "DELETE",
         .method = "DELETE",
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two"}}},
        {.name = "HEAD",
         .method = "HEAD",
         .answers = {{303, "Location: /two", .verdict = "follow HEAD http://a.test/two"}}},
        {.name = "GET with content",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "Content-Type: a/b",
         .answers = {{303, "Location: /two", .verdict = "follow GET http://a.test/two",
                      .body = "none", .left = ""}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_4_6_and_7_305_and_306_are_never_followed(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "305",
         .mode = RFC,
         .answers = {{305, "Location: //proxy.test/", .verdict = "deliver not-followed",
                      .notes = "status-retired"}}},
        {.name = "306",
         .mode = RFC,
         .answers = {{306, "Location: //proxy.test/", .verdict = "deliver not-followed",
                      .notes = "status-retired"}}},
        {.name = "305, browser",
         .answers = {{305, "Location: //proxy.test/", .verdict = "deliver not-followed"}}},
        {.name = "304",
         .mode = RFC,
         .answers = {{304, "Location: /two", .verdict = "deliver not-followed", .notes = ""}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_4_1_300_with_a_preference(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "rfc",
         .mode = RFC,
         .answers = {{300, "Location: /two", .verdict = "follow GET http://a.test/two"}}},
        {.name = "rfc, HEAD",
         .mode = RFC,
         .method = "HEAD",
         .answers = {{300, "Location: /two", .verdict = "follow HEAD http://a.test/two"}}},
        {.name = "rfc, none",
         .mode = RFC,
         .answers = {{300, NULL, .verdict = "deliver no-location"}}},
        {.name = "browser",
         .answers = {{300, "Location: /two", .verdict = "deliver not-followed"}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_4_8_307_keeps_the_method_and_the_old_url(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "POST",
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .fields = "Content-Type: a/b",
         .answers = {{307, "Location: //b.test/two", .verdict = "follow POST http://b.test/two",
                      .body = "replayable", .left = "Content-Type: a/b",
                      .notes = "origin-changed unsafe-resent body-resent temporary",
                      .said = "the old URL stays"}}},
        {.name = "a method of one's own",
         .method = "PROPFIND",
         .answers = {{307, "Location: /two", .verdict = "follow PROPFIND http://a.test/two"}}},
        {.name = "HEAD",
         .method = "HEAD",
         .answers = {{307, "Location: /two", .verdict = "follow HEAD http://a.test/two"}}},
    };
    FIXTURE_RUN(cases);
}

static void s15_4_9_308_is_the_same_for_good(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "POST",
         .method = "POST",
         .body = DETOUR_BODY_REPLAYABLE,
         .answers = {{308, "Location: /two", .verdict = "follow POST http://a.test/two",
                      .body = "replayable", .notes = "unsafe-resent body-resent permanent",
                      .said = "from now on"}}},
    };
    FIXTURE_RUN(cases);
}

static void s17_5_and_17_11_everything_has_a_bound(void **state)
{
    static char url[DETOUR_URL_BYTES_MAX + 2];
    static struct detour_field fields[DETOUR_FIELDS_MAX + 1];
    static char value[DETOUR_FIELD_BYTES_MAX + 1];
    const struct detour_verdict *verdict;
    struct detour_chain *chain;
    struct detour_answer answer = {.size = sizeof(answer), .status = 307, .fields = fields};
    assert_int_equal(detour_chain_new(NULL, &chain), DETOUR_OK);

    memset(url, 'a', sizeof(url));
    memcpy(url, "http://a/", 9);
    struct detour_request request = {.size = sizeof(request),
                                     .method = detour_text_of("GET"),
                                     .url = {url, DETOUR_URL_BYTES_MAX + 1}};
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);
    request.url.len--;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->action, DETOUR_BEGIN);

    /* A Location that is too long, also once it is resolved. */
    fields[0] = (struct detour_field){.name = detour_text_of("Location"),
                                      .value = {url, DETOUR_URL_BYTES_MAX + 1}};
    answer.field_count = 1;
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);
    memset(url + 9, '"', sizeof(url) - 9);
    fields[0].value.len = DETOUR_URL_BYTES_MAX / 2;
    request.url.len = 9;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);

    /* Fields, by number and by length. */
    for (size_t i = 0; i <= DETOUR_FIELDS_MAX; i++) {
        fields[i] = (struct detour_field){.name = detour_text_of("X")};
    }
    answer.field_count = DETOUR_FIELDS_MAX + 1;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);
    request.fields = fields;
    request.field_count = DETOUR_FIELDS_MAX + 1;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);
    memset(value, 'x', sizeof(value));
    fields[0].value = (struct detour_text){value, sizeof(value) - 1};
    request.field_count = 1;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);
    for (size_t i = 0; i < 5; i++) {
        fields[i].value = (struct detour_text){value, sizeof(value) - 2};
    }
    request.field_count = 5;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);
    request.field_count = 4;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->action, DETOUR_BEGIN);

    request.field_count = 0;
    request.method = (struct detour_text){value, DETOUR_METHOD_BYTES_MAX + 1};
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_LIMIT);
    detour_chain_free(&chain);
}

/* Redirects until the verdict is no more DETOUR_FOLLOW; gives how many were followed. */
static size_t follow_all(enum detour_mode mode, uint32_t redirects_max, enum detour_reason *reason)
{
    const struct fixture_case each = {
        .name = "begun", .mode = mode, .redirects_max = redirects_max};
    const struct detour_verdict *verdict;
    struct detour_chain *chain = fixture_begin(&each, &verdict);
    size_t followed = 0;
    do {
        char number[8];
        snprintf(number, sizeof(number), "%zu", followed);
        struct detour_field field = {.name = detour_text_of("Location"),
                                     .value = detour_text_of(number)};
        struct detour_answer answer = {
            .size = sizeof(answer), .status = 302, .fields = &field, .field_count = 1};
        assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
        followed += verdict->action == DETOUR_FOLLOW;
    } while (verdict->action == DETOUR_FOLLOW);
    *reason = verdict->reason;
    detour_chain_free(&chain);
    return followed;
}

static void fetch_4_the_21st_redirect_is_an_error(void **state)
{
    enum detour_reason reason;
    assert_int_equal(follow_all(BROWSER, 0, &reason), 20);
    assert_int_equal(reason, DETOUR_REASON_TOO_MANY);
    assert_int_equal(follow_all(RFC, 0, &reason), 20);
    assert_int_equal(follow_all(RFC, 3, &reason), 3);
    assert_int_equal(follow_all(RFC, DETOUR_REDIRECTS_MAX, &reason), DETOUR_REDIRECTS_MAX);
}

static void fetch_1_only_five_statuses_redirect(void **state)
{
    for (uint16_t status = 100; status < 600; status++) {
        bool redirects =
            status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
        assert_int_equal(detour_status_redirects(status), redirects);
        const struct detour_verdict *verdict;
        struct detour_chain *chain =
            fixture_begin(&(struct fixture_case){.name = "begun"}, &verdict);
        struct detour_field field = {.name = detour_text_of("Location"),
                                     .value = detour_text_of("/")};
        struct detour_answer answer = {
            .size = sizeof(answer), .status = status, .fields = &field, .field_count = 1};
        assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
        assert_int_equal(verdict->action == DETOUR_FOLLOW, redirects);
        detour_chain_free(&chain);
    }
}

static void fetch_3_no_location_is_the_answer_and_other_schemes_are_errors(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "none", .answers = {{307, NULL, .verdict = "deliver no-location"}}},
        {.name = "ftp", .answers = {{307, "Location: ftp://a.test/", .verdict = "refuse scheme"}}},
        {.name = "about", .answers = {{307, "Location: about:blank", .verdict = "refuse scheme"}}},
        {.name = "ws", .answers = {{307, "Location: ws://a.test/", .verdict = "refuse scheme"}}},
        {.name = "unparsable",
         .answers = {{307, "Location: http://a b/", .verdict = "refuse url-invalid"}}},
        {.name = "https alone",
         .schemes = DETOUR_SCHEME_HTTPS,
         .url = "https://a.test/",
         .answers = {{307, "Location: http://a.test/", .verdict = "refuse scheme"}}},
        {.name = "https alone, first", .schemes = DETOUR_SCHEME_HTTPS, .begun = "refuse scheme"},
        {.name = "http alone",
         .schemes = DETOUR_SCHEME_HTTP,
         .answers = {{307, "Location: https://a.test/", .verdict = "refuse scheme"}}},
        {.name = "file, first", .url = "file:///etc/passwd", .begun = "refuse scheme"},
    };
    FIXTURE_RUN(cases);
}

static void fetch_5_a_pipe_is_not_sent_twice(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "307",
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .answers = {{307, "Location: /two", .body_begun = true, .verdict = "refuse body-spent"}}},
        {.name = "302, though POST becomes GET",
         .method = "POST",
         .body = DETOUR_BODY_ONCE,
         .answers = {{302, "Location: /two", .body_begun = true, .verdict = "refuse body-spent"}}},
        {.name = "303",
         .method = "POST",
         .body = DETOUR_BODY_ONCE,
         .answers = {{303, "Location: /two", .body_begun = true,
                      .verdict = "follow GET http://a.test/two"}}},
        {.name = "not begun",
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .fields = "Expect: 100-continue",
         .answers = {{307, "Location: //b.test/two", .verdict = "follow PUT http://b.test/two",
                      .left = "Expect: 100-continue", .body = "once"},
                     {308, "Location: /three", .verdict = "follow PUT http://b.test/three",
                      .body = "once"},
                     {307, "Location: /four", .body_begun = true, .verdict = "refuse body-spent"}}},
        {.name = "rfc",
         .mode = RFC,
         .method = "POST",
         .body = DETOUR_BODY_ONCE,
         .answers = {{301, "Location: /two", .body_begun = true, .verdict = "refuse body-spent"}}},
        {.name = "begun before an interim answer",
         .method = "PUT",
         .body = DETOUR_BODY_ONCE,
         .answers = {{102, NULL, .body_begun = true},
                     {307, "Location: /two", .verdict = "refuse body-spent"}}},
    };
    FIXTURE_RUN(cases);
}

static void fetch_7_another_origin_gets_no_credentials(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "for good",
         .fields = "Authorization: Basic eA==\nCookie: a=b\n!X-Key: k\nX: y",
         .answers = {{302, "Location: //b.test/", .left = "X: y", .credentials = "no",
                      .notes = "origin-changed temporary credentials-dropped credentials-dropped "
                               "credentials-dropped"},
                     {302, "Location: //a.test/one", .left = "X: y", .credentials = "no",
                      .notes = "origin-changed temporary"},
                     {302, "Location: //a.test/three", .left = "X: y", .credentials = "no",
                      .notes = "temporary"}}},
        {.name = "trusted",
         .location_trusted = true,
         .fields = "Authorization: Basic eA==",
         .answers = {{302, "Location: //b.test/", .left = "Authorization: Basic eA==",
                      .credentials = "yes", .notes = "origin-changed temporary credentials-sent"}}},
        {.name = "what sounds like a secret is told",
         .fields = "X-Api-Key: k",
         .answers = {{302, "Location: //b.test/", .left = "X-Api-Key: k",
                      .notes = "origin-changed temporary secret-sent"}}},
    };
    FIXTURE_RUN(cases);
}

/* RFC 3986, 5.4, as a chain resolves them; all of the list is in test_url.c. */
static void rfc3986_5_2_a_reference_is_resolved(void **state)
{
    static const struct fixture_case cases[] = {
        {.name = "merge",
         .url = "http://a/b/c/d;p?q",
         .answers = {{302, "Location: g;x=1/../y", .verdict = "follow GET http://a/b/c/y"}}},
        {.name = "above the root",
         .url = "http://a/b/c/d;p?q",
         .answers = {{302, "Location: ../../../g", .verdict = "follow GET http://a/g"}}},
        {.name = "a backslash, as browsers do, and says so",
         .answers = {{302, "Location: \\\\b.test\\x", .verdict = "follow GET http://b.test/x",
                      .notes = "location-mended origin-changed temporary"}}},
        {.name = "a tab",
         .mode = RFC,
         .answers = {{302, "Location: /t\two", .verdict = "follow GET http://a.test/two",
                      .notes = "location-mended temporary"}}},
        {.name = "beyond ASCII, UTF-8 or not",
         .answers = {{302, "Location: /\xC3\xBC\xE4",
                      .verdict = "follow GET http://a.test/%C3%BC%E4",
                      .notes = "location-mended temporary"}}},
        {.name = "a host beyond ASCII",
         .answers = {{302,
                      "Location: http://b\xC3\xBC"
                      "cher.test/",
                      .verdict = "follow GET http://xn--bcher-kva.test/"}}},
    };
    FIXTURE_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s15_an_unknown_3xx_is_treated_as_300),
        cmocka_unit_test(s15_1_only_300_301_and_308_are_kept_without_being_told),
        cmocka_unit_test(s15_2_several_interim_answers_come_before_the_one),
        cmocka_unit_test(s15_4_what_is_recomputed),
        cmocka_unit_test(s15_4_1_300_with_a_preference),
        cmocka_unit_test(s15_4_2_and_3_only_post_may_become_get),
        cmocka_unit_test(s15_4_4_303_becomes_get_and_head_stays),
        cmocka_unit_test(s15_4_6_and_7_305_and_306_are_never_followed),
        cmocka_unit_test(s15_4_8_307_keeps_the_method_and_the_old_url),
        cmocka_unit_test(s15_4_9_308_is_the_same_for_good),
        cmocka_unit_test(s17_5_and_17_11_everything_has_a_bound),
        cmocka_unit_test(fetch_1_only_five_statuses_redirect),
        cmocka_unit_test(fetch_3_no_location_is_the_answer_and_other_schemes_are_errors),
        cmocka_unit_test(fetch_4_the_21st_redirect_is_an_error),
        cmocka_unit_test(fetch_5_a_pipe_is_not_sent_twice),
        cmocka_unit_test(fetch_7_another_origin_gets_no_credentials),
        cmocka_unit_test(rfc3986_5_2_a_reference_is_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
