/* SPDX-License-Identifier: MIT */
/* Trailers: gathered, then read line by line. */
#include "http/h1/trailers.h"

#include "http/h1/fieldline.h"
#include "http/trailer.h"

#include <assert.h>
#include <stdlib.h>

enum { room_first = 256 };

void h1_trailers_free(struct h1_trailers *trailers)
{
    free(trailers->bytes);
    *trailers = (struct h1_trailers){0};
}

static bool grow(struct h1_trailers *trailers, size_t wanted)
{
    size_t cap = trailers->cap > 0 ? trailers->cap : room_first;
    while (cap < wanted) {
        cap *= 2;
    }
    uint8_t *bytes = realloc(trailers->bytes, cap);
    if (bytes == NULL) {
        return false;
    }
    trailers->bytes = bytes;
    trailers->cap = (uint32_t)cap;
    return true;
}

bool h1_trailers_add(struct h1_trailers *trailers, struct span bytes)
{
    /* Most bodies have none, and end with the empty line alone. */
    bool none = trailers->len == 0 && (bytes.len == 0 || span_eq(bytes, SPAN("\r\n")));
    if (none) {
        return true;
    }
    size_t len = trailers->len + bytes.len;
    assert(len <= h1_trailer_bytes_max + 2);
    if (len > trailers->cap && !grow(trailers, len)) {
        return false;
    }
    memcpy(trailers->bytes + trailers->len, bytes.ptr, bytes.len);
    trailers->len = (uint32_t)len;
    return true;
}

size_t h1_trailers_read(const struct h1_trailers *trailers, struct field out[h1_trailers_max])
{
    const uint8_t *at = trailers->bytes;
    const uint8_t *end = at + trailers->len;
    size_t count = 0;
    struct field field;
    while (at != NULL && at < end && *at != '\r' && count < h1_trailers_max) {
        at = fieldline_read(at, end, false, &field);
        if (at != NULL && trailer_allowed(field.name)) {
            out[count++] = field;
        }
    }
    return count;
}
