/* SPDX-License-Identifier: MIT */
/* Ports, addresses and failures of origins; and names that are looked up, by /etc/hosts alone. */
#include "control/origins.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char text[] = "origins:\n"
                           "  here: {url: 'http://localhost:8081', health: {path: /}}\n"
                           "  there: https://192.0.2.5\n"
                           "  same: http://192.0.2.6:8081\n"
                           "  six: http://[2001:db8::1]\n"
                           "sites: [{hosts: a.example, default: {origin: here}, routes: [\n"
                           "  {path: /1, origin: there}, {path: /2, origin: same},\n"
                           "  {path: /3, origin: six}]}]\n";

struct known {
    struct arena arena;
    struct problems problems;
    const struct model *model;
};

static void known_init(struct known *known)
{
    arena_init(&known->arena, 0);
    problems_init(&known->problems, &known->arena, "test.yaml");
    known->model = model_load(span_cstr(text), NS_PER_SECOND, &known->problems);
    assert_non_null(known->model);
}

static void ports_are_told_once_in_order(void **state)
{
    (void)state;
    struct known known;
    uint8_t room[64];
    struct buffer out = buffer_over(room, sizeof(room));
    known_init(&known);
    origins_ports(known.model, &out);
    assert_true(span_eq(buffer_span(&out), SPAN("80,443,8081")));
    arena_fini(&known.arena);
}

/* ---- the resolver ---- */

static int changes;

static void on_change(void *context)
{
    changes++;
    ev_break(context, EVBREAK_ONE);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    fail_msg("no answer");
}

/* Until the resolver says that something is new. */
static void wait_for_change(struct ev_loop *loop)
{
    ev_timer patience;
    ev_timer_init(&patience, on_patience, 60, 0);
    ev_timer_start(loop, &patience);
    ev_run(loop, 0);
    ev_timer_stop(loop, &patience);
}

static bool has_loopback(const struct origin_address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool v4 = address_is_v4(addresses[i].bytes) && addresses[i].bytes[12] == 127;
        if (v4 || memcmp(addresses[i].bytes, &in6addr_loopback, 16) == 0) {
            return true;
        }
    }
    return false;
}

static void names_are_looked_up(void **state)
{
    (void)state;
    struct known known;
    struct origin_address found[origin_addresses_max];
    struct resolver *resolver;
    struct ev_loop *loop = ev_loop_new(0);
    known_init(&known);
    changes = 0;
    assert_int_equal(resolver_new(loop, on_change, loop, &resolver), ERR_NONE);
    assert_true(resolver_settled(resolver));
    origins_want(resolver, known.model);
    assert_false(resolver_settled(resolver));
    assert_int_equal(resolver_find(resolver, SPAN("localhost"), found), 0);
    wait_for_change(loop);
    assert_true(resolver_settled(resolver));
    size_t count = resolver_find(resolver, SPAN("localhost"), found);
    assert_true(count >= 1 && has_loopback(found, count));
    assert_int_equal(resolver_find(resolver, SPAN("192.0.2.5"), found), 0);

    assert_true(origins_fill(known.model, resolver, NULL, 0));
    assert_true(has_loopback(known.model->origins[0].live->addresses,
                             known.model->origins[0].live->address_count));
    assert_false(origins_fill(known.model, resolver, NULL, 0));

    /* Forgotten, and gone while its lookup may be under way. */
    resolver_begin(resolver);
    resolver_end(resolver);
    assert_int_equal(resolver_find(resolver, SPAN("localhost"), found), 0);
    assert_false(origins_fill(known.model, resolver, NULL, 0)); /* what was good goes on */
    origins_want(resolver, known.model);
    resolver_free(&resolver);
    assert_null(resolver);
    ev_loop_destroy(loop);
    arena_fini(&known.arena);
}

static void what_was_remembered_stands_until_it_is_looked_up(void **state)
{
    (void)state;
    struct origin_address known[2] = {{.bytes = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}},
                                      {.bytes = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2}}};
    struct origin_address found[origin_addresses_max];
    struct resolver *resolver;
    struct ev_loop *loop = ev_loop_new(0);
    assert_int_equal(resolver_new(loop, on_change, loop, &resolver), ERR_NONE);
    assert_int_equal(resolver_remember(resolver, SPAN("localhost"), known, 2), ERR_NONE);
    assert_int_equal(resolver_find(resolver, SPAN("localhost"), found), 2);
    assert_memory_equal(found, known, sizeof(known));
    assert_true(resolver_settled(resolver)); /* nobody waits for what nobody wants */
    assert_int_equal(resolver_want(resolver, SPAN("localhost"), 60000), ERR_NONE);
    wait_for_change(loop);
    assert_true(has_loopback(found, resolver_find(resolver, SPAN("localhost"), found)));
    resolver_free(&resolver);
    ev_loop_destroy(loop);
}

/* ---- failures ---- */

static void a_probe_that_says_no_pulls_the_trigger(void **state)
{
    (void)state;
    struct known known;
    struct known next;
    struct servers_map *servers;
    struct resolver *resolver;
    uint32_t slot;
    int fd;
    struct ev_loop *loop = ev_loop_new(0);
    known_init(&known);
    assert_int_equal(resolver_new(loop, on_change, loop, &resolver), ERR_NONE);
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &servers), ERR_NONE);
    const struct schedule_trigger *failing = &known.model->origins[0].live->failing;
    assert_false(origins_fill(known.model, resolver, servers, 5));
    assert_false(failing->pulled);
    assert_int_equal(servers_slot(servers, SPAN("origin:here"), &slot), ERR_NONE);
    servers_set(servers, slot, SERVER_DOWN, server_weight_ppm_full);
    assert_true(origins_fill(known.model, resolver, servers, 7));
    assert_true(failing->pulled);
    assert_int_equal(failing->since_ns, 7);
    assert_false(origins_fill(known.model, resolver, servers, 9));

    /* Another text knows since when. */
    known_init(&next);
    origins_carry(known.model, next.model);
    assert_true(next.model->origins[0].live->failing.pulled);
    assert_int_equal(next.model->origins[0].live->failing.since_ns, 7);
    servers_set(servers, slot, SERVER_UP, server_weight_ppm_full);
    assert_true(origins_fill(next.model, resolver, servers, 11));
    assert_false(next.model->origins[0].live->failing.pulled);

    servers_close(&servers);
    close(fd);
    resolver_free(&resolver);
    ev_loop_destroy(loop);
    arena_fini(&known.arena);
    arena_fini(&next.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_told_once_in_order),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(what_was_remembered_stands_until_it_is_looked_up),
        cmocka_unit_test(a_probe_that_says_no_pulls_the_trigger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
