/* SPDX-License-Identifier: MIT */
/* Servers are asked: what each answer says, how many questions there are at a time and in all, and
 * that those who hang leave room for the others. */
#include "exists/exists.h"

#include "base/clock.h"

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

enum { request_bytes_max = 4096, servers_many = 300, patience_s = 20, path_bytes = 1000 };

/* Answers each connection once, by what its path begins with: "/NNN" is the status, "/size/N" and
 * "/date/N" are 200 with these. */
struct answering {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_int heads; /* that were asked for */
    char heard[request_bytes_max];
};

struct fixture {
    struct ev_loop *loop;
    int servers_fd;
    int facts_fd;
    struct servers_map *servers;
    struct facts *facts;
    struct exists *exists;
    struct answering answering;
    int silent_fd; /* nobody accepts there */
    uint16_t silent_port;
};

static void answer_one(struct answering *a, int fd)
{
    char answer[256];
    unsigned number;
    unsigned status = 200;
    size_t len = 0;
    ssize_t count;
    do {
        count = recv(fd, a->heard + len, request_bytes_max - 1 - len, 0);
        len += count > 0 ? (size_t)count : 0;
        a->heard[len] = 0;
    } while (count > 0 && strstr(a->heard, "\r\n\r\n") == NULL);
    const char *more = "";
    if (sscanf(a->heard, "HEAD /size/%u", &number) == 1) {
        more = number == 5 ? "Content-Length: 5\r\n" : "Content-Length: 6\r\n";
    } else if (sscanf(a->heard, "HEAD /date/%u", &number) == 1) {
        more = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    } else if (sscanf(a->heard, "HEAD /%u", &number) == 1) {
        status = number;
    }
    snprintf(answer, sizeof(answer), "HTTP/1.1 %u Some\r\n%sConnection: close\r\n\r\n", status,
             more);
    atomic_fetch_add(&a->heads, 1); /* before anybody can have the answer */
    send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    close(fd);
}

static void *serve(void *context)
{
    struct answering *a = context;
    int fd;
    while ((fd = accept(a->fd, NULL, NULL)) >= 0) {
        answer_one(a, fd);
    }
    return NULL;
}

static int listen_somewhere(uint16_t *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 4096), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    *port_out = ntohs(address.sin_port);
    return fd;
}

static bool find(void *context, struct span host, uint8_t address_out[16])
{
    return false;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->loop = ev_loop_new(EVBACKEND_EPOLL);
    assert_int_equal(servers_create(&f->servers_fd), ERR_NONE);
    assert_int_equal(servers_open(f->servers_fd, true, &f->servers), ERR_NONE);
    assert_int_equal(facts_create(&f->facts_fd), ERR_NONE);
    assert_int_equal(facts_open(f->facts_fd, true, &f->facts), ERR_NONE);
    const struct exists_setting setting = {
        .loop = f->loop, .facts = f->facts, .servers = f->servers, .find = find};
    assert_int_equal(exists_new(&setting, &f->exists), ERR_NONE);
    f->answering.fd = listen_somewhere(&f->answering.port);
    f->silent_fd = listen_somewhere(&f->silent_port);
    assert_int_equal(pthread_create(&f->answering.thread, NULL, serve, &f->answering), 0);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    exists_free(&f->exists);
    shutdown(f->answering.fd, SHUT_RDWR);
    pthread_join(f->answering.thread, NULL);
    close(f->answering.fd);
    close(f->silent_fd);
    servers_close(&f->servers);
    facts_close(&f->facts);
    close(f->servers_fd);
    close(f->facts_fd);
    ev_loop_destroy(f->loop);
    free(f);
    return 0;
}

/* A server with this key, and with a slot of its own. */
static struct exists_target target(struct fixture *f, uint64_t key, uint16_t port)
{
    static char urls[servers_many][64];
    char name[32];
    char *url = urls[key % servers_many];
    snprintf(name, sizeof(name), "pool/s%llu", (unsigned long long)key);
    snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%u", (unsigned)port);
    struct exists_target made = {.key = key,
                                 .url = span_cstr(url),
                                 .host = SPAN("127.0.0.1"),
                                 .port = port,
                                 .yes_s = 600,
                                 .no_s = 60};
    assert_int_equal(servers_slot(f->servers, span_cstr(name), &made.slot), ERR_NONE);
    return made;
}

