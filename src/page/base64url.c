/* SPDX-License-Identifier: MIT */
/* Six bits a digit. */
#include "page/base64url.h"

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

bool base64url_encode(struct span bytes, struct buffer *out)
{
    uint8_t *room = buffer_reserve(out, encoded_bytes(bytes.len));
    if (room != NULL) {
        encode(bytes, room);
    }
    return room != NULL;
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

bool base64url_decode(struct span text, struct buffer *out)
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
