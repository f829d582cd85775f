/* SPDX-License-Identifier: MIT */
/* Normal paths: what is rewritten and how, the way back to the bytes sent, the bounds, and
 * that the quick look and the slow way agree at every length. */
#include "uri/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct path_scratch scratch;

static struct path normalise(const char *sent)
{
    struct path path = {0};
    if (path_normalise(span_cstr(sent), &scratch, &path) != ERR_NONE) {
        fail_msg("%s is refused", sent);
    }
    assert_true(span_eq(path.sent, span_cstr(sent)));
    return path;
}

static const struct {
    const char *sent;
    const char *norm;
} form_cases[] = {
    /* Dot segments. */
    {"/.", "/"},
    {"/./", "/"},
    {"/..", "/"},
    {"/../", "/"},
    {"/../..", "/"},
    {"/../../a", "/a"},
    {"/a/.", "/a/"},
    {"/a/./", "/a/"},
    {"/a/..", "/"},
    {"/a/b/..", "/a/"},
    {"/a/b/../", "/a/"},
    {"/a/b/../c", "/a/c"},
    {"/a/b/../../c", "/c"},
    {"/a/b/../../../c", "/c"},
    {"/a/./b/./c", "/a/b/c"},
    {"/shop/items/of/the/year/../2024/all", "/shop/items/of/the/2024/all"},
    /* Escaped, in either case and half. */
    {"/a/%2e/b", "/a/b"},
    {"/a/%2E%2e/b", "/b"},
    {"/a/.%2e/b", "/b"},
    {"/a/%2E./b", "/b"},
    {"/a/b/%2e%2E", "/a/"},
    /* Dots that are no dot segments. */
    {"/.../a", "/.../a"},
    {"/.a/b", "/.a/b"},
    {"/..a/b", "/..a/b"},
    {"/a./b", "/a./b"},
    {"/a../b", "/a../b"},
    {"/.well-known/acme", "/.well-known/acme"},
    {"/%2e%2e%2e", "/..."},
    {"/..;/a", "/..;/a"},
    {"/..%2fa", "/..%2Fa"},
    /* Slashes. */
    {"//", "/"},
    {"//shop", "/shop"},
    {"///shop////items//", "/shop/items/"},
    {"/a//../b", "/b"},
    {"/a/.//b", "/a/b"},
    {"//../b", "/b"},
    {"/a/b//..", "/a/"},
    /* Backslashes. */
    {"/a\\b", "/a/b"},
    {"/\\a\\", "/a/"},
    {"/a\\..\\b", "/b"},
    {"/a%5cb%5C", "/a%5Cb%5C"},
    /* Escapes: of unreserved characters decoded, others in upper case. */
    {"/%73hop", "/shop"},
    {"/%7e%2D%5f%30%5A", "/~-_0Z"},
    {"/a%2fb%3f%23%40%25%3a", "/a%2Fb%3F%23%40%25%3A"},
    {"/%c3%bc/%00/%7f", "/%C3%BC/%00/%7F"},
    {"/%252e%252E", "/%252e%252E"},
    {"/%2525", "/%2525"},
    /* A stray percent sign stays, and nothing joins it. */
    {"/%", "/%"},
    {"/%4", "/%4"},
    {"/%zz%4g", "/%zz%4g"},
    {"/100%/a", "/100%/a"},
    {"/%%41", "/%%41"},
    {"/%%34%31", "/%%341"},
    {"/%4%31", "/%4%31"},
    {"/%4%3g%31", "/%4%3g1"},
    {"/%%7E", "/%~"},
    {"/%/../41", "/41"},
    {"/%%20", "/%%20"},
    /* Bytes that a path may not hold. */
    {"/a b", "/a%20b"},
    {"/\"#<>?^`{}", "/%22%23%3C%3E%3F%5E%60%7B%7D"},
    {"/\001\t\r\n\037\177", "/%01%09%0D%0A%1F%7F"},
    {"/\303\274", "/%C3%BC"},
    {"/\200\377", "/%80%FF"},
};

static void forms(void **state)
{
    for (size_t i = 0; i < sizeof(form_cases) / sizeof(form_cases[0]); i++) {
        struct path path = normalise(form_cases[i].sent);
        if (!span_eq(path.norm, span_cstr(form_cases[i].norm))) {
            fail_msg("%s: %.*s, expected %s", form_cases[i].sent, SPAN_ARG(path.norm),
                     form_cases[i].norm);
        }
        assert_true(span_eq(path_sent(&path, 0, 0), SPAN("")));
        if (path.map == NULL) {
            assert_ptr_equal(path.norm.ptr, form_cases[i].sent);
        } else {
            assert_int_equal(path.map[path.norm.len], strlen(form_cases[i].sent));
        }
    }
}