static enum fact find_fact(const struct fixture *f, uint64_t key, const char *path,
                           uint32_t *left_s)
{
    uint64_t fact = facts_key(facts_path(f->facts, span_cstr(path)), key);
    return facts_find(f->facts, fact, facts_now_s(f->facts, clock_monotonic_ns()), left_s);
}

/* Asks, and waits until it is known. */
static enum fact learn(struct fixture *f, uint64_t key, const char *path)
{
    uint32_t left_s;
    enum fact fact = FACT_UNKNOWN;
    int64_t until_ns = clock_monotonic_ns() + patience_s * NS_PER_SECOND;
    exists_ask(f->exists, key, span_cstr(path));
    while (exists_pending(f->exists) > 0 && clock_monotonic_ns() < until_ns) {
        ev_run(f->loop, EVRUN_ONCE);
    }
    fact = find_fact(f, key, path, &left_s);
    return fact;
}

static void test_what_answers_say(void **state)
{
    static const struct {
        const char *path;
        enum fact fact;
        uint32_t life_s;
    } rows[] = {
        {"/200", FACT_YES, 600}, {"/204", FACT_YES, 600}, {"/206", FACT_YES, 600},
        {"/301", FACT_NO, 60},   {"/304", FACT_NO, 60},   {"/400", FACT_NO, 60},
        {"/401", FACT_NO, 60},   {"/403", FACT_NO, 60},   {"/404", FACT_NO, 60},
        {"/405", FACT_NO, 60},   {"/408", FACT_TRIED, 5}, {"/410", FACT_NO, 60},
        {"/425", FACT_TRIED, 5}, {"/429", FACT_TRIED, 5}, {"/500", FACT_TRIED, 5},
        {"/503", FACT_TRIED, 5}, {"/599", FACT_TRIED, 5},
    };
    struct fixture *f = *state;
    struct exists_target one = target(f, 1, f->answering.port);
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint32_t left_s;
        if (learn(f, 1, rows[i].path) != rows[i].fact) {
            fail_msg("%s is another fact", rows[i].path);
        }
        find_fact(f, 1, rows[i].path, &left_s);
        assert_in_range(left_s, rows[i].life_s / 4, rows[i].life_s);
    }
    /* What is known is not asked again, and nobody else either. */
    int heads = atomic_load(&f->answering.heads);
    assert_int_equal(learn(f, 1, "/404"), FACT_NO);
    assert_int_equal(learn(f, 1, "/503"), FACT_TRIED);
    assert_int_equal(learn(f, 2, "/404"), FACT_UNKNOWN);
    assert_int_equal(atomic_load(&f->answering.heads), heads);
    struct exists_counts counts;
    assert_true(exists_look(f->exists, one.slot, &counts));
    assert_int_equal(counts.yes, 3);
    assert_int_equal(counts.no, 8);
    assert_int_equal(counts.failed, 6);
    assert_int_equal(counts.dropped, 0);
}

static void test_what_is_sent(void **state)
{
    struct fixture *f = *state;
    struct exists_target one = target(f, 1, f->answering.port);
    one.authority = SPAN("mirror.example");
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    assert_int_equal(learn(f, 1, "/a%20b/c;d"), FACT_YES);
    assert_non_null(strstr(f->answering.heard, "HEAD /a%20b/c;d HTTP/1.1\r\n"));
    assert_non_null(strstr(f->answering.heard, "\r\nHost: mirror.example\r\n"));
    /* What could not be a Location is asked of nobody. */
    one.url = SPAN("http://127.0.0.1/mirror");
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    int heads = atomic_load(&f->answering.heads);
    assert_int_equal(learn(f, 1, "/a/../../x"), FACT_TRIED);
    assert_int_equal(atomic_load(&f->answering.heads), heads);
}

