/* SPDX-License-Identifier: MIT */
/* The memory of a client: what is learnt, what is found again, what is forgotten (RFC 9111). Each
 * test runs twice, with a store in memory and with one in a file. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    char folder[64];
    char path[96];
    bool in_file;
    struct detour_store *store;
};

static void place_open(struct place *place, bool in_file,
                       const struct detour_store_options *options)
{
    char why[DETOUR_WHY_BYTES];
    place->in_file = in_file;
    snprintf(place->folder, sizeof(place->folder), "/tmp/detour-store-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof(place->path), "%s/redirects", place->folder);
    enum detour_error error = in_file ? detour_store_open(place->path, options, why, &place->store)
                                      : detour_store_new(options, &place->store);
    if (error != DETOUR_OK) {
        fail_msg("%s: %s", detour_error_text(error), why);
    }
}

static void place_close(struct place *place)
{
    char lock[112];
    detour_store_free(&place->store);
    assert_null(place->store);
    snprintf(lock, sizeof(lock), "%s-lock", place->path);
    unlink(place->path);
    unlink(lock);
    assert_int_equal(rmdir(place->folder), 0);
}

static enum detour_learnt learn(struct place *place, const char *method, const char *url,
                                const char *asked, uint16_t status, const char *answered,
                                int64_t now_s)
{
    struct fixture_fields request_fields;
    struct fixture_fields answer_fields;
    enum detour_learnt learnt;
    fixture_split(asked, &request_fields);
    fixture_split(answered, &answer_fields);
    struct detour_request request = {.size = sizeof(request),
                                     .method = detour_text_of(method),
                                     .url = detour_text_of(url),
                                     .fields = request_fields.fields,
                                     .field_count = request_fields.count};
    struct detour_answer answer = {.size = sizeof(answer),
                                   .status = status,
                                   .fields = answer_fields.fields,
                                   .field_count = answer_fields.count,
                                   .received_s = now_s};
    assert_int_equal(detour_store_learn(place->store, &request, &answer, &learnt), DETOUR_OK);
    return learnt;
}

static struct detour_hit *find(struct place *place, const char *method, const char *url,
                               const char *asked, int64_t now_s)
{
    struct fixture_fields fields;
    struct detour_hit *hit;
    fixture_split(asked, &fields);
    struct detour_request request = {.size = sizeof(request),
                                     .method = detour_text_of(method),
                                     .url = detour_text_of(url),
                                     .fields = fields.fields,
                                     .field_count = fields.count};
    assert_int_equal(detour_store_find(place->store, &request, now_s, &hit), DETOUR_OK);
    return hit;
}

static const char *value_of(const struct detour_answer *answer, const char *name)
{
    static char value[256];
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct detour_field *field = &answer->fields[i];
        if (field->name.len == strlen(name) &&
            memcmp(field->name.ptr, name, field->name.len) == 0) {
            snprintf(value, sizeof(value), "%.*s", DETOUR_TEXT_ARG(field->value));
            return value;
        }
    }
    return NULL;
}

static bool known(struct place *place, const char *url, int64_t now_s)
{
    struct detour_hit *hit = find(place, "GET", url, NULL, now_s);
    bool is_known = hit != NULL;
    detour_hit_free(&hit);
    return is_known;
}

static size_t count(struct place *place)
{
    size_t number;
    assert_int_equal(detour_store_count(place->store, &number), DETOUR_OK);
    return number;
}

#define NOW FIXTURE_NOW
#define URL "http://a.test/one"

/* ---- a 307 only when told, for as long as told ---- */

static void a_bare_307_is_not_remembered(struct place *place)
{
    assert_int_equal(learn(place, "GET", URL, NULL, 307, "Location: /two", NOW),
                     DETOUR_LEARNT_NOTHING);
    assert_int_equal(
        learn(place, "GET", URL, NULL, 307, "Location: /two\nCache-Control: public", NOW),
        DETOUR_LEARNT_NOTHING);
    assert_int_equal(
        learn(place, "GET", URL, NULL, 302, "Location: /two\nCache-Control: private", NOW),
        DETOUR_LEARNT_NOTHING);
    assert_int_equal(count(place), 0);
    assert_false(known(place, URL, NOW));
}

