/* SPDX-License-Identifier: MIT */
/* Rewrites the path of a request into the form that rules are matched against. Nearly all
 * paths have that form already, and a look at sixteen bytes at a time says so. */
#include "uri/path.h"
#include "uri/escape.h"
#include "uri/sixteen.h"

#include <assert.h>

/* The rewriting, from left to right. norm[0, segment) ends with the slash before the
 * segment that is being written. */
struct writer {
    struct path_scratch *scratch;
    size_t len;
    size_t segment;
    size_t slash; /* the place in sent of the last slash */
    bool full;
};

/* What the path percent-encode set of the URL standard leaves alone; RFC 3986 has no '|'. */
static inline bool may_stay(uint8_t byte)
{
    return escape_is(byte, ESCAPE_PATH) || byte == '|';
}

static inline bool is_slash(uint8_t byte)
{
    return byte == '/' || byte == '\\';
}

/* Whether all are of those that most paths are made of, and none is a slash or a dot
 * behind a slash; before: what stands before each. */
static inline bool sixteen_normal(struct sixteen bytes, struct sixteen before)
{
    __auto_type v = bytes.v;
    __auto_type plain = ((v | 0x20) - 'a' < 26) | (v - '&' < ';' - '&' + 1) | (v == '_');
    __auto_type pair = (before.v == '/') & (v - '.' < 2);
    return sixteen_all((struct sixteen){(__typeof__(v))(plain & ~pair)});
}

/* The same for the whole path, byte by byte and exact. */
static __attribute__((noinline)) bool bytes_normal(struct span sent)
{
    uint8_t before = '/';
    for (size_t i = 1; i < sent.len; i++) {
        uint8_t byte = sent.ptr[i];
        if (!may_stay(byte) || (before == '/' && (byte == '/' || byte == '.'))) {
            return false;
        }
        before = byte;
    }
    return true;
}

/* Whether nothing is to be rewritten; the first byte is a slash. A segment that begins with a dot
 * is left to the slow way even when it is no dot segment. */
static inline bool is_normal(struct span sent)
{
    const uint8_t *end = sent.ptr + sent.len;
    if (sent.len < 9) {
        return bytes_normal(sent);
    }
    if (sent.len <= 17) {
        return sixteen_normal(sixteen_halves(sent.ptr + 1, end - 8),
                              sixteen_halves(sent.ptr, end - 9)) ||
               bytes_normal(sent);
    }
    for (const uint8_t *at = sent.ptr + 1; end - at > 16; at += 16) {
        if (!sixteen_normal(sixteen_load(at), sixteen_load(at - 1))) {
            return bytes_normal(sent);
        }
    }
    return sixteen_normal(sixteen_load(end - 16), sixteen_load(end - 17)) || bytes_normal(sent);
}

static void put(struct writer *writer, uint8_t byte, size_t from)
{
    if (writer->len == path_bytes_max) {
        writer->full = true;
        return;
    }
    writer->scratch->norm[writer->len] = byte;
    writer->scratch->map[writer->len] = (uint16_t)from;
    writer->len++;
}

static void put_escape(struct writer *writer, uint8_t byte, size_t from)
{
    static const char digits[] = "0123456789ABCDEF";
    if (path_bytes_max - writer->len < 3) {
        writer->full = true;
        return;
    }
    uint8_t *norm = writer->scratch->norm + writer->len;
    uint16_t *map = writer->scratch->map + writer->len;
    norm[0] = '%';
    norm[1] = (uint8_t)digits[byte >> 4];
    norm[2] = (uint8_t)digits[byte & 15];
    map[0] = map[1] = map[2] = (uint16_t)from;
    writer->len += 3;
}

/* Copies the bytes of the segment that stay as they are, as far as there is room; gives how
 * many. */
static size_t put_run(struct writer *writer, struct span sent, size_t at)
{
    uint8_t *norm = writer->scratch->norm + writer->len;
    uint16_t *map = writer->scratch->map + writer->len;
    size_t room = path_bytes_max - writer->len;
    size_t count = sent.len - at < room ? sent.len - at : room;
    size_t i = 0;
    while (i < count && may_stay(sent.ptr[at + i]) && sent.ptr[at + i] != '/') {
        norm[i] = sent.ptr[at + i];
        map[i] = (uint16_t)(at + i);
        i++;
    }
    writer->len += i;
    return i;
}

/* Whether a byte, put behind what is there, would make an escape of a '%' that was none in
 * the bytes sent: "%4%31" must not become "%41", which is an A to the next who decodes. An
 * escape that is written already has its '%' three bytes back. */
static bool joins_stray_percent(const struct writer *writer, uint8_t byte)
{
    const uint8_t *end = writer->scratch->norm + writer->len;
    if (!escape_is(byte, ESCAPE_HEX)) {
        return false;
    }
    return end[-1] == '%' || (escape_is(end[-1], ESCAPE_HEX) && end[-2] == '%');
}

