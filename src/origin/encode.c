/* SPDX-License-Identifier: MIT */
/* A request on its way to an origin, line by line. */
#include "origin/encode.h"

#include "base/cidr.h"
#include "http/field.h"
#include "http/hop.h"
#include "http/scan.h"

enum { folded_name_max = 32 };

/* What becomes of a field. */
enum fate {
    FATE_KEEP,
    FATE_DROP,
    FATE_COOKIE,
    FATE_FORWARDS,
};

struct encoder {
    const struct encode_asked *asked;
    const struct request *request;
    struct hops hops;
    struct buffer *out;
};

static void put_line(struct buffer *out, struct span name, struct span value)
{
    uint8_t *at = buffer_reserve(out, name.len + value.len + 4);
    if (at == NULL) {
        return;
    }
    memcpy(at, name.ptr, name.len);
    memcpy(at + name.len, ": ", 2);
    if (value.len > 0) {
        memcpy(at + name.len + 2, value.ptr, value.len);
    }
    memcpy(at + name.len + 2 + value.len, "\r\n", 2);
}

/* The last look at what the parsers have let through. */
static bool line_sound(const struct field *field)
{
    const uint8_t *name_end = field->name.ptr + field->name.len;
    const uint8_t *value_end = field->value.ptr + field->value.len;
    return field->name.len > 0 && scan_token(field->name.ptr, name_end) == name_end &&
           (field->value.len == 0 || scan_value(field->value.ptr, value_end) == value_end);
}

static void put_authority(struct buffer *out, struct span host, int32_t port)
{
    buffer_put(out, host);
    if (port >= 0) {
        buffer_byte(out, ':');
        buffer_decimal(out, (uint64_t)port);
    }
}

static bool put_request_line(struct encoder *encoder)
{
    const struct request *request = encoder->request;
    const uint8_t *end = request->path.ptr + request->path.len;
    struct span query = request->query;
    bool sound = request->path.len > 0 && scan_path(request->path.ptr, end) == end &&
                 (query.len == 0 ||
                  scan_target(query.ptr, query.ptr + query.len) == query.ptr + query.len) &&
                 token_valid(request->method_name);
    buffer_put(encoder->out, request->method_name);
    buffer_byte(encoder->out, ' ');
    buffer_put(encoder->out, request->path);
    if (query.ptr != NULL) {
        buffer_byte(encoder->out, '?');
        buffer_put(encoder->out, query);
    }
    buffer_put(encoder->out, SPAN(" HTTP/1.1\r\nHost: "));
    if (encoder->asked->own_host.len > 0) {
        buffer_put(encoder->out, encoder->asked->own_host);
    } else if (request->host.len > 0) {
        put_authority(encoder->out, request->host, request->port);
    } else {
        buffer_put(encoder->out, encoder->asked->authority);
    }
    buffer_put(encoder->out, SPAN("\r\n"));
    return sound;
}

/* A name in lower case with '-' for '_', as CGI and its successors see it. */
static struct span fold_name(struct span name, uint8_t folded[folded_name_max])
{
    size_t len = name.len < folded_name_max ? name.len : folded_name_max;
    for (size_t i = 0; i < len; i++) {
        folded[i] = name.ptr[i] == '_' ? '-' : ascii_lower(name.ptr[i]);
    }
    return span_of(folded, len);
}

/* What proxies say of the client. */
static bool is_proxies_word(const struct encoder *encoder, struct span name)
{
    uint8_t bytes[folded_name_max];
    uint8_t initial = ascii_lower(name.len >= 9 ? name.ptr[0] : 0);
    if (initial != 'f' && initial != 'x') {
        return false;
    }
    struct span folded = fold_name(name, bytes);
    if (span_eq(folded, SPAN("forwarded")) || span_eq(folded, SPAN("x-forwarded-for")) ||
        span_eq(folded, SPAN("x-forwarded-proto")) || span_eq(folded, SPAN("x-forwarded-host"))) {
        return true;
    }
    return !encoder->asked->peer_trusted &&
           (span_starts(folded, SPAN("x-forwarded-")) || span_eq(folded, SPAN("x-real-ip")));
}

static enum fate fate_by_name(const struct encoder *encoder, struct span name)
{
    switch (name.len) {
    case 2:
        return span_eq_ci(name, SPAN("te")) ? FATE_DROP : FATE_KEEP;
    case 4:
        return scan_is(name.ptr, "host", 4) ? FATE_DROP : FATE_KEEP;
    case 6:
        if (scan_is(name.ptr, "cookie", 6)) {
            return FATE_COOKIE;
        }
        return scan_is(name.ptr, "expect", 6) ? FATE_DROP : FATE_KEEP;
    case 12:
        return scan_is(name.ptr, "max-forwards", 12) ? FATE_FORWARDS : FATE_KEEP;
    case 14:
        return scan_is(name.ptr, "content-length", 14) ? FATE_DROP : FATE_KEEP;
    default:
        return is_proxies_word(encoder, name) ? FATE_DROP : FATE_KEEP;
    }
}

