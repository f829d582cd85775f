/* SPDX-License-Identifier: MIT */
/* Counters and servers: slots that stay, pages that outlive who mapped them. */
#include "shared/counters.h"
#include "shared/servers.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void counts_survive_their_worker(void **state)
{
    int fd;
    struct counters_map *map;
    assert_int_equal(counters_create(3, &fd), ERR_NONE);
    assert_int_equal(counters_open(fd, &map), ERR_NONE);
    assert_int_equal(counters_workers(map), 3);
    counter_add(&counters_of_worker(map, 2)->requests, 5);
    counter_add(&counters_rules(map, 2)[counters_rules_max - 1].hits, 7);
    counter_set(&counters_common(map)->log_bytes, 9);
    counters_close(&map);
    assert_null(map);
    assert_int_equal(counters_open(fd, &map), ERR_NONE);
    assert_int_equal(counter_get(&counters_of_worker(map, 2)->requests), 5);
    assert_int_equal(counter_get(&counters_of_worker(map, 1)->requests), 0);
    assert_int_equal(counter_get(&counters_rules(map, 2)[counters_rules_max - 1].hits), 7);
    assert_int_equal(counter_get(&counters_common(map)->log_bytes), 9);
    counters_close(&map);
    counters_close(&map);
    close(fd);
}

static uint32_t slot_of(struct counters_map *map, unsigned number)
{
    char identity[32];
    uint32_t slot;
    snprintf(identity, sizeof(identity), "shop/routes/%u", number);
    assert_int_equal(counters_slot(map, span_cstr(identity), &slot), ERR_NONE);
    return slot;
}

static void slots_stay_with_their_rules(void **state)
{
    enum { rules = 5000 };
    int fd;
    struct counters_map *map;
    assert_int_equal(counters_create(1, &fd), ERR_NONE);
    assert_int_equal(counters_open(fd, &map), ERR_NONE);
    for (uint32_t i = 0; i < rules; i++) {
        assert_int_equal(slot_of(map, i), i + 1);
    }
    assert_int_equal(slot_of(map, 17), 18);
    counters_close(&map); /* control died, and its successor asks in another order */
    assert_int_equal(counters_open(fd, &map), ERR_NONE);
    assert_int_equal(slot_of(map, rules), rules + 1);
    for (uint32_t i = rules; i-- > 0;) {
        assert_int_equal(slot_of(map, i), i + 1);
    }
    counters_close(&map);
    close(fd);
}

static void foreign_memory_is_refused(void **state)
{
    struct counters_map *map = NULL;
    struct servers_map *servers = NULL;
    int fd;
    int plain = memfd_create("x", MFD_ALLOW_SEALING);
    assert_int_equal(counters_open(plain, &map), ERR_SYNTAX);
    assert_int_equal(ftruncate(plain, 4096), 0);
    assert_int_equal(counters_open(plain, &map), ERR_SYNTAX); /* its size is not sealed */
    fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
    assert_int_equal(counters_open(plain, &map), ERR_SYNTAX); /* nor is it ours */
    assert_int_equal(servers_open(plain, true, &servers), ERR_SYNTAX);
    assert_int_equal(counters_create(1, &fd), ERR_NONE);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(servers_open(fd, true, &servers), ERR_SYNTAX);
    assert_null(map);
    assert_null(servers);
    close(fd);
    close(plain);
}

static void servers_are_up_until_it_is_said(void **state)
{
    int fd;
    struct servers_map *control;
    struct servers_map *worker;
    uint32_t a;
    uint32_t b;
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &control), ERR_NONE);
    assert_int_equal(servers_open(fd, false, &worker), ERR_NONE);
    assert_int_equal(servers_slot(control, SPAN("mirrors/eu1"), &a), ERR_NONE);
    assert_int_equal(servers_slot(control, SPAN("mirrors/us1"), &b), ERR_NONE);
    assert_int_not_equal(a, b);
    assert_int_not_equal(a, servers_slot_overflow);
    const struct server_live *live = servers_live(worker);
    assert_int_equal(server_live_state(&live[a]), SERVER_UP);
    assert_int_equal(server_live_weight_ppm(&live[a]), server_weight_ppm_full);
    assert_int_equal(server_live_weight_ppm(&live[servers_slot_overflow]), server_weight_ppm_full);

    servers_set(control, a, SERVER_DRAIN, 250000);
    assert_int_equal(server_live_state(&live[a]), SERVER_DRAIN);
    assert_int_equal(server_live_weight_ppm(&live[a]), 250000);
    assert_int_equal(server_live_state(&live[b]), SERVER_UP);

    servers_close(&control);
    assert_int_equal(servers_open(fd, true, &control), ERR_NONE);
    uint32_t again;
    assert_int_equal(servers_slot(control, SPAN("mirrors/eu1"), &again), ERR_NONE);
    assert_int_equal(again, a);
    assert_int_equal(server_live_state(&live[a]), SERVER_DRAIN);
    servers_close(&control);
    servers_close(&worker);
    close(fd);
}

