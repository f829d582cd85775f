/* SPDX-License-Identifier: MIT */
/* Who is chosen for whom: schemes and families, priorities, panic, drains, cookies, avoided
 * servers, and the nearest. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char config[] =
    "geo: {file: places.mmdb}\n"
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: /reach, pool: reach}\n"
    "      - {path: /levels, pool: levels}\n"
    "      - {path: /panic, pool: panic}\n"
    "      - {path: /hash, pool: hash}\n"
    "      - {path: /sticky, pool: sticky}\n"
    "      - {path: /near, pool: near}\n"
    "pools:\n"
    "  reach:\n"
    "    servers:\n"
    "      - {name: both, url: 'http://both.example', schemes: [http, https], family: ipv4}\n"
    "      - {name: tls, url: 'https://tls.example', schemes: https}\n"
    "      - {name: six, url: 'https://six.example', family: [ipv6]}\n"
    "  levels:\n"
    "    min_healthy: 2\n"
    "    servers:\n"
    "      - {name: a, url: 'https://a.example'}\n"
    "      - {name: b, url: 'https://b.example'}\n"
    "      - {name: c, url: 'https://c.example', priority: 2}\n"
    "      - {name: d, url: 'https://d.example', priority: 3}\n"
    "  panic:\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example'},\n"
    "              {name: c, url: 'https://c.example'}, {name: d, url: 'https://d.example'}]\n"
    "  hash:\n"
    "    balance: {hash: {header: K}}\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example'}]\n"
    "  sticky:\n"
    "    sticky: {cookie: m, ttl: 1h}\n"
    "    servers: [{name: a, url: 'https://a.example'}, {name: b, url: 'https://b.example'},\n"
    "              {name: c, url: 'https://c.example', weight: 0}]\n"
    "  near:\n"
    "    balance: nearest\n"
    "    servers:\n"
    "      - {name: berlin, url: 'https://b.example', at: [52.52, 13.405]}\n"
    "      - {name: munich, url: 'https://m.example', at: [48.14, 11.58], weight: 3}\n"
    "      - {name: york, url: 'https://y.example', at: [40.71, -74.01]}\n"
    "      - {name: french, url: 'https://f.example', at: [48.85, 2.35], countries: FR}\n"
    "      - {name: tokyo, url: 'https://t.example', at: [35.68, 139.69],\n"
    "         exclude: {continents: [EU]}}\n";

static struct fixture *fixture(void)
{
    return fixture_new(config);
}

static int share_of(struct fixture *f, const struct ask *ask, const char *name, int count)
{
    int chosen = 0;
    for (int i = 0; i < count; i++) {
        fixture_ask(f, ask);
        chosen += span_eq(fixture_server(f), span_cstr(name));
    }
    return chosen;
}

static void clients_go_where_they_are_served(void **state)
{
    static const struct {
        const char *from;
        bool secure;
        int both;
        int tls;
        int six;
        const char *location; /* of one alone */
    } cases[] = {
        {"192.0.2.1", false, 12, 0, 0, "http://both.example/reach"},
        {"192.0.2.1", true, 6, 6, 0, NULL},
        {"2001:db8::1", true, 0, 6, 6, NULL},
        {"2001:db8::1", false, 0, 0, 12, "https://six.example/reach"},
    };
    struct fixture *f = fixture();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ask ask = {.line = "GET /reach", .from = cases[i].from, .secure = cases[i].secure};
        assert_int_equal(share_of(f, &ask, "reach/both", 12), cases[i].both);
        assert_int_equal(share_of(f, &ask, "reach/tls", 12), cases[i].tls);
        assert_int_equal(share_of(f, &ask, "reach/six", 12), cases[i].six);
        if (cases[i].location != NULL) {
            fixture_same(cases[i].from, "Location", f->decision.location, cases[i].location);
        }
    }
    fixture_set(f, "reach/six", SERVER_DOWN, 0);
    fixture_ask(f, &(struct ask){.line = "GET /reach", .from = "2001:db8::1"});
    assert_int_equal(f->decision.reason, REASON_POOL_EMPTY);
    fixture_set(f, "reach/tls", SERVER_DOWN, 0);
    fixture_ask(f, &(struct ask){.line = "GET /reach", .secure = true});
    fixture_same("both", "Location", f->decision.location, "https://both.example/reach");
    fixture_free(&f);
}

