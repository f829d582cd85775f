/* SPDX-License-Identifier: MIT */
/* What a client sees of the server: order, framing, bodies, and how connections end. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* What one client sends at once, and what must come of it. */
struct exchange {
    const char *name;
    const char *sent;
    unsigned answers;      /* how many */
    const char *bodies[3]; /* in this order */
    bool closes;
    unsigned bad; /* how many of them were refused */
};

static const struct exchange exchanges[] = {
    {.name = "one", .sent = GET("/a"), .answers = 1, .bodies = {"</a>"}},
    {.name = "pipelined",
     .sent = GET("/a") GET("/b") GET("/c"),
     .answers = 3,
     .bodies = {"</a>", "</b>", "</c>"}},
    {.name = "client closes",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
    {.name = "nothing after close",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/b")},
    {.name = "handler closes",
     .closes = true,
     .answers = 1,
     .bodies = {"</close>"},
     .sent = GET("/close") GET("/b")},
    {.name = "1.0",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "GET /a HTTP/1.0\r\nHost: a\r\n\r\n"},
    {.name = "1.0 kept alive",
     .answers = 2,
     .bodies = {"</a>", "</b>"},
     .sent = "GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" GET("/b")},
    {.name = "body skipped",
     .answers = 2,
     .bodies = {"</a>", "</b>"},
     .sent = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /" GET("/b")},
    {.name = "empty body",
     .answers = 2,
     .bodies = {"</a>", "</b>"},
     .sent = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" GET("/b")},
    {.name = "chunked body",
     .answers = 2,
     .bodies = {"</a>", "</b>"},
     .sent = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "5;x=y\r\nGET /\r\n0\r\nT: u\r\n\r\n" GET("/b")},
    {.name = "body and close",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nxx"},
    {.name = "bad chunk",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "zz\r\n" GET("/b")},
    {.name = "expect",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"},
    {.name = "expect, and sent all the same",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
             "xx" GET("/b")},
    {.name = "body too large",
     .closes = true,
     .answers = 1,
     .bodies = {"</a>"},
     .sent = "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\nxx"},
    {.name = "bad",
     .closes = true,
     .answers = 1,
     .bad = 1,
     .bodies = {"bad"},
     .sent = "GET /a HTTP/1.1\r\nHost : a\r\n\r\n" GET("/b")},
    {.name = "bad after good",
     .closes = true,
     .answers = 2,
     .bad = 1,
     .bodies = {"</a>", "bad"},
     .sent = GET("/a") "GET /b HTTP/1.1\r\n\r\n"},
};

/* More than the server lingers for would be a reset or a hang. */
static void check_exchange(struct fixture *f, int fd, const struct exchange *exchange)
{
    struct reply *reply = client_read(f, fd, exchange->closes ? 0 : exchange->answers);
    const char *at = reply->bytes;
    for (size_t i = 0; i < 3 && exchange->bodies[i] != NULL; i++) {
        at = strstr(at, exchange->bodies[i]);
        if (at == NULL) {
            fail_msg("%s: no %s in %s", exchange->name, exchange->bodies[i], reply->bytes);
        }
    }
    if (count_text(reply->bytes, "HTTP/1.1 ") != exchange->answers ||
        f->handled != exchange->answers || f->bad != exchange->bad ||
        reply->end != exchange->closes || reply->reset ||
        count_text(reply->bytes, "Connection: close") != (exchange->closes ? 1 : 0)) {
        if (strcmp(exchange->name, "bad chunk") != 0) { /* its answer went out before */
            fail_msg("%s: end %d reset %d: %s", exchange->name, reply->end, reply->reset,
                     reply->bytes);
        }
    }
    assert_null(strstr(reply->bytes, "100 Continue"));
}

static void exchange_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        int fd = client_open(&f);
        client_send(&f, fd, span_cstr(exchanges[i].sent));
        check_exchange(&f, fd, &exchanges[i]);
        close(fd);
        fixture_turn_ms(&f, 2);
        assert_int_equal(server_connection_count(f.server), 0);
        fixture_fini(&f);
    }
}

/* Wherever the network cuts the bytes, the answers are the same. */
static void every_split_is_answered(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        struct span sent = span_cstr(exchanges[i].sent);
        for (size_t cut = 1; cut < sent.len; cut++) {
            f.handled = f.bad = 0;
            int fd = client_open(&f);
            client_send(&f, fd, span_slice(sent, 0, cut));
            fixture_turn(&f);
            client_send(&f, fd, span_from(sent, cut));
            check_exchange(&f, fd, &exchanges[i]);
            close(fd);
        }
    }
    fixture_turn_ms(&f, 2);
    assert_int_equal(server_connection_count(f.server), 0);
    fixture_fini(&f);
}

static void bytes_one_by_one(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int fd = client_open(&f);
    struct span sent = SPAN("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3\r\nabc\r\n0\r\n\r\n" GET("/b"));
    for (size_t i = 0; i < sent.len; i++) {
        client_send(&f, fd, span_slice(sent, i, i + 1));
        fixture_turn(&f);
    }
    struct reply *reply = client_read(&f, fd, 2);
    assert_int_equal(count_text(reply->bytes, "HTTP/1.1 200"), 2);
    assert_true(f.last_duration_ns > 0);
    assert_int_equal(counter_get(&f.counters.bodies_drained), 1);
    assert_int_equal(counter_get(&f.counters.connections_accepted), 1);
    assert_int_equal(counter_get(&f.counters.connections_active), 1);
    close(fd);
    fixture_fini(&f);
}

static void head_has_no_content(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN("HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" GET("/b")));
    struct reply *reply = client_read(&f, fd, 2);
    assert_non_null(strstr(reply->bytes, "Content-Length: 6\r\n"));
    assert_null(strstr(reply->bytes, "</abc>"));
    assert_non_null(strstr(reply->bytes, "</b>"));
    assert_int_equal(count_text(reply->bytes, "Date: "), 2);
    close(fd);
    fixture_fini(&f);
}

/* The client writes all of its requests before it reads, and another one is served. */
static void ten_thousand_pipelined(void **state)
{
    (void)state;
    enum { count = 10000, bytes_max = count * 64 };
    struct fixture f;
    fixture_init(&f);
    char *sent = malloc(bytes_max);
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        len += (size_t)snprintf(sent + len, bytes_max - len,
                                "GET /%05u HTTP/1.1\r\nHost: a\r\n\r\n", i);
    }
    int fd = client_open(&f);
    int other = client_open(&f);
    client_send(&f, fd, span_of(sent, len));
    client_send(&f, other, SPAN(GET("/other")));
    assert_non_null(strstr(client_read(&f, other, 1)->bytes, "</other>"));
    struct reply *reply = client_read(&f, fd, count);
    const char *at = reply->bytes;
    for (unsigned i = 0; i < count; i++) {
        char body[16];
        snprintf(body, sizeof(body), "</%05u>", i);
        at = strstr(at, body);
        assert_non_null(at);
    }
    assert_int_equal(f.handled, count + 1);
    free(sent);
    close(fd);
    close(other);
    fixture_fini(&f);
}

static void slow_reader_is_not_read_from(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/large") GET("/large") GET("/large") GET("/large")));
    client_send(&f, fd, SPAN(GET("/large") GET("/large") GET("/large") GET("/large")));
    /* The first answer does not fit into the socket; the rest waits for it. */
    fixture_turn_ms(&f, 20);
    assert_in_range(f.handled, 1, 2);
    int other = client_open(&f);
    client_send(&f, other, SPAN(GET("/other")));
    assert_non_null(strstr(client_read(&f, other, 1)->bytes, "</other>"));
    struct reply *reply = client_read(&f, fd, 1);
    assert_true(reply->len >= fixture_large_bytes);
    close(other);
    close(fd);
    fixture_turn_ms(&f, 5);
    assert_int_equal(server_connection_count(f.server), 0);
    fixture_fini(&f);
}

static void half_closed_client_is_answered(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/large")));
    shutdown(fd, SHUT_WR);
    struct reply *reply = client_read_end(&f, fd);
    assert_true(reply->end && !reply->reset);
    assert_true(reply->len > fixture_large_bytes);
    close(fd);
    fixture_fini(&f);
}

static void end_in_the_middle_closes(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "", "GET / HT", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"};
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < 3; i++) {
        int fd = client_open(&f);
        client_send(&f, fd, span_cstr(beginnings[i]));
        fixture_turn(&f);
        shutdown(fd, SHUT_WR);
        struct reply *reply = client_read_end(&f, fd);
        assert_true(reply->end && !reply->reset);
        assert_int_equal(server_connection_count(f.server), 0);
        close(fd);
    }
    assert_int_equal(counter_get(&f.counters.bodies_cut), 1);
    fixture_fini(&f);
}

