/* SPDX-License-Identifier: MIT */
/* What choosing a server costs.
 *
 *   pools BALANCE SERVERS DOWN CHOICES NAMED     prints nanoseconds of CPU for a choice
 *
 * BALANCE: weighted, even, hash, hash-even, nearest, or nearest-cold from ever new places. DOWN:
 * how many of a hundred servers are. NAMED: so many alternatives are named too. */
#include "compile/compile.h"
#include "cpu.h"
#include "pool/pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    servers_max_here = 65536,
    places = 50000, /* a cold one asks from each of them, the others from these */
    usual_places = 1000
};

static struct server_live live[servers_max_here];
static uint32_t given;
static unsigned down;
static unsigned named;

static uint32_t rule_slot(void *context, struct span identity)
{
    return 0;
}

static uint32_t server_slot(void *context, struct span identity)
{
    bool up = given * 37u % 100 >= down;
    atomic_store(&live[given].word,
                 server_live_word(up ? SERVER_UP : SERVER_DOWN, server_weight_ppm_full));
    return given++;
}

static uint64_t random_of(uint64_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct snapshot *compile(struct span balance, unsigned count)
{
    static struct model_server servers[servers_max_here];
    static char names[servers_max_here][16];
    struct compile_slots slots = {.rule = rule_slot, .server = server_slot};
    bool even = span_ends(balance, SPAN("even"));
    uint8_t *bytes;
    size_t len;
    for (unsigned i = 0; i < count; i++) {
        int used = snprintf(names[i], sizeof(names[i]), "p/%u", i);
        servers[i] =
            (struct model_server){.identity = span_of(names[i], (size_t)used),
                                  .url = SPAN("https://s.example"),
                                  .weight = even ? 1 : 1 + i % 7,
                                  .priority = 1,
                                  .reach = REACH_ALL,
                                  .located = true,
                                  .latitude = (double)(random_of(i) % 1200) / 10 - 50,
                                  .longitude = (double)(random_of(i + 99999) % 3600) / 10 - 180};
    }
    struct model_pool pool = {
        .name = SPAN("p"),
        .balance = span_starts(balance, SPAN("hash"))      ? BALANCE_HASH
                   : span_starts(balance, SPAN("nearest")) ? BALANCE_NEAREST
                                                           : BALANCE_WEIGHTED,
        .servers = servers,
        .server_count = count,
        .fallback = {.kind = ACTION_RESPOND, .status = 503, .retry_after_s = -1},
    };
    struct model model = {.pools = &pool, .pool_count = 1};
    if (snapshot_compile(&model, &slots, 1, 0, &bytes, &len) != ERR_NONE) {
        exit(1);
    }
    return (struct snapshot *)bytes;
}

static struct geo_place *make_places(void)
{
    struct geo_place *made = calloc(places, sizeof(*made));
    for (unsigned i = 0; i < places; i++) {
        made[i] = (struct geo_place){.latitude = (float)(random_of(i) % 1200) / 10 - 50,
                                     .longitude = (float)(random_of(i * 7) % 3600) / 10 - 180,
                                     .located = 1};
    }
    return made;
}

static double measure(struct pools *pools, const struct geo_place *where, unsigned from,
                      uint64_t choices)
{
    static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 192};
    uint64_t sum = 0;
    struct pool_client client = {.address = address, .secure = true};
    int64_t began = cpu_ns();
    for (uint64_t i = 0; i < choices; i++) {
        client.key = random_of(i);
        client.place = &where[client.key % from];
        uint32_t chosen = pool_choose(pools, 0, &client);
        uint32_t others[snap_alternatives_max];
        sum += chosen;
        if (named > 0) {
            sum += pool_alternatives(pools, 0, &client, chosen, named, others);
        }
    }
    int64_t took = cpu_ns() - began;
    return sum == 1 ? 0 : (double)took / (double)choices;
}

int main(int argc, char **argv)
{
    if (argc != 6 || atoi(argv[2]) < 1 || atoi(argv[2]) > servers_max_here || atoi(argv[5]) < 0 ||
        atoi(argv[5]) > snap_alternatives_max) {
        fprintf(stderr, "usage: pools BALANCE SERVERS DOWN CHOICES NAMED\n");
        return 2;
    }
    static _Atomic uint64_t epoch;
    struct pools *pools;
    uint64_t choices = strtoull(argv[4], NULL, 10);
    down = (unsigned)atoi(argv[3]);
    named = (unsigned)atoi(argv[5]);
    struct snapshot *snapshot = compile(span_cstr(argv[1]), (unsigned)atoi(argv[2]));
    unsigned from = span_ends(span_cstr(argv[1]), SPAN("cold")) ? places : usual_places;
    struct geo_place *where = make_places();
    struct pools_setting setting = {.live = live, .epoch = &epoch};
    if (pools_new(snapshot, &setting, NULL, &pools) != ERR_NONE) {
        return 1;
    }
    measure(pools, where, from,
            choices < 400000 ? 400000 : choices); /* what is remembered is there */
    printf("%.1f\n", measure(pools, where, from, choices));
    pools_free(&pools);
    free(where);
    free(snapshot);
    return 0;
}
