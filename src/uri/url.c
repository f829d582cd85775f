/* SPDX-License-Identifier: MIT */
/* The URL standard's parser, as functions where the standard has states, and its
 * serialiser. https://url.spec.whatwg.org/#url-parsing */
#include "uri/url_internal.h"

#include "base/utf8.h"

/* A parse under way. rest is what has not been read yet. */
struct parse {
    struct span rest;
    const struct url *base;
    struct arena *arena;
    struct url *url;
    bool special;
    struct buffer path;
};

static struct span next(const struct parse *p, size_t count)
{
    return span_from(p->rest, count);
}

static bool slash_at(const struct parse *p, size_t at)
{
    return at < p->rest.len && (p->rest.ptr[at] == '/' || (p->special && p->rest.ptr[at] == '\\'));
}

static bool is_file(struct span scheme)
{
    return span_eq(scheme, SPAN("file"));
}

/* The place of the first byte that ends a path, or with slashes set an authority. */
static size_t component_end(const struct parse *p, bool slashes)
{
    size_t at = 0;
    while (at < p->rest.len && p->rest.ptr[at] != '?' && p->rest.ptr[at] != '#' &&
           !(slashes && slash_at(p, at))) {
        at++;
    }
    return at;
}

/* What stands from '?' on, then from '#' on. */
static enum err query_and_fragment(struct parse *p)
{
    if (p->rest.len > 0 && p->rest.ptr[0] == '?') {
        size_t end = span_find(p->rest, 0, '#');
        p->url->query = url_encode(p->arena, span_slice(p->rest, 1, end),
                                   p->special ? URL_SET_SPECIAL_QUERY : URL_SET_QUERY);
        if (p->url->query.ptr == NULL) {
            return ERR_MEMORY;
        }
        p->rest = next(p, end);
    }
    if (p->rest.len > 0) {
        p->url->fragment = url_encode(p->arena, next(p, 1), URL_SET_FRAGMENT);
        if (p->url->fragment.ptr == NULL) {
            return ERR_MEMORY;
        }
    }
    return ERR_NONE;
}

/* The path state: what is left, behind the segments that p->path holds. */
static enum err path(struct parse *p)
{
    size_t end = component_end(p, false);
    url_path_put(&p->path, span_slice(p->rest, 0, end), p->url->scheme);
    if (p->path.full) {
        return ERR_MEMORY;
    }
    p->url->path = buffer_span(&p->path);
    p->rest = next(p, end);
    return query_and_fragment(p);
}

/* A path without a hierarchy: "mailto:x". Only a space before '?' or '#' is encoded. */
static enum err opaque_path(struct parse *p)
{
    size_t end = component_end(p, false);
    struct span text = span_slice(p->rest, 0, end);
    bool space = end > 0 && end < p->rest.len && text.ptr[end - 1] == ' ';
    url_put(&p->path, span_slice(text, 0, end - space), URL_SET_C0);
    buffer_put(&p->path, space ? SPAN("%20") : SPAN(""));
    p->url->path = buffer_span(&p->path);
    p->url->opaque_path = true;
    p->rest = next(p, end);
    return query_and_fragment(p);
}

static enum err credentials(struct parse *p, struct span text)
{
    size_t colon = span_find(text, 0, ':');
    p->url->username = url_encode(p->arena, span_slice(text, 0, colon), URL_SET_USERINFO);
    if (colon < text.len) {
        p->url->password = url_encode(p->arena, span_from(text, colon + 1), URL_SET_USERINFO);
    }
    bool failed =
        p->url->username.ptr == NULL || (colon < text.len && p->url->password.ptr == NULL);
    return failed ? ERR_MEMORY : ERR_NONE;
}

/* digits: what stands behind the colon; may be empty, may have leading zeros. */
static enum err port(struct parse *p, struct span digits)
{
    uint64_t value = 0;
    if (digits.len > 0 && !span_decimal(digits, 65535, &value)) {
        return ERR_SYNTAX;
    }
    bool given = digits.len > 0 && (int32_t)value != url_special_port(p->url->scheme);
    p->url->port = given ? (int32_t)value : -1;
    return ERR_NONE;
}

/* The colon before the port: the first one outside brackets. */
static size_t port_colon(struct span text)
{
    bool brackets = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ':' && !brackets) {
            return i;
        }
        brackets = text.ptr[i] == '[' || (brackets && text.ptr[i] != ']');
    }
    return text.len;
}

