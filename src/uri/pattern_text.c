/* SPDX-License-Identifier: MIT */
/* The fixed text of patterns, brought into the form that subjects have. */
#include "uri/pattern_pieces.h"

#include "uri/escape.h"
#include "uri/url_host.h"
#include "uri/url_internal.h"

/* The URL parser drops tabs and line ends wherever they stand. ptr NULL: no memory. */
static struct span without_breaks(struct span text, struct span before, struct arena *arena)
{
    uint8_t *memory = arena_alloc(arena, before.len + text.len + 1);
    struct buffer out = buffer_over(memory, memory != NULL ? before.len + text.len + 1 : 0);
    buffer_put(&out, before);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c != '\t' && c != '\n' && c != '\r') {
            buffer_byte(&out, c);
        }
    }
    return buffer_span(&out);
}

/* https://urlpattern.spec.whatwg.org/#canonicalize-a-pathname, and then what requests get
 * beyond WHATWG (uri/path.h). A text that does not begin with a slash is set behind "/-",
 * so that a dot at its beginning is none of a dot segment. */
enum err pattern_text_path(struct span text, struct path_scratch *scratch, struct arena *arena,
                           struct span *out)
{
    if (text.len == 0) {
        *out = text;
        return ERR_NONE;
    }
    bool slash = text.ptr[0] == '/';
    struct span whole = without_breaks(text, slash ? SPAN("") : SPAN("/-"), arena);
    if (whole.ptr == NULL) {
        return ERR_MEMORY;
    }
    struct path path;
    enum err err = path_normalise(whole, scratch, &path);
    if (err != ERR_NONE) {
        return err;
    }
    size_t skip = slash ? 0 : 2;
    *out = arena_copy(arena, span_from(path.norm, skip < path.norm.len ? skip : path.norm.len));
    return out->ptr != NULL ? ERR_NONE : ERR_MEMORY;
}

/* https://urlpattern.spec.whatwg.org/#canonicalize-an-ipv6-hostname */
static enum err address_text(struct span text, struct arena *arena, struct span *out)
{
    struct span copy = arena_copy(arena, text);
    if (copy.ptr == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < copy.len; i++) {
        uint8_t c = copy.ptr[i];
        if (!escape_is(c, ESCAPE_HEX) && (c == 0 || strchr("[]:", c) == NULL)) {
            return ERR_SYNTAX;
        }
        ((uint8_t *)copy.ptr)[i] = ascii_lower(c);
    }
    *out = copy;
    return ERR_NONE;
}

/* The part of a text that the URL parser takes for the host. */
static struct span host_part(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != 0 && strchr("/?#\\", text.ptr[i]) != NULL) {
            text.len = i;
        }
    }
    return text;
}

/* A number at the end of a piece is a part of a label, or of an address that other pieces
 * complete; the URL parser, which knows only the piece, would make an address of it. It
 * does not with a letter behind. */
static enum err number_text(struct span text, struct arena *arena, struct span *out)
{
    uint8_t *memory = arena_alloc(arena, text.len + 1);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    memcpy(memory, text.ptr, text.len);
    memory[text.len] = 'z';
    enum err err = url_host_parse(span_of(memory, text.len + 1), true, arena, out);
    if (err == ERR_NONE) {
        out->len--;
    }
    return err;
}

/* https://urlpattern.spec.whatwg.org/#canonicalize-a-hostname */
enum err pattern_text_host(struct span text, bool whole, bool ipv6, struct arena *arena,
                           struct span *out)
{
    if (text.len == 0) {
        *out = text;
        return ERR_NONE;
    }
    if (ipv6) {
        return address_text(text, arena, out);
    }
    struct span host = without_breaks(text, SPAN(""), arena);
    if (host.ptr == NULL) {
        return ERR_MEMORY;
    }
    host = host_part(host);
    if (host.len == 0) {
        return ERR_SYNTAX;
    }
    return !whole && url_ends_in_number(host) ? number_text(host, arena, out)
                                              : url_host_parse(host, true, arena, out);
}
