/* SPDX-License-Identifier: MIT */
/* Opening and verifying: a good block passes, a changed one is refused or harmless. */
#include "everything.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include <cmocka.h>

static const struct ask asks[] = {
    {.line = "GET /r/eu/x?y", .secure = true, .fields = "Origin: https://app.example\r\n"},
    {.line = "GET /x/42?q", .host = "a.shop.example", .secure = true},
    {.line = "GET /a?q=x", .secure = true, .fields = "X-A: bb\r\nCookie: c=d\r\n"},
    {.line = "GET /b/c", .host = "a.shop.example", .secure = true},
    {.line = "POST /p/x", .secure = true},
    {.line = "GET /h/x", .secure = true, .fields = "Cookie: id=7\r\n"},
    {.line = "GET /c/d", .from = "10.0.0.1", .fields = "Accept: text/html\r\n"},
    {.line = "GET /c/d.png"},
    {.line = "DELETE /nothing", .host = "other.example"},
    {.line = "OPTIONS /a",
     .secure = true,
     .fields = "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n"},
};

/* The header says that it is whole; what it points to is not covered by its hash. */
static void seal(struct snapshot *snapshot)
{
    snapshot->header_hash = 0;
    snapshot->header_hash = XXH3_64bits(snapshot, sizeof(*snapshot));
}

/* ---- fields, one by one ---- */

enum part {
    HEADER,
    SITE,
    HOST, /* the first that is taken */
    RULE, /* by index: the detour is 0, routes follow, then the default */
    POOL,
    SERVER,
    PAGE,
    ORIGIN,
    ADDRESS,
    REGEX,
    NODE_TAKEN, /* the first that has rules */
    NODE,       /* of the routes of the first site */
    EDGE,       /* the first that is taken */
    SOURCES,    /* of the first route */
    LABELS,
    VALUES,
    TESTS,
    CLIENTS, /* of the third route */
    NODE_RULES,
    PATH_BLOCK,
    TO_BLOCK,
};

enum {
    DETOUR,
    ROUTE_LABELS,
    ROUTE_REGEX,
    ROUTE_TESTS,
    ROUTE_HOST,
    ROUTE_POOL,
    ROUTE_HASH,
    ROUTE_TEA,
    SECOND_DEFAULT = ROUTE_TEA + 2
};

struct change {
    enum part part;
    uint32_t index;
    size_t field; /* of the struct there */
    uint32_t value;
};

#define FAR 0xFFFFFFF8u

