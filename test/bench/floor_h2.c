/* SPDX-License-Identifier: MIT */
/* The floor of HTTP/2: nghttp2 with its defaults, epoll, and an answer that never changes.
 * What has to be sent for the bytes of one read goes out in one piece.
 *
 *   floor_h2 PORT ANSWER-FILE [PEM]
 *
 * The answer is an HTTP/1.1 response. With PEM: over TLS. */
#include "wire.h"

#include <ctype.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    ANSWER_BYTES_MAX = 4096,
    FIELDS_MAX = 32,
    READ_BYTES = 65536,
    SEND_BYTES = 1 << 20,
    EVENTS = 256,
    STREAMS = 100,
};

struct conn {
    struct wire wire;
    nghttp2_session *session;
};

static char answer[ANSWER_BYTES_MAX + 1];
static nghttp2_nv fields[FIELDS_MAX];
static size_t field_count;
static const char *body;
static size_t body_len;
static nghttp2_session_callbacks *callbacks;

static void add_field(char *name, char *value)
{
    if (field_count == FIELDS_MAX) {
        die("too many fields");
    }
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)tolower(*at);
    }
    fields[field_count++] = (nghttp2_nv){
        .name = (uint8_t *)name,
        .value = (uint8_t *)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    };
}

/* "HTTP/1.1 307 Temporary Redirect", then fields, an empty line, a body. */
static void load_answer(const char *path)
{
    static char name[] = ":status";
    FILE *file = fopen(path, "rb");
    size_t len = file != NULL ? fread(answer, 1, ANSWER_BYTES_MAX, file) : 0;
    char *end = strstr(answer, "\r\n\r\n");
    if (len < 13 || end == NULL) {
        die(path);
    }
    fclose(file);
    *end = '\0';
    body = end + 4;
    body_len = (size_t)(answer + len - body);
    char *rest = NULL;
    char *line = strtok_r(answer, "\r\n", &rest);
    line[12] = '\0';
    add_field(name, line + 9);
    while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL) {
        char *colon = strstr(line, ": ");
        if (colon == NULL) {
            die("a line without a colon");
        }
        *colon = '\0';
        add_field(line, colon + 2);
    }
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *unused)
{
    if (body_len > room) {
        die("the body is too long");
    }
    memcpy(out, body, body_len);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)body_len;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *unused)
{
    if (frame->hd.type != NGHTTP2_HEADERS || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        return 0;
    }
    const nghttp2_data_provider provider = {.read_callback = read_body};
    return nghttp2_submit_response(session, frame->hd.stream_id, fields, field_count,
                                   body_len > 0 ? &provider : NULL);
}

static void accept_one(int epoll, int listener, SSL_CTX *tls)
{
    const nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS};
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL || !wire_accept(&conn->wire, listener, tls)) {
        free(conn);
        return;
    }
    if (nghttp2_session_server_new(&conn->session, callbacks, NULL) != 0 ||
        nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, &settings, 1) != 0) {
        die("nghttp2");
    }
    watch(epoll, conn->wire.fd, conn);
}

static void end(struct conn *conn)
{
    nghttp2_session_del(conn->session);
    wire_close(&conn->wire);
    free(conn);
}

static bool send_all(struct conn *conn)
{
    static uint8_t out[SEND_BYTES];
    const uint8_t *piece = NULL;
    size_t len = 0;
    for (;;) {
        ssize_t more = nghttp2_session_mem_send(conn->session, &piece);
        if (more <= 0 || (size_t)more > sizeof out - len) {
            return more == 0 && (len == 0 || wire_send(&conn->wire, out, len));
        }
        memcpy(out + len, piece, (size_t)more);
        len += (size_t)more;
    }
}

static void serve(struct conn *conn)
{
    static uint8_t bytes[READ_BYTES];
    ssize_t got = wire_recv(&conn->wire, bytes, sizeof bytes);
    if (got < 0) {
        return;
    }
    if (got == 0 || nghttp2_session_mem_recv(conn->session, bytes, (size_t)got) != got ||
        !send_all(conn)) {
        end(conn);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s PORT ANSWER-FILE [PEM]\n", argv[0]);
        return 2;
    }
    load_answer(argv[2]);
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        die("nghttp2");
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    SSL_CTX *tls = argc > 3 ? wire_server_tls(argv[3]) : NULL;
    int listener = wire_listen((uint16_t)strtoul(argv[1], NULL, 10));
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
