/* SPDX-License-Identifier: MIT */
/* The load generator for HTTP/2: counted requests, and every answer's status read.
 *
 *   load_h2 PORT PATH CONNECTIONS STREAMS [tls]
 *
 * Numbers come and results go as load.c says. STREAMS requests go out in one write, and the
 * next when all are answered. Requests are encoded once: in the first of a connection
 * the fields enter the table, in the others they are indexes, as browsers do it. */
#include "wire.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    FRAME_HEAD = 9,
    REQUEST_BYTES_MAX = 1024,
    STREAMS_MAX = 100,
    CONNECTIONS_MAX = 1000,
    BYTES_MAX = 65536,
    EVENTS = 256,
    WAIT_MS = 20000,
    WINDOW = INT32_MAX, /* for all answers of a connection: it is never enlarged */
};

/* A frame of HEADERS that ends its stream. */
struct request {
    uint8_t bytes[REQUEST_BYTES_MAX];
    size_t len;
};

struct conn {
    struct wire wire;
    nghttp2_hd_inflater *inflater;
    uint32_t stream; /* of the next request */
    size_t waiting;  /* streams that the server has not ended */
    uint64_t data;   /* octets of bodies */
    size_t len;
    uint8_t bytes[BYTES_MAX]; /* a frame that came in pieces */
};

static struct {
    uint16_t port;
    struct request first;
    struct request next;
    size_t streams;
    int epoll;
    SSL_CTX *tls;
    struct conn *conns;
    size_t conn_count;
    size_t to_send;
    size_t open;
    size_t done;
    size_t other;
} load;

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "load_h2: %s\n", why);
    exit(1);
}

static uint8_t *put_head(uint8_t *at, size_t len, uint8_t type, uint8_t flags, uint32_t stream)
{
    const uint8_t head[FRAME_HEAD] = {
        (uint8_t)(len >> 16),
        (uint8_t)(len >> 8),
        (uint8_t)len,
        type,
        flags,
        (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16),
        (uint8_t)(stream >> 8),
        (uint8_t)stream,
    };
    memcpy(at, head, sizeof head);
    return at + sizeof head;
}

#define FIELD(field_name, text)                                      \
    {                                                                \
        .name = (uint8_t *)(field_name), .value = (uint8_t *)(text), \
        .namelen = strlen(field_name), .valuelen = strlen(text),     \
    }

static void encode(nghttp2_hd_deflater *deflater, const char *path, struct request *out)
{
    const nghttp2_nv fields[] = {
        FIELD(":method", "GET"),
        FIELD(":path", path),
        FIELD(":scheme", load.tls != NULL ? "https" : "http"),
        FIELD(":authority", "localhost"),
        FIELD("user-agent", "load"),
        FIELD("accept", "*/*"),
    };
    ssize_t len =
        nghttp2_hd_deflate_hd(deflater, out->bytes + FRAME_HEAD, REQUEST_BYTES_MAX - FRAME_HEAD,
                              fields, sizeof fields / sizeof fields[0]);
    if (len < 0) {
        give_up("the request is too long");
    }
    put_head(out->bytes, (size_t)len, NGHTTP2_HEADERS,
             NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 0);
    out->len = FRAME_HEAD + (size_t)len;
}

static void encode_requests(const char *path)
{
    nghttp2_hd_deflater *deflater = NULL;
    if (nghttp2_hd_deflate_new(&deflater, 4096) != 0) {
        die("nghttp2");
    }
    encode(deflater, path, &load.first);
    encode(deflater, path, &load.next);
    nghttp2_hd_deflate_del(deflater);
}

static void send_bytes(struct conn *conn, const uint8_t *bytes, size_t len)
{
    if (!wire_send(&conn->wire, bytes, len)) {
        die("send");
    }
}

static uint8_t *put_word(uint8_t *at, uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        *at++ = (uint8_t)(word >> (24 - 8 * i));
    }
    return at;
}

