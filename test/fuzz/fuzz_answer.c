/* SPDX-License-Identifier: MIT */
/* Heads of responses: the same for every split, and nothing passes that could be read in two
 * ways. */
#include "http/field.h"
#include "http/h1/answer.h"

#include <assert.h>
#include <stdlib.h>

static void check(const struct h1_answer *answer)
{
    struct hops none = {0};
    assert(answer->status >= 100 && answer->status <= 599);
    for (size_t i = 0; i < answer->field_count; i++) {
        struct field field = answer->fields[i];
        assert(token_valid(field.name) && field_value_valid(field.value));
        assert(!hops_hold(&none, field.name));
        assert(!span_eq_ci(field.name, SPAN("Content-Length")));
    }
    assert(answer->content != ANSWER_LENGTH || answer->content_length > 0);
    assert(answer->content != ANSWER_TO_END || !answer->keep_alive);
    assert(answer->status >= 200 || answer->content == ANSWER_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h1_answer answer;
    size_t scanned = 0;
    size_t used = 0;
    bool head = size > 0 && (data[size - 1] & 1) != 0;
    enum h1_result whole = h1_answer_parse(span_of(data, size), &scanned, head, &answer, &used);
    if (whole == H1_DONE) {
        assert(used <= size && memcmp(data + used - 2, "\r\n", 2) == 0);
        check(&answer);
    }
    size_t step = size > 0 ? data[0] % 16 + 1u : 1;
    enum h1_result result = H1_MORE;
    size_t len = 0;
    scanned = 0;
    while (result == H1_MORE && len < size) {
        len = len + step < size ? len + step : size;
        uint8_t *part = malloc(len);
        memcpy(part, data, len);
        size_t part_used = 0;
        result = h1_answer_parse(span_of(part, len), &scanned, head, &answer, &part_used);
        assert(result != H1_DONE || part_used == used);
        free(part);
    }
    assert(result == whole || size == 0);
    return 0;
}
