/* SPDX-License-Identifier: MIT */
/* The figures: shares over all workers, whoever is down; the same choice of every worker under
 * hash, of which a server that leaves moves nothing else; and what is remembered is what would be
 * computed. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { workers = 4, requests = 100000, servers_here = 1000, text_max = 200000 };

static struct server_live live[servers_here];
static uint32_t given;

static uint32_t rule_slot(void *context, struct span identity)
{
    return 0;
}

static uint32_t server_slot(void *context, struct span identity)
{
    atomic_store(&live[given].word, server_live_word(SERVER_UP, server_weight_ppm_full));
    return given++;
}

struct setting {
    struct arena arena;
    uint8_t *bytes;
    const struct snapshot *snapshot;
    _Atomic uint64_t epoch;
    struct pools *pools[workers];
};

/* A pool of `count` servers whose weights are 1 + i % span. */
static void setting_init(struct setting *s, const char *keys, int count, int span)
{
    static char text[text_max];
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    struct problems problems;
    size_t len;
    struct compile_slots slots = {.rule = rule_slot, .server = server_slot};
    given = 0;
    buffer_printf(&out,
                  "sites: [{hosts: '*', routes: [{path: /**, pool: p}]}]\n"
                  "pools:\n  p:\n    health: off\n%s    servers:\n",
                  keys);
    for (int i = 0; i < count; i++) {
        buffer_printf(&out, "      - {name: s%d, url: 'https://s%d.example', weight: %d}\n", i, i,
                      1 + i % span);
    }
    assert_false(out.full);
    text[out.len] = 0;
    *s = (struct setting){0};
    arena_init(&s->arena, 0);
    problems_init(&problems, &s->arena, "test.yaml");
    const struct model *model = model_load(span_cstr(text), NOW, &problems);
    if (model == NULL) {
        problems_print(&problems, stderr);
    }
    assert_non_null(model);
    assert_int_equal(snapshot_compile(model, &slots, 1, NOW, &s->bytes, &len), ERR_NONE);
    s->snapshot = snapshot_open(span_of(s->bytes, len));
    for (uint32_t i = 0; i < workers; i++) {
        struct pools_setting setting = {.live = live, .epoch = &s->epoch, .worker = i};
        assert_int_equal(pools_new(s->snapshot, &setting, NULL, &s->pools[i]), ERR_NONE);
    }
}

static void setting_fini(struct setting *s)
{
    for (uint32_t i = 0; i < workers; i++) {
        pools_free(&s->pools[i]);
    }
    free(s->bytes);
    arena_fini(&s->arena);
}

static void set(struct setting *s, int server, enum server_state state, uint32_t ppm)
{
    atomic_store(&live[server].word, server_live_word(state, ppm));
    s->epoch++;
}

static uint32_t choose(struct pools *pools, uint64_t key)
{
    static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 192};
    struct pool_client client = {.address = address, .key = key};
    return pool_choose(pools, 0, &client);
}