static void parts_make_a_word(void **state)
{
    static const uint32_t full = server_weight_ppm_full;
    static const struct {
        uint64_t parts[SERVERS_PARTS];
        uint64_t word;
    } rows[] = {
#define WORD(state, ppm) ((uint64_t)(state) << 32 | (ppm))
        {{WORD(SERVER_UP, full), WORD(SERVER_UP, full), WORD(SERVER_UP, full)},
         WORD(SERVER_UP, full)},
        {{WORD(SERVER_UP, 500000), WORD(SERVER_UP, 500000), WORD(SERVER_UP, 200000)},
         WORD(SERVER_UP, 50000)},
        {{WORD(SERVER_DOWN, full), WORD(SERVER_DRAIN, full), WORD(SERVER_UP, full)},
         WORD(SERVER_DOWN, 0)}, /* … and not when health is ignored, either */
        {{WORD(SERVER_DOWN, full), WORD(SERVER_UP, full), WORD(SERVER_UP, 200000)},
         WORD(SERVER_DOWN, 200000)},
        {{WORD(SERVER_DOWN, full), WORD(SERVER_UP, full), WORD(SERVER_MAINT, full)},
         WORD(SERVER_MAINT, full)},
        {{WORD(SERVER_UP, full), WORD(SERVER_MAINT, 0), WORD(SERVER_DRAIN, full)},
         WORD(SERVER_MAINT, 0)},
        {{WORD(SERVER_UP, full), WORD(SERVER_UP, 700000), WORD(SERVER_DRAIN, full)},
         WORD(SERVER_DRAIN, 700000)},
#undef WORD
    };
    int fd;
    struct servers_map *map;
    uint32_t slot;
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &map), ERR_NONE);
    assert_int_equal(servers_slot(map, SPAN("mirrors/eu1"), &slot), ERR_NONE);
    const struct server_live *live = &servers_live(map)[slot];
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(servers_merge(rows[i].parts), rows[i].word);
        for (int part = 0; part < SERVERS_PARTS; part++) {
            uint64_t says = rows[i].parts[part];
            servers_set_part(map, slot, (enum servers_part)part, server_word_state(says),
                             server_word_weight_ppm(says));
            assert_int_equal(server_live_part(live, (enum servers_part)part), says);
        }
        assert_int_equal(atomic_load(&live->word), rows[i].word);
    }
    servers_close(&map);
    close(fd);
}

/* Who keeps what follows from the words looks at the epoch; people at the moment. */
static void a_change_moves_the_epoch(void **state)
{
    int fd;
    struct servers_map *map;
    uint32_t slot;
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &map), ERR_NONE);
    assert_int_equal(servers_slot(map, SPAN("mirrors/eu1"), &slot), ERR_NONE);
    const struct server_live *live = &servers_live(map)[slot];
    uint64_t epoch = atomic_load(servers_epoch(map));
    servers_set(map, slot, SERVER_UP, server_weight_ppm_full);
    assert_int_equal(atomic_load(servers_epoch(map)), epoch);
    assert_int_equal(server_live_since_ns(live), 0);
    servers_set(map, slot, SERVER_UP, 500000);
    assert_int_equal(atomic_load(servers_epoch(map)), epoch + 1);
    assert_int_equal(server_live_since_ns(live), 0);
    servers_set(map, slot, SERVER_DOWN, 500000);
    assert_int_equal(atomic_load(servers_epoch(map)), epoch + 2);
    assert_int_not_equal(server_live_since_ns(live), 0);
    assert_int_not_equal(server_live_part_since_ns(live, SERVERS_BY_HEALTH), 0);
    assert_int_equal(server_live_part_since_ns(live, SERVERS_BY_OPERATOR), 0);
    servers_close(&map);
    close(fd);
}

/* Whether a probe that failed under maintenance holds a server down is its own affair. */
static void each_part_has_its_moment(void **state)
{
    int fd;
    struct servers_map *map;
    uint32_t slot;
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &map), ERR_NONE);
    assert_int_equal(servers_slot(map, SPAN("mirrors/eu1"), &slot), ERR_NONE);
    const struct server_live *live = &servers_live(map)[slot];
    servers_set_part(map, slot, SERVERS_BY_OPERATOR, SERVER_MAINT, server_weight_ppm_full);
    uint64_t since = server_live_since_ns(live);
    servers_set(map, slot, SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(server_live_since_ns(live), since);
    assert_true(server_live_part_since_ns(live, SERVERS_BY_HEALTH) > since);
    servers_close(&map);
    close(fd);
}

static void the_last_slot_is_the_last(void **state)
{
    int fd;
    struct servers_map *map;
    uint32_t slot = 0;
    enum err err = ERR_NONE;
    unsigned given = 0;
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &map), ERR_NONE);
    for (; err == ERR_NONE; given++) {
        char identity[32];
        snprintf(identity, sizeof(identity), "pool/%u", given);
        err = servers_slot(map, span_cstr(identity), &slot);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_int_equal(given, servers_max); /* slot 0 is not given, and the last one failed */
    assert_int_equal(slot, servers_max - 1);
    assert_int_equal(servers_slot(map, SPAN("pool/5"), &slot), ERR_NONE);
    assert_int_equal(slot, 6);
    servers_close(&map);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_survive_their_worker),
        cmocka_unit_test(slots_stay_with_their_rules),
        cmocka_unit_test(foreign_memory_is_refused),
        cmocka_unit_test(servers_are_up_until_it_is_said),
        cmocka_unit_test(parts_make_a_word),
        cmocka_unit_test(a_change_moves_the_epoch),
        cmocka_unit_test(each_part_has_its_moment),
        cmocka_unit_test(the_last_slot_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
