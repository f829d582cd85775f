/* SPDX-License-Identifier: MIT */
/* Log records as lines of JSON. */
#include "shared/record.h"

#include "base/calendar.h"
#include "base/cidr.h"
#include "base/clock.h"
#include "base/utf8.h"

static const char hex_digits[] = "0123456789abcdef";

static void put_u00(struct buffer *out, uint8_t code)
{
    uint8_t text[6] = {
        '\\', 'u', '0', '0', (uint8_t)hex_digits[code >> 4], (uint8_t)hex_digits[code & 15]};
    buffer_put(out, span_of(text, sizeof(text)));
}

static void put_raw_byte(struct buffer *out, uint8_t byte)
{
    uint8_t text[5] = {'\\', '\\', 'x', (uint8_t)hex_digits[byte >> 4],
                       (uint8_t)hex_digits[byte & 15]};
    buffer_put(out, span_of(text, sizeof(text)));
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Writes the character at the front that is not plain; gives its length. */
static size_t put_special(struct buffer *out, struct span rest)
{
    uint8_t c = rest.ptr[0];
    uint32_t code;
    size_t length = utf8_decode(rest, 0, &code);
    if (length == 0) {
        put_raw_byte(out, c);
        return 1;
    }
    if (c == '"' || c == '\\') {
        buffer_byte(out, '\\');
        buffer_byte(out, c);
    } else if (length == 1) {
        put_u00(out, c);
    } else if (c == 0xc2 && rest.ptr[1] < 0xa0) {
        put_u00(out, rest.ptr[1]); /* C1: a terminal obeys some of them */
    } else {
        buffer_put(out, span_slice(rest, 0, length));
    }
    return length;
}

static void put_string(struct buffer *out, struct span s)
{
    buffer_byte(out, '"');
    size_t at = 0;
    while (at < s.len) {
        size_t from = at;
        while (at < s.len && is_plain(s.ptr[at])) {
            at++;
        }
        buffer_put(out, span_slice(s, from, at));
        if (at < s.len) {
            at += put_special(out, span_from(s, at));
        }
    }
    buffer_byte(out, '"');
}

static void put_string_or_null(struct buffer *out, struct span s)
{
    if (s.len == 0) {
        buffer_put(out, SPAN("null"));
    } else {
        put_string(out, s);
    }
}

static void put_digits(uint8_t *out, size_t width, uint64_t value)
{
    while (width > 0) {
        out[--width] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

/* RFC 3339, UTC, with microseconds. Four digits of a year last for every int64_t of
 * nanoseconds; a moment before 1970 is written as 1970. */
static void put_time(struct buffer *out, int64_t time_ns)
{
    uint8_t text[] = "0000-00-00T00:00:00.000000Z";
    uint64_t ns = time_ns < 0 ? 0 : (uint64_t)time_ns;
    uint64_t seconds = ns / NS_PER_SECOND;
    struct civil_date date = civil_from_days((int64_t)(seconds / seconds_per_day));
    put_digits(text, 4, (uint64_t)date.year);
    put_digits(text + 5, 2, date.month);
    put_digits(text + 8, 2, date.day);
    put_digits(text + 11, 2, seconds / 3600 % 24);
    put_digits(text + 14, 2, seconds / 60 % 60);
    put_digits(text + 17, 2, seconds % 60);
    put_digits(text + 20, 6, ns % NS_PER_SECOND / 1000);
    buffer_put(out, span_of(text, sizeof(text) - 1));
}

static struct span version_name(uint8_t version)
{
    switch (version) {
    case 10:
        return SPAN("HTTP/1.0");
    case 20:
        return SPAN("HTTP/2");
    default:
        return SPAN("HTTP/1.1");
    }
}

static void put_number(struct buffer *out, struct span name, uint64_t number)
{
    buffer_put(out, name);
    buffer_decimal(out, number);
}

static void put_origin(const struct record *record, struct buffer *out)
{
    buffer_put(out, SPAN(",\"origin\":"));
    put_string(out, record->strings[RECORD_ORIGIN]);
    buffer_put(out, SPAN(",\"origin_status\":"));
    if (record->origin_status > 0) {
        buffer_decimal(out, record->origin_status);
        put_number(out, SPAN(",\"origin_us\":"), record->origin_us);
    } else {
        buffer_put(out, SPAN("null,\"origin_us\":null"));
    }
    buffer_put(out, SPAN(",\"origin_ended\":"));
    put_string_or_null(out, record->strings[RECORD_ENDED]);
    put_number(out, SPAN(",\"bytes_sent\":"), record->bytes_sent);
    put_number(out, SPAN(",\"bytes_received\":"), record->bytes_received);
}

void record_to_json(const struct record *record, struct buffer *out)
{
    const struct span *strings = record->strings;
    char client[address_text_max];
    size_t client_len = address_format(record->client, client);
    buffer_put(out, SPAN("{\"time\":\""));
    put_time(out, record->time_ns);
    buffer_put(out, SPAN("\",\"client\":\""));
    buffer_put(out, span_of(client, client_len));
    buffer_put(out, SPAN("\",\"method\":"));
    put_string(out, strings[RECORD_METHOD]);
    buffer_put(out, SPAN(",\"host\":"));
    put_string(out, strings[RECORD_HOST]);
    buffer_put(out, SPAN(",\"path\":"));
    put_string(out, strings[RECORD_PATH]);
    buffer_put(out, SPAN(",\"protocol\":\""));
    buffer_put(out, version_name(record->version));
    buffer_put(out, SPAN("\",\"status\":"));
    buffer_decimal(out, record->status);
    buffer_put(out, SPAN(",\"location\":"));
    put_string_or_null(out, strings[RECORD_LOCATION]);
    buffer_put(out, SPAN(",\"rule\":"));
    put_string_or_null(out, strings[RECORD_RULE]);
    buffer_put(out, SPAN(",\"why\":"));
    put_string(out, strings[RECORD_WHY]);
    buffer_put(out, SPAN(",\"duration_us\":"));
    buffer_decimal(out, record->duration_us);
    buffer_put(out, SPAN(",\"user_agent\":"));
    put_string_or_null(out, strings[RECORD_USER_AGENT]);
    if (strings[RECORD_ORIGIN].len > 0) {
        put_origin(record, out);
    }
    buffer_put(out, SPAN("}\n"));
}
