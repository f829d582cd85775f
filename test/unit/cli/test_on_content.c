/* SPDX-License-Identifier: MIT */
/* The command line of `detour on`, and the JSON that comes of it. */
#include "cli/on.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

enum { words_max = 24 };

struct row {
    const char *what;
    const char *words[words_max]; /* after `on` */
    const char *json;             /* NULL: refused */
};

#define WHY "--reason", "r"

static const struct row rows[] = {
    {.what = "a prefix to a place, for a while",
     .words = {"x", "--path-prefix", "/checkout", "--to", "https://b.example{+path}", "--for",
               "30m", WHY},
     .json = "{'path_prefix':'/checkout','to':'https://b.example{+path}','for':'30m','reason':"
             "'r'}"},
    {.what = "words and options in any order",
     .words = {"--for=2h", "--pool", "p", WHY, "x"},
     .json = "{'pool':'p','for':'2h','reason':'r'}"},
    {.what = "a page, a window, an owner",
     .words = {"x", "--path", "/a/:b", "--page", "upgrade", "--from", "2026-12-01T02:00:00Z",
               "--until", "2026-12-01T04:00 Europe/Berlin", WHY, "--owner", "payments"},
     .json = "{'path':'/a/:b','page':'upgrade','from':'2026-12-01T02:00:00Z','until':"
             "'2026-12-01T04:00 Europe/Berlin','reason':'r','owner':'payments'}"},
    {.what = "no end",
     .words = {"x", "--page", "p", "--until-off", WHY},
     .json = "{'page':'p','until':'off','reason':'r'}"},
    {.what = "again and again, held, ramped",
     .words = {"x", "--to", "https://b.example/", "--for", "2h", "--repeat", "FREQ=WEEKLY;BYDAY=SU",
               "--zone", "Europe/Berlin", "--ramp", "10m", "--return-over", "5m", "--hold", WHY},
     .json = "{'to':'https://b.example/','for':'2h','repeat':'FREQ=WEEKLY;BYDAY=SU','zone':"
             "'Europe/Berlin','at_end':'hold','ramp':'10m','return_over':'5m','reason':'r'}"},
    {.what = "a share, and a status for the rest",
     .words = {"x", "--pool", "p", "--for", "1h", "--share", "60%", "--rest", "503", WHY},
     .json = "{'pool':'p','for':'1h','share':'60%','rest':503,'reason':'r'}"},
    {.what = "a place for the rest",
     .words = {"x", "--pool", "p", "--for", "1h", "--share", "60%", "--rest", "https://c.example/",
               WHY},
     .json = "{'pool':'p','for':'1h','share':'60%','rest':{'to':'https://c.example/'},'reason':"
             "'r'}"},
    {.what = "the rest goes on",
     .words = {"x", "--pool", "p", "--for", "1h", "--share", "60%", "--rest", "next", WHY},
     .json = "{'pool':'p','for':'1h','share':'60%','rest':'next','reason':'r'}"},
    {.what = "who is not taken, and which paths, and which methods",
     .words = {"x", "--pool", "p", "--for", "1h", "--bypass", "10.0.0.0/8", "--bypass",
               "ops=let=me", "--bypass", "::1", "--except", "/healthz", "--except", "/img/*",
               "--method", "GET", WHY},
     .json = "{'methods':['GET'],'pool':'p','for':'1h','bypass':{'clients':['10.0.0.0/8','::1'],"
             "'cookie':['ops=let=me']},'except':['/healthz','/img/*'],'reason':'r'}"},
    {.what = "freshness",
     .words = {"x", "--page", "p", "--for", "1h", "--max-age", "60s", "--retry-after", "5m", WHY},
     .json = "{'page':'p','max_age':'60s','retry_after':'5m','for':'1h','reason':'r'}"},
    {.what = "what two options exclude is the server's to say",
     .words = {"x", "--to", "https://b.example/", "--page", "p", "--for", "nonsense", WHY},
     .json = "{'to':'https://b.example/','page':'p','for':'nonsense','reason':'r'}"},
    {.what = "bytes that are no UTF-8 become characters",
     .words = {"x", "--page", "p", "--for", "1h", "--reason", "\xfc"},
     .json = "{'page':'p','for':'1h','reason':'\xc3\xbc'}"},

    {.what = "no name", .words = {"--page", "p", "--for", "1h", WHY}},
    {.what = "two names", .words = {"x", "y", "--page", "p", "--for", "1h", WHY}},
    {.what = "no end", .words = {"x", "--page", "p", WHY}},
    {.what = "both ends", .words = {"x", "--for", "1h", "--until", "2026-12-01T04:00:00Z", WHY}},
    {.what = "an end and none", .words = {"x", "--until-off", "--until", "off", WHY}},
    {.what = "no reason", .words = {"x", "--page", "p", "--for", "1h"}},
    {.what = "twice the same", .words = {"x", "--for", "1h", "--for", "2h", WHY}},
    {.what = "an option without its value", .words = {"x", WHY, "--for"}},
    {.what = "an option that there is not", .words = {"x", WHY, "--for", "1h", "--frob"}},
};

