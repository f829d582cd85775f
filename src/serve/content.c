/* SPDX-License-Identifier: MIT */
/* Contents that are too large to be read at once: each is gathered beside the connection,
 * from those only whom the handler lets, and all together within one bound. */
#include "serve/internal.h"

#include <assert.h>
#include <stdlib.h>

/* A request on its way: its head, which is parsed once more at the end, since other
 * connections use the server's in between, and what has come behind it. */
struct content {
    size_t head_len;
    size_t len; /* with the head */
    size_t cap;
    uint8_t bytes[];
};

static size_t admitted(struct conn *conn, const struct request *request)
{
    struct server *server = conn_server(conn);
    const struct serve_request asked = {.request = request,
                                        .peer = &conn->peer,
                                        .listener = &conn->acceptor->listener,
                                        .now_ns = server->now_ns,
                                        .conn = conn};
    return server->admit != NULL ? server->admit(server->context, &asked) : 0;
}

uint16_t content_begin(struct conn *conn, struct span head)
{
    struct server *server = conn_server(conn);
    const struct request *request = &server->head.request;
    assert(conn->content == NULL);
    if (request->content_length > admitted(conn, request)) {
        return 413;
    }
    size_t cap = head.len + (size_t)request->content_length;
    struct content *content = NULL;
    if (cap <= server->contents_max - server->contents_bytes) {
        content = malloc(sizeof(*content) + cap); /* the kernel gives pages as they come */
    }
    if (content == NULL) {
        return 503;
    }
    content->head_len = content->len = head.len;
    content->cap = cap;
    memcpy(content->bytes, head.ptr, head.len);
    server->contents_bytes += cap;
    conn->content = content;
    conn->state = CONN_CONTENT;
    if (conn->started_ns == 0) {
        conn->started_ns = server->now_ns;
    }
    return 0;
}

bool content_take(struct conn *conn, struct span bytes, size_t *used)
{
    struct content *content = conn->content;
    size_t missing = content->cap - content->len;
    size_t len = bytes.len < missing ? bytes.len : missing;
    memcpy(content->bytes + content->len, bytes.ptr, len);
    content->len += len;
    *used += len;
    return content->len == content->cap;
}

struct span content_whole(struct conn *conn)
{
    struct server *server = conn_server(conn);
    const struct content *content = conn->content;
    size_t scanned = 0;
    size_t head_len = 0;
    uint16_t status = 0;
    struct span bytes = span_of(content->bytes, content->len);
    enum h1_result result = h1_parse(bytes, &scanned, &server->head, &head_len, &status);
    assert(result == H1_DONE && head_len == content->head_len);
    (void)result;
    return span_from(bytes, head_len);
}

void content_end(struct conn *conn)
{
    if (conn->content != NULL) {
        conn_server(conn)->contents_bytes -= conn->content->cap;
        free(conn->content);
        conn->content = NULL;
    }
}