static void a_307_is_remembered_as_long_as_told(struct place *place)
{
    assert_int_equal(learn(place, "GET", URL "#frag", NULL, 307,
                           "Location: /two\nX: y\nCache-Control: max-age=60\nAge: 10", NOW),
                     DETOUR_LEARNT_STORED);
    struct detour_hit *hit = find(place, "GET", "HTTP://A.test:80/one", NULL, NOW + 20);
    assert_non_null(hit);
    assert_int_equal(hit->answer->status, 307);
    assert_true(hit->answer->from_store);
    assert_int_equal(hit->age_s, 30);
    assert_int_equal(hit->fresh_until_s, NOW + 50);
    assert_string_equal(value_of(hit->answer, "Location"), "/two");
    assert_string_equal(value_of(hit->answer, "Age"), "30");
    assert_null(value_of(hit->answer, "X"));
    detour_hit_free(&hit);
    assert_null(hit);
    assert_true(known(place, URL, NOW + 49));
    assert_false(known(place, URL, NOW + 50));
    assert_false(known(place, URL "?x", NOW));
    assert_false(known(place, "https://a.test/one", NOW));
}

static void a_308_is_remembered_until_it_is_forgotten(struct place *place)
{
    assert_int_equal(learn(place, "GET", URL, NULL, 308, "Location: /two", NOW),
                     DETOUR_LEARNT_STORED);
    assert_true(known(place, URL, NOW + INT64_C(100) * 365 * 86400));
    assert_int_equal(detour_store_sweep(place->store, NOW + INT64_C(100) * 365 * 86400), DETOUR_OK);
    assert_true(known(place, URL, NOW));
    assert_int_equal(detour_store_forget(place->store, detour_text_of(URL "#x")), DETOUR_OK);
    assert_false(known(place, URL, NOW));
    assert_int_equal(
        learn(place, "GET", URL, NULL, 308, "Location: /two\nCache-Control: max-age=5", NOW),
        DETOUR_LEARNT_STORED);
    assert_false(known(place, URL, NOW + 5));
}

static void a_newer_answer_takes_the_place(struct place *place)
{
    learn(place, "GET", URL, NULL, 308, "Location: /two", NOW);
    learn(place, "GET", URL, NULL, 308, "Location: /three", NOW + 1);
    assert_int_equal(count(place), 1);
    struct detour_hit *hit = find(place, "GET", URL, NULL, NOW + 1);
    assert_string_equal(value_of(hit->answer, "Location"), "/three");
    detour_hit_free(&hit);
    /* What may not be kept is the truth all the same. */
    assert_int_equal(learn(place, "GET", URL, NULL, 200, NULL, NOW + 2), DETOUR_LEARNT_NOTHING);
    assert_false(known(place, URL, NOW + 2));
}

/* ---- 4: other methods ---- */

static void head_is_answered_by_what_get_brought(struct place *place)
{
    assert_int_equal(learn(place, "HEAD", URL, NULL, 308, "Location: /two", NOW),
                     DETOUR_LEARNT_NOTHING);
    assert_false(known(place, URL, NOW));
    learn(place, "GET", URL, NULL, 308, "Location: /two", NOW);
    struct detour_hit *hit = find(place, "HEAD", URL, NULL, NOW);
    assert_non_null(hit);
    detour_hit_free(&hit);
    assert_null(find(place, "POST", URL, NULL, NOW));
    assert_null(find(place, "PUT", URL, NULL, NOW));
    assert_null(find(place, "OPTIONS", URL, NULL, NOW));
}

/* ---- 4.4 ---- */

