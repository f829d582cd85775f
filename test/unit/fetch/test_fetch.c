/* SPDX-License-Identifier: MIT */
/* Requests to a server on a thread beside: what it is sent, what comes of each answer that it
 * gives, how many it gets at once, and that what is cancelled is never heard of. */
#include "fetch/fetch.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { connections_max = 64, request_bytes_max = 4096, patience_s = 20 };

/* One answer to each connection, which ends with it. "/hang" gets none, "/endless" ever more of
 * its content, "/head" of its head. */
struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    const char *answer;
    char heard[request_bytes_max];
    atomic_int accepted;
    int held[connections_max]; /* that were told nothing */
};

struct outcome {
    int calls;
    long status;
    bool failed;
    bool cut;
    size_t body_len;
    char body[64];
    char location[128];
    int64_t retry_after_s;
    char address[64];
    uint16_t port;
    int64_t latency_us;
    struct fetch_request *request;
};

struct fixture {
    struct ev_loop *loop;
    struct fetch *fetch;
    struct server server;
    ev_timer end;
    int wanted; /* answers until the loop is left; -1: none, it is left by its timer */
    bool late;
};

static struct fixture *the; /* callbacks get an outcome, and nothing else */

static void send_forever(int fd, const char *first, const char *more)
{
    ssize_t sent = send(fd, first, strlen(first), MSG_NOSIGNAL);
    while (sent > 0) {
        sent = send(fd, more, strlen(more), MSG_NOSIGNAL);
    }
}

/* A request that these tests send is short, and one segment or two. */
static void read_request(int fd, char out[request_bytes_max])
{
    size_t len = 0;
    ssize_t count;
    out[0] = 0;
    do {
        count = recv(fd, out + len, request_bytes_max - 1 - len, 0);
        len += count > 0 ? (size_t)count : 0;
        out[len] = 0;
    } while (count > 0 && (strstr(out, "\r\n\r\n") == NULL ||
                           (strncmp(out, "POST", 4) == 0 && strstr(out, "tail") == NULL)));
}

static void *serve(void *context)
{
    struct server *s = context;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        int number = atomic_fetch_add(&s->accepted, 1);
        read_request(fd, s->heard);
        if (strstr(s->heard, "/hang ") != NULL && number < connections_max) {
            s->held[number] = fd;
            continue;
        }
        if (strstr(s->heard, "/endless ") != NULL) {
            send_forever(fd, "HTTP/1.1 200 OK\r\n\r\n", "more and more ");
        } else if (strstr(s->heard, "/head ") != NULL) {
            send_forever(fd, "HTTP/1.1 200 OK\r\n", "x-more: and more\r\n");
        } else {
            send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
        }
        close(fd);
    }
    return NULL;
}

static void on_end(struct ev_loop *loop, ev_timer *timer, int events)
{
    the->late = true;
    ev_break(loop, EVBREAK_ALL);
}

static void on_answer(void *context, const struct fetch_answer *answer)
{
    struct outcome *o = context;
    o->calls++;
    o->request = NULL;
    o->status = answer->status;
    o->failed = answer->error != NULL;
    o->cut = answer->cut;
    o->body_len = answer->body.len;
    snprintf(o->body, sizeof(o->body), "%.*s", SPAN_ARG(answer->body));
    snprintf(o->location, sizeof(o->location), "%s",
             answer->location != NULL ? answer->location : "");
    o->retry_after_s = answer->retry_after_s;
    snprintf(o->address, sizeof(o->address), "%s", answer->address);
    o->port = answer->port;
    o->latency_us = answer->latency_us;
    if (--the->wanted == 0) {
        ev_break(the->loop, EVBREAK_ALL);
    }
}

static void run(struct fixture *f, int wanted, double patience)
{
    f->wanted = wanted;
    f->late = false;
    ev_timer_init(&f->end, on_end, patience, 0);
    ev_now_update(f->loop);
    ev_timer_start(f->loop, &f->end);
    ev_run(f->loop, 0);
    ev_timer_stop(f->loop, &f->end);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    f->server.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->server.fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(f->server.fd, connections_max), 0);
    getsockname(f->server.fd, (struct sockaddr *)&address, &len);
    f->server.port = ntohs(address.sin_port);
    f->loop = ev_loop_new(EVBACKEND_EPOLL);
    assert_int_equal(fetch_new(f->loop, 4, &f->fetch), ERR_NONE);
    assert_int_equal(pthread_create(&f->server.thread, NULL, serve, &f->server), 0);
    the = f;
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    fetch_free(&f->fetch);
    shutdown(f->server.fd, SHUT_RDWR);
    pthread_join(f->server.thread, NULL);
    close(f->server.fd);
    for (int i = 0; i < connections_max; i++) {
        if (f->server.held[i] > 0) {
            close(f->server.held[i]);
        }
    }
    ev_loop_destroy(f->loop);
    free(f);
    return 0;
}

