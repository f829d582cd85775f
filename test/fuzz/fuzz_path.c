/* SPDX-License-Identifier: MIT */
/* Normalises a path: what comes out is normal and stays so, the way back leads through the
 * bytes sent in order, and no slice of whole segments climbs above its beginning. */
#include "uri/path.h"

#include <assert.h>

enum { FUZZ_BYTES_MAX = 1024 }; /* the checks of slices are quadratic */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct path_scratch scratch;
static struct path_scratch scratch_again;

static bool is_hex(uint8_t byte)
{
    return byte != 0 && strchr("0123456789abcdefABCDEF", byte) != NULL;
}

static bool is_escape(struct span text, size_t at)
{
    return text.len - at >= 3 && text.ptr[at] == '%' && is_hex(text.ptr[at + 1]) &&
           is_hex(text.ptr[at + 2]);
}

static bool is_lower(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static void check_norm(struct span norm)
{
    assert(norm.len > 0 && norm.ptr[0] == '/');
    for (size_t i = 0; i < norm.len; i++) {
        uint8_t byte = norm.ptr[i];
        assert(byte > ' ' && byte <= '~' && strchr("\"#<>?\\^`{}", byte) == NULL);
        assert(!is_escape(norm, i) || (!is_lower(norm.ptr[i + 1]) && !is_lower(norm.ptr[i + 2])));
        if (byte == '/') {
            size_t end = span_find(norm, i + 1, '/');
            struct span segment = span_slice(norm, i + 1, end);
            assert(segment.len > 0 || end == norm.len);
            assert(!span_eq(segment, SPAN(".")) && !span_eq(segment, SPAN("..")));
        }
    }
}

/* The map grows, but is the same within a "%XX". */
static void check_map(const struct path *path)
{
    for (size_t i = 0; i < path->norm.len; i++) {
        size_t from = path->map[i];
        assert(from < path->sent.len);
        assert(from < path->map[i + 1] || (from == path->map[i + 1] && i + 2 <= path->norm.len));
        assert(from != path->map[i + 1] || is_escape(path->norm, i) ||
               (i > 0 && is_escape(path->norm, i - 1)));
    }
    assert(path->map[path->norm.len] == path->sent.len);
}

/* One more character of a segment: a dot may be escaped. */
static size_t dot_length(struct span text, size_t at)
{
    if (at < text.len && text.ptr[at] == '.') {
        return 1;
    }
    bool escaped = is_escape(text, at < text.len ? at : 0) && at < text.len &&
                   text.ptr[at + 1] == '2' && (text.ptr[at + 2] | 0x20) == 'e';
    return escaped ? 3 : 0;
}

static int dots_of(struct span segment)
{
    size_t first = dot_length(segment, 0);
    if (first == 0 || first == segment.len) {
        return first != 0;
    }
    size_t second = dot_length(segment, first);
    return second != 0 && first + second == segment.len ? 2 : 0;
}

/* How a reader resolves the slice behind a directory. Servers fold doubled slashes, the
 * URL standard counts an empty segment as one. */
static void check_climb(struct span slice, bool folds)
{
    long depth = 0;
    size_t from = slice.len > 0 && (slice.ptr[0] == '/' || slice.ptr[0] == '\\') ? 1 : 0;
    for (size_t at = from; at <= slice.len; at++) {
        if (at < slice.len && slice.ptr[at] != '/' && slice.ptr[at] != '\\') {
            continue;
        }
        int dots = dots_of(span_slice(slice, from, at));
        depth += dots == 2 ? -1 : dots == 0 && (!folds || at > from);
        assert(depth >= 0);
        from = at + 1;
    }
}

static bool begins(struct span norm, size_t at)
{
    return norm.ptr[at] == '/' || norm.ptr[at - 1] == '/';
}

static bool ends(struct span norm, size_t at)
{
    return at == norm.len || norm.ptr[at] == '/' || norm.ptr[at - 1] == '/';
}

static void check_slices(const struct path *path)
{
    struct span norm = path->norm;
    const uint8_t *sent_end = path->sent.ptr + path->sent.len;
    for (size_t from = 0; from < norm.len; from++) {
        assert(path_sent(path, from, from).len == 0);
        for (size_t to = from + 1; to <= norm.len; to++) {
            struct span slice = path_sent(path, from, to);
            assert(slice.len > 0);
            assert(slice.ptr >= path->sent.ptr && slice.ptr + slice.len <= sent_end);
            if (begins(norm, from) && ends(norm, to)) {
                check_climb(slice, true);
                check_climb(slice, false);
            }
        }
    }
    assert(path_sent(path, norm.len, norm.len).len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span sent = span_of(data, size < FUZZ_BYTES_MAX ? size : FUZZ_BYTES_MAX);
    struct path path;
    struct path again;
    enum err err = path_normalise(sent, &scratch, &path);
    if (err != ERR_NONE) {
        assert(err == ERR_SYNTAX && (size == 0 || data[0] != '/'));
        return 0;
    }
    assert(path.sent.ptr == data && path.sent.len == sent.len);
    check_norm(path.norm);
    if (path.map != NULL) {
        check_map(&path);
    } else {
        assert(path.norm.ptr == data && path.norm.len == sent.len);
    }
    check_slices(&path);
    assert(path_normalise(path.norm, &scratch_again, &again) == ERR_NONE);
    assert(span_eq(path.norm, again.norm));
    return 0;
}
