/* SPDX-License-Identifier: MIT */
/* A server whose handler wants what requests carry, and may answer later: an API. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { content_max = 1000 };

static void init(struct fixture *f)
{
    fixture_init(f);
    server_want_content(f->server, content_max);
}

#define PUT(length) "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: " #length "\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct carrying {
    const char *name;
    const char *sent;
    unsigned answers;
    const char *got; /* a part of the last answer */
    bool closes;
};

static const struct carrying carryings[] = {
    {"content", PUT(3) "\r\nabc", 1, "</a>abc", false},
    {"no content", GET("/a"), 1, "</a>", false},
    {"content of no length", PUT(0) "\r\n", 1, "</a>", false},
    {"two requests", PUT(3) "\r\nabc" PUT(2) "\r\nde", 2, "</a>de", false},
    {"the last one", PUT(3) "Connection: close\r\n\r\nabc", 1, "</a>abc", true},
    {"too much", PUT(1001) "\r\n", 1, "HTTP/1.1 413", true},
    {"too much, expected", PUT(1001) "Expect: 100-continue\r\n\r\n", 1, "HTTP/1.1 413", true},
    {"no length", "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 1,
     "HTTP/1.1 411", true},
    {"another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1, "HTTP/1.1 505", true},
};

static void requests_come_with_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(carryings) / sizeof(carryings[0]); i++) {
        const struct carrying *c = &carryings[i / 2];
        struct fixture f;
        init(&f);
        int fd = client_open(&f);
        struct span sent = span_cstr(c->sent);
        size_t step = i % 2 == 0 ? sent.len : 1; /* whole, and octet by octet */
        for (size_t at = 0; at < sent.len; at += step) {
            client_send(&f, fd, span_slice(sent, at, at + step));
            fixture_turn(&f);
        }
        struct reply *reply = c->closes ? client_read_end(&f, fd) : client_read(&f, fd, c->answers);
        if (strstr(reply->bytes, c->got) == NULL || reply->end != c->closes || reply->reset ||
            count_text(reply->bytes, "HTTP/1.1 ") != c->answers) {
            fail_msg("%s, by %zu: %s", c->name, step, reply->bytes);
        }
        close(fd);
        fixture_fini(&f);
    }
}

/* RFC 9110, 10.1.1: 100 once, before the content, and none when it is there already. */
static void who_asks_is_told_to_go_on(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(PUT(3) "Expect: 100-continue\r\n\r\n"));
    fixture_turn_ms(&f, 20);
    assert_int_equal(f.handled, 0);
    client_send(&f, fd, SPAN("a"));
    fixture_turn_ms(&f, 20);
    client_send(&f, fd, SPAN("bc"));
    struct reply *reply = client_read(&f, fd, 2);
    assert_memory_equal(reply->bytes, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ", 38);
    assert_non_null(strstr(reply->bytes, "</a>abc"));
    client_send(&f, fd, SPAN(PUT(3) "Expect: 100-continue\r\n\r\nabc"));
    reply = client_read(&f, fd, 1);
    assert_null(strstr(reply->bytes, "100 Continue"));
    close(fd);
    fixture_fini(&f);
}

static void give_answer(struct fixture *f)
{
    struct response response = {
        .status = 201, .content_type = SPAN("text/plain"), .body = SPAN("at last")};
    server_answer(&f->later, &response);
    assert_null(f->later);
}

static void an_answer_comes_later(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/first") GET("/later") GET("/behind")));
    struct reply *reply = client_read(&f, fd, 1);
    assert_non_null(strstr(reply->bytes, "</first>"));
    fixture_turn_ms(&f, 20);
    assert_int_equal(f.handled, 2); /* nothing behind it is looked at */
    give_answer(&f);
    reply = client_read(&f, fd, 2);
    assert_memory_equal(reply->bytes, "HTTP/1.1 201 ", 13);
    assert_non_null(strstr(reply->bytes, "</behind>"));
    close(fd);
    fixture_fini(&f);
}

/* However long it takes: no timeout holds for the handler. */
static void an_answer_may_take_its_time(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/later")));
    fixture_turn_ms(&f, 600);
    assert_int_equal(server_connection_count(f.server), 1);
    give_answer(&f);
    assert_memory_equal(client_read(&f, fd, 1)->bytes, "HTTP/1.1 201 ", 13);
    close(fd);
    fixture_fini(&f);
}

static void later_answers_close_and_have_no_content_where_none_is_wanted(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN("HEAD /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    fixture_turn_ms(&f, 20);
    give_answer(&f);
    struct reply *reply = client_read_end(&f, fd);
    assert_non_null(strstr(reply->bytes, "Content-Length: 7\r\n"));
    assert_non_null(strstr(reply->bytes, "Connection: close\r\n"));
    assert_null(strstr(reply->bytes, "at last"));
    assert_true(reply->end && !reply->reset);
    close(fd);
    fixture_fini(&f);
}

/* The client has gone, or the server has: the answer finds nobody. */
static void an_answer_may_come_too_late(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/later")));
    fixture_turn_ms(&f, 20);
    close(fd);
    fixture_turn_ms(&f, 20);
    give_answer(&f);
    fixture_turn_ms(&f, 20);
    assert_int_equal(server_connection_count(f.server), 0);
    fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/later")));
    fixture_turn_ms(&f, 20);
    fixture_fini(&f);
    give_answer(&f);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_with_content),
        cmocka_unit_test(who_asks_is_told_to_go_on),
        cmocka_unit_test(an_answer_comes_later),
        cmocka_unit_test(an_answer_may_take_its_time),
        cmocka_unit_test(later_answers_close_and_have_no_content_where_none_is_wanted),
        cmocka_unit_test(an_answer_may_come_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