static void start(struct fixture *f, const char *path, struct fetch_options options,
                  struct outcome *o)
{
    char url[256];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", f->server.port, path);
    options.url = options.url != NULL ? options.url : url;
    options.timeout_ms = options.timeout_ms != 0 ? options.timeout_ms : patience_s * 1000;
    options.done = on_answer;
    options.context = o;
    assert_int_equal(fetch_start(f->fetch, &options, &o->request), ERR_NONE);
}

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"

static const struct answer_case {
    const char *name;
    const char *path;
    const char *answer;
    size_t body_bytes_max;
    uint32_t timeout_ms;
    long status;
    bool failed;
    bool cut;
    const char *body;
    const char *location;
    int64_t retry_after_s;
} answer_cases[] = {
    {.name = "whole",
     .answer = HEAD("200 OK") "\r\nhello",
     .body_bytes_max = 64,
     .status = 200,
     .body = "hello"},
    {.name = "exactly as long as is wanted",
     .answer = HEAD("200 OK") "\r\nhello",
     .body_bytes_max = 5,
     .status = 200,
     .body = "hello"},
    {.name = "too long is cut",
     .answer = HEAD("200 OK") "\r\nhello",
     .body_bytes_max = 4,
     .status = 200,
     .cut = true,
     .body = "hell"},
    {.name = "nothing is wanted", .answer = HEAD("200 OK") "\r\nhello", .status = 200, .cut = true},
    {.name = "nothing is wanted, nothing comes",
     .answer = HEAD("204 No Content") "\r\n",
     .status = 204},
    {.name = "endless content",
     .path = "/endless",
     .body_bytes_max = 20,
     .status = 200,
     .cut = true,
     .body = "more and more more a"},
    {.name = "endless head", .path = "/head", .body_bytes_max = 20, .status = 200, .failed = true},
    {.name = "content shorter than it says",
     .answer = HEAD("200 OK") "Content-Length: 9\r\n\r\nhello",
     .body_bytes_max = 64,
     .status = 200,
     .failed = true,
     .body = "hello"},
    {.name = "no HTTP", .answer = "220 smtp\r\n", .failed = true},
    {.name = "nothing at all", .answer = "", .failed = true},
    {.name = "a redirect is not followed",
     .answer = HEAD("307 Temporary Redirect") "Location: ../else\r\n\r\n",
     .path = "/a/b",
     .status = 307,
     .location = "/else"},
    {.name = "says when to ask again",
     .answer = HEAD("503 Service Unavailable") "Retry-After: 17\r\n\r\n",
     .status = 503,
     .retry_after_s = 17},
    {.name = "no answer in time", .path = "/hang", .timeout_ms = 50, .failed = true},
};

static void test_answers(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(answer_cases) / sizeof(*answer_cases); i++) {
        const struct answer_case *c = &answer_cases[i];
        struct outcome o = {0};
        char location[128];
        f->server.answer = c->answer;
        print_message("%s\n", c->name);
        start(f, c->path != NULL ? c->path : "/",
              (struct fetch_options){.body_bytes_max = c->body_bytes_max,
                                     .timeout_ms = c->timeout_ms},
              &o);
        assert_int_equal(o.calls, 0);
        run(f, 1, patience_s);
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.failed, c->failed);
        assert_int_equal(o.cut, c->cut);
        assert_int_equal(o.status, c->status);
        assert_string_equal(o.body, c->body != NULL ? c->body : "");
        snprintf(location, sizeof(location), "http://127.0.0.1:%u%s", f->server.port,
                 c->location != NULL ? c->location : "");
        assert_string_equal(o.location, c->location != NULL ? location : "");
        assert_int_equal(o.retry_after_s, c->retry_after_s);
        assert_string_equal(o.address, "127.0.0.1");
        assert_int_equal(o.port, f->server.port);
        assert_true(o.latency_us > 0);
    }
}

