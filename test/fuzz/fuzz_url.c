/* SPDX-License-Identifier: MIT */
/* Parses the second line against the first: what is serialised is parsed again to
 * itself, and holds no control character and nothing beyond ASCII. */
#include "uri/url.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct url *url, struct arena *arena)
{
    struct span href;
    struct span again;
    struct url parsed;
    assert(url_serialise(url, arena, &href) == ERR_NONE);
    for (size_t i = 0; i < href.len; i++) {
        assert(href.ptr[i] >= 0x20 && href.ptr[i] < 0x7F);
    }
    assert(url_parse(href, NULL, arena, &parsed) == ERR_NONE);
    assert(url_serialise(&parsed, arena, &again) == ERR_NONE);
    assert(span_eq(href, again));
    assert(span_eq(url->host, parsed.host) && url->port == parsed.port);
    assert(span_eq(url->path, parsed.path) && span_eq(url->query, parsed.query));
    assert(span_eq(url->fragment, parsed.fragment) && url->opaque_path == parsed.opaque_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    size_t end = span_find(input, 0, '\n');
    struct arena arena;
    arena_init(&arena, 0);
    struct url base;
    struct url url;
    bool based = url_parse(span_slice(input, 0, end), NULL, &arena, &base) == ERR_NONE;
    if (based) {
        check(&base, &arena);
    }
    struct span reference = span_from(input, end < size ? end + 1 : end);
    if (url_parse(reference, based ? &base : NULL, &arena, &url) == ERR_NONE) {
        check(&url, &arena);
    }
    arena_fini(&arena);
    return 0;
}
