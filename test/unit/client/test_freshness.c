/* SPDX-License-Identifier: MIT */
/* What may be used again, and until when (RFC 9111, 3, 4.2 and 5.2), and the dates it takes. */
#include "client/date.h"
#include "client/freshness.h"

#include "fixture.h"

#include <string.h>

/* The fixture's now is Sun, 06 Nov 1994 08:49:37 GMT. */
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\n"

struct freshness_case {
    uint16_t status;
    const char *method; /* NULL: GET */
    const char *request;
    const char *answer;
    bool shared;
    int64_t delay_s; /* from request to answer */
    const char *cache;
    int64_t left_s; /* from now to the end; INT64_MAX: no end */
    int64_t age_s;
    bool guess;
};

static const struct freshness_case cases[] = {
    /* 3 and 4.2.2: what its status says when it says nothing. */
    {301, .cache = "fresh", .left_s = INT64_MAX},
    {308, .cache = "fresh", .left_s = INT64_MAX},
    {300, .cache = "not-told"},
    {302, .cache = "not-told"},
    {303, .cache = "not-told"},
    {307, .cache = "not-told"},
    {200, .answer = "Cache-Control: max-age=9", .cache = "status"},
    {304, .answer = "Cache-Control: max-age=9", .cache = "status"},
    {310, .answer = "Cache-Control: max-age=9", .cache = "status"},
    {307, .method = "HEAD", .answer = "Cache-Control: max-age=9", .cache = "fresh", .left_s = 9},
    {308, .method = "POST", .answer = "Cache-Control: max-age=9", .cache = "method"},
    /* The trap of 4.2.2. */
    {307, .answer = "Cache-Control: public", .cache = "not-told", .guess = true},
    {302, .answer = "Cache-Control: public", .shared = true, .cache = "not-told", .guess = true},
    {307, .answer = "Cache-Control: private", .cache = "not-told"},
    {300, .answer = "Cache-Control: public", .cache = "not-told"},
    /* 4.2.1: s-maxage over max-age over Expires minus Date. */
    {307, .answer = "Cache-Control: max-age=60", .cache = "fresh", .left_s = 60},
    {301, .answer = "Cache-Control: max-age=60", .cache = "fresh", .left_s = 60},
    {307, .answer = "Cache-Control: public, MAX-AGE=60", .cache = "fresh", .left_s = 60},
    {307, .answer = "Cache-Control: max-age=\"60\"", .cache = "fresh", .left_s = 60},
    {307, .answer = "Cache-Control: s-maxage=5, max-age=60", .cache = "fresh", .left_s = 60},
    {307, .answer = "Cache-Control: s-maxage=5, max-age=60", .shared = true, .cache = "fresh",
     .left_s = 5},
    {307, .answer = "Cache-Control: s-maxage=5", .cache = "not-told"},
    {307, .answer = DATE "Expires: Sun, 06 Nov 1994 09:49:37 GMT", .cache = "fresh",
     .left_s = 3600},
    {307, .answer = "Date: Sun, 06 Nov 1994 08:49:07 GMT\nExpires: Sun, 06 Nov 1994 08:50:07 GMT",
     .cache = "fresh", .left_s = 30, .age_s = 30},
    {307, .answer = "Expires: Sun, 06 Nov 1994 08:50:37 GMT", .cache = "fresh", .left_s = 60},
    {307, .answer = DATE "Expires: Sun, 06 Nov 1994 09:49:37 GMT\nCache-Control: max-age=7",
     .cache = "fresh", .left_s = 7},
    {307, .answer = "Cache-Control: max-age=7\nCache-Control: private", .cache = "fresh",
     .left_s = 7},
    /* An invalid lifetime is over. */
    {308, .answer = "Cache-Control: max-age=-1", .cache = "stale"},
    {308, .answer = "Cache-Control: max-age", .cache = "stale"},
    {308, .answer = "Cache-Control: max-age=1.5", .cache = "stale"},
    {308, .answer = "Cache-Control: max-age=0", .cache = "stale"},
    {308, .answer = "Cache-Control: max-age=5, max-age=6", .cache = "stale"},
    {308, .answer = "Cache-Control: max-age=5, max-age=5", .cache = "fresh", .left_s = 5},
    {308, .answer = "Expires: 0", .cache = "stale"},
    {308, .answer = "Expires: Sun, 06 Nov 1994 08:00:00 GMT", .cache = "stale"},
    {308,
     .answer = "Expires: Sun, 06 Nov 1994 09:00:00 GMT\nExpires: Sun, 06 Nov 1994 10:00:00 GMT",
     .cache = "stale"},
    {307, .answer = "Cache-Control: max-age=99999999999999999999", .cache = "fresh",
     .left_s = INT64_C(1) << 31},
    /* 4.2.3: the age it came with. */
    {307, .answer = "Cache-Control: max-age=60\nAge: 20", .cache = "fresh", .left_s = 40,
     .age_s = 20},
    {307, .answer = "Cache-Control: max-age=60\nAge: 20\nAge: 50", .cache = "fresh", .left_s = 40,
     .age_s = 20},
    {307, .answer = "Cache-Control: max-age=60\nAge: x", .cache = "fresh", .left_s = 60},
    {307, .answer = "Cache-Control: max-age=60\nAge: 60", .cache = "stale", .left_s = 0,
     .age_s = 60},
    {307, .answer = "Cache-Control: max-age=60\nAge: 20", .delay_s = 5, .cache = "fresh",
     .left_s = 35, .age_s = 25},
    {307, .answer = "Cache-Control: max-age=60\nDate: Sun, 06 Nov 1994 08:49:07 GMT",
     .cache = "fresh", .left_s = 30, .age_s = 30},
    {307, .answer = "Cache-Control: max-age=60\nDate: Sun, 06 Nov 1994 09:49:07 GMT",
     .cache = "fresh", .left_s = 60},
    {308, .answer = "Age: 20", .cache = "fresh", .left_s = INT64_MAX, .age_s = 20},
    /* 5.2.2 */
    {308, .answer = "Cache-Control: no-store, max-age=60", .cache = "no-store"},
    {308, .answer = "Cache-Control: no-store, must-understand, max-age=60", .cache = "fresh",
     .left_s = 60},
    {308, .answer = "Cache-Control: no-cache, max-age=60", .cache = "no-cache"},
    {308, .answer = "Cache-Control: x=\"no-store, \", max-age=60", .cache = "fresh", .left_s = 60},
    {307, .answer = "Cache-Control: private, max-age=60", .cache = "fresh", .left_s = 60},
    {307, .answer = "Cache-Control: private, max-age=60", .shared = true, .cache = "private"},
    {308, .request = "Cache-Control: no-store", .cache = "no-store"},
    /* 3.5 */
    {308, .request = "Authorization: Basic eA==", .shared = true, .cache = "authorization"},
    {308, .request = "Authorization: Basic eA==", .cache = "fresh", .left_s = INT64_MAX},
    {308, .request = "Authorization: Basic eA==", .answer = "Cache-Control: public", .shared = true,
     .cache = "fresh", .left_s = INT64_MAX},
    {308, .request = "Authorization: Basic eA==", .answer = "Cache-Control: s-maxage=9",
     .shared = true, .cache = "fresh", .left_s = 9},
    {308, .request = "Authorization: Basic eA==", .answer = "Cache-Control: must-revalidate",
     .shared = true, .cache = "fresh", .left_s = INT64_MAX},
    /* 4.1 */
    {308, .answer = "Vary: *", .cache = "vary"},
    {308, .answer = "Vary: Accept, *", .cache = "vary"},
    {308, .answer = "Vary: Accept", .cache = "fresh", .left_s = INT64_MAX},
};

