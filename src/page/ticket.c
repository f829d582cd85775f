/* SPDX-License-Identifier: MIT */
/* Tickets: base64url around a code and a target. */
#include "page/ticket.h"

#include "uri/escape.h"

#include <assert.h>

static_assert((int)ticket_code_bytes <= (int)mac_bytes, "a code is cut off, never made longer");

bool target_is_local(struct span target)
{
    if (target.len == 0 || target.len > ticket_target_max || target.ptr[0] != '/') {
        return false;
    }
    if (target.len > 1 && (target.ptr[1] == '/' || target.ptr[1] == '\\')) {
        return false;
    }
    return escape_run(target, 0, ESCAPE_LOCATION) == target.len &&
           span_find(target, 0, '#') == target.len;
}

/* No host holds a NUL, so it ends there and nowhere else. */
static void make_code(const struct ticket_key *key, struct span host, struct span target,
                      uint8_t out[mac_bytes])
{
    const struct span parts[] = {SPAN("detour return ticket 1"), host, span_of("", 1), target};
    mac_make(key->bytes, parts, sizeof(parts) / sizeof(*parts), out);
}

/* ---- base64url ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encoded_bytes(size_t len)
{
    return len / 3 * 4 + (len % 3 != 0 ? len % 3 + 1 : 0);
}

static void encode(struct span bytes, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | bytes.ptr[i];
        for (held += 8; held >= 6; held -= 6) {
            *out++ = (uint8_t)digits[bits >> (held - 6) & 63];
        }
    }
    if (held > 0) {
        *out = (uint8_t)digits[bits << (6 - held) & 63];
    }
}

/* 64 for what is no digit. */
static uint32_t digit_value(uint8_t c)
{
    if (ascii_is_alpha(c)) {
        return c >= 'a' ? c - 'a' + 26u : c - 'A' + 0u;
    }
    if (ascii_is_digit(c)) {
        return c - '0' + 52u;
    }
    return c == '-' ? 62 : c == '_' ? 63 : 64;
}

/* Bits that are left over must be 0: so that each ticket has one spelling. */
static bool decode(struct span text, struct buffer *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint32_t value = digit_value(text.ptr[i]);
        if (value == 64) {
            return false;
        }
        bits = bits << 6 | value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buffer_byte(out, (uint8_t)(bits >> held));
        }
    }
    return held < 6 && (bits & ((1u << held) - 1)) == 0 && !out->full;
}

/* ---- tickets ---- */

bool ticket_seal(const struct ticket_key *key, struct span host, struct span target,
                 struct buffer *out)
{
    uint8_t whole[mac_bytes + ticket_target_max];
    if (!target_is_local(target)) {
        return false;
    }
    make_code(key, host, target, whole);
    memcpy(whole + ticket_code_bytes, target.ptr, target.len);
    struct span bytes = span_of(whole, ticket_code_bytes + target.len);
    uint8_t *room = buffer_reserve(out, encoded_bytes(bytes.len));
    if (room == NULL) {
        return false;
    }
    encode(bytes, room);
    return true;
}

bool ticket_open(const struct ticket_key *key, struct span host, struct span ticket,
                 struct buffer *target_out)
{
    uint8_t whole[ticket_code_bytes + ticket_target_max];
    uint8_t code[mac_bytes];
    struct buffer bytes = buffer_over(whole, sizeof(whole));
    if (ticket.len > ticket_text_max || !decode(ticket, &bytes) || bytes.len <= ticket_code_bytes) {
        return false;
    }
    struct span target = span_from(buffer_span(&bytes), ticket_code_bytes);
    make_code(key, host, target, code);
    if (!mac_same(code, whole, ticket_code_bytes) || !target_is_local(target)) {
        return false;
    }
    buffer_put(target_out, target);
    return !target_out->full;
}
