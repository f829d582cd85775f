/* SPDX-License-Identifier: MIT */
/* Sets of listening sockets: a change is whole or nothing, and keeps what it can. */
#include "supervisor/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { workers = 3 };

static char reason[sockets_reason_max];
static struct socket_set current;
static struct socket_set next;

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static void keeps_opens_and_closes(void **state)
{
    unsigned a = free_port();
    unsigned b = free_port();
    char text[512];
    char room[sockets_text_max];
    struct span lines;
    int fds[listeners_max];
    snprintf(text, sizeof(text), "http://127.0.0.1:%u\nmetrics http://127.0.0.1:%u\n", a, b);
    assert_int_equal(sockets_prepare(&current, span_cstr(text), workers, &next, reason), ERR_NONE);
    sockets_commit(&current, &next);
    assert_int_equal(current.entries[0].fd_count, workers);
    assert_int_equal(current.entries[1].fd_count, 1);
    assert_int_equal(sockets_own_fd(&current, SOCKET_METRICS), current.entries[1].fds[0]);
    assert_int_equal(sockets_of_worker(&current, 2, &lines, room, fds), 1);
    assert_int_equal(fds[0], current.entries[0].fds[2]);
    assert_null(memmem(lines.ptr, lines.len, "metrics", 7));

    /* The address that stays keeps its sockets and takes on the option of its line; the
     * wildcard beside it does not trip over us. */
    int kept = current.entries[0].fds[1];
    int dropped = current.entries[1].fds[0];
    snprintf(text, sizeof(text), "http://127.0.0.1:%u proxy\nhttp://0.0.0.0:%u\n", a, a);
    assert_int_equal(sockets_prepare(&current, span_cstr(text), workers, &next, reason), ERR_NONE);
    assert_true(is_open(dropped));
    sockets_commit(&current, &next);
    assert_int_equal(current.count, 2);
    assert_int_equal(current.entries[0].fds[1], kept);
    assert_true(current.entries[0].listener.proxy_protocol);
    assert_true(is_open(kept));
    assert_false(is_open(dropped));
    assert_int_equal(sockets_own_fd(&current, SOCKET_METRICS), -1);
    sockets_close(&current);
    assert_false(is_open(kept));
    assert_int_equal(current.count, 0);
}

static void a_refusal_changes_nothing(void **state)
{
    unsigned a = free_port();
    unsigned b = free_port();
    char text[512];
    snprintf(text, sizeof(text), "http://127.0.0.1:%u\n", a);
    assert_int_equal(sockets_prepare(&current, span_cstr(text), workers, &next, reason), ERR_NONE);
    sockets_commit(&current, &next);

    struct listener taken;
    const char *why;
    int foreign;
    snprintf(text, sizeof(text), "http://127.0.0.1:%u", b);
    assert_int_equal(listener_parse(span_cstr(text), &taken, &why), ERR_NONE);
    assert_int_equal(listener_open(&taken, &foreign), ERR_NONE);

    unsigned c = free_port();
    int lowest = dup(0);
    close(lowest);
    snprintf(text, sizeof(text), "http://127.0.0.1:%u\nhttp://127.0.0.1:%u\nhttp://127.0.0.1:%u\n",
             a, c, b);
    assert_int_equal(sockets_prepare(&current, span_cstr(text), workers, &next, reason), ERR_IO);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "cannot listen on http://127.0.0.1:%u: Address already in use", b);
    assert_string_equal(reason, expected);
    assert_int_equal(next.count, 0);
    assert_true(is_open(current.entries[0].fds[0]));
    int again = dup(0);
    assert_int_equal(again, lowest); /* nothing stayed open */
    close(again);

    assert_int_equal(sockets_prepare(&current, SPAN("ftp://x\n"), workers, &next, reason),
                     ERR_SYNTAX);
    sockets_close(&current);
    close(foreign);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_opens_and_closes),
                                       cmocka_unit_test(a_refusal_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
