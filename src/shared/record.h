/* SPDX-License-Identifier: MIT */
/* An access log record as it travels through a ring: fixed numbers, then strings. The
 * worker only copies; the logger makes the JSON line. */
#pragma once

#include "base/buffer.h"
#include "http/request.h"

enum record_string {
    RECORD_METHOD,
    RECORD_HOST,
    RECORD_PATH,  /* as sent, with the query */
    RECORD_LOCATION,
    RECORD_RULE,  /* "shop/routes/api" */
    RECORD_WHY,   /* "route", "detour", "default", "no site", "bad request: two Hosts" */
    RECORD_USER_AGENT,
    RECORD_STRINGS,
};

struct record {
    int64_t time_ns; /* wall clock, when the answer was made */
    uint8_t client[16];
    uint16_t client_port;
    uint16_t status;
    uint8_t version; /* 10, 11, 20 */
    bool secure;
    uint32_t duration_us; /* from the first byte of the request to its answer */
    struct span strings[RECORD_STRINGS];
};

/* How many bytes record_encode will write. Strings are cut to 8 KiB each. */
size_t record_size(const struct record *record);
void record_encode(const struct record *record, uint8_t *out);
bool record_decode(struct span bytes, struct record *out);

/* One line of JSON with its newline, always valid UTF-8: control bytes and bytes that are
 * not UTF-8 are escaped. */
void record_to_json(const struct record *record, struct buffer *out);
