/* SPDX-License-Identifier: MIT */
/* Chunked bodies: where one is said to end, a naive reading of lines and lengths must say
 * so too; and octet by octet the verdict is the same. */
#include "http/h1/body.h"

#include <assert.h>
#include <stdlib.h>

/* The place behind the LF of the line that begins at `at`; every line must end in CRLF. */
static size_t next_line(struct span bytes, size_t at)
{
    size_t lf = span_find(bytes, at, '\n');
    assert(lf < bytes.len && lf > at && bytes.ptr[lf - 1] == '\r');
    return lf + 1;
}

static size_t naive_end(struct span bytes)
{
    size_t at = 0;
    for (;;) {
        char digits[32] = "";
        memcpy(digits, bytes.ptr + at, bytes.len - at < 31 ? bytes.len - at : 31);
        char *stop;
        unsigned long long size = strtoull(digits, &stop, 16);
        assert(stop > digits && stop - digits <= h1_chunk_digits_max);
        at = next_line(bytes, at);
        if (size == 0) {
            break;
        }
        assert(size <= bytes.len - at);
        at += size;
        assert(bytes.ptr[at] == '\r' && bytes.ptr[at + 1] == '\n');
        at += 2;
    }
    size_t begin;
    do {
        begin = at;
        at = next_line(bytes, at);
    } while (at - begin > 2);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request = {.body = BODY_CHUNKED};
    struct span bytes = span_of(data, size);
    struct h1_body body;
    struct h1_body slow_body;
    size_t used = 0;
    h1_body_init(&body, &request);
    h1_body_init(&slow_body, &request);
    enum h1_result result = h1_body_skip(&body, bytes, &used);

    enum h1_result slow = H1_MORE;
    size_t at = 0;
    while (slow == H1_MORE && at < size) {
        size_t one = 0;
        slow = h1_body_skip(&slow_body, span_slice(bytes, at, at + 1), &one);
        at++;
        assert(slow != H1_DONE || one == 1);
    }
    assert(slow == result);
    if (result == H1_DONE) {
        assert(used == at && used <= size);
        assert(naive_end(bytes) == used);
        assert(body.extension_bytes <= h1_chunk_extension_bytes_max);
        assert(body.trailer_bytes <= h1_trailer_bytes_max);
    }
    if (result == H1_MORE) {
        assert(slow_body.state == body.state && slow_body.left == body.left);
    }
    return 0;
}