static void an_unsafe_method_invalidates(struct place *place)
{
    static const struct {
        const char *method;
        uint16_t status;
        const char *fields;
        bool one; /* whether it is still known afterwards */
        bool two;
        bool other;
    } cases[] = {
        {"POST", 200, NULL, false, true, true},
        {"DELETE", 204, NULL, false, true, true},
        {"PUT", 307, "Location: /two", false, false, true},
        {"POST", 303, "Location: http://b.test/other", false, true, true},
        {"POST", 201, "Content-Location: two", false, false, true},
        {"POST", 201, "Location: http://u:p@a.test/two#x", false, false, true},
        {"POST", 404, "Location: /two", true, true, true},
        {"POST", 500, NULL, true, true, true},
        {"OPTIONS", 200, NULL, true, true, true},
        {"HEAD", 200, NULL, true, true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        learn(place, "GET", URL, NULL, 308, "Location: /x", NOW);
        learn(place, "GET", "http://a.test/two", NULL, 308, "Location: /x", NOW);
        learn(place, "GET", "http://b.test/other", NULL, 308, "Location: /x", NOW);
        learn(place, cases[i].method, URL, NULL, cases[i].status, cases[i].fields, NOW);
        if (known(place, URL, NOW) != cases[i].one ||
            known(place, "http://a.test/two", NOW) != cases[i].two ||
            known(place, "http://b.test/other", NOW) != cases[i].other) {
            fail_msg("case %zu", i);
        }
    }
}

/* ---- 4.1 ---- */

static void vary_tells_requests_apart(struct place *place)
{
    const char *answer = "Location: /de\nVary: Accept-Language, X-Mine";
    learn(place, "GET", URL, "Accept-Language: de", 308, answer, NOW);
    assert_false(known(place, URL, NOW));
    assert_null(find(place, "GET", URL, "Accept-Language: en", NOW));
    assert_null(find(place, "GET", URL, "Accept-Language: de\nX-Mine:", NOW));
    struct detour_hit *hit = find(place, "GET", URL, "accept-language: de\nX: y", NOW);
    assert_non_null(hit);
    detour_hit_free(&hit);

    learn(place, "GET", URL, "Accept-Language: de, en", 308,
          "Location: /both\nVary: accept-language", NOW);
    hit = find(place, "GET", URL, "Accept-Language: de\nAccept-Language: en", NOW);
    assert_non_null(hit);
    assert_string_equal(value_of(hit->answer, "Location"), "/both");
    detour_hit_free(&hit);
    assert_int_equal(count(place), 1);

    assert_int_equal(learn(place, "GET", URL, NULL, 308, "Location: /x\nVary: *", NOW),
                     DETOUR_LEARNT_NOTHING);
    assert_int_equal(count(place), 0);
}

static void the_oldest_variant_goes(struct place *place)
{
    for (int i = 0; i < DETOUR_VARIANTS_MAX + 3; i++) {
        char asked[32];
        snprintf(asked, sizeof(asked), "X: %d", i);
        assert_int_equal(learn(place, "GET", URL, asked, 308, "Location: /x\nVary: X", NOW + i),
                         DETOUR_LEARNT_STORED);
    }
    for (int i = 0; i < DETOUR_VARIANTS_MAX + 3; i++) {
        char asked[32];
        snprintf(asked, sizeof(asked), "X: %d", i);
        struct detour_hit *hit = find(place, "GET", URL, asked, NOW + 20);
        assert_int_equal(hit != NULL, i >= 3);
        detour_hit_free(&hit);
    }
}

/* ---- 5.2.1 ---- */

static void a_request_may_want_to_know_for_itself(struct place *place)
{
    static const struct {
        const char *fields;
        bool found;
    } cases[] = {
        {NULL, true},
        {"Cache-Control: no-cache", false},
        {"Cache-Control: no-store", false},
        {"Pragma: no-cache", false},
        {"Cache-Control: max-age=20", true},
        {"Cache-Control: max-age=19", false},
        {"Cache-Control: min-fresh=40", true},
        {"Cache-Control: min-fresh=41", false},
    };
    learn(place, "GET", URL, NULL, 307, "Location: /x\nCache-Control: max-age=60", NOW);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detour_hit *hit = find(place, "GET", URL, cases[i].fields, NOW + 20);
        assert_int_equal(hit != NULL, cases[i].found);
        detour_hit_free(&hit);
    }
}

/* What was told for a minute does not last for a year because the clock was set back by one. */
static void a_clock_that_was_set_back_makes_nothing_last(struct place *place)
{
    learn(place, "GET", URL, NULL, 307, "Location: /x\nCache-Control: max-age=60", NOW);
    assert_null(find(place, "GET", URL, NULL, NOW - 1));
    assert_null(find(place, "GET", URL, NULL, NOW - 86400 * 365));
    struct detour_hit *hit = find(place, "GET", URL, NULL, NOW);
    assert_non_null(hit);
    detour_hit_free(&hit);
    learn(place, "GET", URL, NULL, 308, "Location: /x", NOW);
    hit = find(place, "GET", URL, NULL, NOW - 86400);
    assert_non_null(hit);
    detour_hit_free(&hit);
}