static void judge(const struct freshness_case *each, struct detour_freshness *out, bool *guess)
{
    struct fixture_fields request_fields;
    struct fixture_fields answer_fields;
    fixture_split(each->request, &request_fields);
    fixture_split(each->answer, &answer_fields);
    struct detour_request request = {
        .size = sizeof(request),
        .method = detour_text_of(each->method != NULL ? each->method : "GET"),
        .fields = request_fields.fields,
        .field_count = request_fields.count,
    };
    struct detour_answer answer = {
        .size = sizeof(answer),
        .status = each->status,
        .fields = answer_fields.fields,
        .field_count = answer_fields.count,
        .received_s = FIXTURE_NOW,
        .requested_s = each->delay_s > 0 ? FIXTURE_NOW - each->delay_s : 0,
    };
    freshness_judge(&request, &answer, each->shared, out, guess);
}

static void lifetimes(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct freshness_case *each = &cases[i];
        struct detour_freshness freshness;
        bool guess;
        judge(each, &freshness, &guess);
        int64_t until = each->left_s == INT64_MAX ? INT64_MAX : FIXTURE_NOW + each->left_s;
        bool timed = freshness.cache == DETOUR_CACHE_FRESH;
        if (strcmp(detour_cache_name(freshness.cache), each->cache) != 0 || guess != each->guess ||
            (timed && freshness.fresh_until_s != until) || freshness.age_s != each->age_s) {
            fail_msg("case %zu (%u, %s): %s until %lld, age %lld", i, each->status, each->answer,
                     detour_cache_name(freshness.cache),
                     (long long)(freshness.fresh_until_s - FIXTURE_NOW),
                     (long long)freshness.age_s);
        }
    }
}

