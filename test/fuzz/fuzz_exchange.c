/* SPDX-License-Identifier: MIT */
/* Requests over HTTP/1.1 that flow through, with a far side that follows a script: what it
 * is given as content must be what a naive reading of the same bytes finds, however both are cut,
 * and every exchange must come to an end.
 *
 * The first eight octets are the script: how many octets are sent at once, and for each
 * exchange in turn how many are taken, when it answers, and how. */
#include "serve/exchange.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { script_bytes = 8, exchanges_max = 64, content_max = 65536, input_max = 16384 };

/* Of an octet of the script. */
enum { TAKE_BITS = 7, EARLY = 8, HALF = 16, ABORT = 32, LATE = 64, LENGTH = 128 };

struct far {
    struct exchange *exchange;
    uint8_t script;
    bool ended;
    bool began;
    bool waits; /* for the test to resume it */
    size_t len;
    uint8_t content[content_max];
};

static struct far fars[exchanges_max];
static size_t far_count;
static const uint8_t *script;
static struct ev_loop *loop;
static struct server *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;

static void answer(struct far *far)
{
    static const struct response refusal = {.status = 502, .body = {(const uint8_t *)"no", 2}};
    struct exchange *exchange = far->exchange;
    struct exchange_head head = {
        .status = 200, .has_length = (far->script & LENGTH) != 0, .content_length = 5};
    if ((far->script & ABORT) != 0 && (far->script & HALF) == 0) {
        far->exchange = NULL;
        exchange_answer(exchange, &refusal);
        return;
    }
    if (!far->began) {
        exchange_begin(exchange, &head);
        exchange_write(exchange, SPAN("hello"));
        far->began = true;
    }
    if ((far->script & HALF) != 0 && !far->ended) {
        return; /* the rest comes after the content */
    }
    far->exchange = NULL;
    if ((far->script & ABORT) != 0) {
        exchange_abort(exchange);
    } else {
        exchange_end(exchange, NULL, 0);
    }
}

static size_t on_content(void *context, struct span bytes)
{
    struct far *far = context;
    size_t some = far->script & TAKE_BITS;
    size_t len = some == 0 || some > bytes.len ? bytes.len : some - 1;
    assert(far->exchange != NULL && !far->ended && bytes.len > 0);
    assert(far->len + len <= content_max);
    memcpy(far->content + far->len, bytes.ptr, len);
    far->len += len;
    if (len < bytes.len) {
        far->waits = (far->script & LATE) != 0 || len == 0;
        if (!far->waits) {
            exchange_resume(far->exchange);
        }
    }
    return len;
}

static void on_content_end(void *context, const struct field *trailers, size_t count)
{
    struct far *far = context;
    (void)trailers;
    (void)count;
    assert(far->exchange != NULL && !far->ended);
    far->ended = true;
    answer(far);
}

static void on_writable(void *context)
{
    (void)context;
}

static void on_gone(void *context)
{
    struct far *far = context;
    assert(far->exchange != NULL);
    far->exchange = NULL;
}

static void handle(void *context, const struct serve_request *asked, struct response *response)
{
    static const struct exchange_far side = {on_content, on_content_end, on_writable, on_gone};
    (void)context;
    if (asked->bad_status != 0 || far_count == exchanges_max) {
        response->status = asked->bad_status != 0 ? asked->bad_status : 503;
        response->close = true;
        return;
    }
    struct far *far = &fars[far_count];
    far->script = script[1 + far_count % (script_bytes - 1)];
    far->ended = far->began = far->waits = false;
    far->len = 0;
    far_count++;
    far->exchange = server_pass(asked, &side, far);
    assert(far->exchange != NULL);
    far->ended = asked->request->body == BODY_NONE;
    if (far->ended || (far->script & EARLY) != 0) {
        answer(far);
    }
    if (far->exchange != NULL) {
        far->waits = (far->script & LATE) != 0;
        if (!far->waits) {
            exchange_resume(far->exchange);
        }
    }
}

/* ---- the naive reading */

static const char *line_with(const char *head, const char *name)
{
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, strlen(name)) == 0) {
            return line + 2 + strlen(name);
        }
    }
    return NULL;
}

