/* SPDX-License-Identifier: MIT */
/* What the server does at its limits: timeouts, descriptors, memory. */
#include "fixture.h"

#include "base/sanitizer.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Every allocation from the fail_at-th on fails, or only that one; 0: none. */
static unsigned allocations;
static unsigned fail_at;
static bool fail_all;

static bool fails(void)
{
    allocations++;
    return fail_at != 0 && (allocations == fail_at || (fail_all && allocations > fail_at));
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

static struct serve_limits short_limits(void)
{
    struct serve_limits limits = fixture_limits();
    limits.header_timeout_ms = 150;
    limits.idle_timeout_ms = 300;
    limits.write_timeout_ms = 150;
    limits.linger_idle_ms = 150;
    limits.linger_time_ms = 150;
    return limits;
}

struct patience {
    const char *name;
    const char *sent;
    const char *got; /* NULL: nothing */
};

static const struct patience patiences[] = {
    {.name = "slow header", .sent = "GET /a HTTP/1.1\r\nHost", .got = "HTTP/1.1 408"},
    {.name = "slow second header", .sent = GET("/a") "GET", .got = "HTTP/1.1 408"},
    {.name = "silent", .sent = ""},
    {.name = "idle", .sent = GET("/a"), .got = "</a>"},
    {.name = "slow body",
     .got = "</a>",
     .sent = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"},
};

static void patience_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(patiences) / sizeof(patiences[0]); i++) {
        struct fixture f;
        struct serve_limits limits = short_limits();
        fixture_init_limits(&f, &limits, false);
        int fd = client_open(&f);
        client_send(&f, fd, span_cstr(patiences[i].sent));
        fixture_turn_ms(&f, 100);
        assert_int_equal(server_connection_count(f.server), 1);
        struct reply *reply = client_read_end(&f, fd);
        if (!reply->end || reply->reset) {
            fail_msg("%s: was not closed", patiences[i].name);
        }
        if (patiences[i].got == NULL ? reply->len > 0
                                     : strstr(reply->bytes, patiences[i].got) == NULL) {
            fail_msg("%s: %s", patiences[i].name, reply->bytes);
        }
        fixture_turn_ms(&f, 300); /* lingering ends too */
        assert_int_equal(server_connection_count(f.server), 0);
        close(fd);
        fixture_fini(&f);
    }
}

/* Bytes that trickle in do not start the clock anew. */
static void trickling_header_ends(void **state)
{
    (void)state;
    struct fixture f;
    struct serve_limits limits = short_limits();
    fixture_init_limits(&f, &limits, false);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN("GET /a HTTP/1.1\r\nx: "));
    for (int i = 0; i < 20 && f.bad == 0; i++) {
        client_send(&f, fd, SPAN("y"));
        fixture_turn_ms(&f, 20);
    }
    assert_int_equal(f.last_bad_status, 408);
    assert_int_equal(counter_get(&f.counters.timeouts_header), 1);
    close(fd);
    fixture_fini(&f);
}

static void reader_without_progress_is_closed(void **state)
{
    (void)state;
    struct fixture f;
    struct serve_limits limits = short_limits();
    fixture_init_limits(&f, &limits, false);
    int fd = client_open(&f);
    for (int i = 0; i < 8; i++) {
        client_send(&f, fd, SPAN(GET("/large")));
    }
    fixture_turn_ms(&f, 600);
    assert_int_equal(server_connection_count(f.server), 0);
    assert_int_equal(counter_get(&f.counters.timeouts_write), 1);
    close(fd);
    fixture_fini(&f);
}

static void head_is_bounded(void **state)
{
    (void)state;
    static char head[40000];
    memset(head, 'x', sizeof(head));
    memcpy(head, "GET /a HTTP/1.1\r\nHost: a\r\nX: ", 29);
    struct fixture f;
    fixture_init(&f);
    int fd = client_open(&f);
    for (size_t at = 0; at < sizeof(head); at += 1000) {
        client_send(&f, fd, span_of(head + at, 1000));
        fixture_turn(&f);
    }
    struct reply *reply = client_read_end(&f, fd);
    assert_true(reply->end && !reply->reset);
    assert_int_equal(f.last_bad_status, 431);
    close(fd);
    fixture_fini(&f);
}

static void connections_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    struct serve_limits limits = fixture_limits();
    limits.connections_max = 3;
    fixture_init_limits(&f, &limits, false);
    int fds[4];
    for (size_t i = 0; i < 4; i++) {
        fds[i] = client_open(&f);
        fixture_turn_ms(&f, 2);
    }
    assert_true(client_read_end(&f, fds[3])->end);
    assert_int_equal(counter_get(&f.counters.connections_refused), 1);
    /* One that has been idle for a while gives way. */
    fixture_turn_ms(&f, 1600);
    int late = client_open(&f);
    client_send(&f, late, SPAN(GET("/a")));
    assert_non_null(strstr(client_read(&f, late, 1)->bytes, "</a>"));
    assert_true(client_read_end(&f, fds[0])->end);
    assert_int_equal(server_connection_count(f.server), 3);
    for (size_t i = 0; i < 4; i++) {
        close(fds[i]);
    }
    close(late);
    fixture_fini(&f);
}

