/* SPDX-License-Identifier: MIT */
/* The floor of the benchmarks: a server that sends fixed bytes for each request and looks at
 * nothing but the empty line that ends a head. What a kernel alone costs, so to say.
 *
 *   floor PORT ANSWER-FILE keep|close [PEM]
 *
 * With `close` it ends the connection after the first answer. With PEM: over TLS. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    ANSWER_BYTES_MAX = 4096,
    ANSWERS_MAX = 1024, /* in one write */
    READ_BYTES = 65536,
    EVENTS = 256,
    FDS_MAX = 65536,
};

struct conn {
    struct wire wire;
    uint8_t seen; /* bytes of the empty line: a head may come in pieces */
};

/* By descriptor. */
static struct conn conns[FDS_MAX];
static char answers[ANSWER_BYTES_MAX * ANSWERS_MAX];
static size_t answer_len;
static bool close_after_answer;

static void load_answer(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        die(path);
    }
    answer_len = fread(answers, 1, ANSWER_BYTES_MAX, file);
    fclose(file);
    for (size_t i = 1; i < ANSWERS_MAX; i++) {
        memcpy(answers + i * answer_len, answers, answer_len);
    }
}

static size_t count_heads(struct conn *conn, const char *bytes, size_t len)
{
    static const char end[] = "\r\n\r\n";
    size_t heads = 0;
    uint8_t state = conn->seen;
    const char *at = bytes;
    const char *stop = bytes + len;
    while (at < stop) {
        if (state == 0) {
            at = memchr(at, '\r', (size_t)(stop - at));
            if (at == NULL) {
                break;
            }
        }
        state = *at == end[state] ? state + 1 : *at == '\r';
        at++;
        if (state == 4) {
            heads++;
            state = 0;
        }
    }
    conn->seen = state;
    return heads;
}

/* False when the connection is closed. */
static bool serve(struct conn *conn)
{
    static char bytes[READ_BYTES];
    ssize_t got = wire_recv(&conn->wire, bytes, sizeof bytes);
    if (got < 0) {
        return true;
    }
    size_t heads = count_heads(conn, bytes, (size_t)got);
    if (heads > ANSWERS_MAX) {
        heads = ANSWERS_MAX;
    }
    size_t want = heads * answer_len;
    bool sent = want == 0 || wire_send(&conn->wire, answers, want);
    if (got == 0 || !sent || (want > 0 && close_after_answer)) {
        if (conn->wire.ssl != NULL && want > 0) {
            SSL_shutdown(conn->wire.ssl);
        }
        wire_close(&conn->wire);
        return false;
    }
    return true;
}

/* One for each event: asking again until nobody waits costs an accept4 that fails, which is
 * not cheap. Reading at once saves the registration of a connection whose request is already
 * there. Both together are a fifth of a short connection's cost. A handshake never comes
 * in one piece. */
static void accept_one(int epoll, int listener, SSL_CTX *tls)
{
    struct conn fresh = {0};
    if (!wire_accept(&fresh.wire, listener, tls)) {
        return;
    }
    int fd = fresh.wire.fd;
    if (fd >= FDS_MAX) {
        wire_close(&fresh.wire);
        return;
    }
    conns[fd] = fresh;
    if (!close_after_answer || tls != NULL || serve(&conns[fd])) {
        watch(epoll, fd, &conns[fd]);
    }
}

static void loop(int listener, SSL_CTX *tls)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener, NULL);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                accept_one(epoll, listener, tls);
            } else {
                serve(events[i].data.ptr);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s PORT ANSWER-FILE keep|close [PEM]\n", argv[0]);
        return 2;
    }
    load_answer(argv[2]);
    close_after_answer = strcmp(argv[3], "close") == 0;
    loop(wire_listen((uint16_t)strtoul(argv[1], NULL, 10)),
         argc > 4 ? wire_server_tls(argv[4]) : NULL);
}
