/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 over a stream of bytes: heads to requests, requests to answers, bodies
 * skipped. Sees no socket (RFC 9112). */
#include "serve/internal.h"

#include "http/h1/encode.h"

#include <assert.h>
#include <stdlib.h>

/* An answer that is still to come, and how it is to be encoded. */
struct serve_later {
    struct conn *conn; /* NULL: it has gone */
    uint8_t version_minor;
    bool head;
    bool close;
};

static bool encode(struct conn *conn, const struct request *request, bool close)
{
    struct server *server = conn_server(conn);
    struct h1_encoding encoding = {
        .date = server->date,
        .version_minor = request->version_minor,
        .head = request->method == METHOD_HEAD,
        .close = close || server->response.close || server->draining,
    };
    output_response(conn, &encoding);
    return encoding.close;
}

/* Has the request in the server's head answered. What follows if it is not the last one:
 * NEXT_READ, or NEXT_WAIT. */
static enum next answer(struct conn *conn, struct span content, bool close)
{
    struct server *server = conn_server(conn);
    response_clear(&server->response);
    protocol_answer(conn, &server->head.request, content, 0, &server->response);
    if (conn->later != NULL) {
        conn->later->close = close;
        return NEXT_WAIT;
    }
    if (conn->exchange != NULL) {
        return NEXT_EXCHANGE;
    }
    return encode(conn, &server->head.request, close) ? NEXT_CLOSE : NEXT_READ;
}

/* A head that was not fully read says nothing certain, so the handler sees none of it
 * that an earlier request may have left. */
static void refuse(struct conn *conn, uint16_t status, bool empty)
{
    struct server *server = conn_server(conn);
    struct request *request = &server->head.request;
    if (empty) {
        *request = (struct request){.version_major = 1, .port = -1};
    }
    request->version_minor = 1;
    response_clear(&server->response);
    protocol_answer(conn, request, (struct span){0}, status, &server->response);
    encode(conn, request, true);
}

void http1_timeout(struct conn *conn)
{
    refuse(conn, 408, true);
    conn_settle(conn, NEXT_LINGER, (struct span){0});
}

/* What cannot be skipped to its end: a body that is too large, and one that may never
 * come, since nobody can tell it from the next request (RFC 9110, 10.1.1). */
static bool body_unskippable(const struct conn *conn, const struct request *request)
{
    return request->expect_continue ||
           (request->body == BODY_LENGTH &&
            request->content_length > conn_server(conn)->limits.linger_bytes);
}

/* After the last answer. What came behind it is not looked at. */
static enum next finish(struct conn *conn, struct span rest)
{
    return conn->state == CONN_HEAD && rest.len == 0 ? NEXT_CLOSE : NEXT_LINGER;
}

/* rest: what follows the head. */
static enum next answer_request(struct conn *conn, struct span rest, size_t *used)
{
    const struct request *request = &conn_server(conn)->head.request;
    bool has_body = request->body != BODY_NONE;
    bool close = !request->keep_alive || (has_body && body_unskippable(conn, request));
    enum next next = answer(conn, (struct span){0}, close);
    size_t body_used = 0;
    if (has_body && next != NEXT_EXCHANGE) {
        body_begin(conn, request);
        enum next after = body_skip(conn, rest, &body_used);
        *used += body_used;
        if (after == NEXT_LINGER) {
            return after;
        }
    }
    return next == NEXT_CLOSE ? finish(conn, span_from(rest, body_used)) : next;
}

