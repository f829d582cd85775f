/* SPDX-License-Identifier: MIT */
/* A bounded, sticky writer: append freely, test once. When something does not fit,
 * nothing of it is written and full stays true. */
#pragma once

#include "base/span.h"

struct buffer {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    bool full;
};

static inline struct buffer buffer_over(void *memory, size_t cap)
{
    return (struct buffer){.ptr = memory, .cap = cap};
}

/* Room for len bytes at the end, counted as written; NULL when they do not fit. */
static inline uint8_t *buffer_reserve(struct buffer *out, size_t len)
{
    if (out->full || len > out->cap - out->len) {
        out->full = true;
        return NULL;
    }
    uint8_t *room = out->ptr + out->len;
    out->len += len;
    return room;
}

static inline void buffer_put(struct buffer *out, struct span bytes)
{
    uint8_t *room = buffer_reserve(out, bytes.len);
    if (room != NULL && bytes.len > 0) {
        memcpy(room, bytes.ptr, bytes.len);
    }
}

static inline void buffer_byte(struct buffer *out, uint8_t byte)
{
    uint8_t *room = buffer_reserve(out, 1);
    if (room != NULL) {
        *room = byte;
    }
}

static inline struct span buffer_span(const struct buffer *out)
{
    return span_of(out->ptr, out->len);
}

void buffer_decimal(struct buffer *out, uint64_t value);
void buffer_printf(struct buffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
