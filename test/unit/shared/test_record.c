/* SPDX-License-Identifier: MIT */
/* Log records: to bytes and back, cut where they are too long, and as JSON. */
#include "shared/record.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct record example = {
    .time_ns = INT64_C(1796183645123456789), /* 2026-12-02T03:54:05.123456789Z */
    .client = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1},
    .client_port = 4711,
    .status = 307,
    .version = 11,
    .secure = true,
    .duration_us = 12,
    .origin_status = 200,
    .origin_us = 7,
    .bytes_sent = UINT64_C(1) << 40,
    .bytes_received = 3,
    .strings = {{(const uint8_t *)"POST", 4},
                {(const uint8_t *)"shop.example.com", 16},
                {(const uint8_t *)"/a?b", 4},
                {(const uint8_t *)"https://x/", 10},
                {(const uint8_t *)"shop/routes/api", 15},
                {(const uint8_t *)"rule", 4},
                {(const uint8_t *)"curl", 4},
                {(const uint8_t *)"app", 3},
                {(const uint8_t *)"late", 4}},
};

static uint8_t line_room[record_json_max];

static struct span to_json(const struct record *record)
{
    struct buffer out = buffer_over(line_room, sizeof(line_room));
    record_to_json(record, &out);
    assert_false(out.full);
    return buffer_span(&out);
}

static void comes_back(void **state)
{
    size_t size = record_size(&example);
    uint8_t *bytes = malloc(size);
    struct record back;
    record_encode(&example, bytes);
    assert_true(record_decode(span_of(bytes, size), &back));
    assert_int_equal(back.time_ns, example.time_ns);
    assert_memory_equal(back.client, example.client, sizeof(back.client));
    assert_int_equal(back.client_port, 4711);
    assert_int_equal(back.status, 307);
    assert_int_equal(back.version, 11);
    assert_int_equal(back.secure, true);
    assert_int_equal(back.duration_us, 12);
    assert_int_equal(back.origin_status, 200);
    assert_int_equal(back.origin_us, 7);
    assert_true(back.bytes_sent == UINT64_C(1) << 40);
    assert_int_equal(back.bytes_received, 3);
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        assert_true(span_eq(back.strings[i], example.strings[i]));
    }
    for (size_t len = 0; len < size; len++) {
        uint8_t *part = malloc(len); /* of its own, so that an overrun is seen */
        memcpy(part, bytes, len);
        assert_false(record_decode(span_of(part, len), &back));
        free(part);
    }
    free(bytes);
}

static void long_strings_are_cut(void **state)
{
    static uint8_t text[record_string_max + 100];
    memset(text, 'x', sizeof(text));
    struct record record = example;
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        record.strings[i] = span_of(text, sizeof(text));
    }
    size_t size = record_size(&record);
    uint8_t *bytes = malloc(size);
    struct record back;
    record_encode(&record, bytes);
    assert_true(record_decode(span_of(bytes, size), &back));
    for (size_t i = 0; i < RECORD_STRINGS; i++) {
        size_t most = i < RECORD_ORIGIN ? (size_t)record_string_max : (size_t)record_name_max;
        assert_int_equal(back.strings[i].len, most);
    }
    memset(text, 1, sizeof(text)); /* all of it escaped: the longest line there is */
    record_encode(&record, bytes);
    assert_true(record_decode(span_of(bytes, size), &back));
    to_json(&back);
    free(bytes);
}

static void makes_a_line(void **state)
{
    struct span line = to_json(&example);
    assert_true(
        span_eq(line, SPAN("{\"time\":\"2026-12-02T03:54:05.123456Z\",\"client\":\"192.0.2.1\","
                           "\"method\":\"POST\",\"host\":\"shop.example.com\",\"path\":\"/a?b\","
                           "\"protocol\":\"HTTP/1.1\",\"status\":307,\"location\":\"https://x/\","
                           "\"rule\":\"shop/routes/api\",\"why\":\"rule\",\"duration_us\":12,"
                           "\"user_agent\":\"curl\",\"origin\":\"app\",\"origin_status\":200,"
                           "\"origin_us\":7,\"origin_ended\":\"late\",\"bytes_sent\":1099511627776,"
                           "\"bytes_received\":3}\n")));
}

struct time_case {
    int64_t seconds;
    const char *text;
};

