/* SPDX-License-Identifier: MIT */
/* The load generator of the benchmarks: counted requests, and every answer's status read.
 *
 *   load PORT REQUEST-FILE CONNECTIONS DEPTH [full|resumed]
 *
 * Each line on standard input is a number of requests; when they are answered it prints
 * `DONE OTHER P99`: answers with 307, answers with another status, and the 99th percentile of
 * the time from a write to the last of its answers, in microseconds. DEPTH requests go out in
 * one write and the next follow when all are answered; DEPTH 0 opens a new connection for
 * each request, which must ask for `Connection: close`.
 *
 * With the last word it is over TLS, with a full handshake for each connection, or
 * continuing its predecessor's session; an answer behind the other kind does not count. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    REQUEST_BYTES_MAX = 8192,
    DEPTH_MAX = 64,
    CONNECTIONS_MAX = 15000,
    ANSWER_BYTES_MAX = 32768,
    EVENTS = 256,
    WAIT_MS = 20000,
    PRIMES_MAX = 30,
    PRIME_PAUSE_US = 100000,
    LATENCY_US_MAX = 1000000, /* longer ones count as this */
};

struct conn {
    struct wire wire;
    size_t waiting; /* answers that are due */
    int64_t sent_us;
    char *bytes; /* the beginning of an answer that came in pieces; only while there is one */
    size_t len;
};

static struct {
    uint16_t port;
    char request[REQUEST_BYTES_MAX * DEPTH_MAX];
    size_t request_len; /* of one */
    size_t depth;
    int epoll;
    SSL_CTX *tls;
    bool resume;
    bool primed; /* each connection has a session that the server takes */
    struct conn *conns;
    size_t conn_count;
    size_t to_send;
    size_t open;
    size_t done;
    size_t other;
    size_t writes;                          /* that were answered */
    uint32_t latencies[LATENCY_US_MAX + 1]; /* how many of them took so many microseconds */
} load;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void count_latency(const struct conn *conn)
{
    int64_t took_us = now_us() - conn->sent_us;
    load.latencies[took_us < LATENCY_US_MAX ? took_us : LATENCY_US_MAX]++;
    load.writes++;
}

static size_t p99_us(void)
{
    size_t below = 0;
    size_t at = 0;
    while (at < LATENCY_US_MAX && (below += load.latencies[at]) * 100 < load.writes * 99) {
        at++;
    }
    return at;
}

static void load_request(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        die(path);
    }
    load.request_len = fread(load.request, 1, REQUEST_BYTES_MAX, file);
    fclose(file);
    for (size_t i = 1; i < load.depth; i++) {
        memcpy(load.request + i * load.request_len, load.request, load.request_len);
    }
}

static void open_conn(struct conn *conn)
{
    wire_connect(&conn->wire, load.port, load.tls, load.resume && conn->wire.session != NULL);
    watch(load.epoll, conn->wire.fd, conn);
    conn->len = 0;
    conn->waiting = 0;
}

static void send_next(struct conn *conn)
{
    size_t count = load.depth > 0 ? load.depth : 1;
    if (count > load.to_send) {
        count = load.to_send;
    }
    if (count == 0) {
        return;
    }
    if (conn->wire.fd < 0) {
        open_conn(conn);
    }
    size_t want = count * load.request_len;
    conn->sent_us = now_us();
    if (!wire_send(&conn->wire, load.request, want)) {
        die("send");
    }
    load.to_send -= count;
    conn->waiting = count;
    load.open++;
}

/* The length of the answer that the bytes begin with, 0 when it is not complete. The last
 * line of a head is the empty one, so memchr always finds one more before `end` is passed. */
static size_t answer_len(const char *bytes, size_t len)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t body = 0;
    for (const char *line = bytes; line < end; line = memchr(line + 1, '\n', ANSWER_BYTES_MAX)) {
        if (strncasecmp(line, "\ncontent-length:", 16) == 0) {
            body = strtoul(line + 16, NULL, 10);
            break;
        }
    }
    size_t whole = (size_t)(end - bytes) + 4 + body;
    return whole <= len ? whole : 0;
}

static bool handshake_counts(const struct conn *conn)
{
    return conn->wire.ssl == NULL || (SSL_session_reused(conn->wire.ssl) == 1) == load.resume;
}

static void count_answer(const struct conn *conn, const char *bytes)
{
    static const char wanted[] = "HTTP/1.1 307";
    if (strncmp(bytes, wanted, strlen(wanted)) == 0 && handshake_counts(conn)) {
        load.done++;
    } else {
        if (load.other == 0 && load.primed) {
            fprintf(stderr, "unexpected%s: %.60s\n",
                    handshake_counts(conn) ? "" : " kind of handshake", bytes);
        }
        load.other++;
    }
}

