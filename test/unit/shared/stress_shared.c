/* SPDX-License-Identifier: MIT */
/* The shared pages under two threads that stand for two processes: a ring whose consumer
 * sleeps and is rung for, counters that are read while they are written, servers that flap
 * while they are read, facts that take each other's place. Meant for the thread sanitizer, and
 * checks what it reads besides.
 *
 * Both threads use one mapping, since the sanitizer knows memory by its address. */
#include "shared/counters.h"
#include "shared/facts.h"
#include "shared/ring.h"
#include "shared/servers.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ring_records = 200000, counter_steps = 500000, server_flaps = 300000 };

struct ring_side {
    struct ring *ring;
    int bell;
};

/* Each record's bytes follow from its number, so that a torn one is seen. */
static size_t length_of(uint32_t number)
{
    return sizeof(number) + number * 7919u % 700u;
}

static void *produce(void *context)
{
    struct ring_side *side = context;
    for (uint32_t i = 0; i < ring_records;) {
        uint8_t *room = ring_reserve(side->ring, length_of(i));
        if (room == NULL) {
            ring_ring_bell(side->ring, side->bell);
            poll(NULL, 0, 1);
            continue;
        }
        memset(room, (int)(i & 0xff), length_of(i));
        memcpy(room, &i, sizeof(i));
        ring_commit(side->ring);
        if (i % 3 == 0) { /* after a burst, as a worker does */
            ring_ring_bell(side->ring, side->bell);
        }
        i++;
    }
    ring_ring_bell(side->ring, side->bell);
    return NULL;
}

static void check_record(struct span record, uint32_t expected)
{
    uint32_t number;
    assert(record.len >= sizeof(number));
    memcpy(&number, record.ptr, sizeof(number));
    assert(number == expected && record.len == length_of(number));
    for (size_t i = sizeof(number); i < record.len; i++) {
        assert(record.ptr[i] == (number & 0xff));
    }
}

static void wait_for_bell(struct ring_side *side)
{
    struct span record;
    ring_sleep(side->ring);
    if (ring_peek(side->ring, &record)) {
        ring_wake(side->ring);
        return;
    }
    struct pollfd fd = {.fd = side->bell, .events = POLLIN};
    /* A wake-up that was lost would wait for ever. */
    int ready = poll(&fd, 1, 20000);
    assert(ready == 1);
    uint64_t rung;
    ssize_t n = read(side->bell, &rung, sizeof(rung));
    assert(n == (ssize_t)sizeof(rung) || n < 0);
}

static void consume(struct ring_side *side)
{
    struct span record;
    for (uint32_t i = 0; i < ring_records;) {
        if (!ring_peek(side->ring, &record)) {
            wait_for_bell(side);
            continue;
        }
        check_record(record, i);
        ring_pop(side->ring);
        i++;
    }
    assert(!ring_peek(side->ring, &record));
}

static void stress_ring(void)
{
    int fd;
    pthread_t thread;
    struct ring_side producer = {.bell = eventfd(0, EFD_NONBLOCK)};
    struct ring_side consumer = {.bell = producer.bell};
    enum err err = ring_create(RING_LOG, 1, &fd);
    assert(err == ERR_NONE);
    err = ring_open_producer(RING_LOG, fd, 0, &producer.ring);
    assert(err == ERR_NONE);
    err = ring_open_beside(producer.ring, &consumer.ring);
    assert(err == ERR_NONE);
    pthread_create(&thread, NULL, produce, &producer);
    consume(&consumer);
    pthread_join(thread, NULL);
    ring_close(&consumer.ring);
    ring_close(&producer.ring);
    close(fd);
    close(producer.bell);
}

static void *count(void *context)
{
    struct counters_worker *mine = context;
    for (uint64_t i = 1; i <= counter_steps; i++) {
        counter_add(&mine->requests, 1);
        counter_add(&mine->statuses[307], 1);
        counter_set(&mine->heartbeat, i);
    }
    return NULL;
}