static const struct change refused[] = {
    {HEADER, 0, offsetof(struct snapshot, magic), 1},
    {HEADER, 0, offsetof(struct snapshot, version), snap_version + 1},
    {HEADER, 0, offsetof(struct snapshot, header_bytes), 8},
    {HEADER, 0, offsetof(struct snapshot, size), 8},
    {HEADER, 0, offsetof(struct snapshot, catch_all), 2},
    {HEADER, 0, offsetof(struct snapshot, trusted.off), FAR},
    {HEADER, 0, offsetof(struct snapshot, trusted.count), FAR},
    {HEADER, 0, offsetof(struct snapshot, sites.off), FAR},
    {HEADER, 0, offsetof(struct snapshot, sites.count), FAR},
    {HEADER, 0, offsetof(struct snapshot, hosts.off), FAR},
    {HEADER, 0, offsetof(struct snapshot, hosts.count), 7},
    {HEADER, 0, offsetof(struct snapshot, rules.off), 4},
    {HEADER, 0, offsetof(struct snapshot, rules.count), 0},
    {HEADER, 0, offsetof(struct snapshot, pools.count), 0},
    {HEADER, 0, offsetof(struct snapshot, pools.off), FAR},
    {HEADER, 0, offsetof(struct snapshot, servers.count), 0},
    {HEADER, 0, offsetof(struct snapshot, servers.off), FAR},
    {HEADER, 0, offsetof(struct snapshot, pages.count), 0},
    {HEADER, 0, offsetof(struct snapshot, pages.off), FAR},
    {HEADER, 0, offsetof(struct snapshot, regexes.count), 0},
    {HEADER, 0, offsetof(struct snapshot, regexes.off), FAR},
    {SITE, 0, offsetof(struct snap_site, name.len), FAR},
    {SITE, 0, offsetof(struct snap_site, detours.first), FAR},
    {SITE, 0, offsetof(struct snap_site, detours.count), 1000},
    {SITE, 0, offsetof(struct snap_site, routes.count), FAR},
    {SITE, 0, offsetof(struct snap_site, routes.first), 0},
    {SITE, 0, offsetof(struct snap_site, routes.nodes.off), FAR},
    {SITE, 0, offsetof(struct snap_site, routes.nodes.count), FAR},
    {SITE, 0, offsetof(struct snap_site, routes.nodes.count), 1},
    {SITE, 0, offsetof(struct snap_site, routes.edges.count), 0},
    {SITE, 0, offsetof(struct snap_site, routes.edges.count), 63},
    {SITE, 0, offsetof(struct snap_site, routes.edges.off), FAR},
    {SITE, 0, offsetof(struct snap_site, fallback), 1000},
    {SITE, 0, offsetof(struct snap_site, https_status), 200},
    {SITE, 0, offsetof(struct snap_site, https_port), 65536},
    {SITE, 0, offsetof(struct snap_site, cors.origins.count), FAR},
    {SITE, 0, offsetof(struct snap_site, cors.methods.off), FAR},
    {SITE, 0, offsetof(struct snap_site, cors.headers.off), FAR},
    {SITE, 0, offsetof(struct snap_site, cors.expose.off), FAR},
    {HOST, 0, offsetof(struct snap_host, host.off), FAR},
    {HOST, 0, offsetof(struct snap_host, site), 2},
    {RULE, DETOUR, offsetof(struct snap_rule, kind), 3},
    {RULE, DETOUR, offsetof(struct snap_rule, slot), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, identity.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, prefix.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, source.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, reason.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, owner.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, except.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, bypass_clients.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, bypass_cookies.off), FAR},
    {RULE, DETOUR, offsetof(struct snap_rule, action.to.len), 0},
    {RULE, DETOUR, offsetof(struct snap_rule, action.kind), SNAP_ACTION_POOL},
    {RULE, DETOUR, offsetof(struct snap_rule, action.kind), SNAP_ACTION_ORIGIN + 1},
    {RULE, DETOUR, offsetof(struct snap_rule, action.status), 200},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, path.block.off), FAR},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, path.block.len), 8},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, path.block.len), 0}, /* sources need groups */
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, path.regex), 0},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, headers.off), FAR},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.to.off), FAR},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.to.len), 8},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.sources.count), 1},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.sources.off), FAR},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.labels.off), FAR},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.labels.count), FAR},
    {RULE, ROUTE_REGEX, offsetof(struct snap_rule, action.authority.off), FAR},
    {RULE, ROUTE_REGEX, offsetof(struct snap_rule, action.authority.len), 0},
    {RULE, ROUTE_REGEX, offsetof(struct snap_rule, action.authority.len), 9},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.labels.count), 0},
    {RULE, ROUTE_LABELS, offsetof(struct snap_rule, action.body.len), FAR},
    {RULE, ROUTE_REGEX, offsetof(struct snap_rule, path.regex), 1},
    {RULE, ROUTE_REGEX, offsetof(struct snap_rule, path.regex), SNAP_NONE},
    {RULE, ROUTE_REGEX, offsetof(struct snap_rule, conditions.methods_other.off), FAR},
    {RULE, ROUTE_TESTS, offsetof(struct snap_rule, conditions.headers.off), FAR},
    {RULE, ROUTE_TESTS, offsetof(struct snap_rule, conditions.cookies.off), FAR},
    {RULE, ROUTE_TESTS, offsetof(struct snap_rule, conditions.query.count), FAR},
    {RULE, ROUTE_TESTS, offsetof(struct snap_rule, conditions.clients.off), FAR},
    {RULE, ROUTE_TESTS, offsetof(struct snap_rule, rest.kind), 99},
    {RULE, ROUTE_TESTS, offsetof(struct snap_rule, rest.status), 600},
    {RULE, ROUTE_TESTS, offsetof(struct snap_rule, rest.status), 99},
    {RULE, ROUTE_HOST, offsetof(struct snap_rule, host.block.off), FAR},
    {RULE, ROUTE_HOST, offsetof(struct snap_rule, host.block.len), 0},
    {RULE, ROUTE_POOL, offsetof(struct snap_rule, action.pool), 2},
    {RULE, ROUTE_POOL, offsetof(struct snap_rule, action.labels.count), FAR},
    {RULE, ROUTE_TEA, offsetof(struct snap_rule, action.body.off), FAR},
    {RULE, ROUTE_TEA, offsetof(struct snap_rule, action.content_type.len), FAR},
    {RULE, ROUTE_TEA, offsetof(struct snap_rule, action.labels.count), 1},
    {POOL, 0, offsetof(struct snap_pool, name.off), FAR},
    {POOL, 0, offsetof(struct snap_pool, balance), 4},
    {POOL, 0, offsetof(struct snap_pool, hash_key), 4},
    {POOL, 0, offsetof(struct snap_pool, first_server), 2},
    {POOL, 0, offsetof(struct snap_pool, server_count), 4},
    {POOL, 0, offsetof(struct snap_pool, server_count), 1}, /* the next pool's begin behind */
    {POOL, 0, offsetof(struct snap_pool, min_healthy), 0},
    {POOL, 0, offsetof(struct snap_pool, within_ppm), 999999},
    {POOL, 0, offsetof(struct snap_pool, sticky.len), FAR},
    {POOL, 0, offsetof(struct snap_pool, fallback.kind), SNAP_ACTION_POOL},
    {POOL, 0, offsetof(struct snap_pool, fallback.to.off), FAR},
    {POOL, 1, offsetof(struct snap_pool, hash_name.off), FAR},
    {POOL, 1, offsetof(struct snap_pool, fallback.page), 1},
    {POOL, 1, offsetof(struct snap_pool, fallback.status), 200},
    {POOL, 1, offsetof(struct snap_pool, fallback.body.len), 0}, /* where readers go */
    {POOL, 1, offsetof(struct snap_pool, fallback.body.off), 0}, /* no path stands there */
    {PAGE, 0, offsetof(struct snap_page, name.off), FAR},
    {PAGE, 0, offsetof(struct snap_page, title.off), FAR},
    {PAGE, 0, offsetof(struct snap_page, title.len), 257},
    {PAGE, 0, offsetof(struct snap_page, before.len), FAR},
    {PAGE, 0, offsetof(struct snap_page, after.len), FAR},
    {SERVER, 0, offsetof(struct snap_server, identity.off), FAR},
    {SERVER, 0, offsetof(struct snap_server, url.off), FAR},
    {SERVER, 0, offsetof(struct snap_server, authority.off), FAR},
    {SERVER, 0, offsetof(struct snap_server, authority.len), 0},
    {SERVER, 0, offsetof(struct snap_server, authority.len), 9}, /* a longer host could follow */
    {SERVER, 0, offsetof(struct snap_server, url.len), 3},
    {SERVER, 0, offsetof(struct snap_server, slot), 65536},
    {SERVER, 0, offsetof(struct snap_server, weight), 1000001},
    {SERVER, 0, offsetof(struct snap_server, plain_url.len), 3},
    {SERVER, 0, offsetof(struct snap_server, areas.count), FAR},
    {HEADER, 0, offsetof(struct snapshot, origins.count), 0},
    {HEADER, 0, offsetof(struct snapshot, origins.off), FAR},
    {RULE, SECOND_DEFAULT, offsetof(struct snap_rule, action.origin), 1},
    {RULE, SECOND_DEFAULT, offsetof(struct snap_rule, action.kind), SNAP_ACTION_ORIGIN + 1},
    {ORIGIN, 0, offsetof(struct snap_origin, name.off), FAR},
    {ORIGIN, 0, offsetof(struct snap_origin, url.off), FAR},
    {ORIGIN, 0, offsetof(struct snap_origin, authority.off), FAR},
    {ORIGIN, 0, offsetof(struct snap_origin, authority.len), 0},
    {ORIGIN, 0, offsetof(struct snap_origin, tls_name.off), FAR},
    {ORIGIN, 0, offsetof(struct snap_origin, tls_name.len), 0},
    {ORIGIN, 0, offsetof(struct snap_origin, authorities.len), FAR},
    {ORIGIN, 0, offsetof(struct snap_origin, addresses.off), FAR},
    {ORIGIN, 0, offsetof(struct snap_origin, addresses.count), snap_addresses_max + 1},
    {ORIGIN, 0, offsetof(struct snap_origin, flags), 8},
    {ORIGIN, 0, offsetof(struct snap_origin, connect_timeout_ms), 0},
    {ORIGIN, 0, offsetof(struct snap_origin, response_timeout_ms), 0},
    {ORIGIN, 0, offsetof(struct snap_origin, idle_timeout_ms), 0},
    {ORIGIN, 0, offsetof(struct snap_origin, tunnel_timeout_ms), 0},
    {ORIGIN, 0, offsetof(struct snap_origin, connections_max), 0},
    {ADDRESS, 0, offsetof(struct snap_address, port), 0},
    {ADDRESS, 0, offsetof(struct snap_address, port), 65536},
    {REGEX, 0, offsetof(struct snap_ref, off), FAR},
    {REGEX, 0, offsetof(struct snap_ref, len), 1}, /* not the pattern's any more */
    {NODE, 0, offsetof(struct snap_node, any), 1000},
    {NODE_TAKEN, 0, offsetof(struct snap_node, rules.off), FAR},
    {NODE_TAKEN, 0, offsetof(struct snap_node, rules.count), FAR},
    {EDGE, 0, offsetof(struct snap_edge, child), 1000},
    {EDGE, 0, offsetof(struct snap_edge, node), 1000},
    {EDGE, 0, offsetof(struct snap_edge, segment.off), FAR},
    {SOURCES, 0, 0, SNAP_METHOD + 1},
    {SOURCES, 0, 0, SNAP_PATH_GROUP + 2},
    {SOURCES, 0, 0, SNAP_HOST_GROUP},
    {LABELS, 0, offsetof(struct snap_labels, variable), 1}, /* then {region} has no list */
    {LABELS, 0, offsetof(struct snap_labels, variable), 2},
    {LABELS, 0, offsetof(struct snap_labels, values.off), FAR},
    {VALUES, 0, offsetof(struct snap_ref, off), FAR},
    {TESTS, 0, offsetof(struct snap_test, kind), 4},
    {TESTS, 0, offsetof(struct snap_test, name.off), FAR},
    {TESTS, 0, offsetof(struct snap_test, value.len), FAR},
    {CLIENTS, 0, 14, 0xFFFFFFFF},
    {NODE_RULES, 0, 0, 0}, /* the detour is none of the routes */
    {PATH_BLOCK, 0, 0, 0xFFFFFFFF},
    {TO_BLOCK, 0, 0, 0xFFFFFFFF},
};

