/* SPDX-License-Identifier: MIT */
/* Answers of exchanges over HTTP/1.1: gathered, in the framing that the client understands (RFC
 * 9112, 6 and 7). */
#include "serve/passing.h"

#include "http/status.h"

#include <assert.h>

enum {
    /* Content of this size is sent from where it stands; less is gathered. */
    direct_bytes_min = 16384,
    /* One chunk, with what stands around it, fits into the output buffer. */
    chunk_bytes_max = output_bytes - 64,
};

void exchange1_continue(struct exchange *exchange)
{
    if (exchange->awaits_continue) {
        exchange->awaits_continue = false;
        exchange_gather(exchange->conn);
        buffer_put(&exchange->server->out, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

/* One that does not fit beside what is gathered is tried alone. False: not even then. */
static bool put_head(struct exchange *exchange, const struct h1_flow_head *head)
{
    struct buffer *out = &exchange->server->out;
    exchange_gather(exchange->conn);
    h1_encode_flow_head(head, out);
    if (out->full) {
        out->full = false;
        output_flush(exchange->conn);
        h1_encode_flow_head(head, out);
    }
    bool done = !out->full;
    out->full = false;
    return done;
}

void exchange1_inform(struct exchange *exchange, uint16_t status, const struct field *fields,
                      size_t count)
{
    if (exchange->version_minor == 0) {
        return;
    }
    const struct h1_flow_head head = {
        .status = status,
        .fields = fields,
        .field_count = count,
        .version_minor = exchange->version_minor,
    };
    put_head(exchange, &head);
}

static enum h1_framing choose_framing(const struct exchange *exchange,
                                      const struct exchange_head *head)
{
    if (head->status == 101 || head->status == 204) {
        return H1_FRAMING_NONE;
    }
    if (head->has_length || head->status == 205) {
        return H1_FRAMING_LENGTH;
    }
    if (exchange->mute) {
        return H1_FRAMING_NONE;
    }
    return exchange->version_minor > 0 ? H1_FRAMING_CHUNKED : H1_FRAMING_CLOSE;
}

void exchange1_begin(struct exchange *exchange, const struct exchange_head *given)
{
    bool tunnel = given->status == 101;
    exchange->mute = exchange->head || (!tunnel && !status_has_content(given->status));
    exchange->framing = (uint8_t)choose_framing(exchange, given);
    exchange->close |= exchange->server->draining || exchange->framing == H1_FRAMING_CLOSE ||
                       exchange->awaits_continue;
    uint64_t length = given->has_length && given->status != 205 ? given->content_length : 0;
    exchange->left = exchange->mute ? 0 : length;
    const struct h1_flow_head head = {
        .status = given->status,
        .fields = given->fields,
        .field_count = given->field_count,
        .upgrade = given->upgrade,
        .framing = (enum h1_framing)exchange->framing,
        .content_length = length,
        .date = exchange->server->date,
        .version_minor = exchange->version_minor,
        .close = exchange->close,
    };
    bool too_early = tunnel && exchange->content_open;
    if (too_early || !put_head(exchange, &head)) {
        exchange->conn->broken = true; /* as when it had gone */
        return;
    }
    exchange->tunnel = tunnel;
}

/* A piece of what is framed by nothing around it. Gives its length, 0: try again. */
static size_t put_plain(struct exchange *exchange, struct span bytes)
{
    struct conn *conn = exchange->conn;
    struct buffer *out = &exchange->server->out;
    size_t len = bytes.len < exchange_answer_held_max ? bytes.len : exchange_answer_held_max;
    if (len < direct_bytes_min && len <= out->cap - out->len) {
        buffer_put(out, span_slice(bytes, 0, len));
        return len;
    }
    if (out->len > 0) {
        output_flush(conn);
        return 0;
    }
    output_span(conn, span_slice(bytes, 0, len));
    return len;
}

static size_t put_chunk(struct exchange *exchange, struct span bytes)
{
    struct buffer *out = &exchange->server->out;
    size_t len = bytes.len < chunk_bytes_max ? bytes.len : chunk_bytes_max;
    if (len + h1_chunk_head_bytes_max + 2 > out->cap - out->len) {
        output_flush(exchange->conn);
        return 0;
    }
    h1_encode_chunk_head(len, out);
    buffer_put(out, span_slice(bytes, 0, len));
    buffer_put(out, SPAN("\r\n"));
    return len;
}

static size_t put_piece(struct exchange *exchange, struct span bytes)
{
    if (exchange->framing == H1_FRAMING_CHUNKED) {
        return put_chunk(exchange, bytes);
    }
    size_t len = put_plain(exchange, bytes);
    if (exchange->framing == H1_FRAMING_LENGTH) {
        assert(len <= exchange->left);
        exchange->left -= len;
    }
    return len;
}

size_t exchange1_write(struct exchange *exchange, struct span bytes)
{
    struct conn *conn = exchange->conn;
    size_t taken = 0;
    if (exchange->mute) {
        return bytes.len;
    }
    exchange_gather(conn);
    while (taken < bytes.len && conn->pending == NULL && !conn->broken) {
        taken += put_piece(exchange, span_from(bytes, taken));
    }
    return conn->broken ? bytes.len : taken;
}

static void put_last_chunk(struct exchange *exchange, const struct field *trailers, size_t count)
{
    struct buffer *out = &exchange->server->out;
    exchange_gather(exchange->conn);
    h1_encode_last_chunk(trailers, count, out);
    if (out->full) {
        out->full = false;
        output_flush(exchange->conn);
        h1_encode_last_chunk(trailers, count, out);
    }
    exchange->aborted |= out->full;
    out->full = false;
}

void exchange1_end(struct exchange *exchange, const struct field *trailers, size_t count)
{
    if (exchange->tunnel) {
        exchange->half_closed = true;
    } else if (exchange->framing == H1_FRAMING_CHUNKED) {
        put_last_chunk(exchange, trailers, count);
    } else {
        exchange->aborted = exchange->left > 0;
    }
}

void exchange1_answer(struct exchange *exchange, const struct response *response)
{
    struct server *server = exchange->server;
    struct conn *conn = exchange->conn;
    struct response *shared = &server->response;
    exchange->close |=
        response->close || server->draining || exchange->awaits_continue ||
        (exchange->content_open && h1_body_unseen(&conn->body) > server->limits.linger_bytes);
    const struct h1_encoding encoding = {
        .date = server->date,
        .version_minor = exchange->version_minor,
        .head = exchange->head,
        .close = exchange->close,
    };
    exchange_gather(conn);
    struct response kept = *shared; /* it is the handler's, where this is called there */
    *shared = *response;
    output_response(conn, &encoding);
    *shared = kept;
}

void exchange1_abort(struct exchange *exchange)
{
    exchange->aborted = true;
}
