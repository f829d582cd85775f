/* SPDX-License-Identifier: MIT */
/* Alternatives of pools that nobody has thought of: each could be chosen if those before it were
 * avoided, none stands twice, all are named that there are, and nobody's turn is taken. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { pools_of_each = 60, clients = 30, servers_most = 12, asked_most = 600 };

static uint64_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

static void put_server(struct buffer *out, uint32_t i, uint32_t weight, bool nearest)
{
    static const char *const more[] = {"",
                                       ", schemes: https",
                                       ", family: ipv4",
                                       ", family: ipv6",
                                       ", countries: DE",
                                       ", exclude: {countries: DE}"};
    buffer_printf(out, "      - {name: s%u, url: 'https://s%u.example', weight: %u, priority: %u%s",
                  i, i, weight, 1 + draw(3), draw(3) == 0 ? more[draw(nearest ? 6 : 4)] : "");
    if (nearest && draw(4) != 0) {
        buffer_printf(out, ", at: [%u.5, %u.25]", draw(4) * 20, draw(4) * 40);
    }
    buffer_put(out, SPAN("}\n"));
}

static struct fixture *random_pool(const char *balance, uint32_t *count_out)
{
    static char text[8192];
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    *count_out = 1 + draw(servers_most);
    buffer_printf(&out,
                  "geo: {file: places.mmdb}\nsites: [{hosts: a.example, routes: [{path_prefix: /, "
                  "pool: p}]}]\npools:\n  p:\n    balance: %s\n    min_healthy: %u\n%s    health: "
                  "off\n    servers:\n",
                  balance, 1 + draw(3), draw(2) == 0 ? "    sticky: {cookie: c, ttl: 1h}\n" : "");
    for (uint32_t i = 0; i < *count_out; i++) {
        put_server(&out, i, i == 0 ? 1 + draw(5) : draw(6), strcmp(balance, "nearest") == 0);
    }
    assert_false(out.full);
    text[out.len] = 0;
    return fixture_new(text);
}

static void change_words(struct fixture *f)
{
    for (uint32_t i = 0; i < f->slots; i++) {
        enum server_state state = draw(3) == 0 ? (enum server_state)draw(4) : SERVER_UP;
        uint32_t ppm = draw(4) == 0 ? draw(1000000) : server_weight_ppm_full;
        atomic_store(&f->live[i].word, server_live_word(state, ppm));
    }
}

/* Somebody, and all that they point to. */
struct somebody {
    uint8_t address[16];
    struct geo_place place;
    uint8_t held[pool_held_bytes];
    uint64_t avoid[1];
    struct pool_client client;
};

static void draw_client(const struct fixture *f, uint32_t count, struct somebody *out)
{
    *out = (struct somebody){
        .client = {.secure = draw(2) == 0, .key = (uint64_t)draw(1u << 31) << 33}};
    assert_true(
        address_parse(draw(2) == 0 ? SPAN("192.0.2.1") : SPAN("2001:db8::1"), out->address));
    out->client.address = out->address;
    if (draw(3) != 0) {
        out->place = (struct geo_place){.latitude = (float)draw(80),
                                        .longitude = (float)draw(170),
                                        .located = draw(4) != 0,
                                        .country = {draw(2) == 0 ? 'D' : 'F', 'E'}};
        out->client.place = &out->place;
    }
    if (draw(2) == 0) {
        pool_held_text(snapshot_server(f->snapshot, draw(count)), out->held);
        out->client.held = span_of(out->held, sizeof(out->held));
    }
    if (draw(3) == 0) {
        out->avoid[0] = draw(1u << count);
        out->client.avoid = out->avoid;
    }
}

static struct pools *new_pools(struct fixture *f)
{
    const struct pools_setting setting = {.live = f->live};
    struct pools *pools;
    assert_int_equal(pools_new(f->snapshot, &setting, NULL, &pools), ERR_NONE);
    return pools;
}

/* Whether it would be given at all, to this client without those. */
static bool could_be(struct pools *others, const struct pool_client *client, const uint64_t *avoid,
                     uint32_t server)
{
    struct pool_client other = *client;
    other.avoid = avoid;
    for (int i = 0; i < asked_most; i++) {
        if (pool_choose(others, 0, &other) == server) {
            return true;
        }
    }
    return false;
}