/* ---- bounds ---- */

static void what_is_too_long_is_not_kept(struct place *place)
{
    static char location[70000];
    static struct detour_field fields[20];
    memset(location, 'a', sizeof(location));
    fields[0] = (struct detour_field){.name = detour_text_of("Location"),
                                      .value = {location, sizeof(location)}};
    struct detour_request request = {
        .size = sizeof(request), .method = detour_text_of("GET"), .url = detour_text_of(URL)};
    struct detour_answer answer = {.size = sizeof(answer),
                                   .status = 308,
                                   .fields = fields,
                                   .field_count = 1,
                                   .received_s = NOW};
    enum detour_learnt learnt;
    learn(place, "GET", URL, NULL, 308, "Location: /two", NOW);
    assert_int_equal(detour_store_learn(place->store, &request, &answer, &learnt), DETOUR_OK);
    assert_int_equal(learnt, DETOUR_LEARNT_LIMIT);
    assert_int_equal(count(place), 0);
    for (size_t i = 0; i < 20; i++) {
        fields[i] =
            (struct detour_field){.name = detour_text_of("Vary"), .value = detour_text_of("X")};
    }
    answer.field_count = 20;
    assert_int_equal(detour_store_learn(place->store, &request, &answer, &learnt), DETOUR_OK);
    assert_int_equal(learnt, DETOUR_LEARNT_LIMIT);
    /* Beside a large variant another one has no room: the older goes. */
    fields[0] =
        (struct detour_field){.name = detour_text_of("Location"), .value = {location, 40000}};
    answer.field_count = 2;
    fields[1].value = detour_text_of("X");
    assert_int_equal(detour_store_learn(place->store, &request, &answer, &learnt), DETOUR_OK);
    assert_int_equal(learnt, DETOUR_LEARNT_STORED);
    struct detour_field asked = {.name = detour_text_of("X"), .value = detour_text_of("1")};
    request.fields = &asked;
    request.field_count = 1;
    assert_int_equal(detour_store_learn(place->store, &request, &answer, &learnt), DETOUR_OK);
    assert_int_equal(learnt, DETOUR_LEARNT_STORED);
    assert_false(known(place, URL, NOW));
    struct detour_hit *hit = find(place, "GET", URL, "X: 1", NOW);
    assert_non_null(hit);
    detour_hit_free(&hit);
}

static struct detour_store_options few(uint32_t entries_max, uint64_t bytes_max)
{
    struct detour_store_options options;
    detour_store_options_init(&options, sizeof(options));
    options.entries_max = entries_max;
    options.bytes_max = bytes_max;
    return options;
}

static void fill(struct place *place, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        char url[64];
        snprintf(url, sizeof(url), "http://a.test/%zu", i);
        assert_int_equal(learn(place, "GET", url, NULL, 308, "Location: /x", NOW),
                         DETOUR_LEARNT_STORED);
    }
}

static void what_was_stored_longest_ago_goes(bool in_file)
{
    struct place place;
    struct detour_store_options options = few(100, UINT64_C(1) << 20);
    place_open(&place, in_file, &options);
    fill(&place, 150);
    assert_int_equal(count(&place), 100);
    assert_false(known(&place, "http://a.test/49", NOW));
    assert_true(known(&place, "http://a.test/50", NOW));
    learn(&place, "GET", "http://a.test/50", NULL, 308, "Location: /y", NOW); /* now the newest */
    learn(&place, "GET", "http://a.test/new", NULL, 308, "Location: /y", NOW);
    assert_true(known(&place, "http://a.test/50", NOW));
    assert_false(known(&place, "http://a.test/51", NOW));
    place_close(&place);

    options = few(1000000, 65536);
    place_open(&place, in_file, &options);
    fill(&place, 2000);
    assert_in_range(count(&place), 100, 1000);
    assert_true(known(&place, "http://a.test/1999", NOW));
    place_close(&place);
}

static void the_oldest_goes_in_memory(void **state)
{
    what_was_stored_longest_ago_goes(false);
}

static void the_oldest_goes_in_a_file(void **state)
{
    what_was_stored_longest_ago_goes(true);
}

