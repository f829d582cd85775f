/* SPDX-License-Identifier: MIT */
/* One socket, one deadline. */
#include "health/tcp.h"

#include "base/cidr.h"
#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct tcp_question {
    struct ev_loop *loop;
    struct tcp_options options;
    int fd;
    int failure; /* of the beginning, as errno */
    bool connected;
    int64_t began_ns;
    ev_io io;
    ev_timer deadline;
    uint8_t line[tcp_line_bytes_max];
    size_t len;
};

static void free_question(struct tcp_question *question)
{
    ev_io_stop(question->loop, &question->io);
    ev_timer_stop(question->loop, &question->deadline);
    if (question->fd >= 0) {
        close(question->fd);
    }
    free(question);
}

static void finish(struct tcp_question *question, const char *error)
{
    struct tcp_answer answer = {.error = error,
                                .line = span_of(question->line, question->len),
                                .latency_us = (clock_monotonic_ns() - question->began_ns) / 1000};
    ev_io_stop(question->loop, &question->io);
    ev_timer_stop(question->loop, &question->deadline);
    question->options.done(question->options.context, &answer);
    free_question(question);
}

static void read_line(struct tcp_question *question)
{
    size_t room = sizeof(question->line) - question->len;
    ssize_t got = recv(question->fd, question->line + question->len, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got < 0) {
        finish(question, strerror(errno));
        return;
    }
    question->len += (size_t)got;
    bool ended = memchr(question->line, '\n', question->len) != NULL;
    if (got == 0 && question->len == 0) {
        finish(question, "it closed the connection without a line");
    } else if (got == 0 || ended || question->len == sizeof(question->line)) {
        finish(question, NULL);
    }
}

static void on_connected(struct tcp_question *question)
{
    int failure = 0;
    socklen_t len = sizeof(failure);
    if (getsockopt(question->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0) {
        failure = errno;
    }
    if (failure != 0 || !question->options.wants_line) {
        finish(question, failure != 0 ? strerror(failure) : NULL);
        return;
    }
    question->connected = true;
    ev_io_stop(question->loop, &question->io);
    ev_io_set(&question->io, question->fd, EV_READ);
    ev_io_start(question->loop, &question->io);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    struct tcp_question *question = io->data;
    if (question->connected) {
        read_line(question);
    } else {
        on_connected(question);
    }
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct tcp_question *question = timer->data;
    if (question->failure != 0) {
        finish(question, strerror(question->failure));
        return;
    }
    finish(question,
           question->connected ? "no line came in time" : "the connection was not made in time");
}

static socklen_t make_address(const struct tcp_options *options, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (address_is_v4(options->address)) {
        struct sockaddr_in *v4 = (void *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(options->port);
        memcpy(&v4->sin_addr, options->address + 12, 4);
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (void *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(options->port);
    v6->sin6_scope_id = options->scope;
    memcpy(&v6->sin6_addr, options->address, sizeof(v6->sin6_addr));
    return sizeof(*v6);
}

/* Gives 0, or why not, as errno. */
static int begin(struct tcp_question *question)
{
    struct sockaddr_storage address;
    socklen_t len = make_address(&question->options, &address);
    question->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (question->fd < 0) {
        return errno;
    }
    bool good = connect(question->fd, (struct sockaddr *)&address, len) == 0;
    return good || errno == EINPROGRESS ? 0 : errno;
}

enum err tcp_start(struct ev_loop *loop, const struct tcp_options *options,
                   struct tcp_question **out)
{
    struct tcp_question *question = calloc(1, sizeof(*question));
    if (question == NULL) {
        return ERR_MEMORY;
    }
    question->loop = loop;
    question->options = *options;
    question->began_ns = clock_monotonic_ns();
    question->failure = begin(question);
    ev_io_init(&question->io, on_io, question->fd, EV_WRITE);
    question->io.data = question;
    /* A beginning that failed is told from the loop, too. */
    double patience_s = question->failure != 0 ? 0 : (double)options->timeout_ms / 1000;
    ev_timer_init(&question->deadline, on_deadline, patience_s, 0);
    question->deadline.data = question;
    ev_timer_start(loop, &question->deadline);
    if (question->failure == 0) {
        ev_io_start(loop, &question->io);
    }
    *out = question;
    return ERR_NONE;
}

void tcp_cancel(struct tcp_question **question)
{
    if (*question != NULL) {
        free_question(*question);
        *question = NULL;
    }
}
