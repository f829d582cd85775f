/* SPDX-License-Identifier: MIT */
/* The block while it grows, and pools: cycles that are exact. Models are made by hand
 * where the file cannot say it. */
#include "fixture.h"

#include "compile/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void equal_texts_share_their_bytes(void **state)
{
    (void)state;
    struct block block;
    char text[32];
    static struct snap_ref refs[5000];
    block_init(&block);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            int len = snprintf(text, sizeof(text), "text %d", i);
            struct snap_ref ref = block_text(&block, span_of(text, (size_t)len));
            assert_int_equal(block.err, ERR_NONE);
            assert_true(span_eq(span_of(block.bytes + ref.off, ref.len), span_cstr(text)));
            if (round == 1) {
                assert_memory_equal(&ref, &refs[i], sizeof(ref));
            }
            refs[i] = ref;
        }
    }
    assert_int_equal(block.interned_count, 5000);
    assert_int_equal(block_text(&block, SPAN("")).len, 0);
    block_fini(&block);
}

static void a_block_is_sticky(void **state)
{
    (void)state;
    struct block block;
    block_init(&block);
    assert_int_equal(block_reserve(&block, 3), 0);
    assert_int_equal(block_reserve(&block, 3) % 8, 0);
    size_t len = block.len;
    assert_int_equal(block_reserve(&block, (size_t)snap_bytes_max + 1), 0);
    assert_int_equal(block.err, ERR_LIMIT);
    assert_int_equal(block_reserve(&block, 3), 0);
    assert_int_equal(block_text(&block, SPAN("x")).len, 0);
    block_write(&block, 0, "abc", 3);
    assert_int_equal(block.len, len);
    block_fini(&block);
}

/* ---- pools ---- */

enum { servers_max_here = 65536 };

static struct model_server servers[servers_max_here];
static char names[servers_max_here][16];
static struct model_pool pool;
static struct model model;

static void make_pool(enum balance balance, const uint32_t *weights, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "p/%zu", i);
        servers[i] = (struct model_server){
            .identity = span_of(names[i], (size_t)len),
            .url = SPAN("https://s.example"),
            .weight = weights[i],
            .priority = 1,
        };
    }
    pool = (struct model_pool){
        .name = SPAN("p"),
        .balance = balance,
        .servers = servers,
        .server_count = count,
        .fallback = {.kind = ACTION_RESPOND, .status = 503, .retry_after_s = -1},
    };
    model = (struct model){.pools = &pool, .pool_count = 1};
}

/* However long one looks, each server has had its share to within less than one turn: its
 * turn k of t lies in the slots [k*n/t, (k+1)*n/t), rounded outwards. */
static void expect_even(const uint32_t *cycle, uint64_t length, const uint32_t *turns)
{
    static uint64_t taken[servers_max_here];
    memset(taken, 0, sizeof(taken));
    for (uint64_t slot = 0; slot < length; slot++) {
        uint32_t server = cycle[slot];
        uint64_t k = taken[server]++;
        uint64_t t = turns[server];
        if (slot < k * length / t || slot >= ((k + 1) * length + t - 1) / t) {
            fail_msg("turn %d of %d of server %u is in slot %d of %d", (int)k, (int)t, server,
                     (int)slot, (int)length);
        }
    }
}

/* The turns of each server in a full cycle; gives the length. */
static uint32_t count_turns(uint32_t *turns, size_t count, uint32_t *longest_wait)
{
    uint8_t *bytes;
    size_t len;
    static uint32_t last[servers_max_here];
    assert_int_equal(snapshot_compile(&model, NULL, 1, 0, &bytes, &len), ERR_NONE);
    const struct snapshot *snapshot = snapshot_open(span_of(bytes, len));
    assert_non_null(snapshot);
    struct snap_list list = snapshot_pool(snapshot, 0)->cycle;
    const uint32_t *cycle = snapshot_at(snapshot, list.off);
    memset(turns, 0, count * sizeof(*turns));
    memset(last, 0, sizeof(last));
    *longest_wait = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        assert_true(cycle[i] < count);
        turns[cycle[i]]++;
        if (cycle[i] == 0) {
            uint32_t wait = i - last[0];
            *longest_wait = wait > *longest_wait ? wait : *longest_wait;
            last[0] = i;
        }
    }
    uint32_t length = list.count;
    expect_even(cycle, length, turns);
    free(bytes);
    return length;
}

