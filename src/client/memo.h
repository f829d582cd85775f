/* SPDX-License-Identifier: MIT */
/* What a store knows of one URL, as bytes: all variants that Vary tells apart. Numbers are
 * little-endian, texts stand behind their length in 32 bits. A checksum over all of it comes last,
 * since LMDB has none. What decodes encodes to the same bytes. */
#pragma once

#include <detour/store.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

enum {
    memo_bytes_max = 65536,
    memo_fields_max = 16, /* that are kept of an answer, and that Vary names */
};

struct memo_field {
    struct span name;
    struct span value;
};

struct memo_fields {
    size_t count;
    struct memo_field items[memo_fields_max];
};

struct variant {
    uint16_t status;
    int64_t stored_s;      /* when the answer came */
    int64_t age_s;         /* then */
    int64_t fresh_until_s; /* INT64_MAX: no end */
    struct memo_fields answer;
    struct memo_fields asked; /* of the request, by the names in Vary; no value: ptr NULL */
};

struct memo {
    struct span url; /* the target URI */
    size_t count;
    struct variant variants[DETOUR_VARIANTS_MAX]; /* the oldest first */
};

/* full is set on out where it does not fit. */
void memo_encode(const struct memo *record, struct buffer *out);
/* Texts point into bytes. False: it is none, or was damaged. */
bool memo_decode(struct span bytes, struct memo *out);
