/* SPDX-License-Identifier: MIT */
/* The URL parser against the vectors of the web-platform-tests and the examples of
 * RFC 3986, 5.4. */
#include "uri/url.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The href of reference against base; ptr NULL when either is not a URL. */
static struct span resolve(const char *base, struct span reference, struct arena *arena)
{
    struct url base_url;
    struct url url;
    struct span href = {0};
    if (base != NULL && url_parse(span_cstr(base), NULL, arena, &base_url) != ERR_NONE) {
        return href;
    }
    if (url_parse(reference, base != NULL ? &base_url : NULL, arena, &url) == ERR_NONE) {
        assert_int_equal(url_serialise(&url, arena, &href), ERR_NONE);
    }
    return href;
}

static const char *text_or_null(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static struct span member(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return span_of(json_string_value(value), json_string_length(value));
}

/* How many of the vectors fail; each that does is printed. */
static size_t run_vector(json_t *vector)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct span href = resolve(text_or_null(vector, "base"), member(vector, "input"), &arena);
    struct span expected = member(vector, "href");
    bool ok = span_eq(href, expected) && (href.ptr != NULL) == (expected.ptr != NULL);
    if (!ok) {
        print_error("\"%s\" against \"%s\": %.*s, expected %.*s\n", text_or_null(vector, "input"),
                    text_or_null(vector, "base"), SPAN_ARG(href), SPAN_ARG(expected));
    }
    arena_fini(&arena);
    return ok ? 0 : 1;
}

static void public_vectors(void **state)
{
    json_error_t error;
    json_t *vectors = json_load_file(DATA "/url-resolution.json", JSON_ALLOW_NUL, &error);
    assert_non_null(vectors);
    size_t failed = 0;
    size_t count = 0;
    size_t index;
    json_t *vector;
    json_array_foreach(vectors, index, vector)
    {
        if (json_is_object(vector)) {
            failed += run_vector(vector);
            count++;
        }
    }
    json_decref(vectors);
    assert_int_equal(count, 533);
    assert_int_equal(failed, 0);
}