/* [user [":" password] "@"] host [":" port], then the path. */
static enum err authority(struct parse *p)
{
    size_t end = component_end(p, true);
    struct span text = span_slice(p->rest, 0, end);
    const uint8_t *at_sign = text.len > 0 ? memrchr(text.ptr, '@', text.len) : NULL;
    if (at_sign != NULL) {
        size_t at = (size_t)(at_sign - text.ptr);
        enum err err = credentials(p, span_slice(text, 0, at));
        if (err != ERR_NONE) {
            return err;
        }
        text = span_from(text, at + 1);
    }
    size_t colon = port_colon(text);
    if (colon == 0 && (p->special || at_sign != NULL || text.len > 0)) {
        return ERR_SYNTAX;
    }
    enum err err = url_host_parse(span_slice(text, 0, colon), p->special, p->arena, &p->url->host);
    if (err == ERR_NONE && colon < text.len) {
        err = port(p, span_from(text, colon + 1));
    }
    p->rest = next(p, end);
    return err != ERR_NONE ? err : path(p);
}

static struct span without_slashes(const struct parse *p)
{
    size_t at = 0;
    while (slash_at(p, at)) {
        at++;
    }
    return next(p, at);
}

static void inherit_authority(struct parse *p)
{
    p->url->username = p->base->username;
    p->url->password = p->base->password;
    p->url->host = p->base->host;
    p->url->port = p->base->port;
}

/* Neither a slash nor an authority: the base's path with its last segment replaced, or
 * the whole of it when only a query or a fragment follows. */
static enum err behind_base_path(struct parse *p, bool shorten)
{
    bool nothing = p->rest.len == 0 || p->rest.ptr[0] == '#';
    if (nothing || p->rest.ptr[0] == '?') {
        p->url->path = p->base->path;
        p->url->query = nothing ? p->base->query : span_of(NULL, 0);
        return query_and_fragment(p);
    }
    if (shorten) {
        buffer_put(&p->path, p->base->path);
        url_path_shorten(&p->path, p->url->scheme);
    }
    return path(p);
}

static enum err relative(struct parse *p)
{
    p->url->scheme = p->base->scheme;
    if (slash_at(p, 0) && slash_at(p, 1)) {
        p->rest = p->special ? without_slashes(p) : next(p, 2);
        return authority(p);
    }
    inherit_authority(p);
    return slash_at(p, 0) ? path(p) : behind_base_path(p, true);
}

/* "//" has been read: a host, or a drive letter that people write there. */
static enum err file_host(struct parse *p)
{
    size_t end = component_end(p, true);
    struct span text = span_slice(p->rest, 0, end);
    if (url_drive_letter(text)) {
        return path(p);
    }
    if (text.len > 0) {
        enum err err = url_host_parse(text, true, p->arena, &p->url->host);
        if (err != ERR_NONE) {
            return err;
        }
        if (span_eq(p->url->host, SPAN("localhost"))) {
            p->url->host = SPAN("");
        }
    }
    p->rest = next(p, end);
    return path(p);
}

static enum err file(struct parse *p)
{
    const struct url *base = p->base != NULL && is_file(p->base->scheme) ? p->base : NULL;
    p->url->scheme = SPAN("file");
    p->url->host = SPAN("");
    if (slash_at(p, 0) && slash_at(p, 1)) {
        p->rest = next(p, 2);
        return file_host(p);
    }
    if (base == NULL) {
        return path(p);
    }
    p->url->host = base->host;
    if (!slash_at(p, 0)) {
        return behind_base_path(p, !url_starts_with_drive_letter(p->rest));
    }
    struct span drive = base->path.len >= 3 ? span_slice(base->path, 0, 3) : SPAN("");
    bool kept = drive.len == 3 && url_drive_letter(span_from(drive, 1)) && drive.ptr[2] == ':' &&
                (base->path.len == 3 || base->path.ptr[3] == '/');
    if (kept && !url_starts_with_drive_letter(next(p, 1))) {
        buffer_put(&p->path, drive);
    }
    return path(p);
}

/* The length of "scheme:"; 0 when there is none. */
static size_t scheme_length(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == ':' && i > 0) {
            return i + 1;
        }
        bool other = ascii_is_digit(c) || c == '+' || c == '-' || c == '.';
        if (!ascii_is_alpha(c) && (i == 0 || !other)) {
            return 0;
        }
    }
    return 0;
}

static enum err without_scheme(struct parse *p)
{
    if (p->base == NULL) {
        return ERR_SYNTAX;
    }
    p->special = url_special_port(p->base->scheme) >= 0;
    if (p->base->opaque_path) {
        if (p->rest.len == 0 || p->rest.ptr[0] != '#') {
            return ERR_SYNTAX;
        }
        p->url->scheme = p->base->scheme;
        p->url->path = p->base->path;
        p->url->query = p->base->query;
        p->url->opaque_path = true;
        return query_and_fragment(p);
    }
    return is_file(p->base->scheme) ? file(p) : relative(p);
}