/* Chunk after chunk; stops where something is missing. */
static const uint8_t *naive_chunks(const uint8_t *at, const uint8_t *end, struct span *content,
                                   uint8_t *out)
{
    content->ptr = out;
    while (at < end) {
        char digits[24] = "";
        memcpy(digits, at, (size_t)(end - at) < 23 ? (size_t)(end - at) : 23);
        unsigned long long size = strtoull(digits, NULL, 16);
        at = memchr(at, '\n', (size_t)(end - at));
        if (at == NULL || size == 0) {
            break;
        }
        at++;
        size_t len = size < (size_t)(end - at) ? (size_t)size : (size_t)(end - at);
        memcpy(out + content->len, at, len);
        content->len += len;
        at += len;
        at += end - at < 2 ? end - at : 2;
    }
    while (at != NULL && at < end &&
           memcmp(at, "\n\r\n", end - at < 3 ? (size_t)(end - at) : 3) != 0) {
        at = memchr(at + 1, '\n', (size_t)(end - at - 1));
    }
    return at != NULL && end - at > 3 ? at + 3 : end;
}

/* Gives where the next request begins. */
static const uint8_t *naive_request(const uint8_t *at, const uint8_t *end, struct span *content,
                                    uint8_t *out)
{
    static char head[input_max + 1];
    *content = (struct span){0};
    while (end - at > 1 && at[0] == '\r' && at[1] == '\n') {
        at += 2;
    }
    const uint8_t *stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
    if (stop == NULL) {
        return end;
    }
    memcpy(head, at, (size_t)(stop - at));
    head[stop - at] = 0;
    stop += 4;
    const char *length = line_with(head, "content-length:");
    if (line_with(head, "transfer-encoding:") != NULL) {
        return naive_chunks(stop, end, content, out);
    }
    uint64_t len = length != NULL ? strtoull(length, NULL, 10) : 0;
    *content = span_of(stop, len < (uint64_t)(end - stop) ? (size_t)len : (size_t)(end - stop));
    return stop + content->len;
}

static void compare(struct span sent)
{
    static uint8_t out[input_max];
    const uint8_t *at = sent.ptr;
    const uint8_t *end = at + sent.len;
    for (size_t i = 0; i < far_count; i++) {
        struct span content;
        at = naive_request(at, end, &content, out);
        assert(fars[i].len <= content.len);
        assert(fars[i].len == 0 || memcmp(fars[i].content, content.ptr, fars[i].len) == 0);
        assert(!fars[i].ended || fars[i].len == content.len);
    }
}

/* ---- the run */

static void start(void)
{
    static const struct serve_limits limits = {
        .header_timeout_ms = 100000,
        .idle_timeout_ms = 100000,
        .write_timeout_ms = 100000,
        .linger_bytes = 1 << 20,
        .linger_idle_ms = 100000,
        .linger_time_ms = 100000,
        .connections_max = 100,
    };
    static struct listener listener = {.text = "unix:fuzz"};
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int len = snprintf(address.sun_path + 1, 64, "fuzz_exchange.%d", (int)getpid());
    address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    int bound = bind(fd, (struct sockaddr *)&address, address_len);
    assert(fd >= 0 && bound == 0 && listen(fd, 16) == 0);
    listener.address.any.sa_family = AF_UNIX;
    enum err error = server_new(loop, &limits, handle, NULL, NULL, &server);
    assert(error == ERR_NONE);
    error = server_listen(server, &listener, fd);
    assert(error == ERR_NONE);
}

/* Lets everything happen that does not wait for more. */
static void settle(int fd)
{
    uint8_t away[4096];
    for (bool again = true; again;) {
        for (int i = 0; i < 4; i++) {
            ev_run(loop, EVRUN_NOWAIT);
        }
        again = recv(fd, away, sizeof(away), MSG_DONTWAIT) > 0;
        for (size_t i = 0; i < far_count; i++) {
            if (fars[i].exchange != NULL && fars[i].waits) {
                fars[i].waits = false;
                fars[i].script &= (uint8_t)~TAKE_BITS;
                exchange_resume(fars[i].exchange);
                again = true;
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= script_bytes || size > input_max) {
        return 0;
    }
    if (server == NULL) {
        start();
    }
    script = data;
    far_count = 0;
    struct span bytes = span_of(data + script_bytes, size - script_bytes);
    size_t piece = data[0] == 0 ? bytes.len : data[0];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int connected = connect(fd, (struct sockaddr *)&address, address_len);
    assert(fd >= 0 && connected == 0);
    for (size_t at = 0; at < bytes.len; at += piece) {
        struct span part = span_slice(bytes, at, at + piece < bytes.len ? at + piece : bytes.len);
        if (send(fd, part.ptr, part.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break;
        }
        settle(fd);
    }
    compare(bytes);
    shutdown(fd, SHUT_WR);
    settle(fd);
    close(fd);
    for (int i = 0; i < 8; i++) {
        ev_run(loop, EVRUN_NOWAIT);
    }
    assert(server_connection_count(server) == 0);
    for (size_t i = 0; i < far_count; i++) {
        assert(fars[i].exchange == NULL);
    }
    return 0;
}
