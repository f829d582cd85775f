/* SPDX-License-Identifier: MIT */
/* The form of a store's file: one LMDB database with three kinds of keys, told by their first byte.
 *
 *   'm'                    the meta record: format, sums, the next number, a checksum
 *   'o' number             the key of the record that was put with that number, big-endian, so that
 *                          the first one is the oldest
 *   'u' hash of the URL    that number, little-endian, and a record (client/memo.h)
 */
#pragma once

#include <detour/store.h>

#include "base/buffer.h"
#include "client/hash.h"

enum {
    file_format = 1,
    file_number_bytes = 8,
    file_key_bytes = 1 + hash_key_bytes,
    file_order_bytes = 1 + file_number_bytes,
    file_meta_bytes = 4 + 3 * 8 + 8,
};

struct file_meta {
    uint64_t count; /* of records */
    uint64_t bytes; /* of their values */
    uint64_t next;  /* number */
};

void file_meta_encode(const struct file_meta *meta, uint8_t out[file_meta_bytes]);
/* Of any version: the rest of a newer one may look otherwise. False: too short. */
bool file_meta_format(struct span bytes, uint32_t *out);
/* False: of another version, or damaged. */
bool file_meta_decode(struct span bytes, struct file_meta *out);

void file_key(struct span url, uint8_t out[file_key_bytes]);
void file_order_key(uint64_t number, uint8_t out[file_order_bytes]);
uint64_t file_number(const uint8_t bytes[file_number_bytes]);
void file_number_put(uint64_t number, uint8_t out[file_number_bytes]);

/* Reads the file through as it lies on the disk, without LMDB, which trusts what it finds: a
 * damaged page would end the process. DETOUR_OK, DETOUR_ERROR_DAMAGED, DETOUR_ERROR_NEWER,
 * DETOUR_ERROR_IO, DETOUR_ERROR_MEMORY; why has room for DETOUR_WHY_BYTES. Nobody may write
 * meanwhile. */
enum detour_error file_check(int fd, char *why);