/* The old yes is kept where an answer says nothing. */
static void test_a_yes_outlasts_an_error(void **state)
{
    struct fixture *f = *state;
    struct exists_target one = target(f, 1, f->answering.port);
    uint64_t key = facts_key(facts_path(f->facts, SPAN("/503")), 1);
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    facts_set(f->facts, key, FACT_YES, facts_now_s(f->facts, clock_monotonic_ns()), 100);
    assert_int_equal(learn(f, 1, "/503"), FACT_YES); /* it is due, and so asked */
    assert_int_equal(atomic_load(&f->answering.heads), 1);
}

static void test_compared_with_the_first(void **state)
{
    static const struct {
        const char *path;
        bool size;
        bool date;
        enum fact fact;
    } rows[] = {
        {"/size/5", true, false, FACT_YES}, {"/size/5", true, true, FACT_NO},
        {"/date/1", false, true, FACT_YES}, {"/date/1", true, true, FACT_NO},
        {"/200", true, false, FACT_NO},     {"/404", true, false, FACT_NO},
        {"/503", true, false, FACT_TRIED},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct exists_target two[] = {target(f, 2 * i + 1, f->answering.port),
                                      target(f, 2 * i + 2, f->answering.port)};
        two[0].is_original = true;
        two[1].original = two[0].key;
        two[1].same_size = rows[i].size;
        two[1].same_date = rows[i].date;
        assert_int_equal(exists_set(f->exists, two, 2), ERR_NONE);
        int heads = atomic_load(&f->answering.heads);
        if (learn(f, two[1].key, rows[i].path) != rows[i].fact) {
            fail_msg("row %zu is another fact", i);
        }
        heads = atomic_load(&f->answering.heads) - heads;
        /* Where the first lacks it, the other need not be asked. */
        bool one = rows[i].fact == FACT_TRIED || strcmp(rows[i].path, "/404") == 0;
        assert_int_equal(heads, one ? 1 : 2);
    }
}

/* Whose size another asks for, that is remembered. */
static void test_the_first_is_asked_once(void **state)
{
    struct fixture *f = *state;
    struct exists_target many[10];
    for (uint64_t i = 0; i < 10; i++) {
        many[i] = target(f, i + 1, f->answering.port);
        many[i].original = i > 0 ? 1 : 0;
        many[i].is_original = i == 0;
        many[i].same_size = true;
    }
    assert_int_equal(exists_set(f->exists, many, 10), ERR_NONE);
    for (uint64_t i = 2; i <= 10; i++) {
        assert_int_equal(learn(f, i, "/size/5"), FACT_YES);
    }
    assert_int_equal(atomic_load(&f->answering.heads), 10);
}

static void test_who_is_down_is_not_asked(void **state)
{
    struct fixture *f = *state;
    struct exists_target one = target(f, 1, f->answering.port);
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    servers_set(f->servers, one.slot, SERVER_DOWN, server_weight_ppm_full);
    assert_int_equal(learn(f, 1, "/x"), FACT_TRIED);
    assert_int_equal(atomic_load(&f->answering.heads), 0);
    servers_set(f->servers, one.slot, SERVER_DRAIN, server_weight_ppm_full);
    assert_int_equal(learn(f, 1, "/y"), FACT_YES);
}

static void ask_many(struct fixture *f, uint64_t key, int from, int to)
{
    static char path[path_bytes];
    for (int i = from; i < to; i++) {
        int len = snprintf(path, sizeof(path), "/%d/", i);
        memset(path + len, 'p', sizeof(path) - (size_t)len);
        exists_ask(f->exists, key, span_of((uint8_t *)path, sizeof(path)));
    }
}

static void turn(struct fixture *f, int times)
{
    for (int i = 0; i < times; i++) {
        ev_run(f->loop, EVRUN_NOWAIT);
    }
}

/* Questions beyond any measure, to ever so many servers that hang: there is an end to what is
 * kept, and to what is on its way. */
