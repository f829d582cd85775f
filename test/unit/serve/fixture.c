/* SPDX-License-Identifier: MIT */
/* The server under test and its clients. */
#include "fixture.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t large_body[fixture_large_bytes];

uint64_t fixture_sum(struct span bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        sum += (i + 1) * bytes.ptr[i];
    }
    return sum;
}

static void handle(void *context, const struct serve_request *asked, struct response *response)
{
    struct fixture *fixture = context;
    struct span path = asked->request->path;
    fixture->handled++;
    fixture->last_duration_ns = asked->duration_ns;
    fixture->last_peer = *asked->peer;
    if (fixture->pass != NULL && asked->bad_status == 0) {
        fixture->pass(fixture, asked, response);
        return;
    }
    fixture->last_content_len = asked->content.len;
    fixture->last_content_sum = fixture_sum(asked->content);
    response->status = 200;
    response->content_type = SPAN("text/plain");
    if (asked->bad_status != 0) {
        fixture->bad++;
        fixture->last_bad_status = asked->bad_status;
        response->status = asked->bad_status;
        response->body = SPAN("bad");
    } else if (span_eq(path, SPAN("/large"))) {
        memset(large_body, 'x', sizeof(large_body));
        response->body = span_of(large_body, sizeof(large_body));
    } else if (span_eq(path, SPAN("/later"))) {
        fixture->later = server_defer(asked);
        assert_non_null(fixture->later);
        response->status = 0;
    } else {
        snprintf(fixture->body, sizeof(fixture->body), "<%.*s>%.*s", SPAN_ARG(path),
                 SPAN_ARG(asked->content));
        response->body = span_cstr(fixture->body);
        response->close = span_eq(path, SPAN("/close"));
    }
}

struct serve_limits fixture_limits(void)
{
    return (struct serve_limits){
        .header_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 10000,
        .linger_bytes = 1 << 20,
        .linger_idle_ms = 5000,
        .linger_time_ms = 5000,
        .connections_max = 10000,
    };
}

static int listen_somewhere(struct listener *listener)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    listener->address.v4 = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    listener->address_len = sizeof(listener->address.v4);
    assert_int_equal(bind(fd, &listener->address.any, listener->address_len), 0);
    int one = 1; /* as net/listener.c */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    assert_int_equal(listen(fd, 4096), 0);
    assert_int_equal(getsockname(fd, &listener->address.any, &listener->address_len), 0);
    return fd;
}

void fixture_init_limits(struct fixture *fixture, const struct serve_limits *limits,
                         bool proxy_protocol)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->limits = *limits;
    fixture->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    assert_non_null(fixture->loop);
    assert_int_equal(
        server_new(fixture->loop, limits, handle, fixture, &fixture->counters, &fixture->server),
        ERR_NONE);
    snprintf(fixture->listener.text, listener_text_max, "http://127.0.0.1:0");
    fixture->listener.proxy_protocol = proxy_protocol;
    int fd = listen_somewhere(&fixture->listener);
    assert_int_equal(server_listen(fixture->server, &fixture->listener, fd), ERR_NONE);
}

void fixture_init(struct fixture *fixture)
{
    struct serve_limits limits = fixture_limits();
    fixture_init_limits(fixture, &limits, false);
}

void fixture_fini(struct fixture *fixture)
{
    server_free(&fixture->server);
    ev_loop_destroy(fixture->loop);
}

void fixture_on_empty(void *context)
{
    struct fixture *fixture = context;
    fixture->emptied++;
}

void fixture_turn(struct fixture *fixture)
{
    for (int i = 0; i < 4; i++) {
        ev_run(fixture->loop, EVRUN_NOWAIT);
    }
}

void fixture_turn_ms(struct fixture *fixture, int ms)
{
    int64_t end = clock_monotonic_ns() + ms * INT64_C(1000000);
    while (clock_monotonic_ns() < end) {
        ev_run(fixture->loop, EVRUN_NOWAIT);
        usleep(1000);
    }
}

int client_open(const struct fixture *fixture)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    int one = 1; /* or the bytes of several sends would come as one */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    assert_int_equal(connect(fd, &fixture->listener.address.any, fixture->listener.address_len), 0);
    return fd;
}

void client_send(struct fixture *fixture, int fd, struct span bytes)
{
    for (int tries = 0; bytes.len > 0 && tries < 2000; tries++) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes = span_from(bytes, (size_t)sent);
        } else if (errno != EAGAIN) {
            return; /* the server has closed; the test looks at what it reads */
        }
        ev_run(fixture->loop, EVRUN_NOWAIT);
    }
    assert_int_equal(bytes.len, 0);
}

unsigned count_text(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static bool read_some(int fd, struct reply *reply)
{
    ssize_t got = recv(fd, reply->bytes + reply->len, reply_bytes_max - reply->len, MSG_DONTWAIT);
    if (got > 0) {
        reply->len += (size_t)got;
        reply->bytes[reply->len] = 0;
        return true;
    }
    if (got == 0 || errno != EAGAIN) {
        reply->end = true;
        reply->reset = got < 0;
    }
    return false;
}

/* The last answer has all come: its body stands behind its head. */
static bool is_complete(const struct reply *reply, unsigned answers)
{
    if (count_text(reply->bytes, "HTTP/1.1 ") < answers) {
        return false;
    }
    const char *last = reply->bytes;
    for (const char *at = last; at != NULL; at = strstr(at + 1, "HTTP/1.1 ")) {
        last = at;
    }
    const char *length = strstr(last, "Content-Length: ");
    const char *end = strstr(last, "\r\n\r\n");
    return end != NULL && length != NULL &&
           strlen(end + 4) >= strtoul(length + strlen("Content-Length: "), NULL, 10);
}

struct reply *client_read(struct fixture *fixture, int fd, unsigned answers)
{
    static struct reply reply;
    reply.len = 0;
    reply.end = reply.reset = false;
    reply.bytes[0] = 0;
    int64_t end = clock_monotonic_ns() + 20 * NS_PER_SECOND; /* never, on a busy machine */
    while (!reply.end && clock_monotonic_ns() < end) {
        ev_run(fixture->loop, EVRUN_NOWAIT);
        if (read_some(fd, &reply)) {
            continue;
        }
        if (answers > 0 && is_complete(&reply, answers)) {
            break;
        }
        usleep(100);
    }
    return &reply;
}

struct reply *client_read_end(struct fixture *fixture, int fd)
{
    return client_read(fixture, fd, 0);
}
