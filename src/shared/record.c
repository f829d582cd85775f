/* SPDX-License-Identifier: MIT */
/* Log records to bytes and back; both sides are the same program on one machine. */
#include "shared/record.h"

#include "shared/ring.h"

#include <assert.h>

struct wire_record {
    int64_t time_ns;
    uint8_t client[16];
    uint32_t duration_us;
    uint16_t client_port;
    uint16_t status;
    uint16_t lengths[RECORD_STRINGS];
    uint8_t version;
    uint8_t secure;
};

static_assert(sizeof(struct wire_record) == 48, "no padding that is not meant");
static_assert(sizeof(struct wire_record) + RECORD_STRINGS * record_string_max <=
                  ring_record_bytes_max,
              "the longest record fits into the ring");

static size_t cut(struct span s)
{
    return s.len < record_string_max ? s.len : record_string_max;
}

size_t record_size(const struct record *record)
{
    size_t size = sizeof(struct wire_record);
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        size += cut(record->strings[i]);
    }
    return size;
}

void record_encode(const struct record *record, uint8_t *out)
{
    struct wire_record wire = {
        .time_ns = record->time_ns,
        .duration_us = record->duration_us,
        .client_port = record->client_port,
        .status = record->status,
        .version = record->version,
        .secure = record->secure,
    };
    memcpy(wire.client, record->client, sizeof(wire.client));
    uint8_t *at = out + sizeof(wire);
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        size_t len = cut(record->strings[i]);
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
        .duration_us = wire.duration_us,
        .client_port = wire.client_port,
        .status = wire.status,
        .version = wire.version,
        .secure = wire.secure != 0,
    };
    memcpy(record.client, wire.client, sizeof(wire.client));
    size_t at = sizeof(wire);
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        if (wire.lengths[i] > record_string_max || wire.lengths[i] > bytes.len - at) {
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
