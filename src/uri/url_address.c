/* SPDX-License-Identifier: MIT */
/* IPv4 and IPv6 addresses as the URL standard reads and writes them. */
#include "base/buffer.h"
#include "uri/escape.h"
#include "uri/url_host.h"

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

static struct span without_last_dot(struct span domain)
{
    return span_ends(domain, SPAN(".")) ? span_slice(domain, 0, domain.len - 1) : domain;
}

bool url_ends_in_number(struct span domain)
{
    struct span text = without_last_dot(domain);
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
    struct span text = without_last_dot(domain);
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

/* The dotted tail of an IPv6 address: four decimal numbers without leading zeros. */
static bool dotted_tail(struct span text, uint16_t pieces[2])
{
    uint32_t address = 0;
    size_t from = 0;
    for (int i = 0; i < 4; i++) {
        if (from > text.len) {
            return false;
        }
        size_t end = span_find(text, from, '.');
        uint64_t value = 0;
        if (!span_decimal(span_slice(text, from, end), 255, &value) ||
            (end - from > 1 && text.ptr[from] == '0')) {
            return false;
        }
        address = address << 8 | (uint32_t)value;
        from = end + 1;
    }
    pieces[0] = (uint16_t)(address >> 16);
    pieces[1] = (uint16_t)address;
    return from == text.len + 1;
}

/* One to four hexadecimal digits at *at; false when there is none. */
static bool piece_parse(struct span text, size_t *at, uint16_t *out)
{
    size_t from = *at;
    unsigned value = 0;
    while (*at < text.len && *at - from < 4 && escape_is(text.ptr[*at], ESCAPE_HEX)) {
        value = value << 4 | escape_digit(text.ptr[(*at)++]);
    }
    *out = (uint16_t)value;
    return *at > from;
}

struct ipv6 {
    uint16_t pieces[8];
    int count;
    int compress; /* how many pieces "::" ends, itself one of them; -1: none */
};

/* The pieces behind a leading "::", if there was one. */
static bool pieces_parse(struct span text, size_t at, struct ipv6 *ip)
{
    while (at < text.len) {
        if (ip->count == 8) {
            return false;
        }
        if (text.ptr[at] == ':') {
            if (ip->compress >= 0) {
                return false;
            }
            ip->compress = ++ip->count;
            at++;
            continue;
        }
        size_t from = at;
        if (!piece_parse(text, &at, &ip->pieces[ip->count])) {
            return false;
        }
        if (at < text.len && text.ptr[at] == '.') {
            bool ok = ip->count <= 6 && dotted_tail(span_from(text, from), &ip->pieces[ip->count]);
            ip->count += 2;
            return ok;
        }
        ip->count++;
        if (at < text.len && (text.ptr[at] != ':' || ++at == text.len)) {
            return false;
        }
    }
    return true;
}

/* Moves what stood behind "::" to the end. */
static bool pieces_spread(struct ipv6 *ip)
{
    if (ip->compress < 0) {
        return ip->count == 8;
    }
    int behind = ip->count - ip->compress;
    for (int i = 1; i <= behind; i++) {
        uint16_t piece = ip->pieces[ip->count - i];
        ip->pieces[ip->count - i] = 0;
        ip->pieces[8 - i] = piece;
    }
    return true;
}

/* The first longest run of two zeros or more; its length is 0 when there is none. */
static int zero_run(const uint16_t pieces[8], int *length)
{
    int best = 0;
    *length = 0;
    for (int i = 0; i < 8; i++) {
        int end = i;
        while (end < 8 && pieces[end] == 0) {
            end++;
        }
        if (end - i > 1 && end - i > *length) {
            best = i;
            *length = end - i;
        }
        i = end > i ? end - 1 : i;
    }
    return best;
}

static enum err ipv6_format(const uint16_t pieces[8], struct arena *arena, struct span *out)
{
    enum { text_max = 41 };
    uint8_t *memory = arena_alloc(arena, text_max);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    struct buffer text = buffer_over(memory, text_max);
    int length = 0;
    int run = zero_run(pieces, &length);
    buffer_byte(&text, '[');
    for (int i = 0; i < 8; i++) {
        if (length > 0 && i == run) {
            buffer_put(&text, i == 0 ? SPAN("::") : SPAN(":"));
            i += length - 1;
            continue;
        }
        buffer_printf(&text, i < 7 ? "%x:" : "%x", pieces[i]);
    }
    buffer_byte(&text, ']');
    *out = buffer_span(&text);
    return ERR_NONE;
}

enum err url_ipv6_parse(struct span text, struct arena *arena, struct span *out)
{
    struct ipv6 ip = {.compress = -1};
    size_t at = 0;
    if (span_starts(text, SPAN("::"))) {
        ip.compress = ip.count = 1;
        at = 2;
    } else if (span_starts(text, SPAN(":"))) {
        return ERR_SYNTAX;
    }
    if (!pieces_parse(text, at, &ip) || !pieces_spread(&ip)) {
        return ERR_SYNTAX;
    }
    return ipv6_format(ip.pieces, arena, out);
}
