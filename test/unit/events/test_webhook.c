/* SPDX-License-Identifier: MIT */
/* Messages to a receiver on a thread beside, which answers as it is told. */
#include "events/webhook.h"

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

enum { heard_max = 16, patience_s = 20 };

struct fixture {
    struct ev_loop *loop;
    struct webhooks *webhooks;
    char url[64];
    char dead[64];
    struct sign_secrets secrets;
    ev_timer end;
    int counts[WEBHOOK_OUTCOMES];
    uint64_t last; /* number of the last outcome */
    int wanted;

    int fd;
    pthread_t thread;
    const char *answers[heard_max]; /* status lines and fields; NULL: 200 */
    char heard[heard_max][2048];
    atomic_int count;
};

static void hear(int fd, char *out, size_t cap)
{
    size_t len = 0;
    ssize_t count;
    do {
        count = recv(fd, out + len, cap - 1 - len, 0);
        len += count > 0 ? (size_t)count : 0;
        out[len] = 0;
    } while (count > 0 && strstr(out, "tail") == NULL);
}

static void *serve(void *context)
{
    struct fixture *f = context;
    int fd;
    while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
        char answer[256];
        int i = atomic_load(&f->count);
        hear(fd, f->heard[i % heard_max], sizeof(f->heard[0]));
        const char *text = f->answers[i % heard_max];
        int len = snprintf(answer, sizeof(answer),
                           "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                           text != NULL ? text : "200 OK");
        atomic_fetch_add(&f->count, 1);
        send(fd, answer, (size_t)len, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void on_outcome(void *context, uint64_t number, enum webhook_outcome outcome)
{
    struct fixture *f = context;
    f->counts[outcome]++;
    f->last = number;
    if (--f->wanted == 0) {
        ev_break(f->loop, EVBREAK_ALL);
    }
}

static void on_end(struct ev_loop *loop, ev_timer *timer, int events)
{
    ev_break(loop, EVBREAK_ALL);
}

/* Until so many outcomes have come. */
static void run(struct fixture *f, int wanted, double patience)
{
    f->wanted = wanted;
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
    f->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(f->fd, 64), 0);
    getsockname(f->fd, (struct sockaddr *)&address, &len);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/hook", ntohs(address.sin_port));
    snprintf(f->dead, sizeof(f->dead), "http://127.0.0.1:1/");
    f->loop = ev_loop_new(EVBACKEND_EPOLL);
    assert_null(sign_read(SPAN("a secret of more than 24 bytes"), &f->secrets));
    assert_int_equal(webhooks_new(f->loop, on_outcome, f, &f->webhooks), ERR_NONE);
    const struct webhook items[] = {{span_cstr(f->url), f->secrets},
                                    {span_cstr(f->dead), f->secrets}};
    assert_int_equal(webhooks_set(f->webhooks, items, 2), ERR_NONE);
    pthread_create(&f->thread, NULL, serve, f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    webhooks_free(&f->webhooks);
    shutdown(f->fd, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->fd);
    ev_loop_destroy(f->loop);
    free(f);
    return 0;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void push(struct fixture *f, const char *url, uint64_t number, int64_t created_ns)
{
    const struct webhook_message message = {.number = number,
                                            .url = span_cstr(url),
                                            .id = SPAN("evt_7"),
                                            .content = SPAN("head and tail"),
                                            .created_ns = created_ns};
    assert_int_equal(webhooks_push(f->webhooks, &message), ERR_NONE);
}

static void test_sent_again(void **state)
{
    struct fixture *f = *state;
    struct webhook_view view;
    f->answers[0] = "500 Internal Server Error";
    f->answers[1] = "307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/elsewhere";
    push(f, f->url, 3, now_ns());
    run(f, 2, patience_s);
    webhooks_view(f->webhooks, 0, &view);
    assert_int_equal(view.pending, 1);
    assert_false(view.last_good);
    assert_non_null(strstr(view.last, "307: it leads to http://127.0.0.1:1/elsewhere"));
    run(f, 1, patience_s);
    assert_int_equal(f->counts[WEBHOOK_FAILED], 2);
    assert_int_equal(f->counts[WEBHOOK_DELIVERED], 1);
    assert_int_equal(f->last, 3);
    assert_int_equal(atomic_load(&f->count), 3);
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(f->heard[i], "POST /hook HTTP/1.1\r\n"));
        assert_non_null(strstr(f->heard[i], "\r\nwebhook-id: evt_7\r\n"));
        assert_non_null(strstr(f->heard[i], "\r\nwebhook-signature: v1,"));
        assert_non_null(strstr(f->heard[i], "\r\n\r\nhead and tail"));
    }
    webhooks_view(f->webhooks, 0, &view);
    assert_int_equal(view.pending, 0);
    assert_true(view.last_good);
    assert_string_equal(view.last, "200");
}

static void test_given_up(void **state)
{
    struct fixture *f = *state;
    f->answers[0] = "410 Gone";
    f->answers[1] = "500 Internal Server Error";
    push(f, f->url, 3, now_ns());
    run(f, 1, patience_s);
    assert_int_equal(f->counts[WEBHOOK_GIVEN_UP], 1);
    push(f, f->url, 4, now_ns() - 86401 * INT64_C(1000000000));
    run(f, 1, patience_s);
    assert_int_equal(f->counts[WEBHOOK_GIVEN_UP], 2);
    assert_int_equal(f->counts[WEBHOOK_FAILED], 0);
    push(f, f->url, 5, now_ns() - 86401 * INT64_C(1000000000)); /* one try it has */
    run(f, 1, patience_s);
    assert_int_equal(f->counts[WEBHOOK_DELIVERED], 1);
}

/* A receiver that says when is asked no sooner, by no message. */
static void test_retry_after(void **state)
{
    struct fixture *f = *state;
    f->answers[0] = "503 Service Unavailable\r\nRetry-After: 1000";
    push(f, f->url, 1, now_ns());
    run(f, 1, patience_s);
    push(f, f->url, 2, now_ns());
    run(f, 1, 0.8);
    assert_int_equal(f->counts[WEBHOOK_FAILED], 1);
    assert_int_equal(atomic_load(&f->count), 1);
}

static void test_queue_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct webhook_view view;
    f->wanted = -1;
    for (uint64_t i = 1; i <= webhook_pending_max + 2; i++) {
        push(f, f->dead, i, now_ns());
    }
    assert_int_equal(f->counts[WEBHOOK_DROPPED], 2);
    assert_int_equal(f->last, 2);
    webhooks_view(f->webhooks, 1, &view);
    assert_int_equal(view.pending, webhook_pending_max);
    push(f, f->url, 7, now_ns()); /* held up by nobody */
    while (f->counts[WEBHOOK_DELIVERED] == 0) {
        run(f, 1, patience_s);
    }
}

static void test_receivers_change(void **state)
{
    struct fixture *f = *state;
    struct webhook item = {.url = span_cstr(f->url)};
    const struct webhook_message lost = {.url = span_cstr(f->dead), .id = SPAN("x")};
    f->wanted = -1;
    push(f, f->dead, 1, now_ns());
    assert_int_equal(webhooks_set(f->webhooks, &item, 1), ERR_NONE);
    assert_int_equal(f->counts[WEBHOOK_DROPPED], 1);
    assert_int_equal(webhooks_push(f->webhooks, &lost), ERR_NOTFOUND);
    push(f, f->url, 2, now_ns()); /* there is no secret now */
    run(f, 1, 0.05);
    assert_int_equal(atomic_load(&f->count), 0);
    item.secrets = f->secrets;
    assert_int_equal(webhooks_set(f->webhooks, &item, 1), ERR_NONE);
    run(f, 1, patience_s);
    assert_int_equal(f->counts[WEBHOOK_DELIVERED], 1);
}

static void test_pauses(void **state)
{
    static const struct {
        uint32_t tries;
        uint32_t most_ms;
    } cases[] = {{1, 500}, {2, 1000}, {3, 2000}, {11, 512000}, {12, 600000}, {200, 600000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(webhook_pause_ms(cases[i].tries, 0), 0);
        assert_int_equal(webhook_pause_ms(cases[i].tries, UINT32_MAX), cases[i].most_ms - 1);
        assert_int_equal(webhook_pause_ms(cases[i].tries, UINT32_MAX / 2 + 1),
                         cases[i].most_ms / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sent_again, begin, end),
        cmocka_unit_test_setup_teardown(test_given_up, begin, end),
        cmocka_unit_test_setup_teardown(test_retry_after, begin, end),
        cmocka_unit_test_setup_teardown(test_queue_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_receivers_change, begin, end),
        cmocka_unit_test(test_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
