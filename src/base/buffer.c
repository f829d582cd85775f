/* SPDX-License-Identifier: MIT */
/* Numbers and formatted text into a bounded buffer. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

void buffer_decimal(struct buffer *out, uint64_t value)
{
    uint8_t digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buffer_put(out, span_of(digits + at, sizeof(digits) - at));
}

void buffer_printf(struct buffer *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(text)) {
        out->full = true;
        return;
    }
    buffer_put(out, span_of(text, (size_t)length));
}
