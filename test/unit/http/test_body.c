/* SPDX-License-Identifier: MIT */
/* Bodies: where they end, what is refused, and that no split of the bytes matters. */
#include "http/h1/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
    const char *name;
    struct span bytes;
    enum body_kind kind;
    uint64_t length;
    enum h1_result result;
    size_t used; /* on H1_DONE */
};

#define BYTES(text) .bytes = {(const uint8_t *)(text), sizeof(text) - 1}
#define CHUNKED(name_, text, result_, used_)                                               \
    {                                                                                      \
        .name = name_, BYTES(text), .kind = BODY_CHUNKED, .result = result_, .used = used_ \
    }

static const struct row rows[] = {
    {.name = "none", BYTES("GET"), .kind = BODY_NONE, .result = H1_DONE, .used = 0},
    {.name = "length",
     BYTES("abcdef"),
     .kind = BODY_LENGTH,
     .length = 4,
     .result = H1_DONE,
     .used = 4},
    {.name = "length, more to come",
     BYTES("abc"),
     .kind = BODY_LENGTH,
     .length = 4,
     .result = H1_MORE},
    CHUNKED("7.1 one chunk", "3\r\nabc\r\n0\r\n\r\nGET", H1_DONE, 13),
    CHUNKED("7.1 two chunks, hex", "A\r\n0123456789\r\n0b\r\n0123456789a\r\n0\r\n\r\n", H1_DONE,
            37),
    CHUNKED("7.1 CRLF inside data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", H1_DONE, 14),
    CHUNKED("7.1 only the last chunk", "000\r\n\r\n", H1_DONE, 7),
    CHUNKED("7.1 unfinished", "3\r\nabc\r\n0\r\n", H1_MORE, 0),
    CHUNKED("7.1 empty size", "\r\n", H1_BAD, 0),
    CHUNKED("7.1 size in words", "x\r\n", H1_BAD, 0),
    CHUNKED("7.1 0x", "0x3\r\nabc\r\n", H1_BAD, 0),
    CHUNKED("7.1 sign", "+3\r\nabc\r\n", H1_BAD, 0),
    CHUNKED("7.1 space before the size", " 3\r\nabc\r\n", H1_BAD, 0),
    CHUNKED("7.1 space behind the size", "3 \r\nabc\r\n", H1_BAD, 0),
    CHUNKED("7.1 bare LF after the size", "3\nabc\r\n", H1_BAD, 0),
    CHUNKED("7.1 bare CR after the size", "3\rabc\r\n", H1_BAD, 0),
    CHUNKED("7.1 bare LF after data", "3\r\nabc\n0\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1 data too long", "3\r\nabcd\r\n0\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1 bare LF at the end", "0\r\n\n", H1_BAD, 0),
    CHUNKED("7.1 bare LF after the last size", "0\n\r\n", H1_BAD, 0),
    CHUNKED("7.1 greatest size", "7fffffffffffffff\r\na", H1_MORE, 0),
    CHUNKED("7.1 size too great", "8000000000000000\r\na", H1_BAD, 0),
    CHUNKED("7.1 size wraps", "10000000000000003\r\nabc\r\n", H1_BAD, 0),
    CHUNKED("7.1 sixteen digits", "0000000000000003\r\nabc\r\n0\r\n\r\n", H1_DONE, 28),
    CHUNKED("7.1 seventeen digits", "00000000000000003\r\nabc\r\n0\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 extensions", "1;a;b=c;d=\"e;\\\"\xff\x01 f\"\r\nx\r\n0\r\n\r\n", H1_DONE, 30),
    CHUNKED("7.1.1 bad white space is allowed there", "1 ; a = b\t;c\r\nx\r\n0\r\n\r\n", H1_DONE,
            22),
    CHUNKED("7.1.1 no name", "1;\r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 no value", "1;a=\r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 white space at the end", "1;a \r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 LF in a name", "1;a\nb\r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 CR in quotes", "1;a=\"\r\n\"\r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 escaped LF in quotes", "1;a=\"\\\n\"\r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 NUL in quotes", "1;a=\"\0\"\r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.1 text after quotes", "1;a=\"b\"c\r\nx\r\n", H1_BAD, 0),
    CHUNKED("7.1.2 trailers", "0\r\nA: b\r\nC:\r\n\r\nGET", H1_DONE, 15),
    CHUNKED("7.1.2 trailer without colon", "0\r\nAb\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1.2 trailer without name", "0\r\n: b\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1.2 space before the colon", "0\r\nA : b\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1.2 obs-fold", "0\r\nA: b\r\n c\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1.2 bare LF", "0\r\nA: b\n\r\n", H1_BAD, 0),
    CHUNKED("7.1.2 bare CR", "0\r\nA: b\rc\r\n\r\n", H1_BAD, 0),
    CHUNKED("7.1.2 NUL", "0\r\nA: \0\r\n\r\n", H1_BAD, 0),
};

