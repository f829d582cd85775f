/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 over a stream of bytes: heads to requests, requests to answers, bodies
 * skipped. Sees no socket (RFC 9112). */
#include "serve/internal.h"

#include "http/h1/encode.h"

static void clear_response(struct response *response)
{
    response->status = 0;
    response->location = (struct span){0};
    response->content_type = (struct span){0};
    response->body = (struct span){0};
    response->close = false;
    response->field_count = 0;
}

/* Has the request in the server's head answered. Gives whether it is the last one. */
static bool answer(struct conn *conn, uint16_t bad_status, bool close)
{
    struct server *server = conn_server(conn);
    const struct request *request = &server->head.request;
    clear_response(&server->response);
    protocol_answer(conn, request, bad_status, &server->response);
    struct h1_encoding encoding = {
        .date = server->date,
        .version_minor = bad_status == 0 ? request->version_minor : 1,
        .head = request->method == METHOD_HEAD,
        .close = close || server->response.close || server->draining,
    };
    output_response(conn, &encoding);
    return encoding.close;
}

/* A head that was not fully read says nothing certain, so the handler sees none of it
 * that an earlier request may have left. */
static void refuse(struct conn *conn, uint16_t status, bool empty)
{
    if (empty) {
        struct request *request = &conn_server(conn)->head.request;
        *request = (struct request){.version_minor = 1, .port = -1};
    }
    answer(conn, status, true);
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
    bool last = answer(conn, 0, close);
    size_t body_used = 0;
    if (has_body) {
        body_begin(conn, request);
        enum next next = body_skip(conn, rest, &body_used);
        *used += body_used;
        if (next == NEXT_LINGER) {
            return next;
        }
    }
    return last ? finish(conn, span_from(rest, body_used)) : NEXT_READ;
}

/* False: the bytes are the beginning of a head. */
static bool take_request(struct conn *conn, struct span bytes, size_t *used, enum next *next)
{
    struct server *server = conn_server(conn);
    size_t head_len = 0;
    uint16_t status = 0;
    size_t scanned = conn->scanned;
    conn->scanned = 0;
    switch (h1_parse(bytes, &scanned, &server->head, &head_len, &status)) {
    case H1_DONE:
        *used += head_len;
        *next = answer_request(conn, span_from(bytes, head_len), used);
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
        } else if (taken == requests_per_turn || conn->pending != NULL || conn->broken) {
            next = NEXT_AGAIN;
        } else if (!take_request(conn, span_from(bytes, used), &used, &next)) {
            break;
        }
    }
    *used_out = used;
    return next;
}
