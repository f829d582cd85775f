/* SPDX-License-Identifier: MIT */
/* Addresses of the admin API, and where they are found. */
#include "cli/admin_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usual[] = "unix:/run/detour/admin.sock";

static void test_addresses(void **state)
{
    static const struct {
        const char *text;
        const char *shown; /* NULL: it is none */
        const char *path;
    } rows[] = {
        {"unix:/run/a.sock", "unix:/run/a.sock", "/run/a.sock"},
        {"http://unix:/run/a.sock", "unix:/run/a.sock", "/run/a.sock"},
        {"/run/a.sock", "unix:/run/a.sock", "/run/a.sock"},
        {"./a.sock", "unix:./a.sock", "./a.sock"},
        {"unix:a.sock", "unix:a.sock", "a.sock"},
        {"http://127.0.0.1:8308", "http://127.0.0.1:8308", NULL},
        {"http://127.0.0.1:8308/", "http://127.0.0.1:8308", NULL},
        {"https://admin.example:8308", "https://admin.example:8308", NULL},
        {"http://0.0.0.0:8308", "http://127.0.0.1:8308", NULL},
        {"http://[::]:8308", "http://[::1]:8308", NULL},
        {"http://[::]", "http://[::1]", NULL},
        {"http://0.0.0.0.example:1", "http://0.0.0.0.example:1", NULL},
        {"http://[::1]:8308", "http://[::1]:8308", NULL},
        {"", NULL, NULL},
        {"unix:", NULL, NULL},
        {"http://", NULL, NULL},
        {"http:///", NULL, NULL},
        {"http://a/b", NULL, NULL},
        {"http://user@a", NULL, NULL},
        {"http://a b", NULL, NULL},
        {"http://a\r\nX: y", NULL, NULL},
        {"ftp://a", NULL, NULL},
        {"127.0.0.1:8308", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct arena arena;
        struct admin_address address = {0};
        arena_init(&arena, 0);
        print_message("# %s\n", rows[i].text);
        bool good = admin_address_read(&arena, span_cstr(rows[i].text), &address);
        assert_int_equal(good, rows[i].shown != NULL);
        if (good) {
            assert_string_equal(address.shown, rows[i].shown);
            assert_int_equal(address.path != NULL, rows[i].path != NULL);
            assert_string_equal(address.path != NULL ? address.path : address.url,
                                rows[i].path != NULL ? rows[i].path : rows[i].shown);
        }
        arena_fini(&arena);
    }
}

struct find_row {
    const char *what;
    const char *here;  /* ./detour.yaml; NULL: there is none */
    const char *given; /* the file of -c; NULL: none is given */
    const char *named; /* DETOUR_ADMIN; NULL: not set */
    const char *found; /* NULL: could not run */
};

static const struct find_row find_rows[] = {
    {.what = "nothing says it", .found = usual},
    {.what = "the environment", .named = "/e.sock", .found = "unix:/e.sock"},
    {.what = "an empty one says nothing", .named = "", .found = usual},
    {.what = "a wrong one", .named = "nonsense"},
    {.what = "./detour.yaml comes before it",
     .here = "admin: {listen: 'unix:/h.sock'}",
     .named = "/e.sock",
     .found = "unix:/h.sock"},
    {.what = "./detour.yaml that does not say",
     .here = "sites: []",
     .named = "/e.sock",
     .found = "unix:/e.sock"},
    {.what = "-c comes before all",
     .here = "admin: {listen: 'unix:/h.sock'}",
     .given = "admin: {listen: 'http://127.0.0.1:8308'}",
     .named = "/e.sock",
     .found = "http://127.0.0.1:8308"},
    {.what = "-c that does not say",
     .here = "admin: {listen: 'unix:/h.sock'}",
     .given = "sites: []",
     .named = "/e.sock",
     .found = "unix:/h.sock"},
    {.what = "no file that says",
     .here = "sites: []",
     .given = "sites: []",
     .named = "/e.sock",
     .found = "unix:/e.sock"},
    {.what = "the short form", .given = "admin: unix:/g.sock", .found = "unix:/g.sock"},
    {.what = "a listener with options",
     .given = "admin: {listen: {address: 'unix:/g.sock'}}",
     .found = "unix:/g.sock"},
    {.what = "the rest of the file may be wrong",
     .given = "nonsense: true\nsites: 7\nadmin: {listen: 'unix:/g.sock'}",
     .found = "unix:/g.sock"},
    {.what = "an empty file", .given = "", .found = usual},
    {.what = "no YAML", .given = "{{{"},
    {.what = "no address", .given = "admin: {listen: 'ftp://x'}"},
};

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void test_found(void **state)
{
    char folder[] = "/tmp/detour-where-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < sizeof(find_rows) / sizeof(*find_rows); i++) {
        const struct find_row *row = &find_rows[i];
        struct admin_where where = {.config = row->given != NULL ? "given.yaml" : NULL};
        struct admin_address address = {0};
        struct arena arena;
        arena_init(&arena, 0);
        print_message("# %s\n", row->what);
        unlink("detour.yaml");
        unsetenv("DETOUR_ADMIN");
        if (row->here != NULL) {
            write_file("detour.yaml", row->here);
        }
        if (row->given != NULL) {
            write_file("given.yaml", row->given);
        }
        if (row->named != NULL) {
            setenv("DETOUR_ADMIN", row->named, 1);
        }
        int status = admin_address_find("list", &where, &arena, &address);
        assert_int_equal(status, row->found != NULL ? exit_ok : exit_could_not_run);
        if (row->found != NULL) {
            assert_string_equal(address.shown, row->found);
        }
        arena_fini(&arena);
    }
    unlink("detour.yaml");
    unlink("given.yaml");
    assert_int_equal(rmdir(folder), 0);
}

static void test_no_such_file(void **state)
{
    struct arena arena;
    struct admin_address address;
    struct admin_where where = {.config = "/nonexistent/detour.yaml"};
    arena_init(&arena, 0);
    assert_int_equal(admin_address_find("list", &where, &arena, &address), exit_could_not_run);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_no_such_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
