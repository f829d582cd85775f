/* SPDX-License-Identifier: MIT */
/* Answers taken apart: what comes in which order, where each ends, and the same for every split. */
#include "walk/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define EARLY "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"

/* i: an interim head, h: a head, d: done, b: bad, and a status behind i and h; nothing more: the
 * answer goes on. */
struct reader_case {
    const char *text;
    const char *seen;
    const char *rest; /* behind the end */
    bool to_head;
    bool closes;  /* the connection is not to be used again */
    bool may_end; /* its end would be the answer's */
};

static const struct reader_case cases[] = {
    {.text = OK "Content-Length: 2\r\n\r\nok", .seen = "h200d", .rest = ""},
    {.text = OK "Content-Length: 2\r\n\r\nokHTTP/1.1 200", .seen = "h200d", .rest = "HTTP/1.1 200"},
    {.text = OK "Content-Length: 3\r\n\r\nok", .seen = "h200"},
    {.text = OK "Content-Length: 0\r\n\r\n", .seen = "h200d", .rest = ""},
    {.text = OK "Content-Length: 2\r\n\r\n", .seen = "h200d", .rest = "", .to_head = true},
    {.text = OK "Content-Length: 2\r\nConnection: close\r\n\r\nok",
     .seen = "h200d",
     .rest = "",
     .closes = true},
    {.text = OK "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
     .seen = "h200d",
     .rest = ""},
    {.text = OK "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nT: v\r\n\r\nx",
     .seen = "h200d",
     .rest = "x"},
    {.text = OK "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", .seen = "h200"},
    {.text = OK "Transfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n", .seen = "h200b"},
    {.text = OK "Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n", .seen = "h200b"},
    {.text = OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", .seen = "h200b"},
    {.text = OK "\r\nall of it", .seen = "h200", .may_end = true, .closes = true},
    {.text = "HTTP/1.0 302 Found\r\nLocation: /a\r\n\r\n",
     .seen = "h302",
     .may_end = true,
     .closes = true},
    {.text = "HTTP/1.1 204 Nothing\r\n\r\n", .seen = "h204d", .rest = ""},
    {.text = "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", .seen = "h304d", .rest = ""},
    {.text = EARLY EARLY OK "Content-Length: 0\r\n\r\n", .seen = "i103i103h200d", .rest = ""},
    {.text = "HTTP/1.1 100 Continue\r\n\r\n", .seen = "i100"},
    {.text = EARLY OK "Content-Length: 1, 1\r\n\r\n", .seen = "i103b"},
    {.text = "HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", .seen = "b"},
    {.text = OK "A: b\r\n c\r\n\r\n", .seen = "b"},
    {.text = "HTTP/1.1 200 OK\nContent-Length: 0\n\n", .seen = "b"},
    {.text = OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", .seen = "b"},
    {.text = "SSH-2.0-x\r\n", .seen = "b"},
    {.text = OK "Content-Len", .seen = ""},
    {.text = "", .seen = ""},
};

struct seen {
    char text[128];
    const uint8_t *rest; /* NULL: the answer is not over */
    struct reader reader;
};

static bool note(struct seen *seen, enum reader_result result, const struct h1_answer *answer)
{
    size_t len = strlen(seen->text);
    char *at = seen->text + len;
    switch (result) {
    case READER_INTERIM:
    case READER_HEAD:
        snprintf(at, sizeof(seen->text) - len, "%c%d", result == READER_HEAD ? 'h' : 'i',
                 answer->status);
        return true;
    case READER_DONE:
    case READER_BAD:
        snprintf(at, sizeof(seen->text) - len, "%c", result == READER_DONE ? 'd' : 'b');
        return false;
    case READER_MORE:
        break;
    }
    return false;
}

/* At most step bytes come at a time. */
static void feed(const struct reader_case *given, size_t step, struct seen *seen)
{
    struct h1_answer *answer = malloc(sizeof(*answer));
    struct span whole = span_cstr(given->text);
    size_t from = 0;
    *seen = (struct seen){0};
    assert_non_null(answer);
    reader_begin(&seen->reader, given->to_head);
    for (size_t to = 0; to < whole.len;) {
        to = to + step < whole.len ? to + step : whole.len;
        enum reader_result result = READER_MORE;
        bool more = true;
        while (more) {
            size_t used = 0;
            result = reader_next(&seen->reader, span_slice(whole, from, to), answer, &used);
            from += used;
            more = note(seen, result, answer);
        }
        if (result != READER_MORE) {
            seen->rest = result == READER_DONE ? whole.ptr + from : NULL;
            break;
        }
    }
    free(answer);
}

static void answers_in_every_split(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].text) + 1; step++) {
            struct seen seen;
            feed(&cases[i], step, &seen);
            const char *rest = (const char *)seen.rest;
            if (strcmp(seen.text, cases[i].seen) != 0 ||
                (rest == NULL) != (cases[i].rest == NULL) ||
                (rest != NULL && strcmp(rest, cases[i].rest) != 0) ||
                reader_may_end(&seen.reader) != cases[i].may_end ||
                (seen.reader.behind_head && seen.reader.keep == cases[i].closes)) {
                fail_msg("case %zu, %zu bytes at a time: %s", i, step, seen.text);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_every_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
