/* SPDX-License-Identifier: MIT */
/* Each part is taken where it is written. Only the origin of a URL with userinfo stands nowhere in
 * its href, and is written behind it. */
#include "client/view.h"

#include "base/buffer.h"

static int32_t port_of_scheme(struct span scheme)
{
    static const struct {
        const char *scheme;
        int32_t port;
    } ports[] = {{"https", 443}, {"http", 80}, {"wss", 443}, {"ws", 80}, {"ftp", 21}};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (span_eq(scheme, span_cstr(ports[i].scheme))) {
            return ports[i].port;
        }
    }
    return -1;
}

bool view_is_http(const struct url *url)
{
    return span_eq(url->scheme, SPAN("https")) || span_eq(url->scheme, SPAN("http"));
}

bool view_same_origin(const struct url *a, const struct url *b)
{
    return view_is_http(a) && span_eq(a->scheme, b->scheme) && a->port == b->port &&
           span_eq(a->host, b->host);
}

size_t view_bytes(const struct url *url)
{
    return 2 * (url->scheme.len + url->host.len + 16) + url->username.len + url->password.len +
           url->path.len + url->query.len + url->fragment.len;
}

/* What has been written since a place; none where the part itself is none. */
static struct detour_text since(const struct buffer *text, size_t from, bool present)
{
    struct span part = span_slice(buffer_span(text), from, text->len);
    return present ? text_of_span(part) : (struct detour_text){0};
}

static struct detour_text put_part(struct buffer *text, struct span part)
{
    size_t from = text->len;
    buffer_put(text, part);
    return since(text, from, part.ptr != NULL);
}

static void put_userinfo(const struct url *url, struct buffer *text, struct detour_url *out)
{
    out->username = put_part(text, url->username);
    if (url->password.len > 0) {
        buffer_byte(text, ':');
        out->password = put_part(text, url->password);
    }
    buffer_byte(text, '@');
}

static void put_authority(const struct url *url, struct buffer *text, struct detour_url *out)
{
    size_t from = text->len;
    out->host = put_part(text, url->host);
    if (url->port >= 0) {
        buffer_byte(text, ':');
        buffer_decimal(text, (uint64_t)url->port);
    }
    out->authority = since(text, from, true);
}

static void put_path(const struct url *url, struct buffer *text, struct detour_url *out)
{
    size_t from = text->len;
    out->path = put_part(text, url->path);
    if (url->query.ptr != NULL) {
        buffer_byte(text, '?');
        out->query = put_part(text, url->query);
    }
    out->request_target = since(text, from, true);
    if (url->host.ptr == NULL) {
        out->request_target.len = 0;
    }
}

/* Without userinfo the origin is what the href begins with. */
static void put_origin(const struct url *url, struct buffer *text, struct detour_url *out,
                       size_t authority_end, bool userinfo)
{
    if (!view_is_http(url)) {
        out->origin = detour_text_of("null");
    } else if (!userinfo) {
        out->origin = text_of_span(span_of(text->ptr, authority_end));
    } else {
        size_t from = text->len;
        buffer_put(text, url->scheme);
        buffer_put(text, SPAN("://"));
        buffer_put(text, span_of_text(out->authority));
        out->origin = since(text, from, true);
    }
}

void view_fill(const struct url *url, uint8_t *memory, struct detour_url *out)
{
    struct buffer text = buffer_over(memory, view_bytes(url));
    bool userinfo = url->username.len > 0 || url->password.len > 0;
    *out = (struct detour_url){.port = url->port >= 0 ? url->port : port_of_scheme(url->scheme)};
    out->scheme = put_part(&text, url->scheme);
    buffer_byte(&text, ':');
    if (url->host.ptr != NULL) {
        buffer_put(&text, SPAN("//"));
        if (userinfo) {
            put_userinfo(url, &text, out);
        }
        put_authority(url, &text, out);
    } else if (!url->opaque_path && span_starts(url->path, SPAN("//"))) {
        buffer_put(&text, SPAN("/.")); /* or the path would be read as an authority */
    }
    size_t authority_end = text.len;
    put_path(url, &text, out);
    out->target = since(&text, 0, true);
    if (url->fragment.ptr != NULL) {
        buffer_byte(&text, '#');
        out->fragment = put_part(&text, url->fragment);
    }
    out->href = since(&text, 0, true);
    out->target.ptr = out->href.ptr;
    put_origin(url, &text, out, authority_end, userinfo);
}

const struct detour_url *view_new(const struct url *url, struct arena *arena)
{
    struct detour_url *view = arena_alloc(arena, sizeof(*view));
    uint8_t *memory = arena_alloc(arena, view_bytes(url));
    if (view == NULL || memory == NULL) {
        return NULL;
    }
    view_fill(url, memory, view);
    return view;
}
