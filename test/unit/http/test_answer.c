/* SPDX-License-Identifier: MIT */
/* Heads of responses: what is read, what is refused, and the same for every split. Contents in
 * pieces, and trailers. */
#include "http/h1/answer.h"

#include "base/buffer.h"
#include "http/h1/trailers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct answer_case {
    const char *text;
    bool head; /* it answers a HEAD */
    bool bad;
    uint16_t status;
    enum h1_answer_content content;
    bool has_length;
    uint64_t length;
    bool keep_alive;
    size_t fields;
    const char *upgrade;
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct answer_case cases[] = {
    {OK "Content-Length: 5\r\n\r\n", .status = 200, .content = ANSWER_LENGTH, .has_length = true,
     .length = 5, .keep_alive = true},
    {OK "Content-Length: 0\r\nA: b\r\n\r\n", .status = 200, .content = ANSWER_NONE,
     .has_length = true, .keep_alive = true, .fields = 1},
    {OK "transfer-encoding: Chunked\r\n\r\n", .status = 200, .content = ANSWER_CHUNKED,
     .keep_alive = true},
    {OK "A: b\r\n\r\n", .status = 200, .content = ANSWER_TO_END, .fields = 1},
    {OK "Content-Length: 5\r\n\r\n", .head = true, .status = 200, .content = ANSWER_NONE,
     .has_length = true, .length = 5, .keep_alive = true},
    {OK "Transfer-Encoding: chunked\r\n\r\n", .head = true, .status = 200, .content = ANSWER_NONE,
     .keep_alive = true},
    {OK "\r\n", .head = true, .status = 200, .content = ANSWER_NONE, .keep_alive = true},
    {"HTTP/1.1 204 \r\n\r\n", .status = 204, .content = ANSWER_NONE, .keep_alive = true},
    {"HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", .status = 204, .content = ANSWER_NONE,
     .keep_alive = true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", .status = 304,
     .content = ANSWER_NONE, .has_length = true, .length = 9, .keep_alive = true},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", .status = 103, .content = ANSWER_NONE,
     .fields = 1},
    {"HTTP/1.1 101 \r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", .status = 101,
     .content = ANSWER_NONE, .upgrade = "x"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", .status = 200, .content = ANSWER_LENGTH,
     .has_length = true, .length = 1},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", .status = 200,
     .content = ANSWER_LENGTH, .has_length = true, .length = 1, .keep_alive = true},
    {OK "Content-Length: 1\r\nConnection: X-A, close\r\nX-A: 1\r\nKeep-Alive: a\r\nX-B: 1\r\n\r\n",
     .status = 200, .content = ANSWER_LENGTH, .has_length = true, .length = 1, .fields = 1},
    {OK "A \t: b\r\nContent-Length: 0\r\n\r\n", .status = 200, .content = ANSWER_NONE,
     .has_length = true, .keep_alive = true, .fields = 1},
    {OK "A: \xff\xfe\r\nContent-Length: 0\r\n\r\n", .status = 200, .content = ANSWER_NONE,
     .has_length = true, .keep_alive = true, .fields = 1},

    {.text = "HTTP/2.0 200 OK\r\n\r\n", .bad = true},
    {.text = "http/1.1 200 OK\r\n\r\n", .bad = true},
    {.text = " HTTP/1.1 200 OK\r\n\r\n", .bad = true},
    {.text = "\r\nHTTP/1.1 200 OK\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1  200 OK\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 20 OK\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 2000 OK\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 099 OK\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 600 OK\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 200 O\rK\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", .bad = true},
    {.text = OK "Content-Length: 0\n\n", .bad = true},
    {.text = OK "Content-Length: 0\r\n\n", .bad = true},
    {.text = OK "A: b\r\n c\r\nContent-Length: 0\r\n\r\n", .bad = true},
    {.text = OK "A: b\rc\r\nContent-Length: 0\r\n\r\n", .bad = true},
    {.text = OK "A: b\x01\r\nContent-Length: 0\r\n\r\n", .bad = true},
    {.text = OK ": b\r\nContent-Length: 0\r\n\r\n", .bad = true},
    {.text = OK "A b\r\nContent-Length: 0\r\n\r\n", .bad = true},
    {.text = OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", .bad = true},
    {.text = OK "Content-Length: 1, 1\r\n\r\n", .bad = true},
    {.text = OK "Content-Length: +1\r\n\r\n", .bad = true},
    {.text = OK "Content-Length: 0x1\r\n\r\n", .bad = true},
    {.text = OK "Content-Length:\r\n\r\n", .bad = true},
    {.text = OK "Content-Length: 9223372036854775808\r\n\r\n", .bad = true},
    {.text = OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .bad = true},
    {.text = OK "Transfer-Encoding: gzip, chunked\r\n\r\n", .bad = true},
    {.text = OK "Transfer-Encoding: chunked, gzip\r\n\r\n", .bad = true},
    {.text = OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", .bad = true},
    {.text = OK "Transfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\n", .bad = true},
    {.text = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 100 Go\r\nContent-Length: 3\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 101 \r\nConnection: upgrade\r\n\r\n", .bad = true},
    {.text = "HTTP/1.1 101 \r\nUpgrade: x\r\n\r\n", .bad = true},
};

/* Each in memory of its own, so that an overrun is seen. */
static enum h1_result parse_copy(struct span text, size_t *scanned, bool head,
                                 struct h1_answer *answer, size_t *used, uint8_t **copy)
{
    *copy = malloc(text.len > 0 ? text.len : 1);
    memcpy(*copy, text.ptr, text.len);
    return h1_answer_parse(span_of(*copy, text.len), scanned, head, answer, used);
}

static void reads_and_refuses(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct answer_case *c = &cases[i];
        struct h1_answer answer;
        size_t scanned = 0;
        size_t used = 0;
        uint8_t *copy;
        struct span text = span_cstr(c->text);
        enum h1_result result = parse_copy(text, &scanned, c->head, &answer, &used, &copy);
        if (result != (c->bad ? H1_BAD : H1_DONE)) {
            fail_msg("%s gives %d", c->text, (int)result);
        }
        if (!c->bad) {
            assert_int_equal(used, text.len);
            assert_int_equal(answer.status, c->status);
            assert_int_equal(answer.content, c->content);
            assert_int_equal(answer.has_length, c->has_length);
            assert_true(answer.content_length == c->length);
            assert_int_equal(answer.field_count, c->fields);
            assert_true(span_eq(answer.upgrade, span_cstr(c->upgrade)));
            if (c->status >= 200) {
                assert_int_equal(answer.keep_alive, c->keep_alive);
            }
        }
        free(copy);
    }
}

static void splits_say_the_same(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct span text = span_cstr(cases[i].text);
        size_t scanned = 0;
        enum h1_result result = H1_MORE;
        for (size_t len = 0; len <= text.len && result == H1_MORE; len++) {
            struct h1_answer answer;
            size_t used = 0;
            uint8_t *copy;
            result = parse_copy(span_slice(text, 0, len), &scanned, cases[i].head, &answer, &used,
                                &copy);
            free(copy);
        }
        assert_int_equal(result, cases[i].bad ? H1_BAD : H1_DONE);
    }
}

