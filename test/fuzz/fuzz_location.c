/* SPDX-License-Identifier: MIT */
/* The promise of a Location, read by a browser's parser: lines are a target, a query and
 * values; whatever the values are, scheme, host and port are those that the target
 * declares, and the resolved path keeps the target's literal beginning. */
#include "uri/location.h"
#include "uri/url.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span line_cut(struct span *rest)
{
    size_t end = span_find(*rest, 0, '\n');
    struct span line = span_slice(*rest, 0, end);
    *rest = span_from(*rest, end < rest->len ? end + 1 : end);
    return line;
}

/* The values in turn; one that begins with '!' is undefined, with '=' is text. */
static void values_cut(struct span rest, struct template_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct span line = line_cut(&rest);
        uint8_t kind = line.len > 0 ? line.ptr[0] : 0;
        values[i].defined = kind != '!';
        values[i].sent = kind != '=';
        values[i].bytes = kind == '=' ? span_from(line, 1) : line;
    }
}

/* The authority that was declared, with the values of its variables put in. */
static struct span declared(struct span source, const struct template *t,
                            const struct template_value *values, struct arena *arena)
{
    uint8_t *memory = arena_alloc(arena, location_bytes_max);
    struct buffer out = buffer_over(memory, location_bytes_max);
    assert(memory != NULL);
    size_t host = span_find(source, 0, '/') + 2;
    buffer_put(&out, span_slice(source, 0, host));
    for (size_t at = host; at < source.len;) {
        uint8_t c = source.ptr[at];
        if (c == '/' || c == '?' || c == '#') {
            break;
        }
        if (c != '{') {
            buffer_byte(&out, c);
            at++;
            continue;
        }
        size_t end = span_find(source, at, '}');
        struct span name = span_slice(source, at + 1, end);
        size_t var = 0;
        while (var < template_var_count(t) && !span_eq(template_var_name(t, var), name)) {
            var++;
        }
        if (var == template_var_count(t)) {
            break; /* it has an operator: the authority has ended */
        }
        buffer_put(&out, values[var].bytes);
        at = end + 1;
    }
    return buffer_span(&out);
}

/* The literal path before the first variable, up to its last '/'. */
static struct span literal_prefix(struct span source, struct arena *arena)
{
    size_t from = span_find(source, 0, '/') + 2;
    while (from < source.len && memchr("/?#", source.ptr[from], 3) == NULL) {
        if (source.ptr[from] == '{' && memchr("+/?#", source.ptr[from + 1], 4) != NULL) {
            return SPAN(""); /* the authority ends here, with a value */
        }
        from = source.ptr[from] == '{' ? span_find(source, from, '}') : from;
        from++;
    }
    if (from >= source.len || source.ptr[from] != '/') {
        return SPAN("");
    }
    size_t end = from;
    while (end < source.len && memchr("{?#", source.ptr[end], 3) == NULL) {
        end++;
    }
    while (end > from && source.ptr[end - 1] != '/') {
        end--;
    }
    /* The way a parser writes it: beyond ASCII it is encoded. */
    struct span text = arena_copy(arena, SPAN("http://h"));
    uint8_t *memory = arena_alloc(arena, text.len + end - from);
    assert(memory != NULL);
    memcpy(memory, text.ptr, text.len);
    memcpy(memory + text.len, source.ptr + from, end - from);
    struct url url;
    assert(url_parse(span_of(memory, text.len + end - from), NULL, arena, &url) == ERR_NONE);
    return url.path;
}

static void check(struct span location, struct span authority, struct span source,
                  struct arena *arena)
{
    assert(location_check(location, authority));
    for (size_t i = 0; i < location.len; i++) {
        assert(location.ptr[i] > 0x20 && location.ptr[i] < 0x7F);
    }
    struct url expected;
    struct url url;
    enum err err = url_parse(authority, NULL, arena, &expected);
    assert(url_parse(location, NULL, arena, &url) == err);
    if (err != ERR_NONE) {
        return; /* a host such as "1.2.3.999": the client refuses it, and goes nowhere */
    }
    assert(span_eq(url.scheme, expected.scheme) && span_eq(url.host, expected.host));
    assert(url.port == expected.port && url.username.len == 0 && url.password.len == 0);
    bool path_first = location.len > authority.len && location.ptr[authority.len] == '/';
    assert(!path_first || span_starts(url.path, literal_prefix(source, arena)));
}

static void build(const struct template *t, struct span query, struct span rest,
                  struct arena *arena)
{
    static uint8_t memory[location_bytes_max];
    struct template_value values[template_vars_max] = {0};
    values_cut(rest, values, template_var_count(t));
    struct buffer out = buffer_over(memory, sizeof(memory));
    if (location_build(t, values, query, &out) == LOCATION_OK) {
        struct span source = template_source(t);
        check(buffer_span(&out), declared(source, t, values, arena), source, arena);
    }
}

static void append(struct span source, struct span query, struct span path, struct arena *arena)
{
    static uint8_t memory[location_bytes_max];
    struct buffer out = buffer_over(memory, sizeof(memory));
    if (memchr(source.ptr, '{', source.len) != NULL ||
        memchr(source.ptr, '?', source.len) != NULL ||
        memchr(source.ptr, '#', source.len) != NULL ||
        !location_check(source, location_authority(source))) {
        return;
    }
    if (location_append(source, path, query, &out) == LOCATION_OK) {
        check(buffer_span(&out), location_authority(source), source, arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct span source = line_cut(&rest);
    struct span query = line_cut(&rest);
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = NULL;
    struct template_error error;
    if (template_compile(source, &arena, &t, &error) == ERR_NONE &&
        location_target_check(t, &error) == ERR_NONE) {
        build(t, query, rest, &arena);
        append(source, query, rest, &arena);
    }
    arena_fini(&arena);
    return 0;
}
