/* SPDX-License-Identifier: MIT */
/* Host names as sites are known by: what an operator may write, and what a request may
 * bring. */
#include "uri/host.h"
#include "uri/escape.h"
#include "uri/sixteen.h"
#include "uri/url_host.h"
#include "uri/url_internal.h"

#include <assert.h>

/* RFC 1035, 2.3.4, without the length bytes of the ends. */
enum { label_bytes_max = 63, name_bytes_max = 253 };

/* Labels of letters, digits, '-' and '_', of 1 to 63 bytes each, 253 in all. */
static bool is_name(struct span name)
{
    size_t label = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (escape_is(name.ptr[i], ESCAPE_LABEL)) {
            label++;
        } else if (name.ptr[i] == '.' && label > 0) {
            label = 0;
        } else {
            return false;
        }
        if (label > label_bytes_max) {
            return false;
        }
    }
    return label > 0 && name.len <= name_bytes_max;
}

/* The URL standard takes "0x7f.1" for 127.0.0.1, and "a%2eb" for "a.b". Nobody means that
 * in a configuration, and no Host field brings it. */
static enum err config_name(struct span text, struct arena *arena, struct span *out)
{
    struct span ascii;
    if (span_find(text, 0, '%') < text.len) {
        return ERR_SYNTAX;
    }
    enum err err = url_host_parse(text, true, arena, &ascii);
    if (err != ERR_NONE) {
        return err;
    }
    struct span name = url_without_last_dot(ascii);
    if (!is_name(name) ||
        (url_ends_in_number(name) && !span_eq(name, url_without_last_dot(text)))) {
        return ERR_SYNTAX;
    }
    *out = name;
    return ERR_NONE;
}

/* "*." and a name; not an address, which has no names below it. */
static enum err config_wildcard(struct span text, struct arena *arena, struct span *out)
{
    struct span name;
    enum err err = config_name(span_from(text, 2), arena, &name);
    if (err != ERR_NONE) {
        return err;
    }
    if (url_ends_in_number(name)) {
        return ERR_SYNTAX;
    }
    uint8_t *memory = arena_alloc(arena, name.len + 2);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    memcpy(memory, "*.", 2);
    memcpy(memory + 2, name.ptr, name.len);
    *out = span_of(memory, name.len + 2);
    return ERR_NONE;
}

enum err host_from_config(struct span text, struct arena *arena, struct span *out)
{
    if (text.len == 0) {
        return ERR_SYNTAX;
    }
    if (span_starts(text, SPAN("*."))) {
        return config_wildcard(text, arena, out);
    }
    return text.ptr[0] == '[' ? url_host_parse(text, true, arena, out)
                              : config_name(text, arena, out);
}

enum { port_digits_max = 5 };

/* Where the host ends: before a colon and the up to five digits that end the text, else at
 * its end. A colon that stands elsewhere is refused as a byte of the host. The port is read
 * from its end, in the same pass; no digits are the same as none (RFC 3986, 3.2.3). */
static inline size_t host_end(struct span text, int32_t *port_out)
{
    const uint8_t *end = text.ptr + text.len;
    const uint8_t *least = text.len > port_digits_max ? end - port_digits_max : text.ptr;
    const uint8_t *at = end;
    int32_t port = 0;
    int32_t scale = 1;
    while (at > least && (uint8_t)(at[-1] - '0') < 10) {
        at--;
        port += (*at - '0') * scale;
        scale *= 10;
    }
    bool colon = at > text.ptr && at[-1] == ':';
    *port_out = colon && at < end ? port : -1;
    return colon ? (size_t)(at - text.ptr) - 1 : text.len;
}

/* Whether all are what a canonical host is made of, and none is a dot behind a dot;
 * before: what stands before each. */
static inline bool sixteen_canonical(struct sixteen bytes, struct sixteen before)
{
    __auto_type v = bytes.v;
    __auto_type dot = v == '.';
    __auto_type plain = (v - 'a' < 26) | (v - '0' < 10) | (v == '-') | dot;
    return sixteen_all((struct sixteen){(__typeof__(v))(plain & ~(dot & (before.v == '.')))});
}

static inline bool is_upper(uint8_t byte)
{
    return (uint8_t)(byte - 'A') < 26;
}