/* Any hash will do that has all its bits from the number. */
static uint64_t key_of(uint64_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t weight_now(int server, int span)
{
    if (server_live_state(&live[server]) != SERVER_UP) {
        return 0;
    }
    return (uint64_t)(1 + server % span) * server_live_weight_ppm(&live[server]);
}

/* Within 1 % of the weight, and within a handful of requests where 1 % is less than one. */
static void expect_shares(struct setting *s, int count, int span)
{
    static int got[servers_here];
    uint64_t sum = 0;
    memset(got, 0, sizeof(got));
    for (int i = 0; i < requests; i++) {
        uint32_t server = choose(s->pools[i % workers], 0);
        assert_in_range(server, 0, count - 1);
        got[server]++;
    }
    for (int i = 0; i < count; i++) {
        sum += weight_now(i, span);
    }
    for (int i = 0; i < count; i++) {
        double wanted = (double)requests * (double)weight_now(i, span) / (double)sum;
        double slack = wanted / 100 > 2 * workers ? wanted / 100 : 2 * workers;
        if (got[i] < wanted - slack || got[i] > wanted + slack || (wanted == 0 && got[i] > 0)) {
            fail_msg("server %d of %d: %d requests, not %.0f", i, count, got[i], wanted);
        }
    }
}

static void shares_follow_the_weights(void **state)
{
    static const int counts[] = {1, 2, 3, 10, 97, 1000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        struct setting s;
        setting_init(&s, "", counts[i], 7);
        expect_shares(&s, counts[i], 7);
        if (counts[i] > 2) {
            set(&s, 0, SERVER_DOWN, 0);
            set(&s, 1, SERVER_UP, 300000); /* a slow start */
            expect_shares(&s, counts[i], 7);
        }
        setting_fini(&s);
    }
}

static void half_of_a_thousand_may_be_down(void **state)
{
    struct setting s;
    setting_init(&s, "", 1000, 5);
    for (int i = 0; i < 1000; i++) {
        if (key_of((uint64_t)i) % 2 == 0) {
            set(&s, i, i % 3 == 0 ? SERVER_MAINT : SERVER_DOWN, 0);
        }
    }
    expect_shares(&s, 1000, 5);
    setting_fini(&s);
}

/* Each worker alone, wherever it begins. */
static void a_cycle_is_exact(void **state)
{
    struct setting s;
    int got[5];
    setting_init(&s, "", 5, 5); /* 1, 2, 3, 4, 5 */
    for (uint32_t worker = 0; worker < workers; worker++) {
        for (int cycle = 0; cycle < 20; cycle++) {
            memset(got, 0, sizeof(got));
            for (int i = 0; i < 15; i++) {
                got[choose(s.pools[worker], 0)]++;
            }
            for (int i = 0; i < 5; i++) {
                assert_int_equal(got[i], i + 1);
            }
        }
    }
    bool apart = false;
    for (uint32_t worker = 1; worker < workers; worker++) {
        apart = apart || choose(s.pools[worker], 0) != choose(s.pools[0], 0);
    }
    assert_true(apart);
    setting_fini(&s);
}

/* ---- hash ---- */

enum { keys = 20000 };

static void leaving_moves_only_own_keys(struct setting *s, int count)
{
    static uint32_t before[keys];
    int gone = count / 3;
    int moved = 0;
    for (uint64_t i = 0; i < keys; i++) {
        before[i] = choose(s->pools[0], key_of(i));
        assert_int_equal(choose(s->pools[1 + i % (workers - 1)], key_of(i)), before[i]);
    }
    set(s, gone, SERVER_DOWN, 0);
    for (uint64_t i = 0; i < keys; i++) {
        uint32_t now = choose(s->pools[i % workers], key_of(i));
        assert_int_not_equal(now, gone);
        moved += now != before[i];
        if (before[i] != (uint32_t)gone) {
            assert_int_equal(now, before[i]);
        }
    }
    assert_true(moved > 0);
    set(s, gone, SERVER_UP, 500000); /* half of its keys are back */
    int back = 0;
    for (uint64_t i = 0; i < keys; i++) {
        uint32_t now = choose(s->pools[i % workers], key_of(i));
        if (now != before[i]) {
            assert_int_equal(before[i], gone);
        } else {
            back += now == (uint32_t)gone;
        }
    }
    assert_in_range(back, moved / 3, moved * 2 / 3);
    set(s, gone, SERVER_UP, server_weight_ppm_full);
    for (uint64_t i = 0; i < keys; i++) {
        assert_int_equal(choose(s->pools[i % workers], key_of(i)), before[i]);
    }
}

static void a_server_that_leaves_takes_only_its_keys(void **state)
{
    static const struct {
        int count;
        int span;
    } cases[] = {{10, 1}, {10, 4}, {2, 1}, {200, 1}, {200, 3}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct setting s;
        setting_init(&s, "    balance: {hash: path}\n", cases[i].count, cases[i].span);
        leaving_moves_only_own_keys(&s, cases[i].count);
        setting_fini(&s);
    }
}

/* More than are remembered are down, and what is chosen is still what a pool without them
 * would choose. */
static void nobody_needs_to_be_remembered(void **state)
{
    struct setting s;
    static uint32_t wanted[keys];
    setting_init(&s, "    balance: {hash: path}\n", 40, 3);
    for (int i = 0; i < 36; i++) {
        set(&s, i, SERVER_DOWN, 0);
    }
    for (uint64_t i = 0; i < keys; i++) {
        wanted[i] = choose(s.pools[0], key_of(i));
        assert_in_range(wanted[i], 36, 39);
    }
    for (int i = 0; i < 36; i += 2) { /* not up: a drain that is over */
        set(&s, i, SERVER_DRAIN, 0);
    }
    for (uint64_t i = 0; i < keys; i++) {
        assert_int_equal(choose(s.pools[1], key_of(i)), wanted[i]);
    }
    setting_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(half_of_a_thousand_may_be_down),
        cmocka_unit_test(a_cycle_is_exact),
        cmocka_unit_test(a_server_that_leaves_takes_only_its_keys),
        cmocka_unit_test(nobody_needs_to_be_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
