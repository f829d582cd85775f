/* SPDX-License-Identifier: MIT */
/* What goes to standard error: all of it where somebody reads, and no waiting where nobody
 * does. */
#include "base/clock.h"
#include "base/log.h"
#include "base/problem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { line_count = 4000, bytes_max = 1 << 19 };

/* A pipe in the place of standard error. */
struct caught {
    int kept_fd;
    int read_fd;
};

static struct caught catch_stderr(void)
{
    int ends[2];
    struct caught caught = {.kept_fd = dup(STDERR_FILENO)};
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    caught.read_fd = ends[0];
    return caught;
}

static void let_go(const struct caught *caught)
{
    dup2(caught->kept_fd, STDERR_FILENO);
    close(caught->kept_fd);
}

static size_t read_all(int fd, uint8_t *out)
{
    size_t len = 0;
    ssize_t got;
    while (len < bytes_max && (got = read(fd, out + len, bytes_max - len)) > 0) {
        len += (size_t)got;
    }
    close(fd);
    return len;
}

/* Numbered lines of different lengths, more than a pipe holds. */
static struct span many_lines(void)
{
    char *text = malloc(bytes_max);
    size_t len = 0;
    assert_non_null(text);
    for (int i = 0; i < line_count; i++) {
        len += (size_t)snprintf(text + len, bytes_max - len, "line %0*d\n", 4 + i % 90, i);
    }
    return span_of((uint8_t *)text, len);
}

static void lines_arrive_where_somebody_reads(void **state)
{
    (void)state;
    struct span lines = many_lines();
    uint8_t *seen = malloc(bytes_max);
    struct caught caught = catch_stderr();
    pid_t writer = fork();
    if (writer == 0) {
        _exit(log_lines(lines) ? 0 : 1);
    }
    let_go(&caught);
    size_t len = read_all(caught.read_fd, seen);
    int status = -1;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_true(span_eq(span_of(seen, len), lines));
    free(seen);
    free((void *)(uintptr_t)lines.ptr);
}

static void nobody_waits_for_a_reader_that_stands_still(void **state)
{
    (void)state;
    struct span lines = many_lines();
    uint8_t *seen = malloc(bytes_max);
    struct caught caught = catch_stderr();
    int64_t began_ns = clock_monotonic_ns();
    bool all = log_lines(lines);
    int64_t took_ns = clock_monotonic_ns() - began_ns;
    let_go(&caught);
    size_t len = read_all(caught.read_fd, seen);
    assert_false(all);
    assert_true(took_ns < 5 * NS_PER_SECOND);
    assert_true(len > 0 && len < lines.len && seen[len - 1] == '\n');
    assert_memory_equal(seen, lines.ptr, len);
    free(seen);
    free((void *)(uintptr_t)lines.ptr);
}

static void a_reader_that_has_gone_is_no_reason_to_wait(void **state)
{
    (void)state;
    struct caught caught = catch_stderr();
    pid_t writer = fork();
    if (writer == 0) {
        close(caught.read_fd);
        signal(SIGPIPE, SIG_IGN);
        _exit(log_lines(SPAN("a\n")) ? 1 : 0);
    }
    close(caught.read_fd);
    let_go(&caught);
    int status = -1;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
}

static void problems_are_logged_as_they_are_printed(void **state)
{
    (void)state;
    struct arena arena;
    struct problems problems;
    uint8_t *seen = malloc(bytes_max);
    arena_init(&arena, 0);
    problems_init(&problems, &arena, "detour.yaml");
    struct caught caught = catch_stderr();
    problems_log(&problems);
    problems_error(&problems, (struct place){3, 4}, "a\tb");
    problems_warning(&problems, (struct place){0}, "c");
    problems_log(&problems);
    let_go(&caught);
    size_t len = read_all(caught.read_fd, seen);
    assert_true(span_eq(span_of(seen, len), SPAN("detour.yaml:3:4: error: a\\x09b\n"
                                                 "detour.yaml: warning: c\n")));
    free(seen);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_arrive_where_somebody_reads),
        cmocka_unit_test(nobody_waits_for_a_reader_that_stands_still),
        cmocka_unit_test(a_reader_that_has_gone_is_no_reason_to_wait),
        cmocka_unit_test(problems_are_logged_as_they_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