/* These are told to be normal at a look: norm is sent itself. */
static void identities(void **state)
{
    static const char *const cases[] = {
        "/",
        "/a",
        "/a/",
        "/a/b/c",
        "/a.b/c..",
        "/12345678",
        "/123456789/1234567",
        "/shop/items/4711/reviews/all.html",
        "/-._~!$&'()*+,;=:@/[x]|y",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct path path = normalise(cases[i]);
        assert_null(path.map);
        assert_ptr_equal(path.norm.ptr, cases[i]);
        assert_int_equal(path.norm.len, strlen(cases[i]));
        struct span tail = path_sent(&path, 1, path.norm.len);
        assert_ptr_equal(tail.ptr, cases[i] + 1);
        assert_int_equal(tail.len, path.norm.len - 1);
    }
}

static void refusals(void **state)
{
    struct path path;
    assert_int_equal(path_normalise(SPAN(""), &scratch, &path), ERR_SYNTAX);
    assert_int_equal(path_normalise(SPAN("a/b"), &scratch, &path), ERR_SYNTAX);
    assert_int_equal(path_normalise(SPAN("*"), &scratch, &path), ERR_SYNTAX);
    assert_int_equal(path_normalise(SPAN("\\a"), &scratch, &path), ERR_SYNTAX);
    assert_int_equal(path_normalise(SPAN("%2Fa"), &scratch, &path), ERR_SYNTAX);
}

/* What the slow way must say, by the letter of the header, for one byte that stands in a
 * path of letters. NULL: it stays. */
static const char *expected_for(uint8_t byte, uint8_t before, char *memory, size_t size)
{
    if (byte == '/' || byte == '\\') {
        return before == '/' ? "" : "/";
    }
    if (byte <= ' ' || byte > '~' || strchr("\"#<>?^`{}", byte) != NULL) {
        snprintf(memory, size, "%%%02X", byte);
        return memory;
    }
    return NULL;
}

/* One byte in a path of len bytes, behind a letter or behind a slash. */
static void check_byte(size_t len, size_t at, uint8_t byte, bool behind_slash)
{
    char sent[64];
    char expected[80];
    char escape[8];
    memset(sent, 'x', sizeof(sent)); /* no hexadecimal digit */
    sent[0] = '/';
    sent[at - 1] = behind_slash ? '/' : sent[at - 1];
    sent[at] = (char)byte;
    sent[len] = '\0';
    const char *text = expected_for(byte, (uint8_t)sent[at - 1], escape, sizeof(escape));
    if (byte == '.' && at == len - 1 && sent[at - 1] == '/') {
        text = "";
    }
    if (text == NULL) {
        memcpy(expected, sent, len + 1);
    } else {
        snprintf(expected, sizeof(expected), "%.*s%s%s", (int)at, sent, text, sent + at + 1);
    }
    struct path path = normalise(sent);
    if (!span_eq(path.norm, span_cstr(expected))) {
        fail_msg("%s: %.*s, expected %s", sent, SPAN_ARG(path.norm), expected);
    }
}

/* Each byte at each place of paths of each length about the sixteen bytes that are looked
 * at together. */
static void each_byte_at_each_place(void **state)
{
    for (size_t len = 2; len <= 52; len++) {
        for (size_t at = 1; at < len; at++) {
            for (unsigned value = 1; value < 256; value++) {
                check_byte(len, at, (uint8_t)value, false);
                check_byte(len, at, (uint8_t)value, at > 2);
            }
        }
    }
}