static uint32_t first_taken_host(const struct snapshot *s)
{
    const struct snap_host *hosts = snapshot_at(s, s->hosts.off);
    uint32_t i = 0;
    while (hosts[i].host.len == 0) {
        i++;
    }
    return s->hosts.off + i * (uint32_t)sizeof(*hosts);
}

static uint32_t first_taken_edge(const struct snapshot *s)
{
    struct snap_list list = snapshot_site(s, 0)->routes.edges;
    const struct snap_edge *edges = snapshot_at(s, list.off);
    uint32_t i = 0;
    while (edges[i].node == SNAP_NONE) {
        i++;
    }
    return list.off + i * (uint32_t)sizeof(*edges);
}

static uint32_t first_taken_node(const struct snapshot *s)
{
    struct snap_list list = snapshot_site(s, 0)->routes.nodes;
    const struct snap_node *nodes = snapshot_at(s, list.off);
    uint32_t i = 0;
    while (nodes[i].rules.count == 0) {
        i++;
    }
    return list.off + i * (uint32_t)sizeof(*nodes);
}

/* Where in the block the place begins. */
static uint32_t place_of(const struct snapshot *s, enum part part)
{
    const struct snap_rule *labels = snapshot_rule(s, ROUTE_LABELS);
    const struct snap_labels *values = snapshot_at(s, labels->action.labels.off);
    const struct snap_node *taken = snapshot_at(s, first_taken_node(s));
    const uint32_t places[] = {
        [HEADER] = 0,
        [SITE] = s->sites.off,
        [HOST] = first_taken_host(s),
        [RULE] = s->rules.off,
        [POOL] = s->pools.off,
        [SERVER] = s->servers.off,
        [PAGE] = s->pages.off,
        [ORIGIN] = s->origins.off,
        [ADDRESS] = snapshot_origin(s, 0)->addresses.off,
        [REGEX] = s->regexes.off,
        [NODE] = snapshot_site(s, 0)->routes.nodes.off,
        [EDGE] = first_taken_edge(s),
        [SOURCES] = labels->action.sources.off,
        [LABELS] = labels->action.labels.off,
        [VALUES] = values->values.off,
        [TESTS] = snapshot_rule(s, ROUTE_TESTS)->conditions.headers.off,
        [CLIENTS] = snapshot_rule(s, ROUTE_TESTS)->conditions.clients.off,
        [NODE_TAKEN] = first_taken_node(s),
        [NODE_RULES] = taken->rules.off,
        [PATH_BLOCK] = labels->path.block.off,
        [TO_BLOCK] = labels->action.to.off,
    };
    return places[part];
}