static void keep_rest(struct conn *conn, const char *bytes, size_t len)
{
    if (len == 0) {
        free(conn->bytes);
        conn->bytes = NULL;
    } else {
        if (conn->bytes == NULL) {
            conn->bytes = malloc(ANSWER_BYTES_MAX);
        }
        if (conn->bytes == NULL) {
            die("malloc");
        }
        memmove(conn->bytes, bytes, len);
    }
    conn->len = len;
}

static void finish(struct conn *conn)
{
    load.open--;
    count_latency(conn);
    if (load.depth == 0) {
        wire_close(&conn->wire);
    }
    send_next(conn);
}

static void end_of_stream(struct conn *conn)
{
    if (conn->waiting > 0) {
        fprintf(stderr, "the server closed with %zu answers due\n", conn->waiting);
        load.other += conn->waiting;
        conn->waiting = 0;
        finish(conn);
        return;
    }
    if (load.depth > 0) {
        fprintf(stderr, "the server closed an idle connection\n");
        exit(1);
    }
    finish(conn);
}

static void receive(struct conn *conn)
{
    static char bytes[ANSWER_BYTES_MAX + 1];
    memcpy(bytes, conn->bytes != NULL ? conn->bytes : "", conn->len);
    ssize_t got = wire_recv(&conn->wire, bytes + conn->len, ANSWER_BYTES_MAX - conn->len);
    if (got < 0) {
        return;
    }
    if (got == 0) {
        end_of_stream(conn);
        return;
    }
    size_t len = conn->len + (size_t)got;
    bytes[len] = '\0';
    size_t at = 0;
    while (conn->waiting > 0) {
        size_t one = answer_len(bytes + at, len - at);
        if (one == 0) {
            break;
        }
        count_answer(conn, bytes + at);
        conn->waiting--;
        at += one;
    }
    keep_rest(conn, bytes + at, len - at);
    /* Of a connection for one request, the server's end is part of the work. */
    if (conn->waiting == 0 && load.depth > 0) {
        finish(conn);
    }
}

static void answer_all(size_t requests)
{
    load.to_send = requests;
    load.done = 0;
    load.other = 0;
    load.writes = 0;
    memset(load.latencies, 0, sizeof load.latencies);
    for (size_t i = 0; i < load.conn_count; i++) {
        send_next(&load.conns[i]);
    }
    while (load.open > 0) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(load.epoll, events, EVENTS, WAIT_MS);
        if (count == 0) {
            fprintf(stderr, "no answer for %d ms\n", WAIT_MS);
            exit(1);
        }
        for (int i = 0; i < count; i++) {
            receive(events[i].data.ptr);
        }
    }
}

/* A server may need a moment before its tickets are good. */
static void prime(void)
{
    load.primed = !load.resume;
    for (int i = 0; i < PRIMES_MAX && !load.primed; i++) {
        answer_all(load.conn_count);
        load.primed = load.other == 0;
        usleep(PRIME_PAUSE_US);
    }
    load.primed = true;
}

static void run(size_t requests)
{
    if (!load.primed) {
        prime();
    }
    answer_all(requests);
    printf("%zu %zu %zu\n", load.done, load.other, p99_us());
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s PORT REQUEST-FILE CONNECTIONS DEPTH [full|resumed]\n", argv[0]);
        return 2;
    }
    load.tls = argc > 5 ? wire_client_tls("http/1.1") : NULL;
    load.resume = argc > 5 && strcmp(argv[5], "resumed") == 0;
    load.port = (uint16_t)strtoul(argv[1], NULL, 10);
    load.conn_count = strtoul(argv[3], NULL, 10);
    load.depth = strtoul(argv[4], NULL, 10);
    if (load.conn_count > CONNECTIONS_MAX || load.depth > DEPTH_MAX) {
        fprintf(stderr, "at most %d connections and a depth of %d\n", CONNECTIONS_MAX, DEPTH_MAX);
        return 2;
    }
    load_request(argv[2]);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.conns = calloc(load.conn_count, sizeof *load.conns);
    if (load.conns == NULL) {
        die("calloc");
    }
    for (size_t i = 0; i < load.conn_count; i++) {
        load.conns[i].wire.fd = -1;
    }
    char line[32];
    while (fgets(line, sizeof line, stdin) != NULL) {
        run(strtoul(line, NULL, 10));
    }
    return 0;
}
