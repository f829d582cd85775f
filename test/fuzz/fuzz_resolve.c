/* SPDX-License-Identifier: MIT */
/* The resolver of libdetour: the second line against the first. What comes out is made of the
 * characters of a URI, reads the same again, and its parts are the parts of the whole. */
#include <detour/detour.h>

#include "base/span.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(struct detour_text a, struct detour_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0) &&
           (a.ptr == NULL) == (b.ptr == NULL);
}

static void check_parts(const struct detour_url *url)
{
    struct span href = span_of(url->href.ptr, url->href.len);
    assert(href.len > 0 && href.len <= DETOUR_URL_BYTES_MAX);
    for (size_t i = 0; i < href.len; i++) {
        assert(href.ptr[i] >= ' ' && href.ptr[i] < 0x7F);
    }
    assert(url->target.ptr == url->href.ptr);
    size_t hash = url->fragment.ptr != NULL ? 1 : 0;
    assert(url->target.len + hash + url->fragment.len == url->href.len);
    assert(span_find(href, 0, '#') == url->target.len);
    bool http = (url->scheme.len == 4 && memcmp(url->scheme.ptr, "http", 4) == 0) ||
                (url->scheme.len == 5 && memcmp(url->scheme.ptr, "https", 5) == 0);
    if (http) {
        assert(url->host.len > 0 && url->port >= 0 && url->path.len > 0);
        assert(url->path.ptr[0] == '/' && url->request_target.ptr == url->path.ptr);
        assert(url->origin.len == url->scheme.len + 3 + url->authority.len);
        assert(detour_url_same_origin(url, url));
    } else {
        assert(!detour_url_same_origin(url, url));
    }
}

static void check(const struct detour_url *url)
{
    struct detour_url *again;
    check_parts(url);
    enum detour_error error = detour_url_new(url->href, NULL, &again);
    assert(error == DETOUR_OK);
    assert(same(url->href, again->href) && same(url->origin, again->origin));
    assert(same(url->host, again->host) && url->port == again->port);
    assert(same(url->path, again->path) && same(url->query, again->query));
    detour_url_free(&again);
    assert(again == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    size_t end = span_find(input, 0, '\n');
    size_t from = end < size ? end + 1 : end;
    struct detour_text first = {.ptr = (const char *)data, .len = end};
    struct detour_text second = {.ptr = (const char *)data + from, .len = size - from};
    struct detour_url *base = NULL;
    struct detour_url *url = NULL;
    if (size > 0 && detour_url_new(first, NULL, &base) == DETOUR_OK) {
        check(base);
    }
    if (size > 0 && detour_url_new(second, base, &url) == DETOUR_OK) {
        check(url);
    }
    detour_url_free(&base);
    detour_url_free(&url);
    return 0;
}