static size_t size_of(enum part part)
{
    static const size_t sizes[] = {
        [SITE] = sizeof(struct snap_site), [RULE] = sizeof(struct snap_rule),
        [POOL] = sizeof(struct snap_pool), [SERVER] = sizeof(struct snap_server),
        [NODE] = sizeof(struct snap_node), [TO_BLOCK] = 0,
    };
    return sizes[part];
}

static void a_good_block_passes(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(everything);
    struct span bytes = span_of(f->bytes, f->len);
    assert_ptr_equal(snapshot_open(bytes), f->bytes);
    assert_ptr_equal(snapshot_verify(bytes), f->bytes);
    /* What the indexes of the table above stand on. */
    assert_int_equal(snapshot_rule(f->snapshot, DETOUR)->kind, SNAP_DETOUR);
    assert_int_equal(snapshot_rule(f->snapshot, ROUTE_TEA)->action.kind, SNAP_ACTION_RESPOND);
    assert_int_equal(snapshot_rule(f->snapshot, ROUTE_POOL)->action.kind, SNAP_ACTION_POOL);
    assert_int_equal(snapshot_rule(f->snapshot, SECOND_DEFAULT)->action.kind, SNAP_ACTION_ORIGIN);
    assert_true(snapshot_site(f->snapshot, 0)->routes.nodes.count > 1);
    fixture_free(&f);
}

