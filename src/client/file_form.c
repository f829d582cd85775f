/* SPDX-License-Identifier: MIT */
/* Keys and the meta record of a store's file. */
#include "client/file.h"

enum { meta_seal_seed = 0x6d657461 };

static void number_put(uint64_t value, size_t bytes, uint8_t *out)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t number_read(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = count; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

void file_number_put(uint64_t number, uint8_t out[file_number_bytes])
{
    number_put(number, file_number_bytes, out);
}

uint64_t file_number(const uint8_t bytes[file_number_bytes])
{
    return number_read(bytes, file_number_bytes);
}

void file_meta_encode(const struct file_meta *meta, uint8_t out[file_meta_bytes])
{
    number_put(file_format, 4, out);
    number_put(meta->count, 8, out + 4);
    number_put(meta->bytes, 8, out + 12);
    number_put(meta->next, 8, out + 20);
    number_put(hash_bytes(span_of(out, 28), meta_seal_seed), 8, out + 28);
}

bool file_meta_format(struct span bytes, uint32_t *out)
{
    if (bytes.len < 4) {
        return false;
    }
    *out = (uint32_t)number_read(bytes.ptr, 4);
    return true;
}

bool file_meta_decode(struct span bytes, struct file_meta *out)
{
    if (bytes.len != file_meta_bytes || number_read(bytes.ptr, 4) != file_format ||
        number_read(bytes.ptr + 28, 8) != hash_bytes(span_slice(bytes, 0, 28), meta_seal_seed)) {
        return false;
    }
    *out = (struct file_meta){
        .count = number_read(bytes.ptr + 4, 8),
        .bytes = number_read(bytes.ptr + 12, 8),
        .next = number_read(bytes.ptr + 20, 8),
    };
    return true;
}

void file_key(struct span url, uint8_t out[file_key_bytes])
{
    out[0] = 'u';
    hash_key(url, out + 1);
}

void file_order_key(uint64_t number, uint8_t out[file_order_bytes])
{
    out[0] = 'o';
    for (size_t i = 0; i < file_number_bytes; i++) {
        out[1 + i] = (uint8_t)(number >> (8 * (file_number_bytes - 1 - i)));
    }
}
