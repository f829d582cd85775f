/* SPDX-License-Identifier: MIT */
/* Values to bytes and back. */
#include "base/packed.h"

void packed_put_number(struct buffer *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        buffer_byte(out, (uint8_t)(value >> (8 * i)));
    }
}

void packed_put_text(struct buffer *out, struct span text)
{
    packed_put_number(out, text.len, 4);
    buffer_put(out, text);
}

struct span packed_take(struct packed *packed, size_t len)
{
    if (packed->bad || len > packed->rest.len) {
        packed->bad = true;
        return (struct span){0};
    }
    struct span taken = span_slice(packed->rest, 0, len);
    packed->rest = span_from(packed->rest, len);
    return taken;
}

uint64_t packed_take_number(struct packed *packed, size_t bytes)
{
    struct span digits = packed_take(packed, bytes);
    uint64_t value = 0;
    for (size_t i = digits.len; i > 0; i--) {
        value = value << 8 | digits.ptr[i - 1];
    }
    return value;
}

bool packed_is_over(const struct packed *packed)
{
    return !packed->bad && packed->rest.len == 0;
}
