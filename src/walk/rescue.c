/* SPDX-License-Identifier: MIT */
/* An answer that has come together with a reset, in the middle of an upload: libcurl finds that it
 * cannot send, and closes the socket without another look, but the kernel still has the answer
 * (RFC 9112, 9.5). Only over http:, since nobody but libcurl can read what TLS carries. */
#include "walk/internal.h"
#include "walk/reader.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* libcurl tells the socket of a transfer when that is over, and before only its port, which IPv4
 * and IPv6 have at the same place. */
static bool is_own(const struct walk *walk, int fd)
{
    struct sockaddr_in6 own = {0};
    socklen_t len = sizeof(own);
    long port = 0;
    return getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
           curl_easy_getinfo(walk->easy, CURLINFO_LOCAL_PORT, &port) == CURLE_OK && port != 0 &&
           port == ntohs(own.sin6_port);
}

void rescue_read(struct walk *walk, int fd)
{
    struct span url = span_of(walk->asked->url.ptr, walk->asked->url.len);
    if (walk->state != head_none || !span_starts(url, SPAN("http:")) || !is_own(walk, fd)) {
        return;
    }
    uint8_t *bytes = arena_alloc(&walk->arena, wire_read_bytes);
    ssize_t n = bytes != NULL ? recv(fd, bytes, wire_read_bytes, MSG_DONTWAIT) : 0;
    if (n > 0) {
        walk->rest = span_of(bytes, (size_t)n);
    }
}

static void take_content(struct walk *walk, struct reader *reader, struct span bytes)
{
    struct h1_piece piece = {.content = bytes};
    size_t used = 0;
    if (reader->to_end) {
        request_take_content(walk, bytes);
        return;
    }
    while (h1_body_next(&reader->body, bytes, &used, &piece) == H1_MORE && piece.content.len > 0 &&
           request_take_content(walk, piece.content)) {
        bytes = span_from(bytes, used + piece.content.len);
        h1_body_pass(&reader->body, piece.content.len);
    }
}

/* Where libcurl has read the beginning of a head, this is no head, and not sound. */
void rescue_judge(struct walk *walk)
{
    struct span bytes = walk->rest;
    struct reader reader;
    struct h1_answer answer;
    size_t used = 0;
    walk->rest = (struct span){0};
    reader_begin(&reader, false);
    while (bytes.len > 0 && !reader.behind_head) {
        enum reader_result result = reader_next(&reader, bytes, &answer, &used);
        if ((result != READER_INTERIM && result != READER_HEAD) ||
            !head_keep(walk, &answer, span_slice(bytes, 0, used)) || !head_judge_whole(walk)) {
            return;
        }
        bytes = span_from(bytes, used);
    }
    if (reader.behind_head) {
        take_content(walk, &reader, bytes);
    }
}
