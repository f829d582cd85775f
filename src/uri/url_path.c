/* SPDX-License-Identifier: MIT */
/* Paths of URLs: segments, dot segments, drive letters. A list of segments is held as
 * its serialisation, "/" before each; an empty list is the empty text. */
#include "uri/url_internal.h"

bool url_drive_letter(struct span text)
{
    return text.len == 2 && ascii_is_alpha(text.ptr[0]) &&
           (text.ptr[1] == ':' || text.ptr[1] == '|');
}

bool url_starts_with_drive_letter(struct span text)
{
    return text.len >= 2 && url_drive_letter(span_slice(text, 0, 2)) &&
           (text.len == 2 || memchr("/\\?#", text.ptr[2], 4) != NULL);
}

/* '.' or "%2e": its length, else 0. */
static size_t dot_length(struct span text)
{
    if (text.len > 0 && text.ptr[0] == '.') {
        return 1;
    }
    return text.len >= 3 && span_eq_ci(span_slice(text, 0, 3), SPAN("%2e")) ? 3 : 0;
}

/* How many dots the whole segment is made of, when one or two; else 0. */
static int segment_dots(struct span segment)
{
    size_t first = dot_length(segment);
    if (first == 0 || first == segment.len) {
        return first != 0;
    }
    size_t second = dot_length(span_from(segment, first));
    return second != 0 && first + second == segment.len ? 2 : 0;
}

void url_path_shorten(struct buffer *path, struct span scheme)
{
    struct span all = buffer_span(path);
    if (span_eq(scheme, SPAN("file")) && all.len == 3 && all.ptr[2] == ':' &&
        url_drive_letter(span_from(all, 1))) {
        return;
    }
    while (path->len > 0 && path->ptr[--path->len] != '/') {
    }
}

static void put_segment(struct buffer *path, struct span segment, struct span scheme, bool last)
{
    int dots = segment_dots(segment);
    if (dots == 2) {
        url_path_shorten(path, scheme);
    }
    if (dots > 0) {
        if (last) {
            buffer_byte(path, '/');
        }
        return;
    }
    bool drive = span_eq(scheme, SPAN("file")) && path->len == 0 && url_drive_letter(segment);
    buffer_byte(path, '/');
    url_put(path, segment, URL_SET_PATH);
    if (drive && !path->full) {
        path->ptr[path->len - 1] = ':';
    }
}

void url_path_put(struct buffer *path, struct span text, struct span scheme)
{
    bool special = url_special_port(scheme) >= 0;
    size_t from = 0;
    if (text.len > 0 && (text.ptr[0] == '/' || (special && text.ptr[0] == '\\'))) {
        from = 1;
    } else if (text.len == 0 && !special) {
        return;
    }
    for (size_t at = from; at <= text.len; at++) {
        bool last = at == text.len;
        if (last || text.ptr[at] == '/' || (special && text.ptr[at] == '\\')) {
            put_segment(path, span_slice(text, from, at), scheme, last);
            from = at + 1;
        }
    }
}
