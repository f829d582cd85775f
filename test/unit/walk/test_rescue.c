/* SPDX-License-Identifier: MIT */
/* Answers that come with a reset while content is being read, right before libcurl sends it. */
#include "walk/walk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { content_bytes = 100000 };

/* What the server says, and when: while a piece of the content is read. */
static int listener = -1;
static const char *said;
static unsigned reads;
static unsigned reset_at;

static void answer_and_reset(void)
{
    static char bytes[4096];
    struct linger now = {.l_onoff = 1};
    int sock = accept(listener, NULL, NULL);
    assert_true(sock >= 0);
    assert_true(recv(sock, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
    assert_int_equal(send(sock, said, strlen(said), 0), strlen(said));
    assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(sock);
}

static ssize_t read_content(void *out, size_t room)
{
    size_t len = room < content_bytes / 10 ? room : content_bytes / 10;
    memset(out, 'x', len);
    if (++reads == reset_at) {
        answer_and_reset();
    }
    return (ssize_t)len;
}

ssize_t __wrap_pread(int fd, void *out, size_t room, off_t offset);
ssize_t __wrap_pread(int fd, void *out, size_t room, off_t offset)
{
    return read_content(out, room);
}

ssize_t __wrap_pread64(int fd, void *out, size_t room, off_t offset);
ssize_t __wrap_pread64(int fd, void *out, size_t room, off_t offset)
{
    return read_content(out, room);
}

static uint16_t listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (const void *)&address, len), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (void *)&address, &len), 0);
    return ntohs(address.sin_port);
}

struct heard {
    enum walk_outcome outcome;
    uint16_t status; /* of the first hop */
    uint32_t interim_count;
    char next[64];
    char content[64];
    size_t content_len;
};

static bool hear_content(void *context, struct span bytes)
{
    struct heard *heard = context;
    assert_true(heard->content_len + bytes.len < sizeof(heard->content));
    memcpy(heard->content + heard->content_len, bytes.ptr, bytes.len);
    heard->content_len += bytes.len;
    return true;
}

static void hear_hop(void *context, const struct walk_hop *hop)
{
    struct heard *heard = context;
    if (hop->number == 0) {
        heard->status = hop->head.status;
        heard->interim_count = (uint32_t)hop->interim_count;
    }
}

static void hear_sending(void *context, const struct detour_next *next)
{
    struct heard *heard = context;
    if (next->number == 1) {
        close(listener);
        listener = -1;
        snprintf(heard->next, sizeof(heard->next), "%.*s", DETOUR_TEXT_ARG(next->request->method));
    }
}

static void hear_end(void *context, const struct walk_end *end)
{
    ((struct heard *)context)->outcome = end->outcome;
}

static struct heard upload(void)
{
    struct heard heard = {0};
    char url[64];
    struct walker *walker = NULL;
    struct ev_loop *loop = ev_loop_new(0);
    const struct walker_options options = {.at_once_max = 1,
                                           .timeout_ms = 60000,
                                           .connect_timeout_ms = 60000,
                                           .content_bytes_max = 1000,
                                           .no_expect = true,
                                           .proxy = ""};
    const struct walk_source source = {.fd = 0, .bytes = content_bytes};
    const struct walk_listener told = {.sending = hear_sending,
                                       .content = hear_content,
                                       .hop = hear_hop,
                                       .done = hear_end,
                                       .context = &heard};
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/a", listen_anywhere());
    const struct detour_request request = {.size = sizeof(request),
                                           .method = detour_text_of("PUT"),
                                           .url = detour_text_of(url),
                                           .body = DETOUR_BODY_REPLAYABLE};
    reads = 0;
    assert_int_equal(walker_new(loop, &options, &walker), ERR_NONE);
    assert_int_equal(walker_start(walker, &request, &source, &told), ERR_NONE);
    while (walker_count(walker) > 0) {
        ev_run(loop, EVRUN_ONCE);
    }
    walker_free(&walker);
    ev_loop_destroy(loop);
    if (listener >= 0) {
        close(listener);
    }
    return heard;
}

#define HEAD(status) "HTTP/1.1 " status " X\r\n"

static const struct {
    const char *said;
    enum walk_outcome outcome;
    uint16_t status;
    uint32_t interim_count;
    const char *next;
    const char *content;
} rows[] = {
    {.said = HEAD("413") "Content-Length: 3\r\n\r\nbig", .status = 413, .content = "big"},
    {.said = HEAD("413") "Content-Length: 9\r\n\r\nbig", .status = 413, .content = "big"},
    {.said = HEAD("413") "\r\nbig", .status = 413, .content = "big"},
    {.said = HEAD("413") "Transfer-Encoding: chunked\r\n\r\n2\r\nbi\r\n1;x\r\ng\r\n0\r\n\r\n",
     .status = 413,
     .content = "big"},
    {.said = HEAD("413") "Transfer-Encoding: chunked\r\n\r\n2\r\nbi\r\nzz",
     .status = 413,
     .content = "bi"},
    {.said = HEAD("100") "\r\n" HEAD("103") "\r\n" HEAD("503") "Content-Length: 0\r\n\r\n",
     .status = 503,
     .interim_count = 2},
    {.said = HEAD("303") "Location: /b\r\nContent-Length: 3\r\n\r\nold",
     .outcome = walk_failed, /* nobody listens any more */
     .status = 303,
     .next = "GET"},
    {.said = HEAD("413") "Content-Le", .outcome = walk_failed},
    {.said = "SSH-2.0\r\n", .outcome = walk_failed},
    {.said = HEAD("101") "Upgrade: x\r\n\r\n", .outcome = walk_failed},
    {.said = "", .outcome = walk_failed},
};

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (reset_at = 1; reset_at <= 2; reset_at++) {
            said = rows[i].said;
            struct heard heard = upload();
            print_message("%zu at %u\n", i, reset_at);
            assert_int_equal(heard.outcome, rows[i].outcome);
            assert_int_equal(heard.status, rows[i].status);
            assert_int_equal(heard.interim_count, rows[i].interim_count);
            assert_string_equal(heard.next, rows[i].next != NULL ? rows[i].next : "");
            assert_string_equal(heard.content, rows[i].content != NULL ? rows[i].content : "");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
