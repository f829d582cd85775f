/* SPDX-License-Identifier: MIT */
/* The floor of the benchmarks: a server that sends fixed bytes for each request and looks at
 * nothing but the empty line that ends a head. What a kernel alone costs, so to say.
 *
 *   floor PORT ANSWER-FILE [close]
 *
 * With `close` it ends the connection after the first answer. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ANSWER_BYTES_MAX = 4096,
    ANSWERS_MAX = 1024, /* in one write */
    READ_BYTES = 65536,
    EVENTS = 256,
    FDS_MAX = 65536,
    BACKLOG = 4096,
};

/* How many bytes of the empty line each connection has seen; a head may come in pieces. */
static uint8_t seen[FDS_MAX];
static char answers[ANSWER_BYTES_MAX * ANSWERS_MAX];
static size_t answer_len;
static bool close_after_answer;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

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

/* The socket options are Detour's own, so that the comparison is about the program. */
static int listen_on(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) {
        die("listen");
    }
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static size_t count_heads(int fd, const char *bytes, size_t len)
{
    static const char end[] = "\r\n\r\n";
    size_t heads = 0;
    uint8_t state = seen[fd];
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
    seen[fd] = state;
    return heads;
}

/* False when the connection is closed. */
static bool serve(int fd)
{
    static char bytes[READ_BYTES];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) {
        return true;
    }
    size_t heads = got > 0 ? count_heads(fd, bytes, (size_t)got) : 0;
    if (heads > ANSWERS_MAX) {
        heads = ANSWERS_MAX;
    }
    size_t want = heads * answer_len;
    bool sent = want == 0 || send(fd, answers, want, MSG_NOSIGNAL) == (ssize_t)want;
    if (got <= 0 || !sent || (want > 0 && close_after_answer)) {
        close(fd);
        return false;
    }
    return true;
}

/* One for each event: asking again until nobody waits costs an accept4 that fails, which is
 * not cheap. Reading at once saves the registration of a connection whose request is already
 * there. Both together are a fifth of a short connection's cost. */
static void accept_one(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (fd >= FDS_MAX) {
        close(fd);
        return;
    }
    seen[fd] = 0;
    if (!close_after_answer || serve(fd)) {
        watch(epoll, fd);
    }
}

static void loop(int listener)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                accept_one(epoll, listener);
            } else {
                serve(events[i].data.fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s PORT ANSWER-FILE [close]\n", argv[0]);
        return 2;
    }
    load_answer(argv[2]);
    close_after_answer = argc > 3 && strcmp(argv[3], "close") == 0;
    loop(listen_on((uint16_t)strtoul(argv[1], NULL, 10)));
}