/* Fields, content and method go out as they are said, and the name stays in Host. */
static void test_request(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    char connect_to[64];
    char content[] = "head and tail";
    char field[] = "X-Kind: one";
    const char *const fields[] = {field};
    snprintf(connect_to, sizeof(connect_to), "127.0.0.1:%u", f->server.port);
    f->server.answer = HEAD("200 OK") "\r\n";
    start(f, NULL,
          (struct fetch_options){.url = "http://nowhere.test:8080/a/../b?c",
                                 .connect_to = connect_to,
                                 .fields = fields,
                                 .field_count = 1,
                                 .content = span_of(content, sizeof(content) - 1)},
          &o);
    memset(content, 'x', sizeof(content)); /* all was copied */
    memset(field, 'x', sizeof(field));
    memset(connect_to, 'x', sizeof(connect_to));
    run(f, 1, patience_s);
    assert_int_equal(o.status, 200);
    assert_ptr_equal(strstr(f->server.heard, "POST /a/../b?c HTTP/1.1\r\n"), f->server.heard);
    assert_non_null(strstr(f->server.heard, "\r\nHost: nowhere.test:8080\r\n"));
    assert_non_null(strstr(f->server.heard, "\r\nX-Kind: one\r\n"));
    assert_non_null(strstr(f->server.heard, "\r\n\r\nhead and tail"));
}

static void test_head(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    f->server.answer = HEAD("200 OK") "Content-Length: 900\r\n\r\n";
    start(f, "/", (struct fetch_options){.method = "HEAD"}, &o);
    run(f, 1, patience_s);
    assert_int_equal(o.status, 200);
    assert_false(o.failed);
    assert_ptr_equal(strstr(f->server.heard, "HEAD / HTTP/1.1\r\n"), f->server.heard);
}

/* A URL that is none is told in the same way as a server that is not there. */
static void test_cannot_be_asked(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"http://127.0.0.1:1/", "gopher://127.0.0.1/", "http://[/",
                                       "", "file:///etc/passwd"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        struct outcome o = {0};
        start(f, NULL, (struct fetch_options){.url = urls[i]}, &o);
        run(f, 1, patience_s);
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.status, 0);
        assert_true(o.failed);
    }
}

/* Four at once; the fifth begins when one has ended, be it by its time or cancelled. */
static void test_turns(void **state)
{
    enum { count = 7 };
    struct fixture *f = *state;
    struct outcome o[count] = {0};
    f->server.answer = HEAD("200 OK") "\r\n";
    for (int i = 0; i < 5; i++) {
        start(f, "/hang", (struct fetch_options){0}, &o[i]);
    }
    start(f, "/", (struct fetch_options){0}, &o[5]);
    start(f, "/", (struct fetch_options){0}, &o[6]);
    run(f, -1, 0.05);
    while (atomic_load(&f->server.accepted) < 4) {
        run(f, -1, 0.01);
    }
    assert_int_equal(atomic_load(&f->server.accepted), 4);
    fetch_cancel(&o[4].request); /* waits */
    fetch_cancel(&o[6].request);
    assert_null(o[4].request);
    fetch_cancel(&o[0].request); /* runs: makes room for o[5] */
    run(f, 1, patience_s);
    assert_int_equal(o[5].status, 200);
    assert_int_equal(o[5].calls, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(o[i].calls, 0);
    }
    assert_int_equal(o[6].calls, 0);
    assert_int_equal(atomic_load(&f->server.accepted), 5);
}

static void test_too_many_wait(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    for (int i = 0; i < fetch_waiting_max; i++) {
        start(f, "/hang", (struct fetch_options){0}, &o);
    }
    struct fetch_options options = {.url = "http://127.0.0.1/", .timeout_ms = 1};
    struct fetch_request *none = NULL;
    assert_int_equal(fetch_start(f->fetch, &options, &none), ERR_LIMIT);
    options.field_count = fetch_fields_max + 1;
    assert_int_equal(fetch_start(f->fetch, &options, &none), ERR_LIMIT);
    assert_null(none);
    fetch_cancel(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, begin, end),
        cmocka_unit_test_setup_teardown(test_request, begin, end),
        cmocka_unit_test_setup_teardown(test_head, begin, end),
        cmocka_unit_test_setup_teardown(test_cannot_be_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_turns, begin, end),
        cmocka_unit_test_setup_teardown(test_too_many_wait, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
