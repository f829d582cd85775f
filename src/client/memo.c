/* SPDX-License-Identifier: MIT */
/* Records to bytes and back. */
#include "client/memo.h"

#include "base/packed.h"
#include "client/hash.h"

enum { seal_bytes = 8, seal_seed = 0x64746f72 };

/* ---- to bytes ---- */

/* A text that is none has a length that no text has. */
static void put_text(struct buffer *out, struct span text)
{
    if (text.ptr == NULL) {
        packed_put_number(out, UINT32_MAX, 4);
        return;
    }
    packed_put_text(out, text);
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
        packed_put_number(out, variant->status, 2);
        packed_put_number(out, (uint64_t)variant->stored_s, 8);
        packed_put_number(out, (uint64_t)variant->age_s, 8);
        packed_put_number(out, (uint64_t)variant->fresh_until_s, 8);
        put_fields(out, &variant->answer);
        put_fields(out, &variant->asked);
    }
    if (!out->full) {
        struct span bytes = span_slice(buffer_span(out), from, out->len);
        packed_put_number(out, hash_bytes(bytes, seal_seed), seal_bytes);
    }
}

/* ---- from bytes ---- */

static int64_t take_time(struct packed *packed)
{
    uint64_t value = packed_take_number(packed, 8);
    packed->bad = packed->bad || value > INT64_MAX;
    return (int64_t)(value & INT64_MAX);
}

static struct span take_text(struct packed *packed)
{
    uint64_t len = packed_take_number(packed, 4);
    return len == UINT32_MAX ? span_of(NULL, 0) : packed_take(packed, len);
}

static void take_fields(struct packed *packed, struct memo_fields *out)
{
    size_t count = packed_take_number(packed, 1);
    out->count = 0;
    if (count > memo_fields_max) {
        packed->bad = true;
        return;
    }
    for (; out->count < count && !packed->bad; out->count++) {
        out->items[out->count].name = take_text(packed);
        out->items[out->count].value = take_text(packed);
        packed->bad = packed->bad || out->items[out->count].name.ptr == NULL;
    }
}

bool memo_decode(struct span bytes, struct memo *out)
{
    if (bytes.len < seal_bytes || bytes.len > memo_bytes_max) {
        return false;
    }
    struct span sealed = span_slice(bytes, 0, bytes.len - seal_bytes);
    struct packed seal = {.rest = span_from(bytes, sealed.len)};
    if (packed_take_number(&seal, seal_bytes) != hash_bytes(sealed, seal_seed)) {
        return false;
    }
    struct packed packed = {.rest = sealed};
    out->url = take_text(&packed);
    size_t count = packed_take_number(&packed, 1);
    if (out->url.ptr == NULL || count == 0 || count > DETOUR_VARIANTS_MAX) {
        return false;
    }
    for (out->count = 0; out->count < count && !packed.bad; out->count++) {
        struct variant *variant = &out->variants[out->count];
        variant->status = (uint16_t)packed_take_number(&packed, 2);
        variant->stored_s = take_time(&packed);
        variant->age_s = take_time(&packed);
        variant->fresh_until_s = take_time(&packed);
        take_fields(&packed, &variant->answer);
        take_fields(&packed, &variant->asked);
    }
    return packed_is_over(&packed);
}
