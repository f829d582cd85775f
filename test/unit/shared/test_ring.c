/* SPDX-License-Identifier: MIT */
/* The ring: order, the end of it, a full one, successors on both sides, and damage. */
#include "shared/ring.h"

#include "shared/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct rings {
    int fd;
    struct ring *producer;
    struct ring *consumer;
};

static int open_rings(void **state)
{
    struct rings *r = calloc(1, sizeof(*r));
    assert_int_equal(ring_create(RING_LOG, 2, &r->fd), ERR_NONE);
    assert_int_equal(ring_open_producer(RING_LOG, r->fd, 1, &r->producer), ERR_NONE);
    assert_int_equal(ring_open_consumer(RING_LOG, r->fd, 1, &r->consumer), ERR_NONE);
    *state = r;
    return 0;
}

static int close_rings(void **state)
{
    struct rings *r = *state;
    ring_close(&r->producer);
    ring_close(&r->consumer);
    close(r->fd);
    free(r);
    return 0;
}

static bool push(struct rings *r, size_t len, uint8_t fill)
{
    uint8_t *room = ring_reserve(r->producer, len);
    if (room == NULL) {
        return false;
    }
    assert_int_equal((uintptr_t)room % 8, 0);
    memset(room, fill, len);
    ring_commit(r->producer);
    return true;
}

static void expect(struct rings *r, size_t len, uint8_t fill)
{
    struct span record;
    assert_true(ring_peek(r->consumer, &record));
    assert_int_equal(record.len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(record.ptr[i], fill);
    }
    ring_pop(r->consumer);
}

static void expect_empty(struct rings *r)
{
    struct span record;
    assert_false(ring_peek(r->consumer, &record));
}

static void records_come_in_order_over_the_end(void **state)
{
    struct rings *r = *state;
    expect_empty(r);
    /* Lengths that are no divisor of the ring, several times around, a few in flight. */
    size_t lengths[] = {0, 1, 7, 8, 9, 1000, ring_record_bytes_max, 12345};
    enum { kinds = sizeof(lengths) / sizeof(*lengths), total = 2000, in_flight = 5 };
    for (size_t i = 0; i < total + in_flight; i++) {
        if (i < total) {
            assert_true(push(r, lengths[i % kinds], (uint8_t)i));
        }
        if (i >= in_flight) {
            expect(r, lengths[(i - in_flight) % kinds], (uint8_t)(i - in_flight));
        }
    }
    expect_empty(r);
}

static void a_full_ring_takes_no_more(void **state)
{
    struct rings *r = *state;
    size_t count = 0;
    while (push(r, 4088, (uint8_t)count)) {
        count++;
    }
    assert_int_equal(count, ring_bytes / 4096);
    assert_false(push(r, 0, 1));
    expect(r, 4088, 0);
    assert_true(push(r, 4088, (uint8_t)count));
    assert_false(push(r, 0, 1));
    for (size_t i = 1; i <= count; i++) {
        expect(r, 4088, (uint8_t)i);
    }
    expect_empty(r);
}

static void what_was_not_committed_was_never_there(void **state)
{
    struct rings *r = *state;
    assert_true(push(r, 10, 1));
    assert_non_null(ring_reserve(r->producer, 500));
    ring_close(&r->producer); /* it died in the middle */
    assert_int_equal(ring_open_producer(RING_LOG, r->fd, 1, &r->producer), ERR_NONE);
    assert_true(push(r, 20, 2));
    expect(r, 10, 1);
    ring_close(&r->consumer);
    assert_int_equal(ring_open_consumer(RING_LOG, r->fd, 1, &r->consumer), ERR_NONE);
    expect(r, 20, 2);
    expect_empty(r);
}

static void the_bell_rings_once_for_a_sleeper(void **state)
{
    struct rings *r = *state;
    int bell = eventfd(0, EFD_NONBLOCK);
    uint64_t rung;
    push(r, 1, 1);
    ring_ring_bell(r->producer, bell);
    assert_int_equal(read(bell, &rung, sizeof(rung)), -1);
    expect(r, 1, 1);
    ring_sleep(r->consumer);
    push(r, 1, 2);
    push(r, 1, 3);
    ring_ring_bell(r->producer, bell);
    ring_ring_bell(r->producer, bell);
    assert_int_equal(read(bell, &rung, sizeof(rung)), sizeof(rung));
    assert_int_equal(rung, 1);
    ring_sleep(r->consumer);
    ring_wake(r->consumer);
    assert_false(ring_wants_bell(r->producer));
    close(bell);
}

static void wanted_until_it_is_said(void **state)
{
    struct rings *r = *state;
    assert_true(ring_wanted(r->producer));
    ring_want(r->consumer, false);
    assert_false(ring_wanted(r->producer));
    ring_want(r->consumer, true);
    assert_true(ring_wanted(r->producer));
}

static void rings_are_apart(void **state)
{
    struct rings *r = *state;
    struct ring *other;
    struct span record;
    push(r, 3, 3);
    assert_int_equal(ring_open_consumer(RING_LOG, r->fd, 0, &other), ERR_NONE);
    assert_false(ring_peek(other, &record));
    ring_close(&other);
    assert_int_equal(ring_open_consumer(RING_LOG, r->fd, 2, &other), ERR_SYNTAX);
}

/* A worker that was taken over may write what it likes; the logger must go on. */
static void damage_is_thrown_away(void **state)
{
    struct rings *r = *state;
    size_t one = page_bytes + ring_bytes;
    uint8_t *memory = mmap(NULL, one, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, (off_t)one);
    assert_ptr_not_equal(memory, MAP_FAILED);
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, ring_record_bytes_max + 1, 64,
                                       UINT64_C(1) << 63};
    uint64_t at = 0;
    struct span record;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        push(r, 40, 1);
        memcpy(memory + page_bytes + at, &lengths[i], sizeof(lengths[i]));
        at += 48;
        assert_false(ring_peek(r->consumer, &record));
    }
    static const uint64_t positions[] = {UINT64_MAX, 1, 3, ring_bytes * 2 + 8};
    for (size_t i = 0; i < sizeof(positions) / sizeof(*positions); i++) {
        memcpy(memory, &positions[i], sizeof(positions[i]));
        assert_false(ring_peek(r->consumer, &record));
    }
    ring_close(&r->producer);
    assert_int_equal(ring_open_producer(RING_LOG, r->fd, 1, &r->producer), ERR_NONE);
    push(r, 5, 5);
    expect(r, 5, 5);
    munmap(memory, one);
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, open_rings, close_rings)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(records_come_in_order_over_the_end),
        RING_TEST(a_full_ring_takes_no_more),
        RING_TEST(what_was_not_committed_was_never_there),
        RING_TEST(the_bell_rings_once_for_a_sleeper),
        RING_TEST(wanted_until_it_is_said),
        RING_TEST(rings_are_apart),
        RING_TEST(damage_is_thrown_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