static void on_end(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
}

/* In a child, since the limit would hold for the other tests. */
static int run_out_of_descriptors(void)
{
    enum { clients = 6 };
    struct fixture f;
    fixture_init(&f);
    int fds[clients];
    for (size_t i = 0; i < clients; i++) {
        fds[i] = client_open(&f);
    }
    int next = dup(0);
    close(next);
    struct rlimit limit = {.rlim_cur = (rlim_t)next + 2, .rlim_max = (rlim_t)next + 2};
    setrlimit(RLIMIT_NOFILE, &limit);
    fixture_turn_ms(&f, 20);
    if (server_connection_count(f.server) != 2 ||
        counter_get(&f.counters.connections_refused) == 0) {
        return 1;
    }
    unsigned turns = ev_iteration(f.loop);
    ev_timer end = {0};
    ev_timer_init(&end, on_end, 0.4, 0.);
    ev_timer_start(f.loop, &end);
    while (ev_is_active(&end)) {
        ev_run(f.loop, EVRUN_ONCE);
    }
    if (ev_iteration(f.loop) - turns > 20) {
        return 2; /* it spins */
    }
    close(fds[0]);
    close(fds[1]);
    fixture_turn_ms(&f, 20);
    send(fds[clients - 1], GET("/a"), strlen(GET("/a")), 0);
    bool served = strstr(client_read(&f, fds[clients - 1], 1)->bytes, "</a>") != NULL;
    return served ? 0 : 3;
}

static void no_descriptors_left(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        _exit(run_out_of_descriptors());
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void exchange_everything(struct fixture *f)
{
    static const char *const requests[] = {
        GET("/a"), "GET /a HTTP/1.1\r\nHo",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx", GET("/large"), "\r\nBAD"};
    int fds[5];
    for (size_t i = 0; i < 5; i++) {
        fds[i] = client_open(f);
        client_send(f, fds[i], span_cstr(requests[i]));
        fixture_turn(f);
    }
    fixture_turn_ms(f, 2);
    for (size_t i = 0; i < 5; i++) {
        close(fds[i]);
    }
    fixture_turn_ms(f, 5);
}

static void every_allocation_fails_in_turn(void **state)
{
    (void)state;
    for (unsigned at = 1; at < 24; at++) {
        struct fixture f;
        fixture_init(&f);
        exchange_everything(&f); /* libev cannot do without memory: it has its own now */
        allocations = 0;
        fail_all = at % 2 == 0;
        fail_at = (at + 1) / 2;
        exchange_everything(&f);
        fail_at = 0;
        assert_int_equal(server_connection_count(f.server), 0);
        int fd = client_open(&f);
        client_send(&f, fd, SPAN(GET("/a")));
        assert_non_null(strstr(client_read(&f, fd, 1)->bytes, "</a>"));
        close(fd);
        fixture_fini(&f);
    }
}

static void idle_connection_is_small(void **state)
{
    (void)state;
    enum { count = 2000, bytes_max = 400 };
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (ADDRESS_SANITIZED || limit.rlim_cur < 2 * count + 100) {
        skip(); /* mallinfo2 knows nothing of a sanitizer's allocator */
    }
    struct fixture f;
    fixture_init(&f);
    static int fds[count];
    fds[0] = client_open(&f);
    client_send(&f, fds[0], SPAN(GET("/a")));
    client_read(&f, fds[0], 1);
    struct mallinfo2 before = mallinfo2();
    for (size_t i = 1; i < count; i++) {
        fds[i] = client_open(&f);
        client_send(&f, fds[i], SPAN("GET /a HTTP/1.1\r\n"));
        client_send(&f, fds[i], SPAN("Host: a\r\n\r\n"));
        assert_non_null(strstr(client_read(&f, fds[i], 1)->bytes, "</a>"));
    }
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(server_connection_count(f.server), count);
    size_t each = (after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / (count - 1);
    print_message("an idle connection costs %zu bytes\n", each);
    assert_in_range(each, 100, bytes_max);
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    fixture_fini(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(trickling_header_ends),
        cmocka_unit_test(reader_without_progress_is_closed),
        cmocka_unit_test(head_is_bounded),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(no_descriptors_left),
        cmocka_unit_test(every_allocation_fails_in_turn),
        cmocka_unit_test(idle_connection_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
