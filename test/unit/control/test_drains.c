/* SPDX-License-Identifier: MIT */
/* What is left of a drain, and how long ago it began. */
#include "control/runtime/drains.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static const struct {
    const char *name;
    int64_t since_ns;
    int64_t window_ns;
    uint32_t share_ppm;
    uint32_t left_ppm;
    int64_t next_ns;
} rows[] = {
    {"at its begin", 0, 100 * S, 1000000, 1000000, S},
    {"before its begin", -5 * S, 100 * S, 1000000, 1000000, S},
    {"within a step", S / 2, 100 * S, 1000000, 1000000, S / 2},
    {"a step", S, 100 * S, 1000000, 990000, S},
    {"half", 50 * S, 100 * S, 1000000, 500000, S},
    {"half of a fifth", 50 * S, 100 * S, 200000, 100000, S},
    {"the last step", 99 * S, 100 * S, 1000000, 10000, S},
    {"never nothing before its end", 99 * S, 100 * S, 10, 1, S},
    {"no share", 0, 100 * S, 0, 1, S},
    {"over", 100 * S, 100 * S, 1000000, 0, 0},
    {"long over", 1000000 * S, 100 * S, 1000000, 0, 0},
    {"no window", 0, 0, 1000000, 0, 0},
};

static void test_left(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t next = -1;
        uint32_t left =
            drain_left_ppm(rows[i].since_ns, rows[i].window_ns, rows[i].share_ppm, &next);
        if (left != rows[i].left_ppm || next != rows[i].next_ns) {
            fail_msg("%s: %u left, next in %lld", rows[i].name, left, (long long)next);
        }
    }
}

/* Whoever starts in its middle goes on within a step of it. */
static void test_goes_on(void **state)
{
    for (int64_t since = 0; since < 300 * S; since += S / 3) {
        int64_t next;
        uint32_t left = drain_left_ppm(since, 300 * S, 700000, &next);
        int64_t found = drain_since_ns(left, 300 * S, 700000);
        assert_true(found <= since && since - found <= 3 * S);
        assert_int_equal(drain_left_ppm(found, 300 * S, 700000, &next), left);
    }
}

static void test_window(void **state)
{
    const struct model_pool plain = {.drain_ms = 5000};
    const struct model_pool hashed = {.balance = BALANCE_HASH, .drain_ms = 5000};
    const struct model_pool sticky = {.sticky = SPAN("c"), .drain_ms = 5000};
    assert_int_equal(drain_window_ns(&plain), 0);
    assert_int_equal(drain_window_ns(&hashed), 5 * S);
    assert_int_equal(drain_window_ns(&sticky), 5 * S);
}

/* ---- with clocks that are set ---- */

enum { share_full = 1000000 };

struct setting {
    struct servers_map *servers;
    struct drains *drains;
    struct model_server server;
    struct model_pool pool;
    struct model model;
    const struct server_live *live;
};

static void setting_init(struct setting *s, int64_t since_ns)
{
    int fd;
    uint32_t slot;
    s->server = (struct model_server){
        .identity = SPAN("p/a"), .wish = WISH_DRAIN, .since_ns = since_ns, .share_ppm = share_full};
    s->pool = (struct model_pool){.name = SPAN("p"),
                                  .balance = BALANCE_HASH,
                                  .drain_ms = 100000,
                                  .servers = &s->server,
                                  .server_count = 1};
    s->model = (struct model){.pools = &s->pool, .pool_count = 1};
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &s->servers), ERR_NONE);
    close(fd);
    assert_int_equal(servers_slot(s->servers, s->server.identity, &slot), ERR_NONE);
    s->live = &servers_live(s->servers)[slot];
    s->drains = drains_new(EV_DEFAULT, NULL);
    assert_non_null(s->drains);
}

static void setting_fini(struct setting *s)
{
    drains_free(&s->drains);
    servers_close(&s->servers);
}

/* Hundredths that are left. */
static int left(struct setting *s, int64_t wall_s, int64_t monotonic_s)
{
    const struct drain_now now = {wall_s * S, monotonic_s * S};
    drains_look_at(s->drains, &s->model, s->servers, &now);
    return (int)(server_live_weight_ppm(s->live) / 10000);
}

static void test_no_clock_that_is_set_moves_a_drain(void **state)
{
    struct setting s;
    setting_init(&s, 10000 * S);
    assert_int_equal(left(&s, 10000, 50), 100);
    assert_int_equal(left(&s, 10030, 80), 70);
    assert_int_equal(left(&s, 6400, 90), 60); /* an hour back */
    assert_int_equal(left(&s, 20000, 100), 50);
    drains_free(&s.drains); /* control dies, and starts with a clock that is behind */
    s.drains = drains_new(EV_DEFAULT, NULL);
    assert_int_equal(left(&s, 6400, 100), 50);
    assert_int_equal(left(&s, 6410, 110), 40);
    s.server.wish = WISH_READY;
    assert_int_equal(left(&s, 6410, 110), 100);
    s.server.wish = WISH_DRAIN; /* anew */
    s.server.since_ns = 6410 * S;
    assert_int_equal(left(&s, 6420, 120), 90);
    setting_fini(&s);
}

static void test_a_drain_of_the_file_begins_when_it_is_met(void **state)
{
    struct setting s;
    setting_init(&s, 0);
    assert_int_equal(left(&s, 10000, 50), 100);
    assert_int_equal(left(&s, 10, 75), 75);
    drains_free(&s.drains);
    s.drains = drains_new(EV_DEFAULT, NULL);
    assert_int_equal(left(&s, 99999, 75), 75);
    setting_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_no_clock_that_is_set_moves_a_drain),
        cmocka_unit_test(test_a_drain_of_the_file_begins_when_it_is_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