static void the_next_priority_joins_when_too_few_are_well(void **state)
{
    static const struct {
        const char *down;
        int of_twelve[4];
    } cases[] = {
        {NULL, {6, 6, 0, 0}},
        {"levels/a", {0, 6, 6, 0}},
        {"levels/c", {0, 6, 0, 6}},
        {"levels/b", {0, 0, 0, 12}},
    };
    static const char *const names[] = {"levels/a", "levels/b", "levels/c", "levels/d"};
    const struct ask ask = {.line = "GET /levels"};
    struct fixture *f = fixture();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (cases[i].down != NULL) {
            fixture_set(f, cases[i].down, SERVER_DOWN, 0);
        }
        for (int k = 0; k < 4; k++) {
            assert_int_equal(share_of(f, &ask, names[k], 12), cases[i].of_twelve[k]);
        }
    }
    fixture_free(&f);
}

/* The field is config/health.c's; here it is set in the block. */
static void health_is_ignored_when_too_many_fail(void **state)
{
    const struct ask ask = {.line = "GET /panic"};
    struct fixture *f = fixture();
    struct snap_pool *pool = (struct snap_pool *)snapshot_pool(f->snapshot, 2);
    pool->panic_ppm = 500000;
    fixture_set(f, "panic/a", SERVER_DOWN, server_weight_ppm_full);
    fixture_set(f, "panic/b", SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(share_of(f, &ask, "panic/c", 12), 6); /* half of them is not fewer */
    fixture_set(f, "panic/c", SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(share_of(f, &ask, "panic/a", 12), 3);
    fixture_set(f, "panic/c", SERVER_DOWN, server_weight_ppm_full / 2); /* so its weight is */
    assert_int_equal(share_of(f, &ask, "panic/c", 14), 2);
    fixture_set(f, "panic/c", SERVER_DOWN, server_weight_ppm_full);
    fixture_set(f, "panic/a", SERVER_MAINT, 0); /* somebody has said so */
    assert_int_equal(share_of(f, &ask, "panic/a", 12), 0);
    assert_int_equal(share_of(f, &ask, "panic/b", 12), 4);
    fixture_set(f, "panic/b", SERVER_UP, server_weight_ppm_full);
    assert_int_equal(share_of(f, &ask, "panic/c", 12), 0);
    fixture_free(&f);
}

/* A server that was drained and then stopped is no sign of a network that failed, and nobody is
 * sent there when it does. */
static void who_was_taken_out_does_not_count(void **state)
{
    const struct ask ask = {.line = "GET /panic"};
    struct fixture *f = fixture();
    struct snap_pool *pool = (struct snap_pool *)snapshot_pool(f->snapshot, 2);
    pool->panic_ppm = 500000;
    fixture_set(f, "panic/a", SERVER_DOWN, 0); /* as servers_merge says of one that drains */
    fixture_set(f, "panic/b", SERVER_DOWN, 0);
    fixture_set(f, "panic/c", SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(share_of(f, &ask, "panic/d", 12), 12); /* one of two */
    fixture_set(f, "panic/d", SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(share_of(f, &ask, "panic/c", 12), 6);
    assert_int_equal(share_of(f, &ask, "panic/d", 12), 6);
    fixture_free(&f);
}

static void a_drain_takes_keys_away_step_by_step(void **state)
{
    enum { keys = 400 };
    struct fixture *f = fixture();
    int last = keys;
    for (int percent = 100; percent >= 0; percent -= 25) {
        int own = 0;
        fixture_set(f, "hash/a", percent == 100 ? SERVER_UP : SERVER_DRAIN,
                    (uint32_t)percent * 10000);
        for (int i = 0; i < keys; i++) {
            char field[32];
            snprintf(field, sizeof(field), "K: %d\r\n", i);
            own += share_of(f, &(struct ask){.line = "GET /hash", .fields = field}, "hash/a", 1);
        }
        assert_true(own < last);
        last = own;
    }
    assert_int_equal(last, 0);
    fixture_free(&f);
}

static void a_cookie_holds(void **state)
{
    char cookie[64];
    struct fixture *f = fixture();
    fixture_answer(f, &(struct ask){.line = "GET /sticky"});
    struct span set = fixture_field(f, "Set-Cookie");
    assert_non_null(set.ptr);
    struct span first = fixture_server(f);
    const char *other = span_eq(first, SPAN("sticky/a")) ? "sticky/b" : "sticky/a";
    char own[16];
    snprintf(own, sizeof(own), "%.*s", SPAN_ARG(first));
    snprintf(cookie, sizeof(cookie), "Cookie: %.*s\r\n", (int)span_find(set, 0, ';'),
             (const char *)set.ptr);
    fixture_same("cookie", "rest", span_from(set, 18),
                 "; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
    const struct ask held = {.line = "GET /sticky", .fields = cookie};
    assert_int_equal(share_of(f, &held, own, 20), 20);
    fixture_answer(f, &held);
    assert_null(fixture_field(f, "Set-Cookie").ptr); /* it has it already */
    fixture_set(f, own, SERVER_DRAIN, 1);
    assert_int_equal(share_of(f, &held, own, 20), 20);
    assert_int_equal(share_of(f, &(struct ask){.line = "GET /sticky"}, own, 20), 0);
    fixture_set(f, own, SERVER_DRAIN, 0); /* the drain is over */
    assert_int_equal(share_of(f, &held, other, 20), 20);
    fixture_set(f, own, SERVER_MAINT, 1);
    assert_int_equal(share_of(f, &held, other, 20), 20);
    fixture_set(f, own, SERVER_UP, 0); /* weight is for those who come anew */
    assert_int_equal(share_of(f, &held, own, 20), 20);
    static const char *const wrong[] = {"Cookie: m=\r\n", "Cookie: m=0123456789abcdef\r\n",
                                        "Cookie: m=0123456789ABCDEF\r\n", "Cookie: m=x;m=y\r\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct ask ask = {.line = "GET /sticky", .fields = wrong[i], .secure = true};
        fixture_answer(f, &ask);
        fixture_same(wrong[i], "server", fixture_server(f), other);
        assert_true(span_ends(fixture_field(f, "Set-Cookie"), SPAN("; Secure")));
    }
    fixture_free(&f);
}

/* ---- the nearest ---- */

struct where {
    double latitude;
    double longitude;
    const char *country;
    const char *continent;
};

/* A block that says the same of every address. */
static uint8_t *everybody_at(const struct where *where, size_t *len_out)
{
    uint8_t *bytes;
    uint32_t index;
    struct geo_build *build = geo_build_new();
    struct geo_place place = {
        .latitude = (float)where->latitude, .longitude = (float)where->longitude, .located = 1};
    memcpy(place.country, where->country, 2);
    memcpy(place.continent, where->continent, 2);
    assert_int_equal(geo_build_place(build, &place, &index), ERR_NONE);
    assert_int_equal(geo_build_v4(build, 0, index), ERR_NONE);
    assert_int_equal(geo_build_make(build, 0, &bytes, len_out), ERR_NONE);
    geo_build_free(&build);
    return bytes;
}

static void the_nearest_share_by_weight(void **state)
{
    static const struct {
        struct where where;
        int of_forty[5]; /* berlin munich york french tokyo */
    } cases[] = {
        {{52.5, 13.4, "DE", "EU"}, {40, 0, 0, 0, 0}},
        {{50.5, 12.5, "DE", "EU"}, {10, 30, 0, 0, 0}}, /* 230 and 270 km */
        {{40.7, -74.0, "US", "NA"}, {0, 0, 40, 0, 0}},
        {{48.9, 2.3, "FR", "EU"}, {0, 0, 0, 40, 0}},
        {{43.3, 5.4, "BE", "EU"}, {0, 40, 0, 0, 0}}, /* not French */
        {{35.0, 139.0, "JP", "AS"}, {0, 0, 0, 0, 40}},
        {{35.0, 139.0, "XX", "EU"}, {8, 24, 8, 0, 0}}, /* whoever they are */
        {{-90, 0, "AQ", "AN"}, {6, 18, 8, 0, 8}},      /* all within half as far again */
    };
    static const char *const names[] = {"near/berlin", "near/munich", "near/york", "near/french",
                                        "near/tokyo"};
    struct fixture *f = fixture();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t len;
        uint8_t *bytes = everybody_at(&cases[i].where, &len);
        f->context.geo = geo_verify(span_of(bytes, len));
        assert_non_null(f->context.geo);
        int got[5] = {0};
        for (int k = 0; k < 40; k++) {
            fixture_ask(f, &(struct ask){.line = "GET /near"});
            for (int n = 0; n < 5; n++) {
                got[n] += span_eq(fixture_server(f), span_cstr(names[n]));
            }
        }
        for (int n = 0; n < 5; n++) {
            int slack = cases[i].of_forty[n] % 40 == 0 ? 0 : 2;
            if (abs(got[n] - cases[i].of_forty[n]) > slack) {
                fail_msg("case %zu: %s got %d of 40, not %d", i, names[n], got[n],
                         cases[i].of_forty[n]);
            }
        }
        f->context.geo = NULL;
        free(bytes);
    }
    fixture_free(&f);
}

/* Nobody knows where they are: by weight, but not to those who take some countries alone. */
static void the_unknown_go_by_weight(void **state)
{
    const struct ask ask = {.line = "GET /near"};
    struct fixture *f = fixture();
    assert_in_range(share_of(f, &ask, "near/munich", 60), 25, 35);
    assert_int_equal(share_of(f, &ask, "near/french", 60), 0);
    assert_in_range(share_of(f, &ask, "near/tokyo", 60), 8, 20);
    fixture_free(&f);
}

/* Three of forty take clients of this country, whose place nobody knows: they share by weight. */
static void few_who_take_a_client_share_by_weight(void **state)
{
    enum { many = 40, clients = 6000 };
    static char text[8192];
    struct buffer out = buffer_over(text, sizeof(text) - 1);
    buffer_printf(&out, "geo: {file: places.mmdb}\n"
                        "sites: [{hosts: shop.example, routes: [{path: /few, pool: few}]}]\n"
                        "pools:\n  few:\n    balance: nearest\n    servers:\n");
    for (int i = 0; i < many; i++) {
        buffer_printf(&out,
                      "      - {name: s%d, url: 'https://s%d.example', weight: %d, at: [50, %d], "
                      "countries: %s}\n",
                      i, i, i == 20 ? 2 : 1, i, i % 15 == 5 ? "DE" : "FR");
    }
    assert_false(out.full);
    struct fixture *f = fixture_new(text);
    uint8_t *bytes;
    size_t len;
    uint32_t index;
    struct geo_build *build = geo_build_new();
    assert_int_equal(geo_build_place(build, &(struct geo_place){.country = {'D', 'E'}}, &index),
                     ERR_NONE);
    assert_int_equal(geo_build_v4(build, 0, index), ERR_NONE);
    assert_int_equal(geo_build_make(build, 0, &bytes, &len), ERR_NONE);
    geo_build_free(&build);
    f->context.geo = geo_verify(span_of(bytes, len));
    int got[3] = {0};
    for (int i = 0; i < clients; i++) {
        static const char *const names[] = {"few/s5", "few/s20", "few/s35"};
        fixture_ask(f, &(struct ask){.line = "GET /few"});
        for (int n = 0; n < 3; n++) {
            got[n] += span_eq(fixture_server(f), span_cstr(names[n]));
        }
    }
    assert_int_equal(got[0] + got[1] + got[2], clients);
    assert_in_range(got[0], clients / 4 - clients / 100, clients / 4 + clients / 100);
    assert_in_range(got[2], clients / 4 - clients / 100, clients / 4 + clients / 100);
    f->context.geo = NULL;
    free(bytes);
    fixture_free(&f);
}

static void the_next_nearest_takes_over(void **state)
{
    const struct where berlin = {52.5, 13.4, "DE", "EU"};
    const struct ask ask = {.line = "GET /near"};
    size_t len;
    uint8_t *bytes = everybody_at(&berlin, &len);
    struct fixture *f = fixture();
    f->context.geo = geo_verify(span_of(bytes, len));
    static const struct {
        const char *fields;
        const char *server;
    } avoided[] = {{"Detour-Avoid: berlin\r\n", "near/munich"},
                   {"Detour-Avoid: m.example, berlin\r\n", "near/york"},
                   {"Detour-Avoid: munich, york\r\n", "near/berlin"},
                   {"Detour-Avoid: munich, york, berlin\r\n", ""}};
    for (size_t i = 0; i < sizeof(avoided) / sizeof(*avoided); i++) {
        fixture_ask(f, &(struct ask){.line = "GET /near", .fields = avoided[i].fields});
        fixture_same(avoided[i].fields, "server", fixture_server(f), avoided[i].server);
    }
    fixture_set(f, "near/berlin", SERVER_DOWN, 0);
    assert_int_equal(share_of(f, &ask, "near/munich", 10), 10);
    fixture_set(f, "near/munich", SERVER_DOWN, 0);
    assert_int_equal(share_of(f, &ask, "near/york", 10), 10);
    fixture_set(f, "near/york", SERVER_DOWN, 0); /* the others do not take Germans */
    fixture_ask(f, &ask);
    assert_int_equal(f->decision.reason, REASON_POOL_EMPTY);
    free(bytes);
    fixture_free(&f);
}

/* ---- avoided, and why not ---- */

static void whom_a_client_avoids_it_does_not_get(void **state)
{
    static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 192};
    struct fixture *f = fixture();
    for (uint32_t pool = 1; pool < snapshot_pool_count(f->snapshot); pool++) {
        const struct snap_pool *from = snapshot_pool(f->snapshot, pool);
        uint64_t avoid[1] = {0};
        struct pool_client client = {.address = address, .secure = true, .avoid = avoid};
        uint32_t chosen;
        uint32_t count = 0;
        while ((chosen = pool_choose(f->pools, pool, &client)) != SNAP_NONE) {
            uint32_t index = chosen - from->first_server;
            assert_int_equal(avoid[0] >> index & 1, 0);
            assert_true(count < from->server_count);
            pool_avoid(avoid, index);
            count++;
        }
        assert_true(count > 1);
    }
    fixture_free(&f);
}

static void each_loser_has_a_reason(void **state)
{
    static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 192};
    double km;
    struct fixture *f = fixture();
    uint64_t avoid[1] = {0};
    struct pool_client client = {.address = address, .avoid = avoid};
    uint32_t chosen = pool_choose(f->pools, 0, &client);
    assert_int_equal(pool_why_not(f->pools, 0, &client, chosen, 0, &km), POOL_WON);
    assert_int_equal(pool_why_not(f->pools, 0, &client, chosen, 1, &km), POOL_SCHEME);
    assert_int_equal(pool_why_not(f->pools, 0, &client, chosen, 2, &km), POOL_FAMILY);
    fixture_set(f, "levels/a", SERVER_DOWN, 0);
    chosen = pool_choose(f->pools, 1, &client);
    assert_int_equal(pool_why_not(f->pools, 1, &client, chosen, 3, &km), POOL_DOWN);
    assert_int_equal(pool_why_not(f->pools, 1, &client, chosen, 6, &km), POOL_LOWER);
    uint32_t other = chosen == 4 ? 5 : 4;
    assert_int_equal(pool_why_not(f->pools, 1, &client, chosen, other, &km), POOL_TURN);
    pool_avoid(avoid, other - snapshot_pool(f->snapshot, 1)->first_server);
    assert_int_equal(pool_why_not(f->pools, 1, &client, chosen, other, &km), POOL_AVOIDED);
    fixture_set(f, "levels/b", SERVER_DRAIN, 0);
    fixture_set(f, "levels/c", SERVER_MAINT, 0);
    chosen = pool_choose(f->pools, 1, &client);
    assert_int_equal(pool_why_not(f->pools, 1, &client, chosen, 4, &km), POOL_DRAINS);
    assert_int_equal(pool_why_not(f->pools, 1, &client, chosen, 5, &km), POOL_MAINTAINED);
    for (int lost = POOL_WON; lost <= POOL_TURN; lost++) {
        assert_true(pool_lost_text((enum pool_lost)lost).len > 0);
    }
    fixture_free(&f);
}

static enum pool_lost why(struct fixture *f, uint32_t pool, const struct pool_client *client,
                          uint32_t server)
{
    double km;
    uint32_t first = snapshot_pool(f->snapshot, pool)->first_server;
    uint32_t chosen = pool_choose(f->pools, pool, client);
    return pool_why_not(f->pools, pool, client, chosen, first + server, &km);
}

static void each_balance_has_its_reason(void **state)
{
    static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 192};
    const struct geo_place berlin = {.latitude = 52.5F,
                                     .longitude = 13.4F,
                                     .country = {'D', 'E'},
                                     .continent = {'E', 'U'},
                                     .located = 1};
    struct fixture *f = fixture();
    struct pool_client client = {.address = address};
    uint32_t first = snapshot_pool(f->snapshot, 3)->first_server;
    uint32_t by_key = pool_choose(f->pools, 3, &client) - first;
    assert_int_equal(why(f, 3, &client, by_key), POOL_WON);
    assert_int_equal(why(f, 3, &client, 1 - by_key), POOL_KEY);
    fixture_set(f, "hash/a", SERVER_UP, 0);
    assert_int_equal(why(f, 3, &client, 0), POOL_NO_WEIGHT);
    uint8_t held[pool_held_bytes];
    pool_held_text(snapshot_server(f->snapshot, snapshot_pool(f->snapshot, 4)->first_server), held);
    client.held = span_of(held, sizeof(held));
    assert_int_equal(why(f, 4, &client, 0), POOL_WON);
    assert_int_equal(why(f, 4, &client, 1), POOL_HELD);
    assert_int_equal(why(f, 4, &client, 2), POOL_NO_WEIGHT);
    client.held = (struct span){0};
    client.place = &berlin;
    assert_int_equal(why(f, 5, &client, 0), POOL_WON);
    assert_int_equal(why(f, 5, &client, 1), POOL_FARTHER);
    assert_int_equal(why(f, 5, &client, 3), POOL_AREA);
    assert_int_equal(why(f, 5, &client, 4), POOL_AREA);
    fixture_set(f, "near/berlin", SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(why(f, 5, &client, 0), POOL_DOWN);
    assert_int_equal(why(f, 5, &client, 1), POOL_WON);
    fixture_free(&f);
}

/* Of a server whose place is not known nobody can say that another one is nearer. */
static void a_server_without_a_place_says_so(void **state)
{
    static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 192};
    const struct geo_place berlin = {.latitude = 52.5F, .longitude = 13.4F, .located = 1};
    struct fixture *f = fixture_new("geo: {file: places.mmdb}\n"
                                    "sites: [{hosts: shop.example, routes: [{path: /, pool: p}]}]\n"
                                    "pools:\n  p:\n    balance: nearest\n    servers:\n"
                                    "      - {name: a, url: 'https://a.example', at: [1, 1]}\n"
                                    "      - {name: b, url: 'https://b.example'}\n");
    struct pool_client client = {.address = address, .place = &berlin};
    assert_int_equal(why(f, 0, &client, 0), POOL_WON);
    assert_int_equal(why(f, 0, &client, 1), POOL_UNPLACED);
    fixture_set(f, "p/a", SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(why(f, 0, &client, 1), POOL_WON);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_go_where_they_are_served),
        cmocka_unit_test(the_next_priority_joins_when_too_few_are_well),
        cmocka_unit_test(health_is_ignored_when_too_many_fail),
        cmocka_unit_test(who_was_taken_out_does_not_count),
        cmocka_unit_test(a_drain_takes_keys_away_step_by_step),
        cmocka_unit_test(a_cookie_holds),
        cmocka_unit_test(the_nearest_share_by_weight),
        cmocka_unit_test(the_unknown_go_by_weight),
        cmocka_unit_test(few_who_take_a_client_share_by_weight),
        cmocka_unit_test(the_next_nearest_takes_over),
        cmocka_unit_test(whom_a_client_avoids_it_does_not_get),
        cmocka_unit_test(each_loser_has_a_reason),
        cmocka_unit_test(each_balance_has_its_reason),
        cmocka_unit_test(a_server_without_a_place_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
