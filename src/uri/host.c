/* SPDX-License-Identifier: MIT */
/* Host names as sites are known by: what an operator may write, and what a request may
 * bring. */
#include "uri/host.h"
#include "uri/escape.h"
#include "uri/url_host.h"
#include "uri/url_internal.h"

#include <arpa/inet.h>
#include <assert.h>

/* RFC 1035, 2.3.4, without the length bytes of the ends. */
enum { label_bytes_max = 63, name_bytes_max = 253, ipv6_bytes_max = INET6_ADDRSTRLEN + 2 };

/* text: with its brackets. The canonical form (RFC 5952) goes to canonical, which holds
 * ipv6_bytes_max bytes. A zone ("%25eth0") means nothing on another machine: refused. */
static enum err ipv6_literal(struct span text, uint8_t *canonical, size_t *len_out)
{
    char address[INET6_ADDRSTRLEN] = "";
    struct in6_addr binary;
    if (text.len < 2 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']' ||
        text.len - 2 >= sizeof(address) || memchr(text.ptr, 0, text.len) != NULL) {
        return ERR_SYNTAX;
    }
    memcpy(address, text.ptr + 1, text.len - 2);
    if (inet_pton(AF_INET6, address, &binary) != 1) {
        return ERR_SYNTAX;
    }
    bool fits = inet_ntop(AF_INET6, &binary, address, sizeof(address)) != NULL;
    assert(fits);
    size_t len = strlen(address);
    canonical[0] = '[';
    memcpy(canonical + 1, address, len);
    canonical[len + 1] = ']';
    *len_out = len + 2;
    return ERR_NONE;
}

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

static struct span without_last_dot(struct span name)
{
    bool dot = name.len > 0 && name.ptr[name.len - 1] == '.';
    return span_slice(name, 0, name.len - dot);
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
    struct span name = without_last_dot(ascii);
    if (!is_name(name) || (url_ends_in_number(name) && !span_eq(name, without_last_dot(text)))) {
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
    uint8_t canonical[ipv6_bytes_max];
    size_t len;
    if (text.len == 0) {
        return ERR_SYNTAX;
    }
    if (span_starts(text, SPAN("*."))) {
        return config_wildcard(text, arena, out);
    }
    if (text.ptr[0] != '[') {
        return config_name(text, arena, out);
    }
    enum err err = ipv6_literal(text, canonical, &len);
    if (err != ERR_NONE) {
        return err;
    }
    struct span copy = arena_copy(arena, span_of(canonical, len));
    if (copy.ptr == NULL) {
        return ERR_MEMORY;
    }
    *out = copy;
    return ERR_NONE;
}

/* Where the host ends: before a colon and the digits that end the text, else at its end.
 * Whatever a colon is that stands elsewhere, the host's own check refuses it. */
static inline size_t host_end(struct span text)
{
    size_t at = text.len;
    while (at > 0 && (uint8_t)(text.ptr[at - 1] - '0') < 10) {
        at--;
    }
    return at > 0 && text.ptr[at - 1] == ':' ? at - 1 : text.len;
}

/* The digits behind the colon; none is the same as no port (RFC 3986, 3.2.3). */
static inline enum err port_from(struct span text, size_t colon, int32_t *out)
{
    int32_t port = colon + 1 < text.len ? 0 : -1;
    for (size_t i = colon + 1; i < text.len; i++) {
        port = port * 10 + (text.ptr[i] - '0');
        if (port > UINT16_MAX) {
            return ERR_SYNTAX;
        }
    }
    *out = port;
    return ERR_NONE;
}

/* Whether eight bytes from first and eight from second are what a canonical host is made
 * of, and none is a dot behind a dot. Looks at the byte before each. */
static inline bool sixteen_canonical(const uint8_t *first, const uint8_t *second)
{
    uint8_t v __attribute__((vector_size(16)));
    uint8_t before __attribute__((vector_size(16)));
    memcpy(&v, first, 8);
    memcpy((uint8_t *)&v + 8, second, 8);
    memcpy(&before, first - 1, 8);
    memcpy((uint8_t *)&before + 8, second - 1, 8);
    __auto_type label = (v - 'a' < 26) | (v - '0' < 10) | (v == '-') | (v == '_');
    __auto_type good = label | ((v == '.') & (before != '.'));
    uint64_t halves[2];
    static_assert(sizeof(good) == sizeof(halves), "a mask of 0 or 0xFF for each byte");
    memcpy(halves, &good, sizeof(halves));
    return (halves[0] & halves[1]) == UINT64_MAX;
}

/* host: at least 9 bytes, the first of them a byte of a label. */
static inline bool is_canonical(struct span host)
{
    const uint8_t *end = host.ptr + host.len;
    if (host.len <= 17) {
        return sixteen_canonical(host.ptr + 1, end - 8);
    }
    for (const uint8_t *at = host.ptr + 1; end - at > 16; at += 16) {
        if (!sixteen_canonical(at, at + 8)) {
            return false;
        }
    }
    return sixteen_canonical(end - 16, end - 8);
}

static inline bool is_upper(uint8_t byte)
{
    return (uint8_t)(byte - 'A') < 26;
}

/* host: without its trailing dot, of which there may be one. */
static inline enum err request_name(struct span host, uint8_t *lower, struct span *out)
{
    if (host.len == 0 || host.len > host_bytes_max || host.ptr[host.len - 1] == '.') {
        return ERR_SYNTAX;
    }
    if (host.len >= 9 && escape_is(host.ptr[0], ESCAPE_LABEL) && !is_upper(host.ptr[0]) &&
        is_canonical(host)) {
        *out = host;
        return ERR_NONE;
    }
    uint8_t before = '.';
    bool upper = false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t byte = host.ptr[i];
        if (!escape_is(byte, ESCAPE_LABEL) && (byte != '.' || before == '.')) {
            return ERR_SYNTAX;
        }
        upper |= is_upper(byte);
        before = byte;
    }
    for (size_t i = 0; upper && i < host.len; i++) {
        lower[i] = ascii_lower(host.ptr[i]);
    }
    *out = upper ? span_of(lower, host.len) : host;
    return ERR_NONE;
}

static enum err request_ipv6(struct span host, uint8_t *lower, struct span *out)
{
    uint8_t canonical[ipv6_bytes_max];
    size_t len;
    enum err err = ipv6_literal(host, canonical, &len);
    if (err != ERR_NONE) {
        return err;
    }
    static_assert(sizeof(canonical) <= (size_t)host_bytes_max, "an address fits into lower");
    if (!span_eq(host, span_of(canonical, len))) {
        memcpy(lower, canonical, len);
        host = span_of(lower, len);
    }
    *out = host;
    return ERR_NONE;
}

enum err host_from_request(struct span text, uint8_t *lower, struct host_port *out)
{
    struct host_port found = {.port = -1};
    size_t end = host_end(text);
    enum err err = port_from(text, end, &found.port);
    if (err != ERR_NONE) {
        return err;
    }
    struct span host = span_slice(text, 0, end);
    if (host.len > 0 && host.ptr[0] == '[') {
        err = request_ipv6(host, lower, &found.host);
    } else {
        err = request_name(without_last_dot(host), lower, &found.host);
    }
    if (err != ERR_NONE) {
        return err;
    }
    *out = found;
    return ERR_NONE;
}