static enum fate fate_of(const struct encoder *encoder, struct span name)
{
    return hops_hold(&encoder->hops, name) ? FATE_DROP : fate_by_name(encoder, name);
}

static bool is_cookie(struct span name)
{
    return name.len == 6 && scan_is(name.ptr, "cookie", 6);
}

/* RFC 9113, 8.2.3: the crumbs of HTTP/2 become one line, where the first of them stood. */
static void put_cookies(struct encoder *encoder, size_t first)
{
    const struct request *request = encoder->request;
    for (size_t i = 0; i < first; i++) {
        if (is_cookie(request->fields[i].name)) {
            return;
        }
    }
    buffer_put(encoder->out, SPAN("Cookie: "));
    buffer_put(encoder->out, request->fields[first].value);
    for (size_t i = first + 1; i < request->field_count; i++) {
        if (is_cookie(request->fields[i].name)) {
            buffer_put(encoder->out, SPAN("; "));
            buffer_put(encoder->out, request->fields[i].value);
        }
    }
    buffer_put(encoder->out, SPAN("\r\n"));
}

/* RFC 9110, 7.6.2. False: it goes no further. */
static bool put_forwards(struct encoder *encoder, const struct field *field)
{
    uint64_t left = 0;
    enum method method = encoder->request->method;
    if ((method != METHOD_OPTIONS && method != METHOD_TRACE) ||
        !span_decimal(field->value, UINT32_MAX, &left)) {
        put_line(encoder->out, field->name, field->value);
        return true;
    }
    if (left == 0) {
        return false;
    }
    buffer_put(encoder->out, SPAN("Max-Forwards: "));
    buffer_decimal(encoder->out, left - 1);
    buffer_put(encoder->out, SPAN("\r\n"));
    return true;
}

static enum encode_result put_fields(struct encoder *encoder)
{
    const struct request *request = encoder->request;
    for (size_t i = 0; i < request->field_count; i++) {
        const struct field *field = &request->fields[i];
        if (!line_sound(field)) {
            return ENCODE_BAD;
        }
        switch (fate_of(encoder, field->name)) {
        case FATE_KEEP:
            put_line(encoder->out, field->name, field->value);
            break;
        case FATE_DROP:
            break;
        case FATE_COOKIE:
            put_cookies(encoder, i);
            break;
        case FATE_FORWARDS:
            if (!put_forwards(encoder, field)) {
                return ENCODE_FORWARDS;
            }
            break;
        }
    }
    return ENCODE_DONE;
}

static void put_address(struct buffer *out, const struct client *client)
{
    char text[address_text_max];
    size_t len = address_format(client->address, text);
    buffer_put(out, span_of(text, len));
}

/* RFC 7239, 6: an IPv6 address stands in brackets and quotes. */
static void put_node(struct buffer *out, const struct client *client)
{
    bool quoted = !address_is_v4(client->address);
    buffer_put(out, quoted ? SPAN("for=\"[") : SPAN("for="));
    put_address(out, client);
    if (quoted) {
        buffer_put(out, SPAN("]\""));
    }
}

static void put_proxies_words(struct encoder *encoder)
{
    const struct encode_asked *asked = encoder->asked;
    struct buffer *out = encoder->out;
    bool through = memcmp(asked->peer->address, asked->client->address, 16) != 0;
    struct span proto = asked->client->secure ? SPAN("https") : SPAN("http");
    buffer_put(out, SPAN("X-Forwarded-For: "));
    put_address(out, asked->client);
    if (through) {
        buffer_put(out, SPAN(", "));
        put_address(out, asked->peer);
    }
    buffer_put(out, SPAN("\r\n"));
    put_line(out, SPAN("X-Forwarded-Proto"), proto);
    if (asked->host.len > 0) {
        buffer_put(out, SPAN("X-Forwarded-Host: "));
        put_authority(out, asked->host, asked->port);
        buffer_put(out, SPAN("\r\n"));
    }
    buffer_put(out, SPAN("Forwarded: "));
    put_node(out, asked->client);
    if (asked->host.len > 0) {
        buffer_put(out, SPAN(";host=\""));
        put_authority(out, asked->host, asked->port);
        buffer_byte(out, '"');
    }
    buffer_put(out, SPAN(";proto="));
    buffer_put(out, proto);
    if (through) {
        buffer_put(out, SPAN(", "));
        put_node(out, asked->peer);
    }
    buffer_put(out, SPAN("\r\n"));
}

/* False: it goes round in a circle. */
static bool put_via(struct encoder *encoder)
{
    const struct request *request = encoder->request;
    size_t times = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        struct span list = request->fields[i].value;
        struct span member;
        if (!span_eq_ci(request->fields[i].name, SPAN("via"))) {
            continue;
        }
        while (field_list_next(&list, &member)) {
            times += span_ends(member, SPAN(" detour"));
        }
    }
    if (request->version_major == 2) {
        buffer_put(encoder->out, SPAN("Via: 2 detour\r\n"));
    } else {
        buffer_put(encoder->out, request->version_minor == 0 ? SPAN("Via: 1.0 detour\r\n")
                                                             : SPAN("Via: 1.1 detour\r\n"));
    }
    return times < encode_loops_max;
}

