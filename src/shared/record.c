/* SPDX-License-Identifier: MIT */
/* Log records to bytes and back; both sides are the same program on one machine. */
#include "shared/record.h"

#include "shared/ring.h"

#include <assert.h>

struct wire_record {
    int64_t time_ns;
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint8_t client[16];
    uint32_t duration_us;
    uint32_t origin_us;
    uint16_t client_port;
    uint16_t status;
    uint16_t origin_status;
    uint16_t lengths[RECORD_STRINGS];
    uint8_t version;
    uint8_t secure;
    uint8_t reserved[6];
};

static_assert(sizeof(struct wire_record) == 80, "no padding that is not meant");
static_assert(sizeof(struct wire_record) + RECORD_ORIGIN * record_string_max +
                      (RECORD_STRINGS - RECORD_ORIGIN) * record_name_max <=
                  ring_record_bytes_max,
              "the longest record fits into the ring");

static size_t length_max(size_t which)
{
    return which < RECORD_ORIGIN ? record_string_max : record_name_max;
}

static size_t cut(const struct record *record, size_t which)
{
    size_t len = record->strings[which].len;
    return len < length_max(which) ? len : length_max(which);
}

size_t record_size(const struct record *record)
{
    size_t size = sizeof(struct wire_record);
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        size += cut(record, i);
    }
    return size;
}

void record_encode(const struct record *record, uint8_t *out)
{
    struct wire_record wire = {
        .time_ns = record->time_ns,
        .bytes_sent = record->bytes_sent,
        .bytes_received = record->bytes_received,
        .duration_us = record->duration_us,
        .origin_us = record->origin_us,
        .client_port = record->client_port,
        .status = record->status,
        .origin_status = record->origin_status,
        .version = record->version,
        .secure = record->secure,
    };
    memcpy(wire.client, record->client, sizeof(wire.client));
    uint8_t *at = out + sizeof(wire);
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        size_t len = cut(record, i);
        wire.lengths[i] = (uint16_t)len;
        if (len > 0) {
            memcpy(at, record->strings[i].ptr, len);
        }
        at += len;
    }
    memcpy(out, &wire, sizeof(wire));
}

bool record_decode(struct span bytes, struct record *out)
{
    struct wire_record wire;
    if (bytes.len < sizeof(wire)) {
        return false;
    }
    memcpy(&wire, bytes.ptr, sizeof(wire));
    struct record record = {
        .time_ns = wire.time_ns,
        .bytes_sent = wire.bytes_sent,
        .bytes_received = wire.bytes_received,
        .duration_us = wire.duration_us,
        .origin_us = wire.origin_us,
        .client_port = wire.client_port,
        .status = wire.status,
        .origin_status = wire.origin_status,
        .version = wire.version,
        .secure = wire.secure != 0,
    };
    memcpy(record.client, wire.client, sizeof(wire.client));
    size_t at = sizeof(wire);
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        if (wire.lengths[i] > length_max(i) || wire.lengths[i] > bytes.len - at) {
            return false;
        }
        record.strings[i] = span_of(bytes.ptr + at, wire.lengths[i]);
        at += wire.lengths[i];
    }
    if (at != bytes.len) {
        return false;
    }
    *out = record;
    return true;
}
