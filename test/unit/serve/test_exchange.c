/* SPDX-License-Identifier: MIT */
/* Requests that flow through over HTTP/1.1: what the far side gets of them, and what the
 * client gets of its answers. */
#include "far.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct fixture fixture;

static void setup(void)
{
    far_reset();
    fixture_init(&fixture);
    fixture.pass = far_handle;
}

static void teardown(void)
{
    fixture_fini(&fixture);
    for (size_t i = 0; i < far_count; i++) {
        assert_null(fars[i].exchange); /* each has ended, or heard that it has */
    }
    far_reset();
}

struct row {
    const char *name;
    const char *sent;    /* one connection */
    const char *content; /* that the far side got */
    const char *answer;  /* without the head; NULL: does not matter */
    const char *head;    /* a part of it */
    const char *absent;  /* no part of it */
    const char *trailer; /* that the far side got */
    bool stays;          /* the connection is open afterwards */
};

static const struct row rows[] = {
    {.name = "no content, chunks",
     .sent = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
     .answer = "0\r\n\r\n",
     .head = "Transfer-Encoding: chunked\r\n",
     .absent = "Content-Length",
     .stays = true},
    {.name = "fields are those of the far side",
     .sent = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
     .head = "HTTP/1.1 200 OK\r\nX-Far: yes\r\nLocation: /there\r\nDate: ",
     .stays = true},
    {.name = "a length",
     .sent = "POST /echo/length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
     .content = "hello",
     .answer = "hello",
     .head = "Content-Length: 5\r\n",
     .absent = "Transfer-Encoding",
     .stays = true},
    {.name = "chunks in",
     .sent = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Check: 1\r\nHost: evil\r\n\r\n",
     .content = "abcdefg",
     .answer = "7",
     .trailer = "X-Check=1",
     .stays = true},
    {.name = "one octet at a time",
     .sent = "POST /count/take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
     .content = "abcdefg",
     .answer = "7",
     .stays = true},
    {.name = "refused every other time",
     .sent = "POST /count/refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabcdefg",
     .content = "abcdefg",
     .answer = "7",
     .stays = true},
    {.name = "HEAD", .sent = "HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n", .answer = "", .stays = true},
    {.name = "HEAD with a length",
     .sent = "HEAD /count HTTP/1.1\r\nHost: a\r\n\r\n",
     .answer = "",
     .head = "Content-Length: 1\r\n",
     .stays = true},
    {.name = "204",
     .sent = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
     .answer = "",
     .head = "204 No Content",
     .absent = "Content-Length",
     .stays = true},
    {.name = "HTTP/1.0 ends with the connection",
     .sent = "POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
     .content = "abc",
     .answer = "abc",
     .head = "Connection: close\r\n",
     .absent = "Transfer-Encoding"},
    {.name = "HTTP/1.0 with a length stays",
     .sent = "POST /echo/length HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
     .content = "abc",
     .answer = "abc",
     .head = "Connection: keep-alive\r\n",
     .stays = true},
    {.name = "close",
     .sent = "POST /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
     .content = "a",
     .answer = "1",
     .head = "Connection: close\r\n"},
    {.name = "trailers out",
     .sent = "GET /echo/trailers HTTP/1.1\r\nHost: a\r\n\r\n",
     .answer = "0\r\nX-Sum: 42\r\n\r\n",
     .stays = true},
    {.name = "100-continue",
     .sent = "POST /count/continue HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
             "Content-Length: 1\r\n\r\na",
     .content = "a",
     .answer = "1",
     .head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
     .stays = true},
    {.name = "no 100 to who does not wait for it",
     .sent = "POST /count/continue HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na",
     .content = "a",
     .answer = "1",
     .absent = "100 Continue",
     .stays = true},
    {.name = "103",
     .sent = "GET /echo/inform HTTP/1.1\r\nHost: a\r\n\r\n",
     .head = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK",
     .stays = true},
    {.name = "no 103 to HTTP/1.0",
     .sent = "GET /count/inform HTTP/1.0\r\n\r\n",
     .answer = "0",
     .absent = "103"},
    {.name = "an early answer, the rest is drained",
     .sent = "POST /early/length HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789",
     .answer = "early",
     .stays = true},
    {.name = "an early answer, chunks",
     .sent = "POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n0\r\n\r\n",
     .answer = "5\r\nearly\r\n0\r\n\r\n",
     .stays = true},
    {.name = "an early answer to who waits for 100",
     .sent = "POST /early/length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
             "Content-Length: 9\r\n\r\n",
     .answer = "early",
     .head = "Connection: close\r\n"},
    {.name = "an answer of our own",
     .sent = "GET /answer HTTP/1.1\r\nHost: a\r\n\r\n",
     .answer = "bad",
     .head = "502 Bad Gateway",
     .stays = true},
    {.name = "an answer of our own, content drained",
     .sent = "POST /answer HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n1234",
     .answer = "bad",
     .head = "502 Bad Gateway",
     .stays = true},
    {.name = "broken off",
     .sent = "GET /abort HTTP/1.1\r\nHost: a\r\n\r\n",
     .answer = "9\r\nonly this\r\n"},
    {.name = "broken off, a length",
     .sent = "GET /abort/length HTTP/1.1\r\nHost: a\r\n\r\n",
     .answer = "only this"},
    {.name = "a chunk that is none",
     .sent = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd",
     .content = "abc",
     .answer = "",
     .head = "400 Bad Request"},
};

