/* SPDX-License-Identifier: MIT */
/* An access log record as it travels through a ring: fixed numbers, then strings. The
 * worker only copies; the logger makes the JSON line. */
#pragma once

#include "base/buffer.h"
#include "http/request.h"

enum record_string {
    RECORD_METHOD,
    RECORD_HOST,
    RECORD_PATH, /* as sent, with the query */
    RECORD_LOCATION,
    RECORD_RULE, /* "shop/routes/api" */
    RECORD_WHY,  /* "route", "detour", "default", "no site", "bad request: two Hosts" */
    RECORD_USER_AGENT,
    RECORD_ORIGIN, /* of a request that was passed on: whom to. Empty: it was not */
    RECORD_ENDED,  /* … and why there was no answer, or not all of one; empty: there was */
    RECORD_STRINGS,
};

struct record {
    int64_t time_ns; /* wall clock, when the answer was made */
    uint8_t client[16];
    uint16_t client_port;
    uint16_t status;
    uint8_t version; /* 10, 11, 20 */
    bool secure;
    uint32_t duration_us;    /* from the first byte of the request to its answer, or to the end of
                                what was passed on */
    uint16_t origin_status;  /* 0: it gave none */
    uint32_t origin_us;      /* until the head of its answer */
    uint64_t bytes_sent;     /* of content, to the origin */
    uint64_t bytes_received; /* and from it */
    struct span strings[RECORD_STRINGS];
};

enum {
    record_string_max = 8192,
    record_name_max = 255, /* of RECORD_ORIGIN and RECORD_ENDED */
    record_json_max = 1024 + RECORD_STRINGS * record_string_max * 6, /* the longest line */
};

/* How many bytes record_encode will write, at most ring_record_bytes_max. Strings are cut
 * to record_string_max or record_name_max. */
size_t record_size(const struct record *record);
void record_encode(const struct record *record, uint8_t *out);
/* The strings point into bytes. False: no record. */
bool record_decode(struct span bytes, struct record *out);

/* One line of JSON with its newline, always valid JSON and UTF-8, at most record_json_max
 * bytes: control characters (C0, DEL, C1) become \u00XX, and a byte that is not UTF-8 the
 * four characters \xXX, that is "\\xe9" between the quotes. What was absent is null
 * (location, rule, user_agent). What is said of an origin is there only where there was one. */
void record_to_json(const struct record *record, struct buffer *out);
