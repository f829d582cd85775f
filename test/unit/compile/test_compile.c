/* SPDX-License-Identifier: MIT */
/* The block while it grows, and pools. Models are made by hand
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
        cmocka_unit_test(servers_stand_by_priority),
        cmocka_unit_test(equal_models_give_equal_blocks),
        cmocka_unit_test(an_empty_model_is_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