static const char *body_of(const char *reply)
{
    const char *at = strstr(reply, "\r\n\r\n");
    while (at != NULL && strncmp(at + 4, "HTTP/1.1 ", 9) == 0) {
        at = strstr(at + 4, "\r\n\r\n");
    }
    return at != NULL ? at + 4 : "";
}

/* Whether all has come that the row says. */
static bool is_complete(const struct row *row, const struct reply *reply)
{
    const char *body = body_of(reply->bytes);
    return reply->end || (row != NULL && row->stays && strstr(reply->bytes, "\r\n\r\n") != NULL &&
                          (row->answer == NULL || strcmp(body, row->answer) == 0) &&
                          (row->head == NULL || strstr(reply->bytes, row->head) != NULL));
}

/* Until the row's answer is there, or the end; where there is no row, until nothing has come for
 * a while. */
static struct reply *read_row(int fd, const struct row *row)
{
    static struct reply reply;
    reply.len = 0;
    reply.end = reply.reset = false;
    reply.bytes[0] = 0;
    int idle_max = row != NULL ? 20000 : 20;
    for (int idle = 0; !is_complete(row, &reply) && idle < idle_max;) {
        fixture_turn(&fixture);
        ssize_t got = recv(fd, reply.bytes + reply.len, reply_bytes_max - reply.len, MSG_DONTWAIT);
        idle = got < 0 && errno == EAGAIN ? idle + 1 : 0;
        reply.end = got == 0 || (got < 0 && errno != EAGAIN);
        reply.reset = got < 0 && errno != EAGAIN;
        reply.len += got > 0 ? (size_t)got : 0;
        reply.bytes[reply.len] = 0;
        if (idle > 10) {
            usleep(500);
        }
    }
    return &reply;
}

static struct reply *read_all(int fd)
{
    return read_row(fd, NULL);
}

static void check(const struct row *row, const struct reply *reply)
{
    const struct far *far = &fars[far_count - 1];
    const char *body = body_of(reply->bytes);
    if (row->content != NULL && (far->content_len != strlen(row->content) ||
                                 memcmp(far->content, row->content, far->content_len) != 0)) {
        fail_msg("%s: content is '%.*s'", row->name, (int)far->content_len,
                 (const char *)far->content);
    }
    if (row->answer != NULL && strcmp(body, row->answer) != 0) {
        fail_msg("%s: answer is '%s'", row->name, reply->bytes);
    }
    if (row->head != NULL && strstr(reply->bytes, row->head) == NULL) {
        fail_msg("%s: head is '%s'", row->name, reply->bytes);
    }
    if (row->absent != NULL && strstr(reply->bytes, row->absent) != NULL) {
        fail_msg("%s: head is '%s'", row->name, reply->bytes);
    }
    if (row->trailer != NULL) {
        assert_string_equal(far->trailer, row->trailer);
        assert_int_equal(far->trailer_count, 1);
    }
    if (reply->end == row->stays || reply->reset) {
        fail_msg("%s: end %d, reset %d", row->name, reply->end, reply->reset);
    }
}

