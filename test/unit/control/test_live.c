/* SPDX-License-Identifier: MIT */
/* Overrides between the store and a configuration: who wins over readings of the file, what
 * is tried without being kept, and what is over. */
#include "control/runtime/live.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_HEAD \
    "sites: [{name: a, hosts: [a.example], routes: [{path: /, to: \"https://b.example/\"}]}]\n"
#define FILE_ONE                                                                                \
    "detours: [{name: one, site: a, path: /1, to: \"https://f.example/\", until: off, reason: " \
    "r}]\n"
#define FILE_ONE_ANEW                                                                           \
    "detours: [{name: one, site: a, path: /1, to: \"https://f.example/\", until: off, reason: " \
    "s}]\n"
#define LIVE(name, until)                                                                  \
    "{\"name\":\"" name "\",\"site\":\"a\",\"path\":\"/l\",\"to\":\"https://l.example/\"," \
    "\"until\":\"" until "\",\"reason\":\"r\"}"

static const int64_t now_ns = 1800000000LL * NS_PER_SECOND; /* 2027-01-15T08:00:00Z */
static const char past[] = "2027-01-15T07:59:59Z";

struct fixture {
    char folder[64];
    struct store *store;
    struct live *live;
    struct arena arena; /* of what was read last */
    const struct model *model;
};

static void open_all(struct fixture *f)
{
    char reason[store_reason_bytes];
    char path[80];
    snprintf(path, sizeof(path), "%s/state", f->folder);
    assert_int_equal(store_open(path, &f->store, reason), ERR_NONE);
    assert_int_equal(live_new(f->store, &f->live), ERR_NONE);
}

static void close_all(struct fixture *f)
{
    live_free(&f->live);
    store_close(&f->store);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/detour-live-XXXXXX");
    if (mkdtemp(f->folder) == NULL) {
        return -1;
    }
    arena_init(&f->arena, 0);
    open_all(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {"state/store.mdb", "state/store.mdb-lock", "state", ""};
    char path[96];
    close_all(f);
    arena_fini(&f->arena);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", f->folder, files[i]);
        if (unlink(path) != 0) {
            rmdir(path);
        }
    }
    free(f);
    return 0;
}

static const struct model *load(struct fixture *f, const char *text,
                                struct model_overrides *overrides)
{
    struct problems problems;
    arena_fini(&f->arena);
    problems_init(&problems, &f->arena, "test");
    f->model = model_load_live(span_cstr(text), overrides, now_ns, &problems);
    assert_non_null(f->model);
    return f->model;
}

static const struct model_detour *find(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->detour_count; i++) {
        if (span_eq(model->detours[i].rule.name, span_cstr(name))) {
            return &model->detours[i];
        }
    }
    return NULL;
}

static struct store_change change_to(enum store_kind kind, const char *key, const char *json,
                                     uint64_t stanza)
{
    return (struct store_change){
        .time_ns = now_ns,
        .key = span_cstr(key),
        .after = {.kind = kind, .json = span_cstr(json), .stanza = stanza}};
}

static void apply(struct fixture *f, struct store_change change)
{
    uint64_t number;
    assert_int_equal(live_apply(f->live, &change, 1, &number), ERR_NONE);
}

/* Reads the file as a reload does, and settles. */
static size_t reload(struct fixture *f, const char *text)
{
    size_t dropped = 99;
    load(f, text, live_overrides(f->live));
    assert_int_equal(live_settle(f->live, live_overrides(f->live), now_ns, &dropped), ERR_NONE);
    return dropped;
}

/* What stands at the end of several readings. */
static void the_merge_rule_over_reloads(void **state)
{
    enum { said_nothing, is_live, is_file };
    static const struct {
        const char *what;
        enum store_kind kind;
        bool above; /* the stanza of the first file */
        const char *files[3];
        int found[3];
    } rows[] = {
        {"set above a stanza",
         STORE_SET,
         true,
         {FILE_ONE, FILE_ONE, FILE_ONE},
         {is_live, is_live, is_live}},
        {"off above a stanza", STORE_OFF, true, {FILE_ONE, FILE_ONE, FILE_ONE}, {0, 0, 0}},
        {"set, and the stanza changes and changes back",
         STORE_SET,
         true,
         {FILE_ONE, FILE_ONE_ANEW, FILE_ONE},
         {is_live, is_file, is_file}},
        {"off, and the stanza changes and changes back",
         STORE_OFF,
         true,
         {FILE_ONE, FILE_ONE_ANEW, FILE_ONE},
         {0, is_file, is_file}},
        {"off, and the stanza goes and comes back",
         STORE_OFF,
         true,
         {FILE_ONE, "", FILE_ONE},
         {0, 0, is_file}},
        {"set without a stanza", STORE_SET, false, {"", "", ""}, {is_live, is_live, is_live}},
        {"set without a stanza, and the file has one for a while",
         STORE_SET,
         false,
         {"", FILE_ONE, ""},
         {is_live, is_file, said_nothing}},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t stanza = 0;
        char text[1024];
        if (rows[i].above) {
            stanza = find(load(f, FILE_HEAD FILE_ONE, NULL), "one")->stanza;
        }
        apply(f, change_to(rows[i].kind, "a/one", LIVE("one", "off"), stanza));
        for (size_t k = 0; k < 3; k++) {
            snprintf(text, sizeof(text), "%s%s", FILE_HEAD, rows[i].files[k]);
            reload(f, text);
            const struct model_detour *detour = find(f->model, "one");
            int found = detour == NULL ? said_nothing : detour->live ? is_live : is_file;
            if (found != rows[i].found[k]) {
                fail_msg("%s: reading %zu: %d", rows[i].what, k, found);
            }
        }
        apply(f, change_to(STORE_NONE, "a/one", "", 0));
    }
}