/* ---- looking after it ---- */

struct listing {
    size_t entries;
    size_t most;
    bool right;
};

static bool list(void *context, const struct detour_entry *entry)
{
    struct listing *listing = context;
    listing->entries++;
    listing->right =
        listing->right && entry->stored_s == NOW && entry->location.len == 2 &&
        (entry->status == 307 ? entry->fresh_until_s == NOW + 9 && entry->vary.ptr != NULL
                              : entry->fresh_until_s == INT64_MAX);
    return listing->entries < listing->most;
}

static void all_of_it_can_be_looked_at_swept_and_cleared(struct place *place)
{
    struct listing listing = {.most = 10, .right = true};
    learn(place, "GET", URL, NULL, 308, "Location: /x", NOW);
    learn(place, "GET", URL "2", "X: 1", 307, "Location: /y\nCache-Control: max-age=9\nVary: X",
          NOW);
    learn(place, "GET", URL "2", "X: 2", 307, "Location: /y\nCache-Control: max-age=9\nVary: X",
          NOW);
    assert_int_equal(detour_store_walk(place->store, list, &listing), DETOUR_OK);
    assert_int_equal(listing.entries, 3);
    assert_true(listing.right);
    listing = (struct listing){.most = 1};
    assert_int_equal(detour_store_walk(place->store, list, &listing), DETOUR_OK);
    assert_int_equal(listing.entries, 1);

    assert_int_equal(detour_store_sweep(place->store, NOW + 8), DETOUR_OK);
    assert_int_equal(count(place), 2);
    assert_int_equal(detour_store_sweep(place->store, NOW + 9), DETOUR_OK);
    assert_int_equal(count(place), 1);
    assert_true(known(place, URL, NOW));
    assert_int_equal(detour_store_clear(place->store), DETOUR_OK);
    assert_int_equal(count(place), 0);
    assert_false(known(place, URL, NOW));
    learn(place, "GET", URL, NULL, 308, "Location: /x", NOW);
    assert_int_equal(count(place), 1);
}

/* A chain goes by what the store says as it would by the network. */
static void a_chain_follows_what_is_remembered(struct place *place)
{
    const struct detour_verdict *verdict;
    learn(place, "GET", URL, NULL, 307, "Location: /two\nCache-Control: max-age=60", NOW);
    struct detour_chain *chain = fixture_begin(&(struct fixture_case){.name = "begun"}, &verdict);
    struct detour_hit *hit;
    assert_int_equal(detour_store_find(place->store, verdict->next->request, NOW + 7, &hit),
                     DETOUR_OK);
    assert_non_null(hit);
    assert_int_equal(detour_chain_answer(chain, hit->answer, &verdict), DETOUR_OK);
    assert_int_equal(detour_store_learn(place->store, verdict->next->request, hit->answer, NULL),
                     DETOUR_OK);
    detour_hit_free(&hit);
    assert_int_equal(verdict->action, DETOUR_FOLLOW);
    assert_true(fixture_has_note(verdict, DETOUR_NOTE_FROM_STORE));
    assert_int_equal(verdict->freshness->age_s, 7);
    assert_int_equal(verdict->freshness->fresh_until_s, NOW + 60);
    assert_true(detour_chain_hop(chain, 0)->from_store);
    detour_chain_free(&chain);
    assert_int_equal(count(place), 1);
}

static void a_shared_store_keeps_less(bool in_file)
{
    struct place place;
    struct detour_store_options options;
    detour_store_options_init(&options, sizeof(options));
    options.shared = true;
    place_open(&place, in_file, &options);
    assert_int_equal(
        learn(&place, "GET", URL, NULL, 308, "Location: /x\nCache-Control: private", NOW),
        DETOUR_LEARNT_NOTHING);
    assert_int_equal(
        learn(&place, "GET", URL, "Authorization: Basic eA==", 308, "Location: /x", NOW),
        DETOUR_LEARNT_NOTHING);
    assert_int_equal(
        learn(&place, "GET", URL, NULL, 307, "Location: /x\nCache-Control: s-maxage=5", NOW),
        DETOUR_LEARNT_STORED);
    assert_true(known(&place, URL, NOW + 4));
    assert_false(known(&place, URL, NOW + 5));
    place_close(&place);
}