static void a_block_that_is_not_whole_is_not_opened(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(everything);
    uint64_t *copy = malloc(f->len + 16);
    memcpy(copy, f->bytes, f->len);
    assert_non_null(snapshot_open(span_of(copy, f->len)));
    assert_null(snapshot_open(span_of(copy, f->len - 8)));
    assert_null(snapshot_open(span_of(copy, f->len + 8)));
    assert_null(snapshot_open(span_of(copy, sizeof(struct snapshot) - 1)));
    assert_null(snapshot_open(span_of(copy, 0)));
    memmove((uint8_t *)copy + 4, copy, f->len);
    assert_null(snapshot_open(span_of((uint8_t *)copy + 4, f->len)));
    free(copy);
    fixture_free(&f);
}

/* Each byte of the header is under its hash. */
static void a_changed_header_is_not_opened(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(everything);
    for (size_t i = 0; i < sizeof(struct snapshot); i++) {
        f->bytes[i] ^= 0x10;
        assert_null(snapshot_open(span_of(f->bytes, f->len)));
        f->bytes[i] ^= 0x10;
    }
    assert_non_null(snapshot_open(span_of(f->bytes, f->len)));
    fixture_free(&f);
}

static void changed_fields_are_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(everything);
    uint64_t *copy = malloc(f->len);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const struct change *change = &refused[i];
        size_t at = place_of(f->snapshot, change->part) + change->index * size_of(change->part) +
                    change->field;
        memcpy(copy, f->bytes, f->len);
        assert_true(at + 4 <= f->len);
        assert_memory_not_equal((uint8_t *)copy + at, &change->value, 4);
        memcpy((uint8_t *)copy + at, &change->value, 4);
        seal((struct snapshot *)copy);
        if (snapshot_verify(span_of(copy, f->len)) != NULL) {
            fail_msg("accepted: row %zu, place %d, field %zu, value %u", i, (int)change->part,
                     change->field, change->value);
        }
    }
    free(copy);
    fixture_free(&f);
}