static void a_cycle_is_in_lowest_terms(void **state)
{
    static const struct {
        enum balance balance;
        uint32_t weights[4];
        uint32_t turns[4];
        uint32_t length;
        uint32_t longest_wait; /* for the first one */
    } cases[] = {
        {BALANCE_WEIGHTED, {3, 1, 0, 0}, {3, 1, 0, 0}, 4, 2},
        {BALANCE_WEIGHTED, {300000, 100000, 0, 0}, {3, 1, 0, 0}, 4, 2},
        {BALANCE_WEIGHTED, {1, 1, 1, 1}, {1, 1, 1, 1}, 4, 3},
        {BALANCE_WEIGHTED, {5, 5, 10, 0}, {1, 1, 2, 0}, 4, 3},
        {BALANCE_WEIGHTED, {7, 3, 0, 0}, {7, 3, 0, 0}, 10, 2},
        {BALANCE_WEIGHTED, {0, 0, 0, 9}, {0, 0, 0, 1}, 1, 0},
        {BALANCE_WEIGHTED, {0, 0, 0, 0}, {0, 0, 0, 0}, 0, 0},
        {BALANCE_ROUND_ROBIN, {3, 1, 0, 7}, {1, 1, 0, 1}, 3, 2},
    };
    (void)state;
    uint32_t turns[4];
    uint32_t wait;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_pool(cases[i].balance, cases[i].weights, 4);
        assert_int_equal(count_turns(turns, 4, &wait), cases[i].length);
        assert_memory_equal(turns, cases[i].turns, sizeof(turns));
        assert_true(wait <= cases[i].longest_wait); /* spread, not in a row */
    }
}

static void large_pools_are_exact(void **state)
{
    enum { count = 1000 };
    (void)state;
    static uint32_t weights[count];
    static uint32_t turns[count];
    uint32_t wait;
    for (size_t i = 0; i < count; i++) {
        weights[i] = (uint32_t)(i % 5);
    }
    make_pool(BALANCE_WEIGHTED, weights, count);
    assert_int_equal(count_turns(turns, count, &wait), 2000);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(turns[i], weights[i]);
    }
}

/* Weights that have nothing to do with each other. */
static void any_weights_are_spread(void **state)
{
    enum { rounds = 300, count_max = 40 };
    (void)state;
    uint32_t weights[count_max];
    uint32_t turns[count_max];
    uint32_t wait;
    uint64_t random = 1;
    for (size_t round = 0; round < rounds; round++) {
        size_t count = 1 + round % count_max;
        for (size_t i = 0; i < count; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            weights[i] = (uint32_t)(random >> 33) % (round % 3 == 0 ? 1000000 : 17);
        }
        make_pool(BALANCE_WEIGHTED, weights, count);
        count_turns(turns, count, &wait);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(turns[i] > 0, weights[i] > 0);
        }
    }
}

/* As many servers as the shared pages hold take tens of milliseconds. What looks at each
 * server for each turn takes minutes: the limit lies far from both. */
static void the_largest_pool_is_quick(void **state)
{
    enum { cpu_seconds_max = 5 };
    (void)state;
    static uint32_t weights[servers_max_here];
    static uint32_t turns[servers_max_here];
    uint32_t wait;
    for (size_t i = 0; i < servers_max_here; i++) {
        weights[i] = (uint32_t)(1 + i * 7919 % 1000);
    }
    make_pool(BALANCE_WEIGHTED, weights, servers_max_here);
    clock_t began = clock();
    assert_in_range(count_turns(turns, servers_max_here, &wait), 65536, 131072);
    assert_in_range(clock() - began, 0, (clock_t)cpu_seconds_max * CLOCKS_PER_SEC);
}

/* A cycle that would be too long is scaled: nobody with a weight is left out, and each
 * one is within a turn of its share. */