/* Base "http://a/b/c/d;p?q". href: as RFC 3986 says, unless the comment tells. */
static void rfc3986_examples(void **state)
{
    static const struct {
        const char *reference;
        const char *href;
    } cases[] = {
        /* 5.4.1 */
        {"g:h", "g:h"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"}, /* WHATWG: an empty path of http is "/" */
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
        /* 5.4.2 */
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
        /* The RFC's strict parsers give "http:g"; WHATWG is the lenient one here. */
        {"http:g", "http://a/b/c/g"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct span href = resolve("http://a/b/c/d;p?q", span_cstr(cases[i].reference), &arena);
        if (!span_eq(href, span_cstr(cases[i].href))) {
            fail_msg("%s: %.*s, expected %s", cases[i].reference, SPAN_ARG(href), cases[i].href);
        }
        arena_fini(&arena);
    }
}

/* What the part of the public list that is here does not reach. NULL: not a URL. */
static void own_cases(void **state)
{
    static const struct {
        const char *base;
        const char *reference;
        const char *href;
    } cases[] = {
        {NULL, "http://[1:2:3:4:5:6:7::]/", "http://[1:2:3:4:5:6:7:0]/"},
        {NULL, "http://[::1:2:3:4:5:6:7]/", "http://[0:1:2:3:4:5:6:7]/"},
        {NULL, "http://[::1:2:3:4:5:6:7:8]/", NULL},
        {NULL, "http://[1:2:3:4::5:6:7:8]/", NULL},
        {NULL, "http://[1:2:3::5:6:7:8]/", "http://[1:2:3:0:5:6:7:8]/"},
        {NULL, "http://[1:0:0:2:0:0:0:3]/", "http://[1:0:0:2::3]/"},
        {NULL, "http://[1:0:0:2:3:0:0:4]/", "http://[1::2:3:0:0:4]/"},
        {NULL, "http://[::ffff:192.0.2.1]/", "http://[::ffff:c000:201]/"},
        {NULL, "http://[::192.0.2.01]/", NULL},
        {NULL, "http://[1:2:3:4:5:6:7:192.0.2.1]/", NULL},
        {NULL, "http://[::]/", "http://[::]/"},
        {NULL, "http://[::1%25.foo.com]/", NULL},
        {NULL, "http://0x7f.1/", "http://127.0.0.1/"},
        {NULL, "http://4294967296/", NULL},
        {NULL, "http://1.2.3.4.5/", NULL},
        {NULL, "http://1.2.3.256/", NULL},
        {NULL, "http://a.0x/", NULL},
        {NULL, "http://\xF0\x9F\x98\x80.\xE2\x98\x83/", "http://xn--e28h.xn--n3h/"},
        /* Refused, though the standard takes it: doc/decisions/0006. */
        {NULL, "http://ex\xC3\xA4mple-/", NULL},
        {NULL, "http://-a-.b--c.example/", "http://-a-.b--c.example/"},
        {NULL,
         "http://B\xC3\xBC"
         "cher.-x-.EXAMPLE/",
         "http://xn--bcher-kva.-x-.example/"},
        {NULL, "http://a/\xED\xA0\x80", "http://a/%EF%BF%BD%EF%BF%BD%EF%BF%BD"},
        {NULL, "http://a:65536/", NULL},
        {NULL, "https://a:0443/", "https://a/"},
        {NULL, "web+demo:/.//not-a-host/", "web+demo:/.//not-a-host/"},
        {"file:///C:/a/b", "/d", "file:///C:/d"},
        {"file:///C:/a/b", "D|/d", "file:///D:/d"},
        {"file:///C:/a/b", "../../../d", "file:///C:/d"},
        {"file:///C:", "..", "file:///C:/"},
        {"mailto:x", "y", NULL},
        {"mailto:x?q", "#y", "mailto:x?q#y"},
        {"https://h/a", "\\\\evil\\x", "https://evil/x"},
        {"https://h/a", "/\t/evil", "https://evil/"},
        {"https://h/a/b", "%2e%2E/c", "https://h/c"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct span href = resolve(cases[i].base, span_cstr(cases[i].reference), &arena);
        struct span expected = span_cstr(cases[i].href);
        if (!span_eq(href, expected) || (href.ptr == NULL) != (expected.ptr == NULL)) {
            fail_msg("%s: %.*s, expected %s", cases[i].reference, SPAN_ARG(href), cases[i].href);
        }
        arena_fini(&arena);
    }
}

static void components(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct url url;
    struct span text = SPAN("HTTPS://u:p@Example.COM:8443/a/../b?#f");
    assert_int_equal(url_parse(text, NULL, &arena, &url), ERR_NONE);
    assert_true(span_eq(url.scheme, SPAN("https")));
    assert_true(span_eq(url.username, SPAN("u")));
    assert_true(span_eq(url.password, SPAN("p")));
    assert_true(span_eq(url.host, SPAN("example.com")));
    assert_int_equal(url.port, 8443);
    assert_true(span_eq(url.path, SPAN("/b")));
    assert_false(url.opaque_path);
    assert_true(url.query.ptr != NULL && url.query.len == 0);
    assert_true(span_eq(url.fragment, SPAN("f")));
    arena_fini(&arena);
}

/* Memory that ends at any moment is told, and nothing else happens. */
static void memory_ends(void **state)
{
    struct span text = SPAN("http://u:p@b\xC3\xBC"
                            "cher.example:1/a/b?q#f");
    size_t failures = 0;
    for (size_t bytes_max = 1; bytes_max < 4000; bytes_max += 7) {
        struct arena arena;
        arena_init(&arena, bytes_max);
        struct url url;
        enum err err = url_parse(text, NULL, &arena, &url);
        assert_true(err == ERR_NONE || err == ERR_MEMORY);
        failures += err == ERR_MEMORY;
        arena_fini(&arena);
    }
    assert_true(failures > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_vectors), cmocka_unit_test(rfc3986_examples),
        cmocka_unit_test(own_cases),      cmocka_unit_test(components),
        cmocka_unit_test(memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