/* A target is held to what config/ asks of it: here, to a scheme that is http or https. */
static void a_target_of_another_scheme_is_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(everything);
    const struct snap_rule *rule = snapshot_rule(f->snapshot, ROUTE_LABELS);
    uint8_t *block = f->bytes + rule->action.to.off;
    int changed = 0;
    for (uint32_t i = 0; i + 8 <= rule->action.to.len; i++) {
        if (memcmp(block + i, "https://", 8) == 0) {
            memcpy(block + i, "xttps", 5);
            changed++;
        }
    }
    assert_true(changed > 0);
    assert_null(snapshot_verify(span_of(f->bytes, f->len)));
    fixture_free(&f);
}

/* A full hash table would be searched for ever. */
static void tables_have_an_empty_place(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(everything);
    struct snap_host *hosts = (struct snap_host *)(f->bytes + f->snapshot->hosts.off);
    struct snap_host taken = *(struct snap_host *)(f->bytes + first_taken_host(f->snapshot));
    for (uint32_t i = 0; i < f->snapshot->hosts.count; i++) {
        hosts[i] = hosts[i].host.len == 0 ? taken : hosts[i];
    }
    assert_null(snapshot_verify(span_of(f->bytes, f->len)));
    fixture_compile(f, NOW);
    struct snap_list list = snapshot_site(f->snapshot, 0)->routes.edges;
    struct snap_edge *edges = (struct snap_edge *)(f->bytes + list.off);
    struct snap_edge edge = *(struct snap_edge *)(f->bytes + first_taken_edge(f->snapshot));
    for (uint32_t i = 0; i < list.count; i++) {
        edges[i] = edges[i].node == SNAP_NONE ? edge : edges[i];
    }
    assert_null(snapshot_verify(span_of(f->bytes, f->len)));
    fixture_free(&f);
}

/* ---- every byte ---- */

static struct server_live live[65536];

/* What verify has accepted can be read: the sanitizers say whether that is so. */
static void use(struct fixture *f, const struct snapshot *snapshot)
{
    struct regex_set *regexes = NULL;
    struct pools_setting setting = {.live = live};
    if (regex_set_new(snapshot, NULL, &regexes) != ERR_NONE) {
        return; /* a worker refuses it */
    }
    f->context.snapshot = snapshot;
    f->context.regexes = regexes;
    assert_int_equal(pools_new(snapshot, &setting, NULL, &f->context.pools), ERR_NONE);
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        const struct response *response = fixture_answer(f, &asks[i]);
        assert_in_range(response->status, 200, 599);
    }
    pools_free(&f->context.pools);
    regex_set_free(&regexes);
}

static void any_byte_may_be_wrong(void **state)
{
    static const uint8_t flips[] = {0x01, 0x04, 0x80, 0xFF};
    (void)state;
    struct fixture *f = fixture_new(everything);
    size_t accepted = 0;
    size_t hash_at = offsetof(struct snapshot, header_hash);
    /* Of its own size, so that the address sanitizer sees what is behind it. */
    uint64_t *copy = malloc(f->len);
    memcpy(copy, f->bytes, f->len);
    use(f, (const struct snapshot *)copy);
    for (size_t i = 0; i < f->len; i++) {
        if (i >= hash_at && i < hash_at + 8) {
            continue;
        }
        for (size_t k = 0; k < sizeof(flips); k++) {
            memcpy(copy, f->bytes, f->len);
            ((uint8_t *)copy)[i] ^= flips[k];
            seal((struct snapshot *)copy);
            const struct snapshot *snapshot = snapshot_verify(span_of(copy, f->len));
            if (snapshot != NULL) {
                accepted++;
                use(f, snapshot);
            }
        }
    }
    print_message("%zu of %zu changes were accepted\n", accepted, f->len * sizeof(flips));
    free(copy);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_block_passes),
        cmocka_unit_test(a_block_that_is_not_whole_is_not_opened),
        cmocka_unit_test(a_changed_header_is_not_opened),
        cmocka_unit_test(changed_fields_are_refused),
        cmocka_unit_test(a_target_of_another_scheme_is_refused),
        cmocka_unit_test(tables_have_an_empty_place),
        cmocka_unit_test(any_byte_may_be_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