static bool starts_ci(struct span text, struct span prefix)
{
    return text.len >= prefix.len && span_eq_ci(span_slice(text, 0, prefix.len), prefix);
}

/* Whether what it names is another kind of HTTP, or TLS. */
static bool is_transport(struct span protocol)
{
    return starts_ci(protocol, SPAN("h2")) || starts_ci(protocol, SPAN("h3")) ||
           starts_ci(protocol, SPAN("http")) || starts_ci(protocol, SPAN("tls"));
}

static struct span put_upgrade(struct encoder *encoder)
{
    const struct request *request = encoder->request;
    struct buffer *out = encoder->out;
    size_t begun = out->len;
    size_t from = 0;
    bool may = encoder->hops.upgrade && request->version_major == 1 && request->version_minor > 0 &&
               request->body == BODY_NONE;
    for (size_t i = 0; may && i < request->field_count; i++) {
        struct span list = request->fields[i].value;
        struct span protocol;
        if (!span_eq_ci(request->fields[i].name, SPAN("upgrade"))) {
            continue;
        }
        while (field_list_next(&list, &protocol)) {
            if (is_transport(protocol)) {
                continue;
            }
            buffer_put(out, from == 0 ? SPAN("Upgrade: ") : SPAN(", "));
            from = from == 0 ? out->len : from;
            buffer_put(out, protocol);
        }
    }
    if (out->full || out->len == begun) {
        return (struct span){0};
    }
    struct span offered = span_slice(buffer_span(out), from, out->len);
    buffer_put(out, SPAN("\r\n"));
    return offered;
}

/* RFC 9110, 10.1.4: with Connection, or by HTTP/2, where only this value may come. */
static bool takes_trailers(const struct encoder *encoder)
{
    const struct request *request = encoder->request;
    bool named = request->version_major == 2;
    for (size_t i = 0; i < encoder->hops.name_count && !named; i++) {
        named = span_eq_ci(encoder->hops.names[i], SPAN("te"));
    }
    struct span list = named ? field_find(request, SPAN("te")) : (struct span){0};
    struct span coding;
    while (field_list_next(&list, &coding)) {
        if (span_eq_ci(coding, SPAN("trailers"))) {
            return true;
        }
    }
    return false;
}

static struct span put_connection(struct encoder *encoder)
{
    struct span upgrade = put_upgrade(encoder);
    bool trailers = takes_trailers(encoder);
    if (trailers) {
        buffer_put(encoder->out, SPAN("TE: trailers\r\n"));
    }
    if (upgrade.len > 0) {
        buffer_put(encoder->out, trailers ? SPAN("Connection: upgrade, TE\r\n")
                                          : SPAN("Connection: upgrade\r\n"));
    } else if (trailers) {
        buffer_put(encoder->out, SPAN("Connection: TE\r\n"));
    }
    return upgrade;
}

/* A method that says what content means gets its length also where there is none (RFC 9110,
 * 8.6). */
static bool wants_length(enum method method)
{
    return method == METHOD_POST || method == METHOD_PUT || method == METHOD_PATCH;
}

static void put_framing(struct encoder *encoder)
{
    const struct request *request = encoder->request;
    struct buffer *out = encoder->out;
    if (request->body == BODY_CHUNKED) {
        buffer_put(out, SPAN("Transfer-Encoding: chunked\r\n"));
    } else if (request->body == BODY_LENGTH || wants_length(request->method)) {
        buffer_put(out, SPAN("Content-Length: "));
        buffer_decimal(out, request->body == BODY_LENGTH ? request->content_length : 0);
        buffer_put(out, SPAN("\r\n"));
    }
    if (request->expect_continue) {
        buffer_put(out, SPAN("Expect: 100-continue\r\n"));
    }
}

enum encode_result request_encode(const struct encode_asked *asked, struct buffer *out,
                                  struct span *upgrade)
{
    struct encoder encoder = {.asked = asked, .request = asked->request, .out = out};
    if (!hops_read(asked->request->fields, asked->request->field_count, &encoder.hops) ||
        !put_request_line(&encoder)) {
        return ENCODE_BAD;
    }
    enum encode_result result = put_fields(&encoder);
    if (result != ENCODE_DONE) {
        return result;
    }
    put_proxies_words(&encoder);
    if (!put_via(&encoder)) {
        return ENCODE_LOOP;
    }
    struct span offered = put_connection(&encoder);
    put_framing(&encoder);
    buffer_put(out, SPAN("\r\n"));
    if (out->full) {
        return ENCODE_LONG;
    }
    *upgrade = offered;
    return ENCODE_DONE;
}

void trailers_encode(const struct field *trailers, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        if (line_sound(&trailers[i])) {
            put_line(out, trailers[i].name, trailers[i].value);
        }
    }
    buffer_put(out, SPAN("\r\n"));
}