/* Flags of an earlier reading, or of none, drop nothing. */
static void only_what_was_read_is_dropped(void **state)
{
    struct fixture *f = *state;
    size_t dropped = 99;
    apply(f, change_to(STORE_SET, "a/d", LIVE("d", "off"), 0));
    assert_int_equal(live_settle(f->live, live_overrides(f->live), now_ns, &dropped), ERR_NONE);
    assert_int_equal(dropped, 0);
    assert_int_equal(reload(f, FILE_HEAD), 0);
    assert_int_equal(reload(f, FILE_HEAD), 0);
    assert_non_null(find(f->model, "d"));
}

static void a_trial_is_kept_nowhere(void **state)
{
    static const struct {
        const char *what;
        enum store_kind kind;
        const char *key, *name;
        bool there;
        size_t count;
    } rows[] = {
        {"a new one", STORE_SET, "a/new", "new", true, 2},
        {"one instead of another", STORE_SET, "a/d", "d", true, 1},
        {"one that goes", STORE_NONE, "a/d", "d", false, 0},
        {"one that is not there goes", STORE_NONE, "a/x", "x", false, 1},
    };
    struct fixture *f = *state;
    apply(f, change_to(STORE_SET, "a/d", LIVE("d", "off"), 0));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct arena arena;
        struct model_overrides trial;
        char json[256];
        arena_init(&arena, 0);
        snprintf(json, sizeof(json), LIVE("%s", "off"), rows[i].name);
        struct store_change change = change_to(rows[i].kind, rows[i].key, json, 0);
        assert_int_equal(live_trial(f->live, &change, 1, &arena, &trial), ERR_NONE);
        load(f, FILE_HEAD, &trial);
        if (trial.count != rows[i].count ||
            (find(f->model, rows[i].name) != NULL) != rows[i].there) {
            fail_msg("%s", rows[i].what);
        }
        arena_fini(&arena);
        assert_int_equal(live_overrides(f->live)->count, 1);
        assert_null(live_find(f->live, SPAN("a/new")));
    }
}

static void what_is_over_goes(void **state)
{
    struct fixture *f = *state;
    size_t ended = 99;
    struct store_change *kept;
    size_t count;
    uint64_t stanza = find(load(f, FILE_HEAD FILE_ONE, NULL), "one")->stanza;
    apply(f, change_to(STORE_SET, "a/over", LIVE("over", "2027-01-15T07:59:59Z"), 0));
    apply(f, change_to(STORE_SET, "a/soon", LIVE("soon", "2027-01-15T08:00:01Z"), 0));
    apply(f, change_to(STORE_SET, "a/open", LIVE("open", "off"), 0));
    /* Above a stanza it must stay, or that would come back. */
    apply(f, change_to(STORE_SET, "a/one", LIVE("one", "2027-01-15T07:59:59Z"), stanza));
    load(f, FILE_HEAD FILE_ONE, live_overrides(f->live));
    assert_int_equal(live_expire(f->live, f->model, now_ns, &ended), ERR_NONE);
    assert_int_equal(ended, 1);
    assert_null(live_find(f->live, SPAN("a/over")));
    assert_non_null(live_find(f->live, SPAN("a/soon")));
    assert_non_null(live_find(f->live, SPAN("a/open")));
    assert_non_null(live_find(f->live, SPAN("a/one")));
    assert_int_equal(store_history(f->store, 0, 1, &f->arena, &kept, &count), ERR_NONE);
    assert_int_equal(kept[0].cause, STORE_BY_SCHEDULE);
    assert_true(span_eq(kept[0].key, SPAN("a/over")));
    assert_int_equal(kept[0].before.kind, STORE_SET);
    assert_non_null(strstr((const char *)kept[0].before.json.ptr, past));
}

static void it_is_the_same_after_a_restart(void **state)
{
    struct fixture *f = *state;
    apply(f, change_to(STORE_SET, "a/d", LIVE("d", "off"), 0));
    apply(f, change_to(STORE_OFF, "a/one", "{}", 7));
    uint64_t number = live_find(f->live, SPAN("a/one"))->number;
    close_all(f);
    open_all(f);
    assert_int_equal(live_overrides(f->live)->count, 2);
    const struct store_override *one = live_find(f->live, SPAN("a/one"));
    assert_int_equal(one->number, number);
    assert_int_equal(one->value.kind, STORE_OFF);
    assert_int_equal(one->value.stanza, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_merge_rule_over_reloads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_was_read_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trial_is_kept_nowhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_over_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_the_same_after_a_restart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