static void test_bounds(void **state)
{
    struct fixture *f = *state;
    struct exists_target *many = calloc(servers_many, sizeof(*many));
    struct exists_counts counts;
    uint64_t dropped = 0;
    for (uint64_t i = 0; i < servers_many; i++) {
        many[i] = target(f, i + 1, f->silent_port);
    }
    assert_int_equal(exists_set(f->exists, many, servers_many), ERR_NONE);
    ask_many(f, 1, 0, 1000);
    assert_int_equal(exists_pending(f->exists),
                     exists_at_once_of_server_max + exists_waiting_of_server_max);
    for (uint64_t i = 0; i < servers_many; i++) {
        ask_many(f, i + 1, 0, 300);
    }
    turn(f, 10);
    assert_in_range(exists_pending(f->exists), exists_waiting_max / 2,
                    exists_waiting_max + exists_at_once_max);
    for (uint64_t i = 0; i < servers_many; i++) {
        assert_true(exists_look(f->exists, many[i].slot, &counts));
        dropped += counts.dropped;
    }
    assert_true(dropped > 0);
    /* Another set: all of it is gone. */
    assert_int_equal(exists_set(f->exists, many, 1), ERR_NONE);
    assert_int_equal(exists_pending(f->exists), 0);
    assert_false(exists_look(f->exists, many[1].slot, &counts));
    assert_true(exists_look(f->exists, many[0].slot, &counts));
    free(many);
}

/* One that hangs, with a full list: another is asked at once. */
static void test_others_go_on(void **state)
{
    struct fixture *f = *state;
    uint32_t left_s;
    struct exists_target two[] = {target(f, 1, f->silent_port), target(f, 2, f->answering.port)};
    int64_t until_ns = clock_monotonic_ns() + patience_s * NS_PER_SECOND;
    assert_int_equal(exists_set(f->exists, two, 2), ERR_NONE);
    ask_many(f, 1, 0, 1000);
    exists_ask(f->exists, 2, SPAN("/x"));
    while (find_fact(f, 2, "/x", &left_s) != FACT_YES && clock_monotonic_ns() < until_ns) {
        ev_run(f->loop, EVRUN_ONCE);
    }
    assert_int_equal(find_fact(f, 2, "/x", &left_s), FACT_YES);
    assert_true(exists_pending(f->exists) > 0);
    /* The same question twice is one. */
    size_t pending = exists_pending(f->exists);
    ask_many(f, 1, 0, 4);
    assert_int_equal(exists_pending(f->exists), pending);
}

/* Of one that is not there few questions are kept, and none of the others' room is taken. */
static void test_who_does_not_answer_keeps_little(void **state)
{
    struct fixture *f = *state;
    struct exists_counts counts;
    struct exists_target one = target(f, 1, f->silent_port);
    int64_t until_ns = clock_monotonic_ns() + patience_s * NS_PER_SECOND;
    close(f->silent_fd);
    f->silent_fd = -1;
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    ask_many(f, 1, 0, 1000);
    while (exists_pending(f->exists) > 0 && clock_monotonic_ns() < until_ns) {
        ev_run(f->loop, EVRUN_ONCE);
    }
    assert_true(exists_look(f->exists, one.slot, &counts));
    assert_int_equal(counts.failed + counts.dropped, 1000);
    assert_in_range(counts.failed, 1,
                    exists_at_once_of_server_max + exists_waiting_of_silent_max + 1);
}

/* The same set again leaves everything as it is. */
static void test_the_same_set(void **state)
{
    struct fixture *f = *state;
    struct exists_target one = target(f, 1, f->silent_port);
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    ask_many(f, 1, 0, 3);
    ask_many(f, 1, 0, 3); /* the same things once more */
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    assert_int_equal(exists_pending(f->exists), 3);
    one.no_s++;
    assert_int_equal(exists_set(f->exists, &one, 1), ERR_NONE);
    assert_int_equal(exists_pending(f->exists), 0);
    assert_int_equal(exists_set(f->exists, NULL, 0), ERR_NONE);
    exists_ask(f->exists, 1, SPAN("/x"));
    assert_int_equal(exists_pending(f->exists), 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_what_answers_say),
        ROW(test_what_is_sent),
        ROW(test_a_yes_outlasts_an_error),
        ROW(test_compared_with_the_first),
        ROW(test_the_first_is_asked_once),
        ROW(test_who_is_down_is_not_asked),
        ROW(test_bounds),
        ROW(test_others_go_on),
        ROW(test_who_does_not_answer_keeps_little),
        ROW(test_the_same_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
