/* SPDX-License-Identifier: MIT */
/* The promises of the headers that are not about redirects: sizes of structures, wrong use, names,
 * notes as text, URLs by the public vectors, and memory that ends at any moment. */
#include "client/known.h"
#include "fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory that ends ---- */

static int allocations_left = -1; /* -1: no end */

static bool is_spent(void)
{
    if (allocations_left < 0) {
        return false;
    }
    return allocations_left-- <= 0 ? (allocations_left = 0, true) : false;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return is_spent() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_spent() ? NULL : __real_calloc(count, size);
}

/* A whole life; DETOUR_OK when memory was enough. */
static enum detour_error live(void)
{
    struct detour_store *store = NULL;
    struct detour_chain *chain = NULL;
    struct detour_hit *hit = NULL;
    struct detour_url *url = NULL;
    const struct detour_verdict *verdict;
    struct detour_field asked[] = {
        {.name = detour_text_of("Referer"), .value = detour_text_of("http://u@c.test/#x")},
        {.name = detour_text_of("A"), .value = detour_text_of("1")},
        {.name = detour_text_of("A"), .value = detour_text_of("2")},
    };
    struct detour_field said[] = {
        {.name = detour_text_of("Location"), .value = detour_text_of("//b\xC3\xBC.test/x")},
        {.name = detour_text_of("Vary"), .value = detour_text_of("A")},
        {.name = detour_text_of("Set-Cookie"), .value = detour_text_of("a=b")},
    };
    struct detour_request request = {.size = sizeof(request),
                                     .method = detour_text_of("GET"),
                                     .url = detour_text_of("http://u:p@a.test/#f"),
                                     .fields = asked,
                                     .field_count = 3};
    struct detour_answer answer = {.size = sizeof(answer),
                                   .status = 308,
                                   .fields = said,
                                   .field_count = 3,
                                   .received_s = FIXTURE_NOW};
    enum detour_error error = detour_chain_new(NULL, &chain);
    error = error == DETOUR_OK ? detour_store_new(NULL, &store) : error;
    error = error == DETOUR_OK ? detour_chain_begin(chain, &request, &verdict) : error;
    for (int i = 0; i < 3 && error == DETOUR_OK; i++) {
        error = detour_chain_answer(chain, &answer, &verdict);
    }
    error = error == DETOUR_OK ? detour_store_learn(store, &request, &answer, NULL) : error;
    error = error == DETOUR_OK ? detour_store_learn(store, &request, &answer, NULL) : error;
    error = error == DETOUR_OK ? detour_store_find(store, &request, FIXTURE_NOW, &hit) : error;
    error = error == DETOUR_OK ? detour_url_new(request.url, NULL, &url) : error;
    assert_true(error != DETOUR_OK || hit != NULL);
    detour_url_free(&url);
    detour_hit_free(&hit);
    detour_store_free(&store);
    detour_chain_free(&chain);
    return error;
}

static void every_allocation_may_fail(void **state)
{
    int failed = 0;
    for (int i = 0; i < 500; i++) {
        allocations_left = i;
        enum detour_error error = live();
        allocations_left = -1;
        if (error == DETOUR_OK) {
            break;
        }
        assert_int_equal(error, DETOUR_ERROR_MEMORY);
        failed++;
    }
    assert_in_range(failed, 8, 499);
}

/* ---- sizes and wrong use ---- */

static void structures_may_be_shorter_or_longer(void **state)
{
    struct {
        struct detour_options options;
        char more[32];
    } longer;
    struct detour_chain *chain = NULL;
    memset(&longer, 0xA5, sizeof(longer));
    detour_options_init(&longer.options, sizeof(longer));
    assert_int_equal(longer.options.size, sizeof(longer));
    assert_int_equal((unsigned char)longer.more[0], 0xA5);
    assert_int_equal(detour_chain_new(&longer.options, &chain), DETOUR_OK);
    detour_chain_free(&chain);
    longer.options.size = sizeof(size_t);
    assert_int_equal(detour_chain_new(&longer.options, &chain), DETOUR_ERROR_USAGE);
    longer.options.size = 0;
    assert_int_equal(detour_chain_new(&longer.options, &chain), DETOUR_ERROR_USAGE);
    assert_null(chain);
}