static void too_much_is_bad(void **state)
{
    static uint8_t text[h1_answer_head_bytes_max + 10];
    struct h1_answer answer;
    size_t scanned = 0;
    size_t used = 0;
    memset(text, 'a', sizeof(text));
    memcpy(text, "HTTP/1.1 200 OK\r\nA: ", 20);
    struct span most = span_of(text, h1_answer_head_bytes_max - 1);
    assert_int_equal(h1_answer_parse(most, &scanned, false, &answer, &used), H1_MORE);
    most.len++;
    assert_int_equal(h1_answer_parse(most, &scanned, false, &answer, &used), H1_BAD);

    size_t at = 17;
    for (size_t i = 0; i <= request_fields_max; i++, at += 6) {
        memcpy(text + at, "a: b\r\n", 6);
    }
    memcpy(text + at, "\r\n", 2);
    scanned = 0;
    assert_int_equal(h1_answer_parse(span_of(text, at + 2), &scanned, false, &answer, &used),
                     H1_BAD);
    memcpy(text + at - 6, "\r\n", 2);
    scanned = 0;
    assert_int_equal(h1_answer_parse(span_of(text, at - 4), &scanned, false, &answer, &used),
                     H1_DONE);
    assert_int_equal(answer.field_count, request_fields_max);
}

/* All content of a chunked body that comes in pieces of `step`, and its trailers. */
static enum h1_result read_body(struct span text, size_t step, struct buffer *out,
                                struct h1_trailers *trailers)
{
    struct request request = {.body = BODY_CHUNKED};
    struct h1_body body;
    enum h1_result result = H1_MORE;
    h1_body_init(&body, &request);
    for (size_t at = 0; at < text.len && result == H1_MORE; at += step) {
        size_t end = at + step < text.len ? at + step : text.len;
        struct span rest = span_slice(text, at, end);
        while (rest.len > 0 && result == H1_MORE) {
            struct h1_piece piece;
            size_t used = 0;
            result = h1_body_next(&body, rest, &used, &piece);
            assert_true(h1_trailers_add(trailers, piece.trailers));
            buffer_put(out, piece.content);
            if (piece.content.len > 0) {
                h1_body_pass(&body, piece.content.len);
            }
            rest = span_from(rest, used + piece.content.len);
        }
    }
    return result;
}

static void content_comes_in_pieces(void **state)
{
    struct span text = SPAN("5;a=\"b\"\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n"
                            "X-Last:  a b \r\n\r\n");
    for (size_t step = 1; step <= text.len; step++) {
        uint8_t bytes[32];
        struct buffer out = buffer_over(bytes, sizeof(bytes));
        struct h1_trailers trailers = {0};
        struct field fields[h1_trailers_max];
        assert_int_equal(read_body(text, step, &out, &trailers), H1_DONE);
        assert_true(span_eq(buffer_span(&out), SPAN("hello world")));
        assert_int_equal(h1_trailers_read(&trailers, fields), 2);
        assert_true(span_eq(fields[0].name, SPAN("X-Sum")) && span_eq(fields[0].value, SPAN("7")));
        assert_true(span_eq(fields[1].value, SPAN("a b")));
        h1_trailers_free(&trailers);
    }
}

static void bad_framing_is_noticed(void **state)
{
    static const char *const bad[] = {"x\r\n",        "3\r\nabcd\r\n", "3\nabc",
                                      "0\r\n\n",      "0\r\na b\r\n",  "11111111111111111\r\n",
                                      "0\r\n : a\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        for (size_t step = 1; step < 4; step++) {
            uint8_t bytes[32];
            struct buffer out = buffer_over(bytes, sizeof(bytes));
            struct h1_trailers trailers = {0};
            assert_int_equal(read_body(span_cstr(bad[i]), step, &out, &trailers), H1_BAD);
            h1_trailers_free(&trailers);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_refuses),      cmocka_unit_test(splits_say_the_same),
        cmocka_unit_test(too_much_is_bad),        cmocka_unit_test(content_comes_in_pieces),
        cmocka_unit_test(bad_framing_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
