/* SPDX-License-Identifier: MIT */
/* A way out, by chance: random pools, whoever of them is up, and clients that avoid some. Nobody
 * avoided is ever given; somebody is, as long as there is one that could be; and for all others
 * it is as if nobody avoided anybody. DETOUR_SEED=n tries other ones. */
#include "compile/compile.h"
#include "geo/geo.h"
#include "pool/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { configurations = 150, clients_each = 60, servers_most = 130, text_max = 32768 };

static uint64_t seed;

static uint32_t below(uint32_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % bound;
}

/* ---- a random pool ---- */

struct setting {
    struct arena arena;
    uint8_t *bytes;
    const struct snapshot *snapshot;
    struct server_live live[servers_most];
    struct pools *pools;
    uint32_t count;
};

static const char *const balances[] = {"weighted", "round-robin", "{hash: path}", "nearest"};
static const char *const reaches[] = {
    "", "", "", ", family: ipv4", ", family: ipv6", ", schemes: https"};
static const char *const areas[] = {"", "", "", ", countries: DE", ", exclude: {countries: DE}"};

static void write_servers(struct buffer *out, uint32_t count, bool near)
{
    uint32_t priorities = 1 + below(4);
    bool mixed = below(3) == 0;
    for (uint32_t i = 0; i < count; i++) {
        buffer_printf(out, "      - {name: s%u, url: 'https://s%u.example', weight: %u, ", i, i,
                      i == 0 ? 1 : below(4));
        buffer_printf(out, "priority: %u%s", 1 + below(priorities),
                      mixed ? reaches[below(sizeof(reaches) / sizeof(*reaches))] : "");
        if (near && below(5) > 0) {
            buffer_printf(out, ", at: [%u, %u]%s", below(80), below(170),
                          areas[below(sizeof(areas) / sizeof(*areas))]);
        }
        buffer_put(out, SPAN("}\n"));
    }
}

static void setting_init(struct setting *s)
{
    static char text[text_max];
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    const char *balance = balances[below(4)];
    size_t len;
    struct problems problems;
    *s = (struct setting){.count = 1 + below(below(4) == 0 ? servers_most : 12)};
    buffer_printf(&out,
                  "geo: {file: places.mmdb}\n"
                  "sites: [{hosts: shop.example, default: {pool: p}}]\n"
                  "pools:\n  p:\n    health: off\n    balance: %s\n    min_healthy: %u\n",
                  balance, 1 + below(3));
    buffer_printf(&out, "    sticky: {cookie: c}\n%s    servers:\n",
                  below(4) == 0 ? "    fallback: all\n" : "");
    write_servers(&out, s->count, strcmp(balance, "nearest") == 0);
    assert_false(out.full);
    arena_init(&s->arena, 0);
    problems_init(&problems, &s->arena, "property.yaml");
    const struct model *model = model_load(buffer_span(&out), 0, &problems);
    if (model == NULL) {
        problems_print(&problems, stderr);
    }
    assert_non_null(model);
    assert_int_equal(snapshot_compile(model, NULL, 1, 0, &s->bytes, &len), ERR_NONE);
    s->snapshot = snapshot_verify(span_of(s->bytes, len));
    assert_non_null(s->snapshot);
    for (uint32_t i = 0; i < s->count; i++) { /* slots are all 0 without somebody who gives them */
        struct snap_server *server = (struct snap_server *)snapshot_server(s->snapshot, i);
        server->slot = i;
        enum server_state state = below(3) > 0 ? SERVER_UP : (enum server_state)below(4);
        uint32_t ppm = below(4) > 0 ? server_weight_ppm_full : below(3) * 300000;
        atomic_store(&s->live[i].word, server_live_word(state, ppm));
    }
}

static struct pools *pools_of(struct setting *s)
{
    struct pools_setting setting = {.live = s->live};
    struct pools *pools;
    assert_int_equal(pools_new(s->snapshot, &setting, NULL, &pools), ERR_NONE);
    return pools;
}

static void setting_fini(struct setting *s)
{
    pools_free(&s->pools);
    free(s->bytes);
    arena_fini(&s->arena);
}

/* ---- a random client ---- */

struct somebody {
    struct pool_client client;
    uint8_t address[16];
    struct geo_place place;
    uint8_t held[pool_held_bytes];
    uint64_t avoid[(servers_most + 63) / 64];
};