static void say_continue(struct conn *conn)
{
    struct server *server = conn_server(conn);
    if (server->head.request.expect_continue && !conn->continued) {
        conn->continued = true;
        buffer_put(&server->out, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

/* Whether the content is still on its way. rest: what follows the head. */
static bool content_missing(struct conn *conn, struct span rest)
{
    struct server *server = conn_server(conn);
    const struct request *request = &server->head.request;
    if (request->body != BODY_LENGTH || request->content_length > server->content_max ||
        rest.len >= request->content_length) {
        return false;
    }
    say_continue(conn);
    return true;
}

/* As answer_request, for a handler that wants the content, all of which is there. */
static enum next answer_with_content(struct conn *conn, struct span rest, size_t *used)
{
    struct server *server = conn_server(conn);
    const struct request *request = &server->head.request;
    conn->continued = false;
    if (request->body == BODY_CHUNKED) {
        refuse(conn, 411, false);
        return NEXT_LINGER;
    }
    size_t len = (size_t)request->content_length;
    *used += len;
    enum next next = answer(conn, span_slice(rest, 0, len), !request->keep_alive);
    return next == NEXT_CLOSE ? finish(conn, span_from(rest, len)) : next;
}

static bool is_large(const struct server *server)
{
    const struct request *request = &server->head.request;
    return server->content_max > 0 && request->body == BODY_LENGTH &&
           request->content_length > server->content_max;
}

static enum next begin_content(struct conn *conn, struct span head)
{
    uint16_t refused = content_begin(conn, head);
    if (refused != 0) {
        refuse(conn, refused, false);
        return NEXT_LINGER;
    }
    say_continue(conn);
    return NEXT_READ;
}

static enum next take_content(struct conn *conn, struct span bytes, size_t *used)
{
    size_t taken = 0;
    bool whole = content_take(conn, bytes, &taken);
    *used += taken;
    if (!whole) {
        return NEXT_READ;
    }
    conn->continued = false;
    conn->state = CONN_HEAD;
    struct span content = content_whole(conn);
    enum next next = answer(conn, content, !conn_server(conn)->head.request.keep_alive);
    content_end(conn);
    return next == NEXT_CLOSE ? finish(conn, span_from(bytes, taken)) : next;
}

static enum next take_head(struct conn *conn, struct span head, struct span rest, size_t *used)
{
    if (is_large(conn_server(conn))) {
        return begin_content(conn, head);
    }
    return conn_server(conn)->content_max > 0 ? answer_with_content(conn, rest, used)
                                              : answer_request(conn, rest, used);
}

/* False: the bytes are the beginning of a request. */
static bool take_request(struct conn *conn, struct span bytes, size_t *used, enum next *next)
{
    struct server *server = conn_server(conn);
    size_t head_len = 0;
    uint16_t status = 0;
    size_t scanned = conn->scanned;
    conn->scanned = 0;
    switch (h1_parse(bytes, &scanned, &server->head, &head_len, &status)) {
    case H1_DONE:
        if (server->content_max > 0 && content_missing(conn, span_from(bytes, head_len))) {
            return false;
        }
        *used += head_len;
        *next = take_head(conn, span_slice(bytes, 0, head_len), span_from(bytes, head_len), used);
        return true;
    case H1_BAD:
        refuse(conn, status, false);
        *next = NEXT_LINGER;
        return true;
    case H1_MORE:
        break;
    }
    if (bytes.len > request_head_bytes_max) {
        refuse(conn, 431, true);
        *next = NEXT_LINGER;
        return true;
    }
    conn->scanned = scanned;
    return false;
}

enum next http1_input(struct conn *conn, struct span bytes, size_t *used_out)
{
    size_t used = 0;
    enum next next = NEXT_READ;
    for (unsigned taken = 0; next == NEXT_READ && used < bytes.len; taken++) {
        if (conn->state == CONN_BODY) {
            next = body_skip(conn, span_from(bytes, used), &used);
        } else if (conn->state == CONN_CONTENT) {
            next = take_content(conn, span_from(bytes, used), &used);
        } else if (taken == requests_per_turn || conn->pending != NULL || conn->broken) {
            next = NEXT_AGAIN;
        } else if (!take_request(conn, span_from(bytes, used), &used, &next)) {
            break;
        }
    }
    *used_out = used;
    return next;
}

struct serve_later *server_defer(const struct serve_request *asked)
{
    struct conn *conn = asked->conn;
    assert(conn_server(conn)->content_max > 0 && conn->later == NULL);
    struct serve_later *later = calloc(1, sizeof(*later));
    if (later != NULL) {
        later->conn = conn;
        later->version_minor = asked->request->version_minor;
        later->head = asked->request->method == METHOD_HEAD;
        conn->later = later;
    }
    return later;
}

void server_answer(struct serve_later **later_at, const struct response *response)
{
    struct serve_later *later = *later_at;
    struct conn *conn = later->conn;
    *later_at = NULL;
    if (conn != NULL) {
        struct server *server = conn_server(conn);
        struct request request = {.version_minor = later->version_minor,
                                  .method = later->head ? METHOD_HEAD : METHOD_GET};
        conn->later = NULL;
        server->response = *response;
        server_wake(server);
        protocol_update_date(server);
        bool last = encode(conn, &request, later->close);
        struct span rest = conn_held(conn);
        enum next next = rest.len > 0 ? NEXT_AGAIN : NEXT_READ;
        conn_settle(conn, last ? finish(conn, rest) : next, rest);
    }
    free(later);
}

void http1_forget(struct conn *conn)
{
    if (conn->later != NULL) {
        conn->later->conn = NULL;
        conn->later = NULL;
    }
}