static enum err with_scheme(struct parse *p, size_t length)
{
    uint8_t *memory = arena_alloc(p->arena, length);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < length - 1; i++) {
        memory[i] = ascii_lower(p->rest.ptr[i]);
    }
    struct span scheme = span_of(memory, length - 1);
    p->url->scheme = scheme;
    p->special = url_special_port(scheme) >= 0;
    p->rest = next(p, length);
    if (is_file(scheme)) {
        return file(p);
    }
    if (p->special) {
        bool same = p->base != NULL && span_eq(p->base->scheme, scheme);
        if (same && !span_starts(p->rest, SPAN("//"))) {
            return relative(p);
        }
        p->rest = without_slashes(p);
        return authority(p);
    }
    if (span_starts(p->rest, SPAN("//"))) {
        p->rest = next(p, 2);
        return authority(p);
    }
    return slash_at(p, 0) ? path(p) : opaque_path(p);
}

/* Most texts are: printable ASCII. */
static bool is_clean(struct span text)
{
    bool clean = true;
    for (size_t i = 0; i < text.len; i++) {
        clean = clean && (uint8_t)(text.ptr[i] - ' ') < 0x5F;
    }
    return clean;
}

/* Controls and spaces at the ends go, tabs and newlines everywhere; what is not UTF-8
 * becomes U+FFFD, as it does when a browser reads a field. */
static struct span cleaned(struct span text, struct arena *arena)
{
    while (text.len > 0 && text.ptr[0] <= ' ') {
        text = span_from(text, 1);
    }
    while (text.len > 0 && text.ptr[text.len - 1] <= ' ') {
        text.len--;
    }
    if (is_clean(text)) {
        return arena_copy(arena, text);
    }
    uint8_t *memory = arena_array(arena, text.len + 1, 3);
    struct buffer out = buffer_over(memory, memory != NULL ? 3 * (text.len + 1) : 0);
    for (size_t at = 0; memory != NULL && at < text.len;) {
        uint32_t code;
        size_t len = utf8_decode(text, at, &code);
        if (len == 0) {
            buffer_put(&out, SPAN("\uFFFD"));
        } else if (memchr("\t\n\r", text.ptr[at], 3) == NULL) {
            buffer_put(&out, span_slice(text, at, at + len));
        }
        at += len > 0 ? len : 1;
    }
    return buffer_span(&out);
}

enum err url_parse(struct span reference, const struct url *base, struct arena *arena,
                   struct url *out)
{
    struct url url = {.port = -1};
    struct parse p = {.base = base, .arena = arena, .url = &url};
    p.rest = cleaned(reference, arena);
    size_t cap = 3 * p.rest.len + (base != NULL ? base->path.len : 0) + 4;
    uint8_t *memory = arena_alloc(arena, cap);
    if (p.rest.ptr == NULL || memory == NULL) {
        return ERR_MEMORY;
    }
    p.path = buffer_over(memory, cap);
    size_t length = scheme_length(p.rest);
    enum err err = length > 0 ? with_scheme(&p, length) : without_scheme(&p);
    if (err == ERR_NONE) {
        *out = url;
    }
    return err;
}

static void put_authority(const struct url *url, struct buffer *out)
{
    buffer_put(out, SPAN("//"));
    if (url->username.len > 0 || url->password.len > 0) {
        buffer_put(out, url->username);
        if (url->password.len > 0) {
            buffer_byte(out, ':');
            buffer_put(out, url->password);
        }
        buffer_byte(out, '@');
    }
    buffer_put(out, url->host);
    if (url->port >= 0) {
        buffer_byte(out, ':');
        buffer_decimal(out, (uint64_t)url->port);
    }
}

enum err url_serialise(const struct url *url, struct arena *arena, struct span *out)
{
    size_t cap = url->scheme.len + url->username.len + url->password.len + url->host.len +
                 url->path.len + url->query.len + url->fragment.len + 16;
    uint8_t *memory = arena_alloc(arena, cap);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    struct buffer text = buffer_over(memory, cap);
    buffer_put(&text, url->scheme);
    buffer_byte(&text, ':');
    if (url->host.ptr != NULL) {
        put_authority(url, &text);
    } else if (!url->opaque_path && span_starts(url->path, SPAN("//"))) {
        /* A path that would otherwise be read as an authority. */
        buffer_put(&text, SPAN("/."));
    }
    buffer_put(&text, url->path);
    if (url->query.ptr != NULL) {
        buffer_byte(&text, '?');
        buffer_put(&text, url->query);
    }
    if (url->fragment.ptr != NULL) {
        buffer_byte(&text, '#');
        buffer_put(&text, url->fragment);
    }
    *out = buffer_span(&text);
    return ERR_NONE;
}