static void options_have_their_ranges(void **state)
{
    struct detour_options options;
    struct detour_chain *chain = NULL;
    detour_options_init(&options, sizeof(options));
    assert_int_equal(options.redirects_max, 20);
    assert_true(options.allow_downgrade && options.follow_unsafe && !options.location_trusted);
    options.redirects_max = DETOUR_REDIRECTS_MAX + 1;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_ERROR_USAGE);
    options.redirects_max = 0;
    options.schemes = 0;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_ERROR_USAGE);
    options.schemes = 4;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_ERROR_USAGE);
    options.schemes = DETOUR_SCHEME_HTTP;
    options.mode = (enum detour_mode)7;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_ERROR_USAGE);
    options.mode = DETOUR_MODE_RFC;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_OK);
    detour_chain_free(&chain);
}

static void no_redirect_may_be_one_too_many(void **state)
{
    struct detour_options options;
    struct detour_chain *chain;
    const struct detour_verdict *verdict;
    struct detour_field field = {.name = detour_text_of("Location"), .value = detour_text_of("/")};
    struct detour_request request = {.size = sizeof(request),
                                     .method = detour_text_of("GET"),
                                     .url = detour_text_of("http://a.test/")};
    struct detour_answer answer = {
        .size = sizeof(answer), .status = 302, .fields = &field, .field_count = 1};
    detour_options_init(&options, sizeof(options));
    options.redirects_max = 0;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_OK);
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_TOO_MANY);
    assert_non_null(verdict->resolved);
    assert_int_equal(verdict->location.len, 1);
    detour_chain_free(&chain);
}

static void an_answer_must_be_awaited(void **state)
{
    const struct detour_verdict *verdict;
    struct detour_chain *chain;
    struct detour_answer answer = {.size = sizeof(answer), .status = 200};
    assert_int_equal(detour_chain_new(NULL, &chain), DETOUR_OK);
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_ERROR_USAGE);
    assert_int_equal(detour_chain_hop_count(chain), 0);
    detour_chain_free(&chain);
    chain = fixture_begin(&(struct fixture_case){.name = "begun"}, &verdict);
    answer.size = 8;
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_ERROR_USAGE);
    answer.size = sizeof(answer);
    answer.received_s = -1;
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_ERROR_USAGE);
    answer.received_s = INT64_MAX;
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_ERROR_USAGE);
    answer.received_s = 0;
    answer.field_count = 1;
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_ERROR_USAGE);
    answer.field_count = 0;
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(verdict->action, DETOUR_DELIVER);
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_ERROR_USAGE);
    detour_chain_free(&chain);
    detour_chain_free(&chain);
}

/* A caller may leave a length behind when it takes a text away. */
static void a_text_that_is_none_has_no_length(void **state)
{
    const struct detour_text none = {.ptr = NULL, .len = 1000};
    const struct detour_field unnamed = {.name = none, .value = none};
    const struct detour_field empty = {.name = detour_text_of("X"), .value = none};
    const struct detour_verdict *verdict;
    struct detour_chain *chain;
    struct detour_url *url;
    struct detour_request request = {.size = sizeof(request), .method = none, .url = none};
    struct detour_answer answer = {
        .size = sizeof(answer), .status = 302, .fields = &unnamed, .field_count = 1};
    char text[100];
    assert_int_equal(detour_url_new(none, NULL, &url), DETOUR_ERROR_USAGE);
    assert_int_equal(detour_chain_new(NULL, &chain), DETOUR_OK);
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_METHOD_INVALID);
    request.method = detour_text_of("GET");
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_URL_INVALID);
    request.url = detour_text_of("http://a.test/");
    request.fields = &unnamed;
    request.field_count = 1;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_FIELD_INVALID);
    request.fields = &empty;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    assert_int_equal(verdict->next->request->fields[0].value.len, 0);
    assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
    assert_int_equal(verdict->reason, DETOUR_REASON_NO_LOCATION);
    const struct detour_note note = {
        .kind = DETOUR_NOTE_ORIGIN_CHANGED, .subject = none, .detail = none};
    assert_true(detour_note_write(&note, text, sizeof(text)) < sizeof(text));
    detour_chain_free(&chain);
}

