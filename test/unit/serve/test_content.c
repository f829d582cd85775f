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

/* ---- contents that are larger than a read ---- */

enum { large = 300000 };

/* "/no" may not. */
static size_t admit(void *context, const struct serve_request *asked)
{
    struct fixture *f = context;
    assert_int_equal(asked->content.len, 0);
    assert_int_equal(server_connection_count(f->server) > 0, 1);
    return span_eq(asked->request->path, SPAN("/no")) ? 0 : large;
}

static void init_large(struct fixture *f)
{
    init(f);
    server_admit_content(f->server, admit, large + 1000);
}

#define LARGE(path, length) "PUT " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"

static char *many(void)
{
    static char bytes[large];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)('a' + i % 23);
    }
    return bytes;
}

static void send_all(struct fixture *f, int fd, size_t len, size_t step)
{
    const char *bytes = many();
    for (size_t at = 0; at < len; at += step) {
        client_send(f, fd, span_of(bytes + at, at + step < len ? step : len - at));
        fixture_turn(f);
    }
}

static void a_large_content_comes_whole(void **state)
{
    (void)state;
    static const size_t steps[] = {1000, 32768, 65536 + 1};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct fixture f;
        init_large(&f);
        int fd = client_open(&f);
        client_send(&f, fd, SPAN(GET("/first") LARGE("/a", "300000")));
        send_all(&f, fd, large, steps[i]);
        struct reply *reply = client_read(&f, fd, 2);
        assert_non_null(strstr(reply->bytes, "</first>"));
        assert_non_null(strstr(reply->bytes, "</a>abc"));
        assert_int_equal(f.last_content_len, large);
        assert_int_equal(f.last_content_sum, fixture_sum(span_of(many(), large)));
        client_send(&f, fd, SPAN(GET("/behind")));
        reply = client_read(&f, fd, 1);
        assert_non_null(strstr(reply->bytes, "</behind>"));
        assert_false(reply->end);
        close(fd);
        fixture_fini(&f);
    }
}

static void large_contents_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    init_large(&f);
    static const char *const sent[] = {LARGE("/no", "5000"), LARGE("/a", "300001"),
                                       LARGE("/a", "99999999999999999999")};
    for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++) {
        int fd = client_open(&f);
        client_send(&f, fd, span_cstr(sent[i]));
        struct reply *reply = client_read_end(&f, fd);
        assert_non_null(strstr(reply->bytes, "HTTP/1.1 4"));
        close(fd);
    }
    /* Together, too: and there is room again when one has gone. */
    int first = client_open(&f);
    client_send(&f, first, SPAN(LARGE("/a", "200000")));
    send_all(&f, first, 1000, 500);
    int second = client_open(&f);
    client_send(&f, second, SPAN(LARGE("/a", "200000")));
    assert_non_null(strstr(client_read_end(&f, second)->bytes, "HTTP/1.1 503"));
    close(second);
    close(first);
    fixture_turn_ms(&f, 20);
    second = client_open(&f);
    client_send(&f, second, SPAN(LARGE("/a", "200000")));
    send_all(&f, second, 200000, 65536);
    assert_non_null(strstr(client_read(&f, second, 1)->bytes, "</a>abc"));
    close(second);
    fixture_fini(&f);
}

static void a_large_content_that_stops_coming_is_given_up(void **state)
{
    (void)state;
    struct fixture f;
    struct serve_limits limits = fixture_limits();
    limits.header_timeout_ms = 200;
    fixture_init_limits(&f, &limits, false);
    server_want_content(f.server, content_max);
    server_admit_content(f.server, admit, large);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(LARGE("/a", "200000")));
    send_all(&f, fd, 1000, 500);
    assert_non_null(strstr(client_read_end(&f, fd)->bytes, "HTTP/1.1 408"));
    close(fd);
    fixture_fini(&f);
}

/* ---- who gives way ---- */

static void give_answer(struct fixture *f)
{
    struct response response = {
        .status = 201, .content_type = SPAN("text/plain"), .body = SPAN("at last")};
    server_answer(&f->later, &response);
    assert_null(f->later);
}

/* Where an API is asked, those that say nothing keep nobody out. */
static void silence_gives_way_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct serve_limits limits = fixture_limits();
    limits.connections_max = 3;
    limits.header_timeout_ms = 60000;
    fixture_init_limits(&f, &limits, false);
    server_want_content(f.server, content_max);
    int fds[3];
    for (size_t i = 0; i < 3; i++) {
        fds[i] = client_open(&f);
        fixture_turn_ms(&f, 2);
    }
    int first = client_open(&f);
    client_send(&f, first, SPAN(GET("/a")));
    assert_non_null(strstr(client_read(&f, first, 1)->bytes, "</a>"));
    assert_true(client_read_end(&f, fds[0])->end);
    /* What has begun to speak has a second; what waits for our answer stays. */
    client_send(&f, first, SPAN(GET("/later")));
    client_send(&f, fds[1], SPAN("G"));
    client_send(&f, fds[2], SPAN("G"));
    fixture_turn_ms(&f, 2);
    int second = client_open(&f);
    assert_true(client_read_end(&f, second)->end);
    fixture_turn_ms(&f, 1600);
    int third = client_open(&f);
    client_send(&f, third, SPAN(GET("/a")));
    assert_non_null(strstr(client_read(&f, third, 1)->bytes, "</a>"));
    give_answer(&f);
    assert_non_null(strstr(client_read(&f, first, 1)->bytes, "at last"));
    const int all[] = {fds[0], fds[1], fds[2], first, second, third};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        close(all[i]);
    }
    fixture_fini(&f);
}

/* ---- answers that come later ---- */

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
        cmocka_unit_test(a_large_content_comes_whole),
        cmocka_unit_test(large_contents_are_bounded),
        cmocka_unit_test(a_large_content_that_stops_coming_is_given_up),
        cmocka_unit_test(silence_gives_way_at_once),
        cmocka_unit_test(an_answer_comes_later),
        cmocka_unit_test(an_answer_may_take_its_time),
        cmocka_unit_test(later_answers_close_and_have_no_content_where_none_is_wanted),
        cmocka_unit_test(an_answer_may_come_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