/* Rows are written with single quotes. */
static json_t *expected(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; *c != 0; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    json_t *json = json_loads(copy, 0, NULL);
    free(copy);
    assert_non_null(json);
    return json;
}

static bool read_row(const struct row *row, struct on_options *options, int *status_out)
{
    char *argv[words_max + 2] = {strdup("on")};
    int argc = 1;
    for (size_t i = 0; i < words_max && row->words[i] != NULL; i++) {
        argv[argc++] = (char *)(uintptr_t)row->words[i];
    }
    char *first = argv[0];
    bool good = on_read(argc, argv, options, status_out);
    free(first);
    return good;
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct on_options options = {0};
        int status = -1;
        bool good = read_row(&rows[i], &options, &status);
        print_message("# %s\n", rows[i].what);
        assert_int_equal(good, rows[i].json != NULL);
        assert_int_equal(status, good ? exit_ok : exit_could_not_run);
        if (good) {
            json_t *want = expected(rows[i].json);
            json_t *got = on_content(&options);
            assert_string_equal(options.name, "x");
            if (!json_equal(want, got)) {
                fail_msg("%s: %s", rows[i].what, json_dumps(got, 0));
            }
            json_decref(want);
            json_decref(got);
        }
    }
}

static void test_what_is_not_content(void **state)
{
    const struct row row = {.words = {"x", "--site", "shop", "--dry-run", "--json", "--replace",
                                      "-c", "f.yaml", "--token-file", "t", "--page", "p", "--for",
                                      "1h", WHY}};
    struct on_options options = {0};
    int status;
    assert_true(read_row(&row, &options, &status));
    assert_string_equal(options.admin.site, "shop");
    assert_string_equal(options.admin.where.config, "f.yaml");
    assert_string_equal(options.admin.where.token_file, "t");
    assert_true(options.admin.dry_run && options.admin.json && options.replace);
    json_t *want = expected("{'page':'p','for':'1h','reason':'r'}");
    json_t *got = on_content(&options);
    assert_true(json_equal(want, got));
    json_decref(want);
    json_decref(got);
}

static void test_too_many(void **state)
{
    char *argv[2 * option_list_max + 16];
    int argc = 0;
    argv[argc++] = (char *)(uintptr_t) "on";
    for (int i = 0; i <= option_list_max; i++) {
        argv[argc++] = (char *)(uintptr_t) "--except";
        argv[argc++] = (char *)(uintptr_t) "/a";
    }
    argv[argc] = NULL;
    struct on_options options = {0};
    int status = exit_ok;
    assert_false(on_read(argc, argv, &options, &status));
    assert_int_equal(status, exit_could_not_run);
    assert_int_equal(options.except.count, option_list_max);
}

static int quiet(void **state)
{
    opterr = 0; /* as main does */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_what_is_not_content),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
