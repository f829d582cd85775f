/* SPDX-License-Identifier: MIT */
/* IPv4 and IPv6 addresses as the URL standard reads and writes them. */
#include "uri/url_host.h"

#include "base/buffer.h"
#include "uri/escape.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

/* One part of an IPv4 address: decimal, 0x hexadecimal, 0 octal. Saturates beyond 32
 * bits. False: not a number. */
static bool number_parse(struct span text, uint64_t *out)
{
    unsigned base = 10;
    if (text.len >= 2 && text.ptr[0] == '0') {
        bool hex = ascii_lower(text.ptr[1]) == 'x';
        base = hex ? 16 : 8;
        text = span_from(text, hex ? 2 : 1);
    } else if (text.len == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!escape_is(text.ptr[i], ESCAPE_HEX) || escape_digit(text.ptr[i]) >= base) {
            return false;
        }
        value = value * base + escape_digit(text.ptr[i]);
        value = value > UINT64_C(0x100000000) ? UINT64_C(0x100000000) : value;
    }
    *out = value;
    return true;
}

bool url_ends_in_number(struct span domain)
{
    struct span text = url_without_last_dot(domain);
    size_t from = text.len;
    while (from > 0 && text.ptr[from - 1] != '.') {
        from--;
    }
    struct span last = span_from(text, from);
    uint64_t value = 0;
    bool digits = last.len > 0;
    for (size_t i = 0; i < last.len; i++) {
        digits = digits && ascii_is_digit(last.ptr[i]);
    }
    return digits || number_parse(last, &value);
}

enum err url_ipv4_parse(struct span domain, struct arena *arena, struct span *out)
{
    struct span text = url_without_last_dot(domain);
    uint64_t parts[4];
    size_t count = 0;
    for (size_t from = 0; from <= text.len;) {
        size_t end = span_find(text, from, '.');
        if (count == 4 || !number_parse(span_slice(text, from, end), &parts[count])) {
            return ERR_SYNTAX;
        }
        count++;
        from = end + 1;
    }
    uint64_t address = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        if (parts[i] > 255) {
            return ERR_SYNTAX;
        }
        address |= parts[i] << (8 * (3 - i));
    }
    if (parts[count - 1] >= UINT64_C(1) << (8 * (5 - count))) {
        return ERR_SYNTAX;
    }
    address |= parts[count - 1];
    const char *dotted = arena_printf(arena, "%u.%u.%u.%u", (unsigned)(address >> 24 & 255),
                                      (unsigned)(address >> 16 & 255),
                                      (unsigned)(address >> 8 & 255), (unsigned)(address & 255));
    *out = span_cstr(dotted);
    return dotted != NULL ? ERR_NONE : ERR_MEMORY;
}

/* glibc writes the last 32 bits of what might hold an IPv4 address dotted; the URL standard
 * writes all addresses alike, and the same host must not have two names. */
static void undot(const struct in6_addr *binary, char *address, size_t size)
{
    if (strchr(address, '.') != NULL) {
        const uint8_t *b = binary->s6_addr;
        snprintf(address, size, "::%s%x:%x", b[11] == 0xff ? "ffff:" : "", b[12] << 8 | b[13],
                 b[14] << 8 | b[15]);
    }
}

enum err url_ipv6_canonical(struct span literal, uint8_t out[url_ipv6_bytes_max], size_t *len_out)
{
    char address[INET6_ADDRSTRLEN] = "";
    struct in6_addr binary;
    if (literal.len < 2 || literal.ptr[0] != '[' || literal.ptr[literal.len - 1] != ']' ||
        literal.len - 2 >= sizeof(address) || memchr(literal.ptr, 0, literal.len) != NULL) {
        return ERR_SYNTAX;
    }
    memcpy(address, literal.ptr + 1, literal.len - 2);
    if (inet_pton(AF_INET6, address, &binary) != 1) {
        return ERR_SYNTAX;
    }
    bool fits = inet_ntop(AF_INET6, &binary, address, sizeof(address)) != NULL;
    assert(fits);
    undot(&binary, address, sizeof(address));
    struct buffer canonical = buffer_over(out, url_ipv6_bytes_max);
    buffer_byte(&canonical, '[');
    buffer_put(&canonical, span_cstr(address));
    buffer_byte(&canonical, ']');
    *len_out = canonical.len;
    return ERR_NONE;
}
