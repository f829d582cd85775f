/* SPDX-License-Identifier: MIT */
/* The loop's own memory: pieces keep what is in them, come again, and do not need malloc. */
#include "worker/loop_memory.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { sources = 900 };

static bool no_malloc;
static unsigned mallocs;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    mallocs++;
    return no_malloc ? NULL : __real_malloc(size);
}

static void pieces_grow(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    for (long size = 1; size <= 1 << 20; size *= 3) {
        bytes = loop_memory_move(bytes, size);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        for (long i = size / 3; i < size; i++) {
            bytes[i] = (uint8_t)(i * 7);
        }
        for (long i = 0; i < size; i++) {
            assert_int_equal(bytes[i], (uint8_t)(i * 7));
        }
    }
    assert_null(loop_memory_move(bytes, 0));
}

static void pieces_come_again(void **state)
{
    (void)state;
    void *first = loop_memory_move(NULL, 5000);
    void *second = loop_memory_move(NULL, 5000);
    assert_ptr_not_equal(first, second);
    loop_memory_move(first, 0);
    assert_ptr_equal(loop_memory_move(NULL, 4900), first);
    for (int i = 0; i < 100000; i++) {
        loop_memory_move(loop_memory_move(NULL, 4000), 0);
    }
    assert_int_equal(mallocs, 0);
    loop_memory_move(first, 0);
    loop_memory_move(second, 0);
}

/* Larger than the area, and then nothing at all. */
static void malloc_comes_last(void **state)
{
    (void)state;
    char *large = loop_memory_move(NULL, 2L * loop_memory_bytes);
    assert_non_null(large);
    assert_int_equal(mallocs, 1);
    memcpy(large, "kept", 5);
    large = loop_memory_move(large, 3L * loop_memory_bytes);
    assert_string_equal(large, "kept");
    no_malloc = true;
    assert_null(loop_memory_move(large, 4L * loop_memory_bytes));
    no_malloc = false;
    assert_string_equal(large, "kept");
    loop_memory_move(large, 0);
    mallocs = 0;
}

static unsigned seen;

static void on_source(struct ev_loop *loop, ev_io *io, int events)
{
    seen++;
    ev_io_stop(loop, io);
}

static void a_loop_grows_without_malloc(void **state)
{
    (void)state;
    static ev_io watchers[sources];
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    int fd = eventfd(1, EFD_CLOEXEC);
    assert_non_null(loop);
    no_malloc = true;
    for (int i = 0; i < sources; i++) {
        ev_io_init(&watchers[i], on_source, dup(fd), EV_READ);
        assert_true(watchers[i].fd >= 0);
        ev_io_start(loop, &watchers[i]);
    }
    ev_run(loop, 0);
    no_malloc = false;
    assert_int_equal(seen, sources);
    assert_int_equal(mallocs, 0);
    for (int i = 0; i < sources; i++) {
        close(watchers[i].fd);
    }
    close(fd);
    ev_loop_destroy(loop);
}

static int begin(void **state)
{
    (void)state;
    int failed = loop_memory_init() != ERR_NONE;
    mallocs = 0;
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_grow),
        cmocka_unit_test(pieces_come_again),
        cmocka_unit_test(malloc_comes_last),
        cmocka_unit_test(a_loop_grows_without_malloc),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