/* Writes what stands at this place, which is no slash; gives how many bytes were used up. */
static size_t put_one(struct writer *writer, struct span sent, size_t at)
{
    uint8_t byte = sent.ptr[at];
    if (!escape_at(sent, at)) {
        if (may_stay(byte) || byte == '%') {
            put(writer, byte, at);
        } else {
            put_escape(writer, byte, at);
        }
        return 1;
    }
    byte = escape_value(sent, at);
    if (escape_is(byte, ESCAPE_UNRESERVED) && !joins_stray_percent(writer, byte)) {
        put(writer, byte, at);
    } else {
        put_escape(writer, byte, at);
    }
    return 3;
}

/* Takes the last whole segment away. At the root there is none; then the root's slash is
 * from now on the one behind the "..", for the sake of path_sent. */
static void pop_segment(struct writer *writer)
{
    const uint8_t *norm = writer->scratch->norm;
    if (writer->segment == 1) {
        writer->scratch->map[0] = (uint16_t)writer->slash;
        return;
    }
    do {
        writer->segment--;
    } while (norm[writer->segment - 1] != '/');
}

/* Ends the segment that is being written, at a slash or at the end of the path; an empty
 * one leaves nothing behind, so that doubled slashes fold. */
static void end_segment(struct writer *writer, bool slash)
{
    struct span segment =
        span_of(writer->scratch->norm + writer->segment, writer->len - writer->segment);
    if (span_eq(segment, SPAN(".."))) {
        pop_segment(writer);
        writer->len = writer->segment;
    } else if (span_eq(segment, SPAN("."))) {
        writer->len = writer->segment;
    } else if (slash && segment.len > 0) {
        put(writer, '/', writer->slash);
        writer->segment = writer->len;
    }
}

/* Apart, so that the way most paths take has no stack to set up. */
static __attribute__((noinline)) enum err rewrite(struct span sent, struct path_scratch *scratch,
                                                  struct path *out)
{
    struct writer writer = {.scratch = scratch};
    put(&writer, '/', 0);
    writer.segment = 1;
    size_t at = 1;
    while (at < sent.len && !writer.full) {
        if (is_slash(sent.ptr[at])) {
            writer.slash = at++;
            end_segment(&writer, true);
        } else {
            size_t run = put_run(&writer, sent, at);
            at += run > 0 ? run : put_one(&writer, sent, at);
        }
    }
    if (writer.full) {
        return ERR_LIMIT;
    }
    end_segment(&writer, false);
    scratch->map[writer.len] = (uint16_t)sent.len;
    *out = (struct path){
        .sent = sent,
        .norm = span_of(scratch->norm, writer.len),
        .map = scratch->map,
    };
    return ERR_NONE;
}

enum err path_normalise(struct span sent, struct path_scratch *scratch, struct path *out)
{
    if (sent.len == 0 || sent.ptr[0] != '/') {
        return ERR_SYNTAX;
    }
    if (sent.len > path_bytes_max) {
        return ERR_LIMIT;
    }
    if (is_normal(sent)) {
        *out = (struct path){.sent = sent, .norm = sent};
        return ERR_NONE;
    }
    return rewrite(sent, scratch, out);
}

/* A piece that was removed, "x/../", may lie within the slice, between two bytes that are
 * left. It does no harm. Let the slice begin with a slash of norm or with the first byte
 * of a segment. Had a ".." within it reached further back than its beginning, that ".."
 * would have taken the segment at the beginning away, and the slice could not begin there.
 * The root alone is not taken away by a "..", and so pop_segment moves it behind.
 *
 * It holds for other readers of the slice too: for one that counts empty segments
 * ("b//../c" is "b/c" to the URL standard, "c" to us), and for one to whom "%2e%2e" or a
 * backslash is nothing special. Each finds at least as many segments to take away as we do.
 *
 * It does not hold for a slice that begins or ends within a segment: of "a../x" the slice
 * "../x". Whoever puts slices together has to look at that. */
struct span path_sent(const struct path *path, size_t from, size_t to)
{
    assert(from <= to && to <= path->norm.len);
    if (path->map == NULL) {
        return span_slice(path->sent, from, to);
    }
    if (from == to) {
        return span_slice(path->sent, path->map[from], path->map[from]);
    }
    size_t last = path->map[to - 1];
    return span_slice(path->sent, path->map[from], last + (escape_at(path->sent, last) ? 3 : 1));
}

/* The length of a slash at this place, plain or escaped; 0: there is none. */
static size_t any_slash(struct span norm, size_t at)
{
    if (norm.ptr[at] == '/') {
        return 1;
    }
    bool escaped = escape_at(norm, at) && is_slash(escape_value(norm, at));
    return escaped ? 3 : 0;
}

bool path_hides_dots(struct span norm)
{
    size_t segment = 0;
    if (span_find(norm, 0, '%') == norm.len) {
        return false;
    }
    for (size_t at = 0; at <= norm.len; at++) {
        size_t slash = at < norm.len ? any_slash(norm, at) : 1;
        if (slash == 0) {
            continue;
        }
        struct span found = span_slice(norm, segment, at);
        if (span_eq(found, SPAN(".")) || span_eq(found, SPAN(".."))) {
            return true;
        }
        segment = at + slash;
        at += slash - 1;
    }
    return false;
}