/* A client that writes on after an early answer must be able to read it. */
static void no_reset_while_uploading(void **state)
{
    (void)state;
    static const char junk[65536];
    struct fixture f;
    fixture_init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"));
    for (int i = 0; i < 10; i++) {
        client_send(&f, fd, span_of(junk, sizeof(junk)));
        fixture_turn(&f);
    }
    struct reply *reply = client_read_end(&f, fd);
    assert_true(reply->end && !reply->reset);
    assert_non_null(strstr(reply->bytes, "</a>"));
    assert_non_null(strstr(reply->bytes, "Connection: close"));
    assert_int_equal(server_connection_count(f.server), 1); /* lingers */
    close(fd);
    fixture_turn_ms(&f, 50);
    assert_int_equal(server_connection_count(f.server), 0);
    fixture_fini(&f);
}

/* A chunked body has no length that could be looked at first. */
static void endless_body_is_cut(void **state)
{
    (void)state;
    static char chunk[0x8000 + 8];
    memcpy(chunk, "8000\r\n", 6);
    memcpy(chunk + 6 + 0x8000, "\r\n", 2);
    struct fixture f;
    fixture_init(&f);
    int fd = client_open(&f);
    client_send(&f, fd, SPAN("PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 40; i++) {
        client_send(&f, fd, span_of(chunk, sizeof(chunk)));
        fixture_turn(&f);
    }
    struct reply *reply = client_read_end(&f, fd);
    assert_true(reply->end && !reply->reset);
    assert_int_equal(counter_get(&f.counters.bodies_cut), 1);
    for (int i = 0; i < 40 && server_connection_count(f.server) > 0; i++) {
        client_send(&f, fd, span_of(chunk, sizeof(chunk)));
        fixture_turn(&f);
    }
    assert_int_equal(server_connection_count(f.server), 0);
    close(fd);
    fixture_fini(&f);
}

static void proxy_header_names_the_client(void **state)
{
    (void)state;
    struct fixture f;
    struct serve_limits limits = fixture_limits();
    fixture_init_limits(&f, &limits, true);
    static const uint8_t expected[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 7};
    struct span sent = SPAN("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n" GET("/a"));
    for (size_t cut = 0; cut < sent.len; cut += 7) {
        int fd = client_open(&f);
        client_send(&f, fd, span_slice(sent, 0, cut));
        fixture_turn(&f);
        client_send(&f, fd, span_from(sent, cut));
        assert_non_null(strstr(client_read(&f, fd, 1)->bytes, "</a>"));
        assert_memory_equal(f.last_peer.address, expected, 16);
        assert_int_equal(f.last_peer.port, 4711);
        close(fd);
    }
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/a")));
    struct reply *reply = client_read_end(&f, fd);
    assert_true(reply->end);
    assert_int_equal(reply->len, 0);
    close(fd);
    fixture_fini(&f);
}

static void drain_answers_what_is_under_way(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int idle = client_open(&f);
    int busy = client_open(&f);
    client_send(&f, idle, SPAN(GET("/a")));
    client_read(&f, idle, 1);
    client_send(&f, busy, SPAN("GET /b HTTP/1.1\r\nHo"));
    fixture_turn_ms(&f, 2);
    assert_int_equal(server_connection_count(f.server), 2);
    server_drain(f.server, fixture_on_empty);
    assert_true(client_read_end(&f, idle)->end);
    assert_int_equal(server_connection_count(f.server), 1);
    assert_int_equal(f.emptied, 0);
    client_send(&f, busy, SPAN("st: a\r\n\r\n"));
    struct reply *reply = client_read_end(&f, busy);
    assert_non_null(strstr(reply->bytes, "</b>"));
    assert_non_null(strstr(reply->bytes, "Connection: close"));
    fixture_turn(&f);
    assert_int_equal(f.emptied, 1);
    close(idle);
    close(busy);
    fixture_fini(&f);
}

static void drain_of_nothing_is_empty(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    server_drain(f.server, fixture_on_empty);
    server_drain(f.server, fixture_on_empty);
    fixture_turn(&f);
    assert_int_equal(f.emptied, 1);
    fixture_fini(&f);
}

static void unlisten_serves_the_queue(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int fds[10];
    for (size_t i = 0; i < 10; i++) {
        fds[i] = client_open(&f);
        assert_int_equal(send(fds[i], GET("/a"), strlen(GET("/a")), 0), strlen(GET("/a")));
    }
    server_unlisten(f.server, &f.listener);
    for (size_t i = 0; i < 10; i++) {
        assert_non_null(strstr(client_read(&f, fds[i], 1)->bytes, "</a>"));
        close(fds[i]);
    }
    fixture_turn_ms(&f, 2);
    assert_int_equal(server_connection_count(f.server), 0);
    fixture_fini(&f);
}

static void known_listener_keeps_its_descriptor(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int spare = dup(STDERR_FILENO);
    assert_int_equal(server_listen(f.server, &f.listener, spare), ERR_NONE);
    assert_int_equal(close(spare), -1); /* it was closed */
    int fd = client_open(&f);
    client_send(&f, fd, SPAN(GET("/a")));
    assert_non_null(strstr(client_read(&f, fd, 1)->bytes, "</a>"));
    close(fd);
    fixture_fini(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange_is_answered),
        cmocka_unit_test(every_split_is_answered),
        cmocka_unit_test(bytes_one_by_one),
        cmocka_unit_test(head_has_no_content),
        cmocka_unit_test(ten_thousand_pipelined),
        cmocka_unit_test(slow_reader_is_not_read_from),
        cmocka_unit_test(half_closed_client_is_answered),
        cmocka_unit_test(end_in_the_middle_closes),
        cmocka_unit_test(no_reset_while_uploading),
        cmocka_unit_test(endless_body_is_cut),
        cmocka_unit_test(proxy_header_names_the_client),
        cmocka_unit_test(drain_answers_what_is_under_way),
        cmocka_unit_test(drain_of_nothing_is_empty),
        cmocka_unit_test(unlisten_serves_the_queue),
        cmocka_unit_test(known_listener_keeps_its_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
