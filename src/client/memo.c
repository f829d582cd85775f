/* SPDX-License-Identifier: MIT */
/* Records to bytes and back. */
#include "client/memo.h"

#include "client/hash.h"

enum { seal_bytes = 8, seal_seed = 0x64746f72 };

/* ---- to bytes ---- */

static void put_number(struct buffer *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        buffer_byte(out, (uint8_t)(value >> (8 * i)));
    }
}

/* A text that is none has a length that no text has. */
static void put_text(struct buffer *out, struct span text)
{
    if (text.ptr == NULL) {
        put_number(out, UINT32_MAX, 4);
        return;
    }
    put_number(out, text.len, 4);
    buffer_put(out, text);
}

static void put_fields(struct buffer *out, const struct memo_fields *fields)
{
    buffer_byte(out, (uint8_t)fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        put_text(out, fields->items[i].name);
        put_text(out, fields->items[i].value);
    }
}

void memo_encode(const struct memo *record, struct buffer *out)
{
    size_t from = out->len;
    put_text(out, record->url);
    buffer_byte(out, (uint8_t)record->count);
    for (size_t i = 0; i < record->count; i++) {
        const struct variant *variant = &record->variants[i];
        put_number(out, variant->status, 2);
        put_number(out, (uint64_t)variant->stored_s, 8);
        put_number(out, (uint64_t)variant->age_s, 8);
        put_number(out, (uint64_t)variant->fresh_until_s, 8);
        put_fields(out, &variant->answer);
        put_fields(out, &variant->asked);
    }
    if (!out->full) {
        struct span bytes = span_slice(buffer_span(out), from, out->len);
        put_number(out, hash_bytes(bytes, seal_seed), seal_bytes);
    }
}

/* ---- from bytes ---- */

/* What is left; bad stays true. */
struct reader {
    struct span rest;
    bool bad;
};

static struct span take(struct reader *reader, size_t len)
{
    if (reader->bad || len > reader->rest.len) {
        reader->bad = true;
        return span_of(NULL, 0);
    }
    struct span bytes = span_slice(reader->rest, 0, len);
    reader->rest = span_from(reader->rest, len);
    return bytes;
}

static uint64_t take_number(struct reader *reader, size_t bytes)
{
    struct span digits = take(reader, bytes);
    uint64_t value = 0;
    for (size_t i = digits.len; i > 0; i--) {
        value = value << 8 | digits.ptr[i - 1];
    }
    return value;
}

static int64_t take_time(struct reader *reader)
{
    uint64_t value = take_number(reader, 8);
    reader->bad = reader->bad || value > INT64_MAX;
    return (int64_t)(value & INT64_MAX);
}

static struct span take_text(struct reader *reader)
{
    uint64_t len = take_number(reader, 4);
    return len == UINT32_MAX ? span_of(NULL, 0) : take(reader, len);
}

static void take_fields(struct reader *reader, struct memo_fields *out)
{
    size_t count = take_number(reader, 1);
    out->count = 0;
    if (count > memo_fields_max) {
        reader->bad = true;
        return;
    }
    for (; out->count < count && !reader->bad; out->count++) {
        out->items[out->count].name = take_text(reader);
        out->items[out->count].value = take_text(reader);
        reader->bad = reader->bad || out->items[out->count].name.ptr == NULL;
    }
}

bool memo_decode(struct span bytes, struct memo *out)
{
    if (bytes.len < seal_bytes || bytes.len > memo_bytes_max) {
        return false;
    }
    struct span sealed = span_slice(bytes, 0, bytes.len - seal_bytes);
    struct reader seal = {.rest = span_from(bytes, sealed.len)};
    if (take_number(&seal, seal_bytes) != hash_bytes(sealed, seal_seed)) {
        return false;
    }
    struct reader reader = {.rest = sealed};
    out->url = take_text(&reader);
    size_t count = take_number(&reader, 1);
    if (out->url.ptr == NULL || count == 0 || count > DETOUR_VARIANTS_MAX) {
        return false;
    }
    for (out->count = 0; out->count < count && !reader.bad; out->count++) {
        struct variant *variant = &out->variants[out->count];
        variant->status = (uint16_t)take_number(&reader, 2);
        variant->stored_s = take_time(&reader);
        variant->age_s = take_time(&reader);
        variant->fresh_until_s = take_time(&reader);
        take_fields(&reader, &variant->answer);
        take_fields(&reader, &variant->asked);
    }
    return !reader.bad && reader.rest.len == 0;
}
