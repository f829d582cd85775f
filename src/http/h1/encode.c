/* SPDX-License-Identifier: MIT */
/* Responses to bytes, in the order: status line, Date, Location, the other fields,
 * Content-Type, Content-Length, Connection. Each line's room is taken before it is
 * written, so a length and the bytes can not disagree. */
#include "http/h1/encode.h"

#include "http/field.h"
#include "http/scan.h"
#include "http/status.h"
#include "http/status_list.h"

#include <assert.h>

enum { status_code_max = 599 };

#define LINE(code, reason)                                          \
    [code] = {(const uint8_t *)"HTTP/1.1 " #code " " reason "\r\n", \
              sizeof("HTTP/1.1 " #code " " reason "\r\n") - 1},
static const struct span status_lines[status_code_max + 1] = {STATUS_LIST(LINE)};
#undef LINE

static inline uint8_t *append(uint8_t *at, struct span bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return at + bytes.len;
}

/* name holds the ": " already when it is a constant. */
static inline void put_line(struct buffer *out, struct span name, struct span value)
{
    uint8_t *at = buffer_reserve(out, name.len + value.len + 2);
    if (at != NULL) {
        at = append(append(at, name), value);
        memcpy(at, "\r\n", 2);
    }
}

static void put_status(uint16_t status, struct buffer *out)
{
    assert(status >= 100 && status <= status_code_max);
    struct span line = status_lines[status];
    if (line.ptr != NULL) {
        buffer_put(out, line);
        return;
    }
    /* The reason may be empty, the space before it not be left out (RFC 9112, 4). */
    buffer_put(out, SPAN("HTTP/1.1 "));
    buffer_decimal(out, status);
    buffer_put(out, SPAN(" \r\n"));
}

static void put_date(const uint8_t *date, struct buffer *out)
{
    uint8_t *at = buffer_reserve(out, 6 + date_bytes + 2);
    if (at != NULL) {
        memcpy(at, "Date: ", 6);
        memcpy(at + 6, date, date_bytes);
        memcpy(at + 6 + date_bytes, "\r\n", 2);
    }
}

/* Whether the name is one that is written from its own place, or that would change how
 * the response is framed. */
static bool is_reserved(struct span name)
{
    switch (name.len) {
    case 4:
        return scan_is(name.ptr, "date", 4);
    case 8:
        return scan_is(name.ptr, "location", 8);
    case 10:
        return scan_is(name.ptr, "connection", 10);
    case 14:
        return scan_is(name.ptr, "content-length", 14);
    case 17:
        return scan_is(name.ptr, "transfer-encoding", 17);
    default:
        return false;
    }
}

static void put_named(const struct field *field, struct buffer *out)
{
    struct span name = field->name;
    struct span value = field->value;
    uint8_t *at = buffer_reserve(out, name.len + value.len + 4);
    if (at != NULL) {
        at = append(at, name);
        memcpy(at, ": ", 2);
        at = append(at + 2, value);
        memcpy(at, "\r\n", 2);
    }
}

static void put_field(const struct field *field, struct buffer *out)
{
    if (token_valid(field->name) && !is_reserved(field->name) && field_value_valid(field->value)) {
        put_named(field, out);
    }
}

/* A URI reference holds neither spaces nor anything beyond ASCII; so much is seen from
 * here (uri/location.h knows the rest). */
static bool location_valid(struct span location)
{
    return scan_all_usual(location, 0x21);
}

static void put_length(uint64_t length, struct buffer *out)
{
    buffer_put(out, SPAN("Content-Length: "));
    buffer_decimal(out, length);
    buffer_put(out, SPAN("\r\n"));
}

static void put_connection(const struct response *response, const struct h1_encoding *encoding,
                           struct buffer *out)
{
    if (encoding->close || response->close) {
        buffer_put(out, SPAN("Connection: close\r\n"));
    } else if (encoding->version_minor == 0) {
        buffer_put(out, SPAN("Connection: keep-alive\r\n"));
    }
}

static void put_content_fields(const struct response *response, struct buffer *out)
{
    if (status_has_content(response->status)) {
        if (response->content_type.len > 0 && field_value_valid(response->content_type)) {
            put_line(out, SPAN("Content-Type: "), response->content_type);
        }
        put_length(response->body.len, out);
    } else if (response->status == 205) {
        put_length(0, out); /* the client must not wait for content (RFC 9110, 15.3.6) */
    }
}

static void put_response(const struct response *response, const struct h1_encoding *encoding,
                         struct buffer *out)
{
    put_status(response->status, out);
    if (response->status >= 200) {
        put_date(encoding->date, out);
    }
    if (response->location.len > 0) {
        put_line(out, SPAN("Location: "), response->location);
    }
    for (size_t i = 0; i < response->field_count; i++) {
        put_field(&response->fields[i], out);
    }
    put_content_fields(response, out);
    if (response->status >= 200) {
        put_connection(response, encoding, out);
    }
    buffer_put(out, SPAN("\r\n"));
    if (!encoding->head && status_has_content(response->status)) {
        buffer_put(out, response->body);
    }
}

void h1_encode(const struct response *response, const struct h1_encoding *encoding,
               struct buffer *out)
{
    size_t begun = out->len;
    if (location_valid(response->location)) {
        put_response(response, encoding, out);
    } else {
        struct response broken = {.status = 500, .close = response->close};
        put_response(&broken, encoding, out);
    }
    if (out->full) {
        out->len = begun;
    }
}

/* As is_reserved, where Date and Location are fields like others. */
static bool frames(struct span name)
{
    switch (name.len) {
    case 7:
        return scan_is(name.ptr, "upgrade", 7);
    case 10:
    case 14:
    case 17:
        return is_reserved(name);
    default:
        return false;
    }
}

/* Gives whether one of them was Date. */
static bool put_flow_fields(const struct h1_flow_head *head, struct buffer *out)
{
    bool dated = false;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        if (token_valid(field->name) && !frames(field->name) && field_value_valid(field->value)) {
            dated |= field->name.len == 4 && scan_is(field->name.ptr, "date", 4);
            put_named(field, out);
        }
    }
    return dated;
}

static void put_flow_framing(const struct h1_flow_head *head, struct buffer *out)
{
    if (head->framing == H1_FRAMING_LENGTH) {
        put_length(head->content_length, out);
    } else if (head->framing == H1_FRAMING_CHUNKED) {
        buffer_put(out, SPAN("Transfer-Encoding: chunked\r\n"));
    }
}

static void put_flow_connection(const struct h1_flow_head *head, struct buffer *out)
{
    if (head->status == 101) {
        buffer_put(out, SPAN("Connection: Upgrade\r\n"));
        put_line(out, SPAN("Upgrade: "), head->upgrade);
    } else if (head->close && head->status >= 200) {
        buffer_put(out, SPAN("Connection: close\r\n"));
    } else if (head->version_minor == 0) {
        buffer_put(out, SPAN("Connection: keep-alive\r\n"));
    }
}

void h1_encode_flow_head(const struct h1_flow_head *head, struct buffer *out)
{
    size_t begun = out->len;
    put_status(head->status, out);
    bool dated = put_flow_fields(head, out);
    if (!dated && head->status >= 200) {
        put_date(head->date, out);
    }
    put_flow_framing(head, out);
    put_flow_connection(head, out);
    buffer_put(out, SPAN("\r\n"));
    if (out->full) {
        out->len = begun;
    }
}

void h1_encode_chunk_head(size_t len, struct buffer *out)
{
    uint8_t digits[2 * sizeof(len)];
    size_t from = sizeof(digits);
    do {
        digits[--from] = (uint8_t) "0123456789abcdef"[len & 15];
        len >>= 4;
    } while (len > 0);
    buffer_put(out, span_of(digits + from, sizeof(digits) - from));
    buffer_put(out, SPAN("\r\n"));
}

void h1_encode_last_chunk(const struct field *trailers, size_t count, struct buffer *out)
{
    size_t begun = out->len;
    buffer_put(out, SPAN("0\r\n"));
    for (size_t i = 0; i < count; i++) {
        put_field(&trailers[i], out);
    }
    buffer_put(out, SPAN("\r\n"));
    if (out->full) {
        out->len = begun;
    }
}