/* norm[from, to) and the bytes behind it. */
static void slices(void **state)
{
    static const struct {
        const char *sent;
        const char *slice; /* of norm; its first occurrence */
        const char *expected;
    } cases[] = {
        {"/shop/%73hoes", "shoes", "%73hoes"},
        {"/shop/%73hoes", "hoes", "hoes"},
        {"/shop/shoe%73", "shoes", "shoe%73"},
        {"/a%2fb/c", "a%2Fb", "a%2fb"},
        {"/a%2fb/c", "a%2F", "a%2f"},
        {"/a%2fb/c", "a%", "a%2f"}, /* an escape is given whole */
        {"/a b/c", "a%20b", "a b"},
        {"/a b/c", "%20", " "},
        {"/a b/c", "20b", " b"},
        {"/\303\274/c", "%C3%BC", "\303\274"},
        {"/a//b/c", "b/c", "b/c"},
        {"/a//b/c", "a/b", "a//b"},
        {"/a//b/c", "a/", "a/"},
        {"/a//b/c", "/b", "//b"},
        {"/a\\b", "/b", "\\b"},
        /* Removed pieces within the slice are of those sent. */
        {"/a/x/../c", "a/c", "a/x/../c"},
        {"/a/x/../c", "/c", "/x/../c"},
        {"/a/x/../c", "c", "c"},
        {"/a/x/./../c", "a", "a"},
        {"/x/../a/c", "a/c", "a/c"},
        {"/x/../a/c", "/a", "/x/../a"},
        {"/a/b/..", "/a/", "/a/"},
        {"/a/./", "a/", "a/"},
        /* What climbs at the root is no part of any slice. */
        {"/../../a", "/a", "/a"},
        {"/x/../../a", "/a", "/a"},
        {"//..//a", "/a", "//a"},
        {"/..\\a", "/a", "\\a"},
        {"/..", "/", "/"},
        {"/x/../..", "/", "/"},
        {"/../.", "/", "/"},
        {"/%4%31", "%4%31", "%4%31"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct path path = normalise(cases[i].sent);
        size_t len = strlen(cases[i].slice);
        const uint8_t *at = memmem(path.norm.ptr, path.norm.len, cases[i].slice, len);
        assert_non_null(at);
        size_t from = (size_t)(at - path.norm.ptr);
        struct span sent = path_sent(&path, from, from + len);
        if (!span_eq(sent, span_cstr(cases[i].expected))) {
            fail_msg("%s, %s: %.*s, expected %s", cases[i].sent, cases[i].slice, SPAN_ARG(sent),
                     cases[i].expected);
        }
        assert_int_equal(path_sent(&path, from, from).len, 0);
    }
}

/* A path of exactly len bytes: a slash, letters, and at its end what is given. */
static struct span long_path(size_t len, const char *end)
{
    uint8_t *bytes = test_malloc(len);
    memset(bytes, 'a', len);
    bytes[0] = '/';
    memcpy(bytes + len - strlen(end), end, strlen(end));
    return span_of(bytes, len);
}

static void bounds(void **state)
{
    static const struct {
        size_t len;
        const char *end;
        enum err err;
        size_t norm_len;
    } cases[] = {
        {path_bytes_max, "", ERR_NONE, path_bytes_max},
        {path_bytes_max + 1, "", ERR_LIMIT, 0},
        {path_bytes_max + 1, "/..", ERR_LIMIT, 0},
        {path_bytes_max, "%41", ERR_NONE, path_bytes_max - 2},
        {path_bytes_max, "%2f", ERR_NONE, path_bytes_max},
        {path_bytes_max, "//", ERR_NONE, path_bytes_max - 1},
        {path_bytes_max, "%", ERR_NONE, path_bytes_max},
        {path_bytes_max, " ", ERR_LIMIT, 0},
        {path_bytes_max, " b", ERR_LIMIT, 0},
        {path_bytes_max - 1, " ", ERR_LIMIT, 0},
        {path_bytes_max - 2, " ", ERR_NONE, path_bytes_max},
        {path_bytes_max - 2, " b", ERR_NONE, path_bytes_max},
        {path_bytes_max - 1, " b", ERR_LIMIT, 0},
        {path_bytes_max - 1, " /", ERR_LIMIT, 0},
        {path_bytes_max - 1, " %", ERR_LIMIT, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span sent = long_path(cases[i].len, cases[i].end);
        struct path path = {0};
        assert_int_equal(path_normalise(sent, &scratch, &path), cases[i].err);
        assert_int_equal(path.norm.len, cases[i].norm_len);
        test_free((void *)sent.ptr);
    }
}

/* What another reader of escaped slashes finds. */
static void hidden_dots(void **state)
{
    static const struct {
        const char *sent;
        bool hidden;
    } cases[] = {
        {"/", false},
        {"/a/../b", false},
        {"/a%2Fb", false},
        {"/a%2f.b%5C..c", false},
        {"/a%25..%25", false},
        {"/..%252Fa", false},
        {"/public/..%2fsecret", true},
        {"/public/%2e%2E%2fsecret", true},
        {"/public/x%5c..%5csecret", true},
        {"/a%2F..", true},
        {"/a%2F.", true},
        {"/a%2f./b", true},
        {"/..%5C", true},
        {"/a%2F%2F../b", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (path_hides_dots(normalise(cases[i].sent).norm) != cases[i].hidden) {
            fail_msg("%s", cases[i].sent);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),       cmocka_unit_test(identities),
        cmocka_unit_test(refusals),    cmocka_unit_test(each_byte_at_each_place),
        cmocka_unit_test(slices),      cmocka_unit_test(bounds),
        cmocka_unit_test(hidden_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