/* ---- names ---- */

typedef const char *name_fn(int value);

static const char *action_name(int value)
{
    return detour_action_name((enum detour_action)value);
}

static const char *reason_name(int value)
{
    return detour_reason_name((enum detour_reason)value);
}

static const char *note_name(int value)
{
    return detour_note_name((enum detour_note_kind)value);
}

static const char *because_name(int value)
{
    return detour_because_name((enum detour_because)value);
}

static const char *cache_name(int value)
{
    return detour_cache_name((enum detour_cache)value);
}

static void every_value_has_a_name_of_its_own(void **state)
{
    static const struct {
        name_fn *name;
        int last;
    } kinds[] = {
        {action_name, DETOUR_REFUSE},        {reason_name, DETOUR_REASON_INTERIM},
        {note_name, DETOUR_NOTE_FROM_STORE}, {because_name, DETOUR_BECAUSE_EXPECT},
        {cache_name, DETOUR_CACHE_STATUS},
    };
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        assert_string_equal(kinds[kind].name(kinds[kind].last + 1), "other");
        assert_string_equal(kinds[kind].name(-1), "other");
        for (int i = 0; i <= kinds[kind].last; i++) {
            assert_string_not_equal(kinds[kind].name(i), "other");
            for (int other = 0; other < i; other++) {
                assert_string_not_equal(kinds[kind].name(i), kinds[kind].name(other));
            }
        }
    }
    for (int i = 0; i <= DETOUR_ERROR_NEWER; i++) {
        assert_true(strlen(detour_error_text((enum detour_error)i)) > 5);
    }
    assert_true(strlen(detour_reason_text((enum detour_reason)99)) > 5);
    assert_true(strlen(detour_cache_text(DETOUR_CACHE_FRESH)) > 5);
    assert_true(strlen(detour_because_text(DETOUR_BECAUSE_HOP)) > 5);
    assert_string_equal(detour_version(), DETOUR_VERSION);
}

static void notes_are_written_safely(void **state)
{
    char out[16];
    struct detour_note note = {.kind = DETOUR_NOTE_METHOD_CHANGED,
                               .subject = detour_text_of("A\x1b[31m"),
                               .detail = detour_text_of("B\xC3\xBC")};
    static const char whole[] = "A?[31m becomes B??";
    char longer[40];
    assert_int_equal(detour_note_write(&note, longer, sizeof(longer)), strlen(whole));
    assert_string_equal(longer, whole);
    assert_int_equal(detour_note_write(&note, out, sizeof(out)), strlen(whole));
    assert_string_equal(out, "A?[31m becomes ");
    assert_int_equal(detour_note_write(&note, NULL, 0), strlen(whole));
    note.kind = (enum detour_note_kind)99;
    assert_true(detour_note_write(&note, longer, sizeof(longer)) > 5);
    for (int kind = DETOUR_NOTE_TEMPORARY; kind <= DETOUR_NOTE_FROM_STORE; kind++) {
        note.kind = (enum detour_note_kind)kind;
        detour_note_write(&note, longer, sizeof(longer));
        assert_null(strstr(longer, "does not know"));
    }
}