static struct h1_body begin(const struct row *row)
{
    struct h1_body body;
    struct request request = {.body = row->kind, .content_length = row->length};
    h1_body_init(&body, &request);
    return body;
}

/* In pieces of at most step bytes; gives the bytes used on H1_DONE. */
static enum h1_result feed(struct h1_body *body, struct span bytes, size_t step, size_t *used)
{
    enum h1_result result = H1_MORE;
    for (size_t at = 0; result == H1_MORE; at += step) {
        size_t to = at + step < bytes.len ? at + step : bytes.len;
        size_t piece = 0;
        result = h1_body_skip(body, span_slice(bytes, at, to), &piece);
        *used = at + piece;
        if (to == bytes.len) {
            break;
        }
    }
    return result;
}

static void rows_hold_in_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        for (size_t step = 1; step <= row->bytes.len; step++) {
            struct h1_body body = begin(row);
            size_t used = 0;
            enum h1_result result = feed(&body, row->bytes, step, &used);
            if (result != row->result || (result == H1_DONE && used != row->used)) {
                fail_msg("%s, by %zu: result %d, used %zu", row->name, step, (int)result, used);
            }
        }
    }
}

static void the_end_is_remembered(void **state)
{
    (void)state;
    struct h1_body body = begin(&(struct row){.kind = BODY_CHUNKED});
    size_t used = 99;
    assert_int_equal(h1_body_skip(&body, SPAN("0\r\n\r\n"), &used), H1_DONE);
    assert_int_equal(used, 5);
    assert_int_equal(h1_body_skip(&body, SPAN("GET"), &used), H1_DONE);
    assert_int_equal(used, 0);
    body = begin(&(struct row){.kind = BODY_CHUNKED});
    assert_int_equal(h1_body_skip(&body, SPAN("x"), &used), H1_BAD);
    assert_int_equal(h1_body_skip(&body, SPAN("0\r\n\r\n"), &used), H1_BAD);
}

static enum h1_result feed_repeated(struct h1_body *body, const char *unit, size_t count)
{
    enum h1_result result = H1_MORE;
    for (size_t i = 0; i < count && result == H1_MORE; i++) {
        size_t used;
        result = h1_body_skip(body, span_cstr(unit), &used);
    }
    return result;
}

struct limit_row {
    const char *name, *prefix, *unit;
    size_t fits; /* so many units, and not one more */
};

static const struct limit_row limit_rows[] = {
    {"an extension's name", "1;", "a", 4095},
    {"an extension's quoted value", "1;a=\"", "b", 4092},
    {"extensions of many chunks", "", "1;abc\r\nx\r\n", 1024},
    {"a trailer's value", "0\r\nA:", "b", 8190},
    {"many trailers", "0\r\n", "A: b\r\n", 1365},
};

static void limits_hold_for_the_whole_body(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        const struct limit_row *row = &limit_rows[i];
        struct h1_body body = begin(&(struct row){.kind = BODY_CHUNKED});
        assert_int_equal(feed_repeated(&body, row->prefix, row->prefix[0] != 0), H1_MORE);
        if (feed_repeated(&body, row->unit, row->fits) != H1_MORE) {
            fail_msg("%s: %zu do not fit", row->name, row->fits);
        }
        if (feed_repeated(&body, row->unit, 1) != H1_BAD) {
            fail_msg("%s: one more fits", row->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_in_every_split),
        cmocka_unit_test(the_end_is_remembered),
        cmocka_unit_test(limits_hold_for_the_whole_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
