/* SPDX-License-Identifier: MIT */
/* Records as bytes, and the checksum behind each. */
#include "store/codec.h"

#include "base/packed.h"

#include <xxhash.h>

static void put_value(struct buffer *out, const struct store_value *value)
{
    packed_put_number(out, value->kind, 1);
    packed_put_number(out, value->stanza, 8);
    packed_put_text(out, value->json);
}

static uint64_t take_64(struct packed *r)
{
    return packed_take_number(r, 8);
}

/* One that is larger than it may be is none. */
static uint64_t take_number(struct packed *r, size_t bytes, uint64_t max)
{
    uint64_t value = packed_take_number(r, bytes);
    r->bad = r->bad || value > max;
    return r->bad ? 0 : value;
}

static struct span take_text(struct packed *r, size_t bytes_max)
{
    return packed_take(r, take_number(r, 4, bytes_max));
}

static struct store_value take_value(struct packed *r)
{
    struct store_value value;
    value.kind = (enum store_kind)take_number(r, 1, STORE_OFF);
    value.stanza = take_64(r);
    value.json = take_text(r, store_value_bytes_max);
    bool is_empty = value.json.len == 0;
    r->bad = r->bad || (value.kind == STORE_SET && is_empty) ||
             (value.kind == STORE_NONE && (!is_empty || value.stanza != 0));
    return value;
}

void codec_encode_totals(const struct codec_totals *totals, struct buffer *out)
{
    packed_put_number(out, totals->next, 8);
    packed_put_number(out, totals->history_count, 8);
    packed_put_number(out, totals->history_bytes, 8);
    packed_put_number(out, totals->override_count, 8);
    packed_put_number(out, totals->override_bytes, 8);
}

bool codec_decode_totals(struct span bytes, struct codec_totals *out)
{
    struct packed r = {.rest = bytes};
    struct codec_totals totals;
    totals.next = take_64(&r);
    totals.history_count = take_64(&r);
    totals.history_bytes = take_64(&r);
    totals.override_count = take_64(&r);
    totals.override_bytes = take_64(&r);
    if (!packed_is_over(&r) || totals.history_count >= totals.next) {
        return false;
    }
    *out = totals;
    return true;
}

void codec_encode_override(const struct store_override *item, struct buffer *out)
{
    put_value(out, &item->value);
    packed_put_number(out, item->number, 8);
    packed_put_number(out, (uint64_t)item->created_ns, 8);
    packed_put_number(out, (uint64_t)item->changed_ns, 8);
}

bool codec_decode_override(struct span bytes, struct store_override *out)
{
    struct packed r = {.rest = bytes};
    struct store_override item = {.value = take_value(&r)};
    item.number = take_64(&r);
    item.created_ns = (int64_t)take_64(&r);
    item.changed_ns = (int64_t)take_64(&r);
    if (!packed_is_over(&r) || item.value.kind == STORE_NONE || item.number == 0) {
        return false;
    }
    *out = item;
    return true;
}

void codec_encode_change(const struct store_change *change, struct buffer *out)
{
    packed_put_number(out, (uint64_t)change->time_ns, 8);
    packed_put_number(out, change->who.via, 1);
    packed_put_number(out, change->who.uid, 4);
    packed_put_text(out, change->who.name);
    packed_put_number(out, change->cause, 1);
    packed_put_number(out, change->reverts, 8);
    packed_put_text(out, change->owner);
    packed_put_text(out, change->why);
    packed_put_number(out, change->subject, 1);
    packed_put_text(out, change->key);
    put_value(out, &change->before);
    put_value(out, &change->after);
}

bool codec_decode_change(struct span bytes, struct store_change *out)
{
    struct packed r = {.rest = bytes};
    struct store_change change = {.time_ns = (int64_t)take_64(&r)};
    change.who.via = (enum store_via)take_number(&r, 1, STORE_VIA_TOKEN);
    change.who.uid = (uint32_t)take_number(&r, 4, UINT32_MAX);
    change.who.name = take_text(&r, store_name_bytes_max);
    change.cause = (enum store_cause)take_number(&r, 1, STORE_BY_SCHEDULE);
    change.reverts = take_64(&r);
    change.owner = take_text(&r, store_name_bytes_max);
    change.why = take_text(&r, store_why_bytes_max);
    change.subject = (enum store_subject)take_number(&r, 1, STORE_TOKEN);
    change.key = take_text(&r, store_key_bytes_max);
    change.before = take_value(&r);
    change.after = take_value(&r);
    if (!packed_is_over(&r) || change.key.len == 0) {
        return false;
    }
    *out = change;
    return true;
}

void codec_encode_token(const struct codec_token *token, struct buffer *out)
{
    packed_put_number(out, token->scope, 1);
    packed_put_number(out, (uint64_t)token->created_ns, 8);
    buffer_put(out, span_of(token->hash, sizeof(token->hash)));
}

bool codec_decode_token(struct span bytes, struct codec_token *out)
{
    struct packed r = {.rest = bytes};
    struct codec_token token;
    token.scope = (enum store_scope)take_number(&r, 1, STORE_SCOPE_WRITE);
    token.created_ns = (int64_t)take_64(&r);
    if (r.bad || r.rest.len != sizeof(token.hash)) {
        return false;
    }
    memcpy(token.hash, r.rest.ptr, sizeof(token.hash));
    *out = token;
    return true;
}

void codec_encode_message(const struct store_message *message, struct buffer *out)
{
    packed_put_number(out, (uint64_t)message->created_ns, 8);
    packed_put_text(out, message->url);
    packed_put_text(out, message->id);
    packed_put_text(out, message->content);
}

bool codec_decode_message(struct span bytes, struct store_message *out)
{
    struct packed r = {.rest = bytes};
    struct store_message message = {.created_ns = (int64_t)take_64(&r)};
    message.url = take_text(&r, store_url_bytes_max);
    message.id = take_text(&r, store_name_bytes_max);
    message.content = take_text(&r, store_content_bytes_max);
    if (!packed_is_over(&r)) {
        return false;
    }
    *out = message;
    return true;
}

void codec_encode_number(uint64_t number, uint8_t out[codec_number_bytes])
{
    for (size_t i = 0; i < codec_number_bytes; i++) {
        out[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

bool codec_decode_number(struct span bytes, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.len && i < codec_number_bytes; i++) {
        number = number << 8 | bytes.ptr[i];
    }
    if (bytes.len != codec_number_bytes || number == 0) {
        return false;
    }
    *out = number;
    return true;
}

/* ---- the seal ---- */

static uint64_t checksum(enum store_table table, struct span key, struct span bytes)
{
    uint64_t seed = XXH3_64bits_withSeed(key.ptr, key.len, table);
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

void codec_seal(enum store_table table, struct span key, struct buffer *record)
{
    packed_put_number(record, checksum(table, key, buffer_span(record)), codec_seal_bytes);
}

bool codec_unseal(enum store_table table, struct span key, struct span record, struct span *out)
{
    if (record.len < codec_seal_bytes) {
        return false;
    }
    struct span bytes = span_slice(record, 0, record.len - codec_seal_bytes);
    struct packed r = {.rest = span_from(record, bytes.len)};
    if (take_64(&r) != checksum(table, key, bytes)) {
        return false;
    }
    *out = bytes;
    return true;
}
