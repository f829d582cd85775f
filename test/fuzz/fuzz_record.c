/* SPDX-License-Identifier: MIT */
/* Log records from any bytes: what is decoded encodes back to the same bytes' meaning, and
 * its line is valid JSON on one line without control bytes. */
#include "shared/record.h"

#include "shared/ring.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A strict reader for the one shape that a line has: an object of strings, numbers and
 * nulls. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static void take(struct reader *r, const char *text)
{
    size_t len = strlen(text);
    assert((size_t)(r->end - r->at) >= len && memcmp(r->at, text, len) == 0);
    r->at += len;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static void take_escape(struct reader *r)
{
    assert(r->end - r->at >= 2);
    if (r->at[1] == '"' || r->at[1] == '\\') {
        r->at += 2;
        return;
    }
    assert(r->end - r->at >= 6);
    assert(r->at[1] == 'u' && r->at[2] == '0' && r->at[3] == '0');
    assert(is_hex(r->at[4]) && is_hex(r->at[5]));
    r->at += 6;
}

/* One character beyond ASCII, by the table of RFC 3629, 4. */
static void take_utf8(struct reader *r)
{
    static const struct {
        uint8_t lead_min, lead_max, second_min, second_max, length;
    } rows[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (r->at[0] < rows[i].lead_min || r->at[0] > rows[i].lead_max) {
            continue;
        }
        assert(r->end - r->at >= rows[i].length);
        assert(r->at[1] >= rows[i].second_min && r->at[1] <= rows[i].second_max);
        assert(!(r->at[0] == 0xc2 && r->at[1] < 0xa0)); /* no C1 */
        for (size_t k = 2; k < rows[i].length; k++) {
            assert((r->at[k] & 0xc0) == 0x80);
        }
        r->at += rows[i].length;
        return;
    }
    abort(); /* not UTF-8 */
}

static void take_string(struct reader *r)
{
    take(r, "\"");
    while (r->at < r->end && *r->at != '"') {
        assert(*r->at >= 0x20 && *r->at != 0x7f);
        if (*r->at == '\\') {
            take_escape(r);
        } else if (*r->at >= 0x80) {
            take_utf8(r);
        } else {
            r->at++;
        }
    }
    take(r, "\"");
}

static void take_value(struct reader *r)
{
    assert(r->at < r->end);
    if (*r->at == '"') {
        take_string(r);
    } else if (*r->at == 'n') {
        take(r, "null");
    } else {
        assert(*r->at >= '0' && *r->at <= '9');
        while (*r->at >= '0' && *r->at <= '9') {
            r->at++;
        }
    }
}

/* passed: on to an origin, of which more is said. */
static void check_line(struct span line, bool passed)
{
    static const char *const names[] = {
        "time",   "client",        "method",    "host",         "path",        "protocol",
        "status", "location",      "rule",      "why",          "duration_us", "user_agent",
        "origin", "origin_status", "origin_us", "origin_ended", "bytes_sent",  "bytes_received"};
    struct reader reader = {line.ptr, line.ptr + line.len};
    for (size_t i = 0; i < (passed ? sizeof(names) / sizeof(*names) : 12); i++) {
        take(&reader, i == 0 ? "{\"" : ",\"");
        take(&reader, names[i]);
        take(&reader, "\":");
        take_value(&reader);
    }
    take(&reader, "}\n");
    assert(reader.at == reader.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t line[record_json_max];
    struct record record;
    if (!record_decode(span_of(data, size), &record)) {
        return 0;
    }
    assert(record_size(&record) == size && size <= ring_record_bytes_max);
    uint8_t *again = malloc(size);
    struct record back;
    record_encode(&record, again);
    assert(record_decode(span_of(again, size), &back));
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        assert(span_eq(record.strings[i], back.strings[i]));
    }
    struct buffer out = buffer_over(line, sizeof(line));
    record_to_json(&back, &out);
    assert(!out.full);
    check_line(buffer_span(&out), record.strings[RECORD_ORIGIN].len > 0);
    free(again);
    return 0;
}