static void a_shared_store(void **state)
{
    a_shared_store_keeps_less(false);
    a_shared_store_keeps_less(true);
}

static void wrong_use_is_told(struct place *place)
{
    struct detour_store_options options;
    struct detour_store *store;
    detour_store_options_init(&options, sizeof(options));
    options.entries_max = 0;
    assert_int_equal(detour_store_new(&options, &store), DETOUR_ERROR_USAGE);
    options.entries_max = 1000001;
    assert_int_equal(detour_store_new(&options, &store), DETOUR_ERROR_USAGE);
    options.entries_max = 1;
    options.bytes_max = 65535;
    assert_int_equal(detour_store_new(&options, &store), DETOUR_ERROR_USAGE);
    options.size = 4;
    assert_int_equal(detour_store_open(place->path, &options, NULL, &store), DETOUR_ERROR_USAGE);
    struct detour_request request = {.size = sizeof(request),
                                     .method = detour_text_of("GET"),
                                     .url = detour_text_of("ftp://a.test/")};
    struct detour_answer answer = {.size = sizeof(answer), .status = 308, .received_s = NOW};
    struct detour_hit *hit;
    assert_int_equal(detour_store_learn(place->store, &request, &answer, NULL), DETOUR_ERROR_USAGE);
    assert_int_equal(detour_store_find(place->store, &request, NOW, &hit), DETOUR_ERROR_USAGE);
    request.url = detour_text_of(URL);
    assert_int_equal(detour_store_find(place->store, &request, 0, &hit), DETOUR_ERROR_USAGE);
    answer.received_s = 0;
    assert_int_equal(detour_store_learn(place->store, &request, &answer, NULL), DETOUR_ERROR_USAGE);
    assert_int_equal(detour_store_forget(place->store, detour_text_of("nonsense")),
                     DETOUR_ERROR_USAGE);
}

typedef void test_fn(struct place *place);

static void run_twice(test_fn *test)
{
    for (int in_file = 0; in_file < 2; in_file++) {
        struct place place;
        place_open(&place, in_file == 1, NULL);
        test(&place);
        place_close(&place);
    }
}

#define TWICE(test)                        \
    static void twice_##test(void **state) \
    {                                      \
        run_twice(test);                   \
    }
TWICE(a_bare_307_is_not_remembered)
TWICE(a_307_is_remembered_as_long_as_told)
TWICE(a_308_is_remembered_until_it_is_forgotten)
TWICE(a_newer_answer_takes_the_place)
TWICE(head_is_answered_by_what_get_brought)
TWICE(an_unsafe_method_invalidates)
TWICE(vary_tells_requests_apart)
TWICE(the_oldest_variant_goes)
TWICE(a_request_may_want_to_know_for_itself)
TWICE(a_clock_that_was_set_back_makes_nothing_last)
TWICE(what_is_too_long_is_not_kept)
TWICE(all_of_it_can_be_looked_at_swept_and_cleared)
TWICE(a_chain_follows_what_is_remembered)
TWICE(wrong_use_is_told)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twice_a_bare_307_is_not_remembered),
        cmocka_unit_test(twice_a_307_is_remembered_as_long_as_told),
        cmocka_unit_test(twice_a_308_is_remembered_until_it_is_forgotten),
        cmocka_unit_test(twice_a_newer_answer_takes_the_place),
        cmocka_unit_test(twice_head_is_answered_by_what_get_brought),
        cmocka_unit_test(twice_an_unsafe_method_invalidates),
        cmocka_unit_test(twice_vary_tells_requests_apart),
        cmocka_unit_test(twice_the_oldest_variant_goes),
        cmocka_unit_test(twice_a_request_may_want_to_know_for_itself),
        cmocka_unit_test(twice_a_clock_that_was_set_back_makes_nothing_last),
        cmocka_unit_test(twice_what_is_too_long_is_not_kept),
        cmocka_unit_test(twice_all_of_it_can_be_looked_at_swept_and_cleared),
        cmocka_unit_test(twice_a_chain_follows_what_is_remembered),
        cmocka_unit_test(twice_wrong_use_is_told),
        cmocka_unit_test(the_oldest_goes_in_memory),
        cmocka_unit_test(the_oldest_goes_in_a_file),
        cmocka_unit_test(a_shared_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