static void somebody_init(const struct setting *s, struct somebody *out)
{
    *out = (struct somebody){.place = {.latitude = (float)below(80),
                                       .longitude = (float)below(170),
                                       .country = {below(2) == 0 ? 'D' : 'F', 'E'},
                                       .continent = {'E', 'U'},
                                       .located = below(4) > 0}};
    if (below(2) == 0) {
        out->address[10] = out->address[11] = 0xff;
    }
    out->address[15] = 1;
    out->client = (struct pool_client){
        .secure = below(2) == 0, .key = (uint64_t)below(UINT32_MAX) << 32 | below(UINT32_MAX)};
    out->client.address = out->address;
    out->client.place = below(5) > 0 ? &out->place : NULL;
    if (below(3) == 0) {
        pool_held_text(snapshot_server(s->snapshot, below(s->count)), out->held);
        out->client.held = span_of(out->held, sizeof(out->held));
    }
}

/* Whether it could be given to the client at all, as slowly and plainly as can be said. */
static bool could_have(const struct setting *s, const struct somebody *who, uint32_t server,
                       bool ignoring)
{
    const struct snap_server *from = snapshot_server(s->snapshot, server);
    const struct snap_pool *pool = snapshot_pool(s->snapshot, 0);
    enum server_state state = server_live_state(&s->live[server]);
    bool ipv4 = who->address[10] == 0xff;
    bool german = who->client.place != NULL && who->place.country[0] == 'D';
    const struct snap_area *area = snapshot_at(s->snapshot, from->areas.off);
    bool up = state == SERVER_UP || (state == SERVER_DRAIN && pool->balance == SNAP_HASH) ||
              (state == SERVER_DOWN && ignoring);
    return up && from->weight > 0 && server_live_weight_ppm(&s->live[server]) > 0 &&
           (from->reach & (who->client.secure ? SNAP_REACH_HTTPS : SNAP_REACH_HTTP)) != 0 &&
           (from->reach & (ipv4 ? SNAP_REACH_IPV4 : SNAP_REACH_IPV6)) != 0 &&
           (from->areas.count == 0 || german != (area->exclude != 0));
}

static uint32_t choose(struct setting *s, const struct somebody *who)
{
    return pool_choose(s->pools, 0, &who->client);
}

/* One after the other is avoided until nobody is left. */
static void goes_round(struct setting *s)
{
    struct somebody who;
    uint32_t given = 0;
    somebody_init(s, &who);
    who.client.avoid = who.avoid;
    for (uint32_t i = below(s->count); i > 0; i--) {
        pool_avoid(who.avoid, below(s->count));
    }
    for (uint32_t server; (server = choose(s, &who)) != SNAP_NONE;) {
        assert_true(server < s->count);
        assert_false(who.avoid[server / 64] >> server % 64 & 1);
        assert_true(++given <= s->count);
        pool_avoid(who.avoid, server);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        bool avoided = who.avoid[i / 64] >> i % 64 & 1;
        if (!avoided && could_have(s, &who, i, false)) {
            fail_msg("server %u of %u was left over", i, s->count);
        }
    }
}

/* Who avoids nobody gets the same, whether others avoid some or not, and whether it says so with
 * bits that are all 0. */
static void leaves_others_alone(struct setting *s)
{
    struct setting other = *s;
    struct setting zeros = *s;
    other.pools = pools_of(s);
    zeros.pools = pools_of(s);
    pools_free(&s->pools);
    s->pools = pools_of(s);
    bool turns = snapshot_pool(s->snapshot, 0)->balance != SNAP_NEAREST;
    for (int i = 0; i < clients_each && turns; i++) {
        struct somebody who;
        struct somebody avoids;
        somebody_init(s, &who);
        somebody_init(s, &avoids);
        avoids.client.avoid = avoids.avoid;
        pool_avoid(avoids.avoid, below(s->count));
        choose(&other, &avoids);
        uint32_t plain = choose(s, &who);
        assert_int_equal(choose(&other, &who), plain);
        who.client.avoid = who.avoid;
        assert_int_equal(choose(&zeros, &who), plain);
    }
    pools_free(&other.pools);
    pools_free(&zeros.pools);
}

static void nobody_avoided_is_given(void **state)
{
    (void)state;
    for (int i = 0; i < configurations; i++) {
        struct setting s;
        setting_init(&s);
        s.pools = pools_of(&s);
        for (int k = 0; k < clients_each; k++) {
            goes_round(&s);
        }
        leaves_others_alone(&s);
        setting_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_avoided_is_given)};
    const char *text = getenv("DETOUR_SEED");
    seed = text != NULL ? strtoull(text, NULL, 10) * 2 + 1 : UINT64_C(88172645463325252);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
