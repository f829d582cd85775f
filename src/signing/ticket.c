/* SPDX-License-Identifier: MIT */
/* A ticket: the URL is taken apart, signed, and its query put together anew. */
#include "signing/ticket.h"

#include "tls/mac.h"
#include "uri/escape.h"
#include "uri/host.h"

#include <assert.h>

static_assert((int)signing_code_text_bytes == 2 * (int)mac_bytes, "two digits for each byte");

/* Where the parts of a URL begin; each ends where the next begins. */
struct parts {
    struct span authority;
    struct span path;
    size_t query; /* the place of its '?', or of the URL's end */
};

static bool find_parts(struct span url, struct parts *out)
{
    size_t colon = span_find(url, 0, ':');
    if (!span_starts(span_from(url, colon), SPAN("://"))) {
        return false;
    }
    size_t from = colon + 3;
    size_t query = span_find(url, from, '?');
    size_t path = span_find(span_slice(url, 0, query), from, '/');
    out->authority = span_slice(url, from, path);
    out->path = path < query ? span_slice(url, path, query) : SPAN("/");
    out->query = query;
    return true;
}

static struct span without_end(struct span text, struct span end)
{
    return span_ends(text, end) ? span_slice(text, 0, text.len - end.len) : text;
}

/* As clients write it into Host. */
static struct span host_of(struct span url, struct span authority,
                           uint8_t room[host_port_bytes_max])
{
    bool secure = span_starts(url, SPAN("https:"));
    struct span host = without_end(authority, secure ? SPAN(":443") : SPAN(":80"));
    host = without_end(host, SPAN(":"));
    if (host.len > host_port_bytes_max) {
        return (struct span){0};
    }
    for (size_t i = 0; i < host.len; i++) {
        room[i] = ascii_lower(host.ptr[i]);
    }
    return span_of(room, host.len);
}

/* Whether a member of a query has this name, however it is spelled: servers differ in whether they
 * decode names, and in whether case matters. */
static bool is_named(struct span member, struct span name)
{
    size_t at = 0;
    size_t end = span_find(member, 0, '=');
    member = span_slice(member, 0, end);
    for (size_t i = 0; i < name.len; i++) {
        if (at >= member.len) {
            return false;
        }
        bool escaped = escape_at(member, at);
        uint8_t byte = escaped ? escape_value(member, at) : member.ptr[at];
        if (ascii_lower(byte) != ascii_lower(name.ptr[i])) {
            return false;
        }
        at += escaped ? 3 : 1;
    }
    return at == member.len;
}

/* Takes the members of that name out of the query that begins behind the '?' at `query`. */
static void remove_members(struct buffer *url, size_t query, struct span name)
{
    struct span rest = span_from(buffer_span(url), query + 1);
    size_t len = query;
    while (rest.ptr != NULL) {
        size_t end = span_find(rest, 0, '&');
        struct span member = span_slice(rest, 0, end);
        rest = end < rest.len ? span_from(rest, end + 1) : (struct span){0};
        if (!is_named(member, name)) {
            url->ptr[len] = len == query ? '?' : '&';
            memmove(url->ptr + len + 1, member.ptr, member.len);
            len += 1 + member.len;
        }
    }
    url->len = len;
}

void signing_remove(struct span param, size_t from, struct buffer *url)
{
    size_t query = span_find(buffer_span(url), from, '?');
    if (query < url->len) {
        remove_members(url, query, param);
    }
}

static void put_hex(struct buffer *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        buffer_byte(out, (uint8_t)digits[bytes[i] >> 4]);
        buffer_byte(out, (uint8_t)digits[bytes[i] & 15]);
    }
}

/* What is signed. No part can hold a line's end, so none can be moved over into the next. */
static void make_code(const struct signing_ticket *ticket, struct span host, struct span path,
                      struct span expiry, uint8_t out[mac_bytes])
{
    struct span method = span_eq(ticket->method, SPAN("HEAD")) ? SPAN("GET") : ticket->method;
    const struct span parts[] = {method, SPAN("\n"), host, SPAN("\n"), path, SPAN("\n"), expiry};
    mac_make_with(span_of(ticket->key->bytes, ticket->key->len), parts,
                  sizeof(parts) / sizeof(*parts), out);
}

bool signing_add(const struct signing_ticket *ticket, size_t from, struct buffer *url)
{
    uint8_t host_room[host_port_bytes_max];
    uint8_t expiry_room[signing_expiry_bytes_max];
    uint8_t code[mac_bytes];
    struct parts parts;
    assert(ticket->expires_s >= 0 && from <= url->len);
    struct span whole = span_from(buffer_span(url), from);
    if (!find_parts(whole, &parts)) {
        return false;
    }
    struct span host = host_of(whole, parts.authority, host_room);
    struct buffer expiry = buffer_over(expiry_room, sizeof(expiry_room));
    buffer_decimal(&expiry, (uint64_t)ticket->expires_s);
    if (host.len == 0) {
        return false;
    }
    make_code(ticket, host, parts.path, buffer_span(&expiry), code);
    signing_remove(ticket->param, from, url);
    buffer_byte(url, from + parts.query < url->len ? '&' : '?');
    buffer_put(url, ticket->param);
    buffer_byte(url, '=');
    buffer_put(url, buffer_span(&expiry));
    buffer_byte(url, '-');
    put_hex(url, code, sizeof(code));
    return !url->full;
}

struct span signing_method_after(struct span method, uint16_t status)
{
    bool posted = span_eq(method, SPAN("POST"));
    bool changed = status == 303 || (posted && (status == 301 || status == 302));
    return changed ? SPAN("GET") : method;
}
