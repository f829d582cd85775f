/* SPDX-License-Identifier: MIT */
/* One code point out of UTF-8 (RFC 3629). No I/O; any thread. */
#pragma once

#include "base/span.h"

/* The length of the code point that begins at this place, 1 to 4; 0: none does, as for a
 * surrogate, a longer form than needed or what lies beyond U+10FFFF. at < text.len. */
static inline size_t utf8_decode(struct span text, size_t at, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = text.ptr[at];
    size_t len = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (len == 0 || lead > 0xF4 || len > text.len - at) {
        return 0;
    }
    uint32_t value = len == 1 ? lead : lead & (0xFFU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        uint8_t byte = text.ptr[at + i];
        if ((byte & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (byte & 0x3F);
    }
    if (value < least[len] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
        return 0;
    }
    *out = value;
    return len;
}