static void tells_the_time(void **state)
{
    static const struct time_case cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},          {951782399, "2000-02-28T23:59:59.000000Z"},
        {951782400, "2000-02-29T00:00:00.000000Z"},  {951868800, "2000-03-01T00:00:00.000000Z"},
        {4107542399, "2100-02-28T23:59:59.000000Z"}, {4107542400, "2100-03-01T00:00:00.000000Z"},
        {1735689599, "2024-12-31T23:59:59.000000Z"}, {-5, "1970-01-01T00:00:00.000000Z"},
        {9223372036, "2262-04-11T23:47:16.000000Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct record record = example;
        record.time_ns = cases[i].seconds * 1000000000;
        struct span line = to_json(&record);
        assert_memory_equal(line.ptr + strlen("{\"time\":\""), cases[i].text, 27);
    }
}

struct escape_case {
    const char *bytes;
    size_t len;
    const char *json;
};

#define BYTES(literal) literal, sizeof(literal) - 1

static void escapes_whatever_comes(void **state)
{
    static const struct escape_case cases[] = {
        {BYTES("plain"), "\"plain\""},
        {BYTES("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {BYTES("\x1b[31m\r\n\0"), "\"\\u001b[31m\\u000d\\u000a\\u0000\""},
        {BYTES("\x7f"), "\"\\u007f\""},
        {BYTES("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {BYTES("\xc2\x9b"), "\"\\u009b\""}, /* C1: CSI */
        {BYTES("\xc2\xa0"), "\"\xc2\xa0\""},
        {BYTES("\xe9"), "\"\\\\xe9\""}, /* Latin-1 */
        {BYTES("\xc3"), "\"\\\\xc3\""}, /* cut short */
        {BYTES("\xe2\x82z"), "\"\\\\xe2\\\\x82z\""},
        {BYTES("\xc0\xaf"), "\"\\\\xc0\\\\xaf\""},            /* overlong */
        {BYTES("\xe0\x9f\xbf"), "\"\\\\xe0\\\\x9f\\\\xbf\""}, /* overlong */
        {BYTES("\xed\xa0\x80"), "\"\\\\xed\\\\xa0\\\\x80\""}, /* a surrogate */
        {BYTES("\xed\x9f\xbf"), "\"\xed\x9f\xbf\""},
        {BYTES("\xf4\x90\x80\x80"), "\"\\\\xf4\\\\x90\\\\x80\\\\x80\""},
        {BYTES("\xf0\x8f\xbf\xbf"), "\"\\\\xf0\\\\x8f\\\\xbf\\\\xbf\""},
        {BYTES("\xff\xfe\x80"), "\"\\\\xff\\\\xfe\\\\x80\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct record record = example;
        record.strings[RECORD_PATH] = span_of(cases[i].bytes, cases[i].len);
        struct span line = to_json(&record);
        struct span wanted = span_cstr(cases[i].json);
        void *at = memmem(line.ptr, line.len, "\"path\":", 7);
        if (memcmp((uint8_t *)at + 7, wanted.ptr, wanted.len) != 0) {
            fail_msg("case %zu: %.*s", i, SPAN_ARG(line));
        }
        json_error_t error;
        json_t *json = json_loadb((const char *)line.ptr, line.len, JSON_ALLOW_NUL, &error);
        if (json == NULL) {
            fail_msg("case %zu: %s", i, error.text);
        }
        json_decref(json);
    }
}

static void what_is_absent_is_null(void **state)
{
    struct record record = {.version = 10};
    struct span line = to_json(&record);
    json_t *json = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_object_size(json), 12);
    assert_true(json_is_null(json_object_get(json, "location")));
    assert_true(json_is_null(json_object_get(json, "rule")));
    assert_true(json_is_null(json_object_get(json, "user_agent")));
    assert_string_equal(json_string_value(json_object_get(json, "host")), "");
    assert_string_equal(json_string_value(json_object_get(json, "client")), "::");
    assert_string_equal(json_string_value(json_object_get(json, "protocol")), "HTTP/1.0");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(long_strings_are_cut),
        cmocka_unit_test(makes_a_line),
        cmocka_unit_test(tells_the_time),
        cmocka_unit_test(escapes_whatever_comes),
        cmocka_unit_test(what_is_absent_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