/* Sends a row in two pieces. */
static void run_row(const struct row *row, size_t split)
{
    struct span bytes = span_cstr(row->sent);
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd, span_slice(bytes, 0, split));
    fixture_turn(&fixture);
    client_send(&fixture, fd, span_from(bytes, split));
    check(row, read_row(fd, row));
    if (row->stays) { /* the connection goes on */
        static const struct row next = {.head = "502 Bad Gateway", .answer = "bad", .stays = true};
        client_send(&fixture, fd, SPAN("GET /answer HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_non_null(strstr(read_row(fd, &next)->bytes, "502 Bad Gateway"));
    }
    close(fd);
    teardown();
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&rows[i], strlen(rows[i].sent));
    }
}

static void test_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].sent);
        for (size_t split = 1; split < len; split += 1 + split / 16) {
            run_row(&rows[i], split);
        }
    }
}

static void test_pipelined_wait(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd,
                SPAN("GET /late/count HTTP/1.1\r\nHost: a\r\n\r\n"
                     "POST /late/count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                     "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    fixture_turn(&fixture);
    assert_int_equal(far_count, 2); /* the first has no content, and so was answered */
    assert_int_equal(fars[1].content_len, 0);
    exchange_resume(fars[1].exchange);
    struct reply *reply = read_all(fd);
    assert_int_equal(count_text(reply->bytes, "HTTP/1.1 200 OK"), 3);
    assert_int_equal(far_count, 3);
    close(fd);
    teardown();
}

static void test_large_answer(void **state)
{
    (void)state;
    static const char *const paths[] = {"/large", "/large/length"};
    for (size_t i = 0; i < 2; i++) {
        setup();
        int fd = client_open(&fixture);
        char request[128];
        snprintf(request, sizeof(request), "GET %s HTTP/1.%d\r\nHost: a\r\n\r\n", paths[i],
                 (int)i); /* 1.0: up to the end */
        client_send(&fixture, fd, span_cstr(request));
        struct reply *reply = read_all(fd);
        const char *body = body_of(reply->bytes);
        size_t len = reply->len - (size_t)(body - reply->bytes);
        assert_int_equal(len, far_large_bytes);
        for (size_t at = 0; at < len; at++) {
            assert_true((uint8_t)body[at] == far_large_octet(at));
        }
        close(fd);
        teardown();
    }
}

/* A client that reads nothing: the far side is stopped, and little is held. */
static void test_back_pressure_of_the_answer(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    client_send(&fixture, fd, SPAN("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 50; i++) {
        fixture_turn(&fixture);
    }
    size_t left = fars[0].large_left;
    for (int i = 0; i < 50; i++) {
        fixture_turn(&fixture);
    }
    if (left > 0) { /* else the kernel has taken all of it */
        assert_int_equal(fars[0].large_left, left);
    }
    read_all(fd);
    assert_null(fars[0].exchange);
    assert_false(fars[0].gone);
    close(fd);
    teardown();
}

/* A far side that takes nothing: the client is not read from. */
static void test_back_pressure_of_the_content(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd,
                SPAN("POST /late/count HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"));
    fixture_turn(&fixture);
    static uint8_t block[65536];
    size_t sent = 0;
    for (int i = 0; i < 400 && sent < 2000000; i++) {
        size_t len = 2000000 - sent < sizeof(block) ? 2000000 - sent : sizeof(block);
        ssize_t now = send(fd, block, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += now > 0 ? (size_t)now : 0;
        fixture_turn(&fixture);
    }
    assert_int_equal(fars[0].content_len, 0);
    exchange_resume(fars[0].exchange);
    for (int i = 0; i < 4000 && sent < 2000000; i++) {
        size_t len = 2000000 - sent < sizeof(block) ? 2000000 - sent : sizeof(block);
        ssize_t now = send(fd, block, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += now > 0 ? (size_t)now : 0;
        fixture_turn(&fixture);
    }
    assert_int_equal(sent, 2000000);
    struct reply *reply = read_all(fd);
    assert_string_equal(body_of(reply->bytes), "2000000");
    close(fd);
    teardown();
}

static void test_gone_in_the_content(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd,
                SPAN("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"));
    fixture_turn(&fixture);
    assert_false(fars[0].gone);
    shutdown(fd, SHUT_WR);
    fixture_turn(&fixture);
    assert_true(fars[0].gone);
    assert_int_equal(server_connection_count(fixture.server), 0);
    close(fd);
    teardown();
}

/* The request is whole: a client may well end its half and wait for the answer. */
static void test_half_closed_after_the_request(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    shutdown(fd, SHUT_WR);
    fixture_turn(&fixture);
    assert_false(fars[0].gone);
    static const struct exchange_head head = {.status = 200};
    exchange_begin(fars[0].exchange, &head);
    exchange_write(fars[0].exchange, SPAN("here"));
    exchange_end(fars[0].exchange, NULL, 0);
    fars[0].exchange = NULL;
    struct reply *reply = read_all(fd);
    assert_string_equal(body_of(reply->bytes), "4\r\nhere\r\n0\r\n\r\n");
    assert_true(reply->end && !reply->reset);
    close(fd);
    teardown();
}

static void test_reset_while_waiting(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    fixture_turn(&fixture);
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
    fixture_turn(&fixture);
    assert_true(fars[0].gone);
    teardown();
}

/* What looks whole must be whole: HTTP/1.0 without a length ends by a reset. */
static void test_abort_to_an_old_client(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd, SPAN("GET /abort HTTP/1.0\r\n\r\n"));
    struct reply *reply = read_all(fd);
    assert_true(reply->reset);
    close(fd);
    teardown();
}

static int open_tunnel(void)
{
    int fd = client_open(&fixture);
    client_send(&fixture, fd,
                SPAN("GET /tunnel HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n"
                     "\r\nhello"));
    struct reply *reply = read_all(fd);
    assert_non_null(strstr(reply->bytes, "HTTP/1.1 101 Switching Protocols\r\n"));
    assert_non_null(strstr(reply->bytes, "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"));
    assert_string_equal(body_of(reply->bytes), "hello");
    client_send(&fixture, fd, SPAN("GET / HTTP/1.1\r\n\r\n"));
    reply = read_all(fd);
    assert_string_equal(reply->bytes, "GET / HTTP/1.1\r\n\r\n");
    return fd;
}

static void test_tunnel_client_ends(void **state)
{
    (void)state;
    setup();
    int fd = open_tunnel();
    shutdown(fd, SHUT_WR);
    struct reply *reply = read_all(fd);
    assert_true(reply->end && !reply->reset);
    assert_int_equal(fars[0].ends, 1);
    assert_false(fars[0].gone);
    assert_int_equal(server_connection_count(fixture.server), 0);
    close(fd);
    teardown();
}

static void test_tunnel_client_ends_first(void **state)
{
    (void)state;
    setup();
    int fd = open_tunnel();
    snprintf(fars[0].path, sizeof(fars[0].path), "/tunnel/open");
    shutdown(fd, SHUT_WR);
    fixture_turn(&fixture);
    assert_int_equal(fars[0].ends, 1);
    exchange_write(fars[0].exchange, SPAN("still"));
    struct reply *reply = read_all(fd);
    assert_string_equal(reply->bytes, "still");
    assert_false(reply->end);
    exchange_end(fars[0].exchange, NULL, 0);
    fars[0].exchange = NULL;
    reply = read_all(fd);
    assert_true(reply->end && !reply->reset);
    close(fd);
    teardown();
}

static void test_tunnel_far_ends_first(void **state)
{
    (void)state;
    setup();
    int fd = open_tunnel();
    snprintf(fars[0].path, sizeof(fars[0].path), "/tunnel/open");
    exchange_write(fars[0].exchange, SPAN("last"));
    exchange_end(fars[0].exchange, NULL, 0);
    struct reply *reply = read_all(fd);
    assert_string_equal(reply->bytes, "last");
    assert_true(reply->end && !reply->reset);
    assert_int_equal(server_connection_count(fixture.server), 1);
    shutdown(fd, SHUT_WR);
    fixture_turn(&fixture);
    assert_int_equal(fars[0].ends, 1);
    assert_false(fars[0].gone);
    fars[0].exchange = NULL;
    assert_int_equal(server_connection_count(fixture.server), 0);
    close(fd);
    teardown();
}

static void test_slow_client_is_the_clients_fault(void **state)
{
    (void)state;
    struct serve_limits limits = fixture_limits();
    far_reset();
    limits.linger_idle_ms = 60;
    fixture_init_limits(&fixture, &limits, false);
    fixture.pass = far_handle;
    int waiting = client_open(&fixture);
    client_send(&fixture, waiting, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    int slow = client_open(&fixture);
    client_send(&fixture, slow,
                SPAN("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"));
    for (int i = 0; i < 400 && !fars[1].gone; i++) {
        fixture_turn_ms(&fixture, 5);
    }
    assert_true(fars[1].gone);
    assert_false(fars[0].gone); /* that far side is slow, not its client */
    assert_non_null(strstr(read_all(slow)->bytes, "HTTP/1.1 408 "));
    close(slow);
    close(waiting);
    fixture_turn(&fixture);
    teardown();
}

static void test_drain_waits(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    fixture_turn(&fixture);
    server_drain(fixture.server, fixture_on_empty);
    fixture_turn(&fixture);
    assert_int_equal(fixture.emptied, 0);
    static const struct exchange_head head = {.status = 200};
    exchange_begin(fars[0].exchange, &head);
    exchange_end(fars[0].exchange, NULL, 0);
    fars[0].exchange = NULL;
    struct reply *reply = read_all(fd);
    assert_non_null(strstr(reply->bytes, "Connection: close\r\n"));
    assert_true(reply->end && !reply->reset);
    assert_int_equal(fixture.emptied, 1);
    close(fd);
    teardown();
}

static void test_server_ends_under_way(void **state)
{
    (void)state;
    setup();
    int fd = client_open(&fixture);
    client_send(&fixture, fd, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    fixture_turn(&fixture);
    close(fd);
    teardown();
    setup();
    fd = client_open(&fixture);
    client_send(&fixture, fd, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    fixture_turn(&fixture);
    server_free(&fixture.server);
    assert_true(fars[0].gone);
    close(fd);
    teardown();
}

/* Two at once: neither gets what is the other's, though they share a buffer. */
static void test_two_interleaved(void **state)
{
    (void)state;
    setup();
    int one = client_open(&fixture);
    int two = client_open(&fixture);
    client_send(&fixture, one, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    fixture_turn(&fixture);
    client_send(&fixture, two, SPAN("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    fixture_turn(&fixture);
    assert_int_equal(far_count, 2);
    static const struct exchange_head head = {.status = 200};
    exchange_begin(fars[0].exchange, &head);
    exchange_begin(fars[1].exchange, &head);
    exchange_write(fars[0].exchange, SPAN("one"));
    exchange_write(fars[1].exchange, SPAN("two"));
    exchange_write(fars[0].exchange, SPAN("ONE"));
    for (size_t i = 0; i < 2; i++) {
        exchange_end(fars[i].exchange, NULL, 0);
        fars[i].exchange = NULL;
    }
    assert_string_equal(body_of(read_all(one)->bytes), "3\r\none\r\n3\r\nONE\r\n0\r\n\r\n");
    assert_string_equal(body_of(read_all(two)->bytes), "3\r\ntwo\r\n0\r\n\r\n");
    close(one);
    close(two);
    teardown();
}

/* Whatever allocation fails, each exchange ends, and what looks whole is. */
static void test_no_memory(void **state)
{
    (void)state;
    static const char sent[] =
        "POST /echo/trailers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\nX-Check: 1\r\n\r\n"
        "POST /late/count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    unsigned whole = 0;
    for (unsigned number = 1; number < 60 && whole < 3; number++) {
        setup();
        int fd = client_open(&fixture);
        fixture_turn(&fixture);
        far_fails = number;
        client_send(&fixture, fd, span_cstr(sent));
        fixture_turn(&fixture);
        if (far_count > 1 && fars[1].exchange != NULL) {
            exchange_resume(fars[1].exchange);
        }
        struct reply *reply = read_all(fd);
        bool failed = far_fails == 0;
        far_fails = 0;
        bool complete = count_text(reply->bytes, "200 OK") == 3 &&
                        strcmp(reply->bytes + reply->len - 7, "\r\n0\r\n\r\n") == 0;
        assert_true(complete || failed);
        whole += complete && !failed;
        close(fd);
        teardown();
    }
    assert_int_equal(whole, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_pipelined_wait),
        cmocka_unit_test(test_large_answer),
        cmocka_unit_test(test_back_pressure_of_the_answer),
        cmocka_unit_test(test_back_pressure_of_the_content),
        cmocka_unit_test(test_gone_in_the_content),
        cmocka_unit_test(test_half_closed_after_the_request),
        cmocka_unit_test(test_reset_while_waiting),
        cmocka_unit_test(test_abort_to_an_old_client),
        cmocka_unit_test(test_tunnel_client_ends),
        cmocka_unit_test(test_tunnel_client_ends_first),
        cmocka_unit_test(test_tunnel_far_ends_first),
        cmocka_unit_test(test_slow_client_is_the_clients_fault),
        cmocka_unit_test(test_drain_waits),
        cmocka_unit_test(test_server_ends_under_way),
        cmocka_unit_test(test_two_interleaved),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