/* The handshake is waited for. The preface, no pushes, and all the window there is. */
static void open_conn(struct conn *conn)
{
    uint8_t bytes[128];
    wire_connect(&conn->wire, load.port, load.tls, false);
    while (conn->wire.ssl != NULL && !SSL_is_init_finished(conn->wire.ssl)) {
        ssize_t got = wire_recv(&conn->wire, conn->bytes, BYTES_MAX);
        if (got == 0) {
            give_up("the handshake failed");
        }
        conn->len = got > 0 ? (size_t)got : 0; /* its SETTINGS may be here already */
    }
    if (nghttp2_hd_inflate_new(&conn->inflater) != 0) {
        die("nghttp2");
    }
    memcpy(bytes, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    uint8_t *at = put_head(bytes + NGHTTP2_CLIENT_MAGIC_LEN, 6, NGHTTP2_SETTINGS, 0, 0);
    *at++ = 0;
    *at++ = NGHTTP2_SETTINGS_ENABLE_PUSH;
    at = put_word(at, 0);
    at = put_word(put_head(at, 4, NGHTTP2_WINDOW_UPDATE, 0, 0),
                  WINDOW - NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE);
    send_bytes(conn, bytes, (size_t)(at - bytes));
    conn->stream = 1;
    watch(load.epoll, conn->wire.fd, conn);
}

static void send_next(struct conn *conn)
{
    static uint8_t bytes[REQUEST_BYTES_MAX * STREAMS_MAX];
    uint8_t *at = bytes;
    size_t count = load.streams < load.to_send ? load.streams : load.to_send;
    if (count == 0) {
        return;
    }
    if (conn->inflater == NULL) {
        open_conn(conn);
    }
    for (size_t i = 0; i < count; i++) {
        const struct request *request = conn->stream == 1 ? &load.first : &load.next;
        memcpy(at, request->bytes, request->len);
        put_word(at + 5, conn->stream);
        at += request->len;
        conn->stream += 2;
    }
    if (conn->stream > INT32_MAX - 2 * STREAMS_MAX) {
        give_up("no stream numbers are left");
    }
    send_bytes(conn, bytes, (size_t)(at - bytes));
    load.to_send -= count;
    conn->waiting = count;
    load.open++;
}

/* A status alone is looked at; the rest keeps the table in step. */
static void read_fields(struct conn *conn, const uint8_t *block, size_t len)
{
    bool wanted = false;
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(conn->inflater, &field, &flags, block, len, 1);
        if (used < 0) {
            give_up("a header block that cannot be read");
        }
        block += used;
        len -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            nghttp2_hd_inflate_end_headers(conn->inflater);
            break;
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && field.namelen == 7 &&
            memcmp(field.name, ":status", 7) == 0) {
            wanted = field.valuelen == 3 && memcmp(field.value, "307", 3) == 0;
        }
    }
    load.done += wanted;
    load.other += !wanted;
}

static void take_data(struct conn *conn, size_t len)
{
    conn->data += len;
    if (conn->data > WINDOW - BYTES_MAX) {
        give_up("no window is left");
    }
}

static void take_settings(struct conn *conn, uint8_t flags)
{
    uint8_t ack[FRAME_HEAD];
    if ((flags & NGHTTP2_FLAG_ACK) == 0) {
        put_head(ack, 0, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0);
        send_bytes(conn, ack, sizeof ack);
    }
}

static void take_frame(struct conn *conn, const uint8_t *head, const uint8_t *payload, size_t len)
{
    uint8_t flags = head[4];
    bool ends = (flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (head[3]) {
    case NGHTTP2_HEADERS:
        if ((flags & NGHTTP2_FLAG_END_HEADERS) == 0 ||
            (flags & (NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY)) != 0) {
            give_up("HEADERS of a kind that is not known here");
        }
        read_fields(conn, payload, len);
        conn->waiting -= ends;
        return;
    case NGHTTP2_DATA:
        take_data(conn, len);
        conn->waiting -= ends;
        return;
    case NGHTTP2_SETTINGS:
        take_settings(conn, flags);
        return;
    case NGHTTP2_WINDOW_UPDATE:
        return;
    default:
        give_up("a frame that was not expected");
    }
}

/* Gives how many bytes were whole frames. */
static size_t take_frames(struct conn *conn, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    while (len - at >= FRAME_HEAD) {
        const uint8_t *head = bytes + at;
        size_t payload = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (payload > BYTES_MAX / 2) {
            give_up("a frame that is too long");
        }
        if (len - at < FRAME_HEAD + payload) {
            break;
        }
        take_frame(conn, head, head + FRAME_HEAD, payload);
        at += FRAME_HEAD + payload;
    }
    return at;
}

static void receive(struct conn *conn)
{
    bool busy = conn->waiting > 0;
    ssize_t got = wire_recv(&conn->wire, conn->bytes + conn->len, BYTES_MAX - conn->len);
    if (got == 0) {
        give_up("the server closed a connection");
    }
    if (got < 0) {
        return;
    }
    conn->len += (size_t)got;
    size_t used = take_frames(conn, conn->bytes, conn->len);
    conn->len -= used;
    memmove(conn->bytes, conn->bytes + used, conn->len);
    if (busy && conn->waiting == 0) {
        load.open--;
        send_next(conn);
    }
}

static void run(size_t requests)
{
    load.to_send = requests;
    load.done = 0;
    load.other = 0;
    for (size_t i = 0; i < load.conn_count; i++) {
        send_next(&load.conns[i]);
    }
    while (load.open > 0) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(load.epoll, events, EVENTS, WAIT_MS);
        if (count == 0) {
            give_up("no answer");
        }
        for (int i = 0; i < count; i++) {
            receive(events[i].data.ptr);
        }
    }
    printf("%zu %zu\n", load.done, load.other);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s PORT PATH CONNECTIONS STREAMS [tls]\n", argv[0]);
        return 2;
    }
    load.port = (uint16_t)strtoul(argv[1], NULL, 10);
    load.conn_count = strtoul(argv[3], NULL, 10);
    load.streams = strtoul(argv[4], NULL, 10);
    load.tls = argc > 5 ? wire_client_tls("h2") : NULL;
    if (load.conn_count > CONNECTIONS_MAX || load.streams > STREAMS_MAX) {
        fprintf(stderr, "at most %d connections of %d streams\n", CONNECTIONS_MAX, STREAMS_MAX);
        return 2;
    }
    encode_requests(argv[2]);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.conns = calloc(load.conn_count, sizeof *load.conns);
    if (load.conns == NULL) {
        die("calloc");
    }
    char line[32];
    while (fgets(line, sizeof line, stdin) != NULL) {
        run(strtoul(line, NULL, 10));
    }
    return 0;
}