static void check_one(struct fixture *f, struct pools *pools, struct pools *others,
                      const struct pool_client *client, bool settled)
{
    uint32_t named[8];
    uint32_t max = 1 + draw(8);
    uint64_t avoid[1] = {client->avoid != NULL ? client->avoid[0] : 0};
    uint32_t chosen = pool_choose(pools, 0, client);
    if (chosen == SNAP_NONE) {
        return;
    }
    size_t count = pool_alternatives(pools, 0, client, chosen, max, named);
    assert_in_range(count, 0, max);
    pool_avoid(avoid, chosen);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(named[i], 0, f->snapshot->servers.count - 1);
        assert_false(avoid[0] >> named[i] & 1);
        assert_true(could_be(others, client, avoid, named[i]));
        struct pool_client other = *client;
        other.avoid = avoid;
        assert_true(!settled || pool_choose(others, 0, &other) == named[i]);
        pool_avoid(avoid, named[i]);
    }
    struct pool_client nobody = *client;
    nobody.avoid = avoid;
    assert_true(count == max || pool_choose(others, 0, &nobody) == SNAP_NONE);
}

static void each_could_be_chosen(void **state)
{
    static const char *const balances[] = {"weighted", "round-robin", "nearest", "{hash: client}"};
    (void)state;
    for (size_t b = 0; b < sizeof(balances) / sizeof(*balances); b++) {
        for (int i = 0; i < pools_of_each; i++) {
            uint32_t count;
            struct fixture *f = random_pool(balances[b], &count);
            struct pools *pools = new_pools(f);
            struct pools *others = new_pools(f);
            for (int k = 0; k < clients; k++) {
                struct somebody somebody;
                if (k % 4 == 0) {
                    change_words(f);
                }
                draw_client(f, count, &somebody);
                check_one(f, pools, others, &somebody.client, b == 3);
            }
            pools_free(&pools);
            pools_free(&others);
            fixture_free(&f);
        }
    }
}

/* The same clients are sent to the same servers, whether alternatives are named or not. */
static void no_turn_is_taken(void **state)
{
    static const char *const balances[] = {"weighted", "round-robin", "nearest", "{hash: client}"};
    (void)state;
    for (int i = 0; i < pools_of_each; i++) {
        uint32_t count;
        struct fixture *f = random_pool(balances[i % 4], &count);
        struct pools *pools = new_pools(f);
        struct pools *others = new_pools(f);
        for (int k = 0; k < 4 * clients; k++) {
            struct somebody somebody;
            uint32_t named[8];
            if (k % 16 == 0) {
                change_words(f);
            }
            draw_client(f, count, &somebody);
            uint32_t chosen = pool_choose(pools, 0, &somebody.client);
            assert_int_equal(chosen, pool_choose(others, 0, &somebody.client));
            if (chosen != SNAP_NONE) {
                pool_alternatives(pools, 0, &somebody.client, chosen, 8, named);
            }
        }
        pools_free(&pools);
        pools_free(&others);
        fixture_free(&f);
    }
}

/* When a server fails, its clients spread over the others as others do. */
static void the_first_of_them_are_spread_by_weight(void **state)
{
    enum { rounds = 20000 };
    static const uint32_t weights[] = {1, 1, 1, 1, 2, 4};
    static const uint8_t address[16] = {1};
    static char text[2048];
    static uint32_t first[6][6];
    (void)state;
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    buffer_put(&out, SPAN("sites: [{hosts: a.example, routes: [{path_prefix: /, pool: p}]}]\n"
                          "pools:\n  p:\n    servers:\n"));
    for (uint32_t i = 0; i < 6; i++) {
        buffer_printf(&out, "      - {name: s%u, url: 'https://s%u.example', weight: %u}\n", i, i,
                      weights[i]);
    }
    text[out.len] = 0;
    struct fixture *f = fixture_new(text);
    struct pools *pools = new_pools(f);
    const struct pool_client client = {.address = address};
    for (int i = 0; i < rounds; i++) {
        uint32_t named;
        uint32_t chosen = pool_choose(pools, 0, &client);
        assert_int_equal(pool_alternatives(pools, 0, &client, chosen, 1, &named), 1);
        first[chosen][named]++;
    }
    for (uint32_t i = 0; i < 6; i++) {
        for (uint32_t k = 0; k < 6; k++) {
            uint32_t of_it = rounds / 10 * weights[i];
            uint32_t fair = of_it * weights[k] / (10 - weights[i]);
            if (i != k) {
                assert_in_range(first[i][k], fair - fair / 4, fair + fair / 4);
            }
        }
    }
    pools_free(&pools);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_could_be_chosen),
        cmocka_unit_test(no_turn_is_taken),
        cmocka_unit_test(the_first_of_them_are_spread_by_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
