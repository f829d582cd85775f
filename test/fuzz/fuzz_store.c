/* SPDX-License-Identifier: MIT */
/* Records of the store from any bytes: the first byte says which kind. What decodes encodes
 * to the very same bytes, is within its bounds, and is known by its seal and by no other. */
#include "store/codec.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { kinds = 5 };

/* Encodes what decoded; false: it did not. */
static bool round_trip(unsigned kind, struct span bytes, struct buffer *out)
{
    struct codec_totals totals;
    struct store_override item;
    struct store_change change;
    struct codec_token token;
    struct store_message message;
    switch (kind) {
    case 0:
        return codec_decode_totals(bytes, &totals) && (codec_encode_totals(&totals, out), true);
    case 1:
        return codec_decode_override(bytes, &item) && (codec_encode_override(&item, out), true);
    case 2:
        return codec_decode_change(bytes, &change) && (codec_encode_change(&change, out), true);
    case 3:
        return codec_decode_token(bytes, &token) && (codec_encode_token(&token, out), true);
    default:
        return codec_decode_message(bytes, &message) && (codec_encode_message(&message, out), true);
    }
}

static void check_bounds(unsigned kind, struct span bytes)
{
    struct store_override item;
    struct store_change change;
    if (kind == 1 && codec_decode_override(bytes, &item)) {
        assert(item.value.kind == STORE_SET || item.value.kind == STORE_OFF);
        assert(item.value.json.len <= store_value_bytes_max && item.number > 0);
    }
    if (kind == 2 && codec_decode_change(bytes, &change)) {
        assert(change.key.len > 0 && change.key.len <= store_key_bytes_max);
        assert(change.why.len <= store_why_bytes_max && change.owner.len <= store_name_bytes_max);
        assert(change.who.name.len <= store_name_bytes_max);
        assert(change.before.json.len <= store_value_bytes_max &&
               change.after.json.len <= store_value_bytes_max);
        assert(change.after.kind != STORE_NONE || change.after.stanza == 0);
    }
}

static void check_seal(struct buffer *record)
{
    struct span back;
    size_t len = record->len;
    codec_seal(TABLE_CHANGES, SPAN("key"), record);
    struct span sealed = buffer_span(record);
    assert(sealed.len == len + codec_seal_bytes);
    assert(codec_unseal(TABLE_CHANGES, SPAN("key"), sealed, &back) && back.len == len);
    assert(!codec_unseal(TABLE_CHANGES, SPAN("kez"), sealed, &back));
    assert(!codec_unseal(TABLE_OVERRIDES, SPAN("key"), sealed, &back));
    record->ptr[len / 2] ^= 1;
    assert(!codec_unseal(TABLE_CHANGES, SPAN("key"), sealed, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span back;
    if (size == 0) {
        return 0;
    }
    unsigned kind = data[0] % kinds;
    struct span bytes = span_of(data + 1, size - 1);
    struct buffer out = buffer_over(malloc(codec_record_bytes_max), codec_record_bytes_max);
    codec_unseal(TABLE_TOKENS, SPAN("key"), bytes, &back);
    if (round_trip(kind, bytes, &out)) {
        assert(!out.full && span_eq(buffer_span(&out), bytes));
        check_bounds(kind, bytes);
        check_seal(&out);
    }
    free(out.ptr);
    return 0;
}
