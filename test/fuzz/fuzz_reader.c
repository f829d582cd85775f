/* SPDX-License-Identifier: MIT */
/* Answers behind one another on a connection: the same pieces for every split, and never more bytes
 * used than there are. The last byte says whether they answer a HEAD. */
#include "walk/reader.h"

#include <assert.h>
#include <stdlib.h>

struct seen {
    uint64_t heads; /* a hash of the statuses in their order */
    size_t used;
    enum reader_result result;
};

static void note(struct seen *seen, const struct h1_answer *answer)
{
    assert(answer->status >= 100 && answer->status <= 599 && answer->status != 101);
    seen->heads = (seen->heads ^ answer->status) * UINT64_C(0x100000001B3);
}

/* Takes what there is between from and to, which lies in memory of its own: spans that are used
 * later than they may are seen by the sanitizer. */
static void take(struct reader *reader, const uint8_t *data, size_t to, struct seen *seen)
{
    struct h1_answer answer;
    size_t len = to - seen->used;
    uint8_t *part = malloc(len > 0 ? len : 1);
    size_t at = 0;
    assert(part != NULL);
    memcpy(part, data + seen->used, len);
    do {
        size_t used = 0;
        seen->result = reader_next(reader, span_of(part + at, len - at), &answer, &used);
        assert(used <= len - at);
        at += used;
        if (seen->result == READER_INTERIM || seen->result == READER_HEAD) {
            assert(reader->behind_head == (seen->result == READER_HEAD) && used > 0);
            assert(!reader->keep || !reader->to_end);
            note(seen, &answer);
        }
    } while (seen->result == READER_INTERIM || seen->result == READER_HEAD);
    /* What is not used waits for more, and is the beginning of a head. */
    assert(seen->result != READER_MORE || at == len || !reader->behind_head);
    seen->used += at;
    free(part);
}

static struct seen feed(const uint8_t *data, size_t size, size_t step)
{
    struct seen seen = {.result = READER_MORE};
    struct reader reader;
    reader_begin(&reader, size > 0 && (data[size - 1] & 1) != 0);
    for (size_t to = 0; to < size && seen.result == READER_MORE;) {
        to = to + step < size ? to + step : size;
        take(&reader, data, to, &seen);
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = feed(data, size, size > 0 ? size : 1);
    struct seen parts = feed(data, size, size > 0 ? data[0] % 16 + 1u : 1);
    assert(whole.result == parts.result && whole.heads == parts.heads);
    assert(whole.result == READER_BAD || whole.used == parts.used);
    return 0;
}