static void stress_counters(void)
{
    int fd;
    pthread_t thread;
    struct counters_map *map;
    enum err err = counters_create(1, &fd);
    assert(err == ERR_NONE);
    err = counters_open(fd, &map);
    assert(err == ERR_NONE);
    struct counters_worker *worker = counters_of_worker(map, 0);
    uint64_t last = 0;
    pthread_create(&thread, NULL, count, worker);
    while (last < counter_steps) {
        uint64_t now = counter_get(&worker->statuses[307]);
        assert(now >= last);
        last = now;
    }
    pthread_join(thread, NULL);
    assert(counter_get(&worker->requests) == counter_steps);
    counters_close(&map);
    close(fd);
}

/* State and weight belong together, and plain data that was written before a change of
 * state is seen by who sees the state. */
static uint64_t told_before;

static void *flap(void *context)
{
    struct servers_map *map = context;
    for (uint32_t i = 1; i <= server_flaps; i++) {
        if (i == server_flaps) {
            told_before = server_flaps;
        }
        servers_set(map, 5, i % 2 == 0 ? SERVER_UP : SERVER_DOWN, i);
    }
    return NULL;
}

static void stress_servers(void)
{
    int fd;
    pthread_t thread;
    struct servers_map *map;
    enum err err = servers_create(&fd);
    assert(err == ERR_NONE);
    err = servers_open(fd, true, &map);
    assert(err == ERR_NONE);
    struct server_live *live = &servers_live(map)[5];
    pthread_create(&thread, NULL, flap, map);
    uint32_t last = 0;
    while (last < server_flaps) {
        uint64_t word = atomic_load_explicit(&live->word, memory_order_acquire);
        uint32_t weight = (uint32_t)word;
        enum server_state state = (enum server_state)(word >> 32);
        assert(weight >= last);
        assert(weight == 0 || state == (weight % 2 == 0 ? SERVER_UP : SERVER_DOWN));
        last = weight;
    }
    assert(told_before == server_flaps);
    pthread_join(thread, NULL);
    servers_close(&map);
    close(fd);
}

/* More keys of one set than it has room for. What is known of a key, and until when, follows from
 * the key, so that a torn word is seen. */
enum { facts_keys = 20, facts_writes = 400000 };

static uint64_t fact_key(uint64_t number)
{
    return number << 40 | 77;
}

static uint32_t fact_life(uint64_t number)
{
    return 1000 + (uint32_t)number * 17;
}

static atomic_bool facts_written;

static void *write_facts(void *context)
{
    struct facts *facts = context;
    for (uint64_t i = 0; i < facts_writes; i++) {
        uint64_t number = i * 7 % facts_keys;
        facts_set(facts, fact_key(number), number % 2 == 0 ? FACT_YES : FACT_NO, 5,
                  fact_life(number));
    }
    atomic_store_explicit(&facts_written, true, memory_order_relaxed);
    return NULL;
}

static uint64_t read_facts(const struct facts *facts)
{
    uint64_t found = 0;
    for (uint64_t number = 0; number < facts_keys; number++) {
        uint32_t left_s;
        enum fact fact = facts_find(facts, fact_key(number), 5, &left_s);
        if (fact != FACT_UNKNOWN) {
            assert(left_s == fact_life(number));
            assert(fact == (number % 2 == 0 ? FACT_YES : FACT_NO));
            found++;
        }
    }
    return found;
}

static void stress_facts(void)
{
    int fd;
    pthread_t thread;
    struct facts *facts;
    enum err err = facts_create(&fd);
    assert(err == ERR_NONE);
    err = facts_open(fd, true, &facts);
    assert(err == ERR_NONE);
    pthread_create(&thread, NULL, write_facts, facts);
    while (!atomic_load_explicit(&facts_written, memory_order_relaxed)) {
        uint64_t found = read_facts(facts);
        assert(found <= facts_keys);
    }
    pthread_join(thread, NULL);
    uint64_t left = read_facts(facts);
    assert(left == facts_ways);
    facts_close(&facts);
    close(fd);
}

int main(void)
{
    stress_ring();
    stress_counters();
    stress_servers();
    stress_facts();
    puts("ring, counters, servers, facts: clean");
    return 0;
}
