/* SPDX-License-Identifier: MIT */
/* Where log lines go: a full disk loses none, a new file gets whole lines. */
#include "logger/sink.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct counters_common counters;
    struct sink sink;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_true(sink_init(&f->sink, &f->counters));
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    sink_fini(&f->sink);
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *text)
{
    buffer_put(&f->sink.buffer, span_cstr(text));
}

static size_t read_some(int fd, char *room, size_t size)
{
    ssize_t n = read(fd, room, size);
    return n < 0 ? 0 : (size_t)n;
}

static void writes_and_counts(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    char room[64];
    assert_int_equal(pipe(ends), 0);
    sink_replace(&f->sink, ends[1]);
    put(f, "one\ntwo\n");
    assert_int_equal(sink_lines(&f->sink), 2);
    assert_true(sink_flush(&f->sink, 0));
    assert_int_equal(sink_lines(&f->sink), 0);
    assert_int_equal(read_some(ends[0], room, sizeof(room)), 8);
    assert_int_equal(counter_get(&f->counters.log_bytes), 8);
    close(ends[0]);
}

static void a_full_disk_is_waited_for(void **state)
{
    struct fixture *f = *state;
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    sink_replace(&f->sink, full);
    put(f, "one\ntwo\n");
    static const int64_t pauses_ms[] = {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
    int64_t now = 0;
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(*pauses_ms); i++) {
        assert_false(sink_flush(&f->sink, now));
        assert_int_equal(f->sink.retry_at_ns - now, pauses_ms[i] * 1000000);
        assert_int_equal(counter_get(&f->counters.log_write_errors), i + 1);
        now = f->sink.retry_at_ns;
    }
    assert_int_equal(sink_lines(&f->sink), 2);
    int ends[2];
    char room[64];
    assert_int_equal(pipe(ends), 0);
    sink_replace(&f->sink, ends[1]);
    assert_int_equal(f->sink.retry_at_ns, 0);
    assert_true(sink_flush(&f->sink, now));
    assert_false(f->sink.failing);
    assert_int_equal(read_some(ends[0], room, sizeof(room)), 8);
    close(ends[0]);
}

static void a_new_file_begins_with_a_whole_line(void **state)
{
    struct fixture *f = *state;
    int first[2];
    int second[2];
    char room[65536];
    assert_int_equal(pipe2(first, O_NONBLOCK), 0);
    assert_int_equal(pipe(second), 0);
    fcntl(first[1], F_SETPIPE_SZ, 4096);
    sink_replace(&f->sink, first[1]);
    for (int i = 0; i < 100; i++) {
        put(f, "012345678901234567890123456789012345678901234567890123456789012345678901\n");
    }
    assert_false(sink_flush(&f->sink, 0)); /* the pipe takes 4096: the middle of a line */
    assert_int_equal(counter_get(&f->counters.log_write_errors), 0);
    sink_replace(&f->sink, second[1]);
    assert_int_equal(counter_get(&f->counters.log_lost), 1);
    assert_true(sink_flush(&f->sink, 0));
    assert_int_equal(read_some(second[0], room, sizeof(room)), (100 - 57) * 73);
    assert_int_equal(room[0], '0');
    close(first[0]);
    close(second[0]);
}

static void without_a_file_lines_vanish(void **state)
{
    struct fixture *f = *state;
    put(f, "one\n");
    assert_true(sink_flush(&f->sink, 0));
    assert_int_equal(sink_lines(&f->sink), 0);
}

#define SINK_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SINK_TEST(writes_and_counts),
        SINK_TEST(a_full_disk_is_waited_for),
        SINK_TEST(a_new_file_begins_with_a_whole_line),
        SINK_TEST(without_a_file_lines_vanish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