static void known_fields_find_themselves(void **state)
{
    static const struct {
        const char *name;
        enum known known;
    } names[] = {
        {"TE", KNOWN_HOP},
        {"Age", KNOWN_AGE},
        {"Vary", KNOWN_VARY},
        {"cookie", KNOWN_COOKIE},
        {"COOKIE2", KNOWN_COOKIE},
        {"Location", KNOWN_LOCATION},
        {"locatioN", KNOWN_LOCATION},
        {"X-Api-Key", KNOWN_SECRET},
        {"Set-Cookie", KNOWN_SET_COOKIE},
        {"Retry-After", KNOWN_RETRY_AFTER},
        {"Authorization", KNOWN_AUTHORIZATION},
        {"Referrer-Policy", KNOWN_REFERRER_POLICY},
        {"Proxy-Connection", KNOWN_PROXY},
        {"Proxy-Authorization", KNOWN_PROXY},
        {"Transfer-Encoding", KNOWN_HOP},
        {"If-Modified-Since", KNOWN_VALIDATOR},
        {"X-Amz-Security-Token", KNOWN_SECRET},
        {"Proxy-", KNOWN_NONE},
        {"X", KNOWN_NONE},
        {"", KNOWN_NONE},
        {"Locations", KNOWN_NONE},
        {"X-Something-Much-Longer-Than-Any", KNOWN_NONE},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (known_find(span_cstr(names[i].name)) != names[i].known) {
            fail_msg("%s", names[i].name);
        }
    }
}

/* ---- URLs ---- */

static bool resolves(json_t *vector)
{
    json_t *input = json_object_get(vector, "input");
    const char *base_text = json_string_value(json_object_get(vector, "base"));
    const char *href = json_string_value(json_object_get(vector, "href"));
    struct detour_url *base = NULL;
    struct detour_url *url = NULL;
    struct detour_text text = {json_string_value(input), json_string_length(input)};
    enum detour_error error = DETOUR_OK;
    if (base_text != NULL) {
        error = detour_url_new(detour_text_of(base_text), NULL, &base);
    }
    error = error == DETOUR_OK ? detour_url_new(text, base, &url) : error;
    bool good = href == NULL ? error == DETOUR_ERROR_SYNTAX
                             : error == DETOUR_OK && url->href.len == strlen(href) &&
                                   memcmp(url->href.ptr, href, url->href.len) == 0;
    detour_url_free(&base);
    detour_url_free(&url);
    return good;
}

static void public_vectors(void **state)
{
    json_error_t error;
    json_t *vectors = json_load_file(DATA "/url-resolution.json", JSON_ALLOW_NUL, &error);
    assert_non_null(vectors);
    size_t count = 0;
    size_t index;
    json_t *vector;
    json_array_foreach(vectors, index, vector)
    {
        if (json_is_object(vector)) {
            count++;
            if (!resolves(vector)) {
                fail_msg("%s", json_dumps(vector, 0));
            }
        }
    }
    json_decref(vectors);
    assert_int_equal(count, 533);
}

/* RFC 3986, 5.4.1 and 5.4.2, as Locations that a chain follows. g:h is no http URL, and http:g is
 * read as browsers do. */
static void rfc3986_examples_as_locations(void **state)
{
    static const struct {
        const char *location;
        const char *url; /* NULL: it has another scheme */
    } examples[] = {
        {"g:h", NULL},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q#s"},
        {"g#s", "http://a/b/c/g#s"},
        {"g?y#s", "http://a/b/c/g?y#s"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y#s"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"g#s/./x", "http://a/b/c/g#s/./x"},
        {"g#s/../x", "http://a/b/c/g#s/../x"},
        {"http:g", "http://a/b/c/g"},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        char location[64];
        char verdict[64];
        snprintf(location, sizeof(location), "Location: %s", examples[i].location);
        snprintf(verdict, sizeof(verdict), "follow GET %s",
                 examples[i].url != NULL ? examples[i].url : "");
        const struct fixture_case each = {
            .name = examples[i].location,
            .url = "http://a/b/c/d;p?q",
            .answers = {{302, location,
                         .verdict = examples[i].url != NULL ? verdict : "refuse scheme"}},
        };
        fixture_run(&each, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(structures_may_be_shorter_or_longer),
        cmocka_unit_test(options_have_their_ranges),
        cmocka_unit_test(no_redirect_may_be_one_too_many),
        cmocka_unit_test(an_answer_must_be_awaited),
        cmocka_unit_test(a_text_that_is_none_has_no_length),
        cmocka_unit_test(every_value_has_a_name_of_its_own),
        cmocka_unit_test(notes_are_written_safely),
        cmocka_unit_test(known_fields_find_themselves),
        cmocka_unit_test(public_vectors),
        cmocka_unit_test(rfc3986_examples_as_locations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