static void long_cycles_are_scaled(void **state)
{
    static const uint32_t weights[] = {1000000, 999999, 1, 500000};
    (void)state;
    uint32_t turns[4];
    uint32_t wait;
    make_pool(BALANCE_WEIGHTED, weights, 4);
    uint32_t length = count_turns(turns, 4, &wait);
    assert_in_range(length, 65530, 65540);
    assert_int_equal(turns[2], 1);
    assert_in_range(turns[0], 26213, 26215); /* 65536 * 1000000 / 2500000 */
    assert_in_range(turns[1], 26213, 26215);
    assert_in_range(turns[3], 13106, 13108);
    assert_true(wait <= 4);
}

/* Keys choose servers, so turns would only cost memory; 65,536 servers must not cost
 * minutes either. */
static void hash_needs_no_cycle(void **state)
{
    static const uint32_t weights[] = {3, 1};
    (void)state;
    uint32_t turns[2];
    uint32_t wait;
    make_pool(BALANCE_HASH, weights, 2);
    assert_int_equal(count_turns(turns, 2, &wait), 0);
}

static void servers_stand_by_priority(void **state)
{
    static const uint32_t weights[] = {1, 1, 1, 1};
    static const uint32_t priorities[] = {2, 1, 3, 1};
    static const char *const wanted[] = {"p/1", "p/3", "p/0", "p/2"};
    (void)state;
    uint8_t *bytes;
    size_t len;
    make_pool(BALANCE_WEIGHTED, weights, 4);
    for (size_t i = 0; i < 4; i++) {
        servers[i].priority = priorities[i];
    }
    assert_int_equal(snapshot_compile(&model, NULL, 1, 0, &bytes, &len), ERR_NONE);
    const struct snapshot *snapshot = snapshot_open(span_of(bytes, len));
    for (uint32_t i = 0; i < 4; i++) {
        const struct snap_server *server = snapshot_server(snapshot, i);
        fixture_same("order", "server", snapshot_text(snapshot, server->identity), wanted[i]);
    }
    free(bytes);
}

/* ---- the whole ---- */

static void equal_models_give_equal_blocks(void **state)
{
    static const char config[] = "sites:\n"
                                 "  - hosts: [a.example, '*.b.example']\n"
                                 "    routes: [{path: '/a/:b', to: 'https://n.example/{b}'}]\n"
                                 "pools: {p: [https://s.example]}\n";
    (void)state;
    struct fixture *f = fixture_new(config);
    struct fixture *g = fixture_new(config);
    assert_int_equal(f->len, g->len);
    assert_memory_equal(f->bytes, g->bytes, f->len);
    assert_int_equal(f->snapshot->generation, 1);
    assert_int_equal(f->snapshot->built_ns, NOW);
    assert_int_equal(f->len % 8, 0);
    fixture_free(&f);
    fixture_free(&g);
}

static void an_empty_model_is_a_snapshot(void **state)
{
    (void)state;
    struct model empty = {.workers = 1};
    uint8_t *bytes;
    size_t len;
    assert_int_equal(snapshot_compile(&empty, NULL, 7, 0, &bytes, &len), ERR_NONE);
    const struct snapshot *snapshot = snapshot_verify(span_of(bytes, len));
    assert_non_null(snapshot);
    assert_int_equal(snapshot->generation, 7);
    assert_int_equal(snapshot_site_for(snapshot, SPAN("a.example")), SNAP_NONE);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_share_their_bytes),
        cmocka_unit_test(a_block_is_sticky),
        cmocka_unit_test(a_cycle_is_in_lowest_terms),
        cmocka_unit_test(large_pools_are_exact),
        cmocka_unit_test(any_weights_are_spread),
        cmocka_unit_test(long_cycles_are_scaled),
        cmocka_unit_test(the_largest_pool_is_quick),
        cmocka_unit_test(hash_needs_no_cycle),
        cmocka_unit_test(servers_stand_by_priority),
        cmocka_unit_test(equal_models_give_equal_blocks),
        cmocka_unit_test(an_empty_model_is_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