static void without_a_clock_nothing_is_said(void **state)
{
    struct detour_request request = {.size = sizeof(request), .method = detour_text_of("GET")};
    struct detour_answer answer = {.size = sizeof(answer), .status = 308};
    struct detour_freshness freshness;
    bool guess;
    freshness_judge(&request, &answer, false, &freshness, &guess);
    assert_int_equal(freshness.cache, DETOUR_CACHE_UNKNOWN);
}

static void what_a_request_asks(void **state)
{
    static const struct {
        const char *fields;
        bool no_cache;
        bool no_store;
        int64_t max_age; /* -1: absent */
        int64_t min_fresh;
    } asked[] = {
        {NULL, false, false, -1, -1},
        {"Cache-Control: no-cache", true, false, -1, -1},
        {"Pragma: no-cache", true, false, -1, -1},
        {"Pragma: no-cache\nCache-Control: max-age=5", false, false, 5, -1},
        {"Cache-Control: no-store , min-fresh=30", false, true, -1, 30},
    };
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct fixture_fields fields;
        struct directives directives;
        fixture_split(asked[i].fields, &fields);
        directives_read(fields.fields, fields.count, &directives);
        assert_int_equal(directives.no_cache, asked[i].no_cache);
        assert_int_equal(directives.no_store, asked[i].no_store);
        assert_int_equal(directives.max_age.present ? directives.max_age.value : -1,
                         asked[i].max_age);
        assert_int_equal(directives.min_fresh.present ? directives.min_fresh.value : -1,
                         asked[i].min_fresh);
    }
}

static void dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } texts[] = {
        /* RFC 9110, 5.6.7 */
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 16 08:49:37 1994", 784975777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
        {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799)},
        /* Two digits: 2045 would be more than 50 years ahead of 1994. */
        {"Sunday, 06-Nov-45 08:49:37 GMT", -762189023},
        {"Sunday, 06-Nov-44 08:49:37 GMT", INT64_C(2362034977)},
        {"Mon, 29 Feb 1900 00:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 nov 1994 08:49:37 GMT", -1},
        {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 CET", -1},
        {"784111777", -1},
        {"0", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t seconds = -1;
        bool good = date_parse(span_cstr(texts[i].text), FIXTURE_NOW, &seconds);
        if (good != (texts[i].seconds != -1) || seconds != texts[i].seconds) {
            fail_msg("%s: %lld", texts[i].text, (long long)seconds);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifetimes),
        cmocka_unit_test(without_a_clock_nothing_is_said),
        cmocka_unit_test(what_a_request_asks),
        cmocka_unit_test(dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
