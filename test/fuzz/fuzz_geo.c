/* SPDX-License-Identifier: MIT */
/* A block of places that has passed geo_verify can be asked for any address; and ranges that were
 * put in, in whatever order, are found or were refused. */
#include "geo/geo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct geo_head *geo, const uint8_t *bytes, size_t count)
{
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    for (size_t i = 0; i + 8 <= count && i < 256; i++) {
        memcpy(address + 12, bytes + i, 4);
        const struct geo_place *place = geo_find(geo, address);
        assert(place->located <= 1);
        uint8_t other[16] = {[15] = 1};
        memcpy(other, bytes + i, 8);
        assert(geo_find(geo, other)->located <= 1);
    }
}

/* The input as a block, its head's hash made right. */
static void as_block(const uint8_t *data, size_t size)
{
    struct geo_head *head =
        size >= sizeof(*head) ? aligned_alloc(8, (size + 7) & ~(size_t)7) : NULL;
    if (head == NULL) {
        return;
    }
    memcpy(head, data, size);
    head->magic = GEO_MAGIC;
    head->version = geo_version;
    head->size = size;
    head->head_hash = 0;
    head->head_hash = XXH3_64bits(head, sizeof(*head));
    const struct geo_head *geo = geo_verify(span_of(head, size));
    if (geo != NULL) {
        ask(geo, data, size);
    }
    free(head);
}

/* The input as keys: what was taken last for a key is found there. */
static void as_ranges(const uint8_t *data, size_t size)
{
    uint8_t *bytes;
    size_t len;
    uint32_t last = 0;
    uint32_t located = 0;
    struct geo_build *build = geo_build_new();
    assert(build != NULL);
    for (size_t i = 0; i + 5 <= size; i += 5) {
        uint32_t key;
        uint32_t index;
        struct geo_place place = {.latitude = data[i] % 90, .located = data[i] % 2};
        memcpy(&key, data + i + 1, sizeof(key));
        place.latitude = place.located ? place.latitude : 0;
        assert(geo_build_place(build, &place, &index) == ERR_NONE);
        enum err err = geo_build_v4(build, key, index);
        assert(err == ERR_NONE || (err == ERR_RANGE && key < last));
        last = err == ERR_NONE ? key : last;
        located = err == ERR_NONE ? place.located : located;
    }
    assert(geo_build_make(build, 1, &bytes, &len) == ERR_NONE);
    const struct geo_head *geo = geo_verify(span_of(bytes, len));
    assert(geo != NULL);
    const uint8_t end[16] = {[10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert(geo_find(geo, end)->located == located);
    free(bytes);
    geo_build_free(&build);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_block(data, size);
    as_ranges(data, size);
    return 0;
}
