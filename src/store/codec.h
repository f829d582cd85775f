/* SPDX-License-Identifier: MIT */
/* Records as bytes: fields one after the other, numbers little-endian, texts behind their
 * length in 32 bits. A sealed record is followed by a checksum over its table, its key and
 * its bytes, since LMDB itself has none: a record that was damaged, or that stands where
 * another belongs, is known for it. What decodes encodes to the same bytes. */
#pragma once

#include "base/buffer.h"
#include "store/store.h"

enum store_table {
    TABLE_META,
    TABLE_OVERRIDES,
    TABLE_CHANGES,
    TABLE_SECRETS,
    TABLE_TOKENS,
    TABLES_OF_FORMAT_1, /* what follows came with format 2 */
    TABLE_MARKS = TABLES_OF_FORMAT_1,
    TABLE_MESSAGES,
    TABLES,
};

enum {
    codec_seal_bytes = 8,
    codec_hash_bytes = 32,  /* SHA-256 */
    codec_number_bytes = 8, /* the key of a change */
    codec_record_bytes_max = 2 * store_value_bytes_max + store_why_bytes_max + 4096,
};

/* What stands in TABLE_META: the sums that let a start find out that something is missing. */
struct codec_totals {
    uint64_t next; /* the number of the next change */
    uint64_t history_count;
    uint64_t history_bytes; /* of the sealed records */
    uint64_t override_count;
    uint64_t override_bytes;
};

struct codec_token {
    enum store_scope scope;
    int64_t created_ns;
    uint8_t hash[codec_hash_bytes];
};

/* Each decoder takes exactly one record, without its seal. False: it is none. Texts point
 * into the bytes. The keys of overrides and the numbers of changes and messages stand in LMDB's
 * keys and are left alone. */
void codec_encode_totals(const struct codec_totals *totals, struct buffer *out);
bool codec_decode_totals(struct span bytes, struct codec_totals *out);
void codec_encode_override(const struct store_override *item, struct buffer *out);
bool codec_decode_override(struct span bytes, struct store_override *out);
void codec_encode_change(const struct store_change *change, struct buffer *out);
bool codec_decode_change(struct span bytes, struct store_change *out);
void codec_encode_token(const struct codec_token *token, struct buffer *out);
bool codec_decode_token(struct span bytes, struct codec_token *out);
void codec_encode_message(const struct store_message *message, struct buffer *out);
bool codec_decode_message(struct span bytes, struct store_message *out);

/* Big-endian: LMDB sorts keys by their bytes. */
void codec_encode_number(uint64_t number, uint8_t out[codec_number_bytes]);
bool codec_decode_number(struct span bytes, uint64_t *out);

/* Appends the checksum over what is in the buffer. */
void codec_seal(enum store_table table, struct span key, struct buffer *record);
/* Takes it off. False: it does not fit. */
bool codec_unseal(enum store_table table, struct span key, struct span record, struct span *out);