/* Whether the host is canonical, told quickly: false may be wrong. */
static inline bool is_canonical(struct span host)
{
    const uint8_t *end = host.ptr + host.len;
    if (host.len < 9 || !escape_is(host.ptr[0], ESCAPE_LABEL) || is_upper(host.ptr[0])) {
        return false;
    }
    if (host.len <= 17) {
        return sixteen_canonical(sixteen_halves(host.ptr + 1, end - 8),
                                 sixteen_halves(host.ptr, end - 9));
    }
    for (const uint8_t *at = host.ptr + 1; end - at > 16; at += 16) {
        if (!sixteen_canonical(sixteen_load(at), sixteen_load(at - 1))) {
            return false;
        }
    }
    return sixteen_canonical(sixteen_load(end - 16), sixteen_load(end - 17));
}

/* Byte by byte; host: not longer than lower. A span of NULL: no name. */
static __attribute__((noinline)) struct span name_bytes(struct span host, uint8_t *lower)
{
    uint8_t before = '.';
    bool upper = false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t byte = host.ptr[i];
        if (!escape_is(byte, ESCAPE_LABEL) && (byte != '.' || before == '.')) {
            return (struct span){0};
        }
        upper |= is_upper(byte);
        before = byte;
    }
    for (size_t i = 0; upper && i < host.len; i++) {
        lower[i] = ascii_lower(host.ptr[i]);
    }
    return upper ? span_of(lower, host.len) : host;
}

/* The host in canonical form, its trailing dot, of which there may be one, taken away. A
 * span of NULL: no name. */
static inline struct span request_name(struct span host, uint8_t *lower)
{
    host = url_without_last_dot(host);
    if (host.len == 0 || host.len > host_bytes_max || host.ptr[host.len - 1] == '.') {
        return (struct span){0};
    }
    return is_canonical(host) ? host : name_bytes(host, lower);
}

static __attribute__((noinline)) struct span request_ipv6(struct span host, uint8_t *lower)
{
    uint8_t canonical[url_ipv6_bytes_max];
    size_t len;
    if (url_ipv6_canonical(host, canonical, &len) != ERR_NONE) {
        return (struct span){0};
    }
    if (span_eq(host, span_of(canonical, len))) {
        return host;
    }
    static_assert(sizeof(canonical) <= (size_t)host_bytes_max, "an address fits into lower");
    memcpy(lower, canonical, len);
    return span_of(lower, len);
}

/* Inside, no host is a span of NULL: it travels in registers, and this is the one function
 * of the module that each request calls. */
enum err host_from_request(struct span text, uint8_t *lower, struct host_port *out)
{
    int32_t port;
    size_t end = host_end(text, &port);
    if (end == 0 || port > UINT16_MAX) {
        return ERR_SYNTAX;
    }
    struct span host = span_slice(text, 0, end);
    host = host.ptr[0] == '[' ? request_ipv6(host, lower) : request_name(host, lower);
    if (host.ptr == NULL) {
        return ERR_SYNTAX;
    }
    *out = (struct host_port){.host = host, .port = port};
    return ERR_NONE;
}

/* -1: none of these two. */
static int32_t scheme_port(struct span scheme)
{
    if (span_eq_ci(scheme, SPAN("https"))) {
        return 443;
    }
    return span_eq_ci(scheme, SPAN("http")) ? 80 : -1;
}

enum err host_from_reference(struct span text, uint8_t *lower, struct host_port *out)
{
    static const char separator[] = "://";
    const uint8_t *found =
        text.len > 0 ? memmem(text.ptr, text.len, separator, strlen(separator)) : NULL;
    if (found == NULL) {
        return host_from_request(text, lower, out);
    }
    size_t scheme_len = (size_t)(found - text.ptr);
    int32_t port = scheme_port(span_slice(text, 0, scheme_len));
    struct span rest = span_from(text, scheme_len + strlen(separator));
    size_t end = 0;
    while (end < rest.len && memchr("/?#", rest.ptr[end], 3) == NULL) {
        end++;
    }
    enum err err = port > 0 ? host_from_request(span_slice(rest, 0, end), lower, out) : ERR_SYNTAX;
    if (err == ERR_NONE && out->port < 0) {
        out->port = port;
    }
    return err;
}

void host_port_put(const struct host_port *host, struct buffer *out)
{
    buffer_put(out, host->host);
    if (host->port >= 0) {
        buffer_byte(out, ':');
        buffer_decimal(out, (uint64_t)host->port);
    }
}
