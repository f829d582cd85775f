/* SPDX-License-Identifier: MIT */
/* Writes a Location: literals as they stand, values encoded for the component they land
 * in, and a look at the dot segments that came in with a value. */
#include "uri/location.h"

#include "uri/template_block.h"

#include <assert.h>

/* One Location while it is written. */
struct build {
    struct buffer *out;
    size_t start;         /* where the Location begins in out */
    size_t authority_end; /* 0: not reached yet */
    size_t path_end;      /* 0: not reached yet */
    struct span prefix;   /* the literal that the path begins with */
    struct span query;    /* of the request; ptr NULL: none, or already written */
};

static bool label_ok(struct span label)
{
    if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!escape_is(label.ptr[i], ESCAPE_LABEL)) {
            return false;
        }
    }
    return true;
}

static bool ip_literal(struct span host)
{
    if (host.len < 4 || host.len > 47 || host.ptr[0] != '[' || host.ptr[host.len - 1] != ']') {
        return false;
    }
    for (size_t i = 1; i < host.len - 1; i++) {
        uint8_t c = host.ptr[i];
        if (!escape_is(c, ESCAPE_HEX) && c != ':' && c != '.') {
            return false;
        }
    }
    return true;
}

/* Labels with dots between them, at most 253 bytes (RFC 1035, 2.3.4). */
static bool labels_ok(struct span host)
{
    if (host.len > 253) {
        return false;
    }
    size_t from = 0;
    while (from <= host.len) {
        size_t end = span_find(host, from, '.');
        if (!label_ok(span_slice(host, from, end))) {
            return false;
        }
        from = end + 1;
    }
    return true;
}

/* A variable inside the authority: the bytes as they are, or nothing at all. */
static bool put_label(const struct build *b, const struct template *t,
                      const struct template_part *part, const struct template_value *value)
{
    if (!value->defined) {
        return false;
    }
    bool ok = label_ok(value->bytes);
    if (!ok && span_eq(template_var_name(t, part->var), SPAN("host"))) {
        struct span so_far = span_from(buffer_span(b->out), b->start);
        ok = labels_ok(value->bytes) || (ip_literal(value->bytes) && span_ends(so_far, SPAN("//")));
    }
    if (ok) {
        buffer_put(b->out, value->bytes);
    }
    return ok;
}

/* A value brings no query and no fragment: that is the target's to say. */
static enum escape_class reserved_in(enum template_zone zone)
{
    return zone == ZONE_PATH ? ESCAPE_PATH : ESCAPE_QUERY;
}

static bool begins_with_slash(const struct template *t, const struct template_part *part,
                              const struct template_value *value)
{
    if (part->kind == PART_LITERAL) {
        return template_bytes(t, part->at, 1).ptr[0] == '/';
    }
    return part->op == OPERATOR_SLASH ||
           (part->op == OPERATOR_PLUS && value->bytes.len > 0 && value->bytes.ptr[0] == '/');
}

/* Where two pieces of the path meet, one slash is enough: the earlier one goes. */
static void join(struct build *b)
{
    if (b->out->len > b->authority_end && !b->out->full && b->out->ptr[b->out->len - 1] == '/') {
        b->out->len--;
    }
}

static void put_query(struct build *b)
{
    if (b->query.ptr != NULL) {
        buffer_byte(b->out, '?');
        escape_put(b->out, b->query, ESCAPE_QUERY, PERCENT_KEEP);
        b->query = span_of(NULL, 0);
    }
}

/* Marks where components end. */
static void enter(struct build *b, enum template_zone zone)
{
    if (zone >= ZONE_PATH && b->authority_end == 0) {
        b->authority_end = b->out->len;
    }
    if (zone >= ZONE_QUERY && b->path_end == 0) {
        b->path_end = b->out->len;
    }
    if (zone == ZONE_FRAGMENT) {
        put_query(b);
    }
}

/* What a client or a server behind it may read as ".": '.' or "%2e". 0 when neither. */
static size_t dot_length(struct span text)
{
    if (text.len > 0 && text.ptr[0] == '.') {
        return 1;
    }
    return text.len >= 3 && text.ptr[0] == '%' && text.ptr[1] == '2' && (text.ptr[2] | 0x20) == 'e'
               ? 3
               : 0;
}

/* How many dots a segment consists of; 0 when it is an ordinary one. What follows a ';'
 * is left aside: some servers take "..;x" for "..". */
static int segment_dots(struct span segment)
{
    int dots = 0;
    size_t at = 0;
    while (at < segment.len && segment.ptr[at] != ';') {
        size_t len = dot_length(span_from(segment, at));
        if (len == 0 || dots == 2) {
            return 0;
        }
        dots++;
        at += len;
    }
    return dots;
}

/* How those who come after us may cut a path into segments. The first is the standard's;
 * a server that sees the path unresolved may fold doubled slashes, so that ".." reaches
 * further, or decode "%2F" and "%5C" before it looks at dots. */
enum view { VIEW_STANDARD, VIEW_FOLDED, VIEW_DECODED, VIEW_COUNT };

static size_t separator_length(struct span path, size_t at, enum view view)
{
    if (path.ptr[at] == '/') {
        return 1;
    }
    if (view != VIEW_DECODED || !escape_at(path, at)) {
        return 0;
    }
    uint8_t byte = escape_value(path, at);
    return byte == '/' || byte == '\\' ? 3 : 0;
}

/* The next segment, at its separator; false at the end. */
static bool segment_next(struct span path, enum view view, size_t *at, struct span *out)
{
    if (*at >= path.len) {
        return false;
    }
    size_t from = *at;
    do {
        from += separator_length(path, from, view);
    } while (view != VIEW_STANDARD && from < path.len && separator_length(path, from, view) > 0);
    size_t to = from;
    while (to < path.len && separator_length(path, to, view) == 0) {
        to++;
    }
    *out = span_slice(path, from, to);
    *at = to;
    return true;
}

/* Whether ".." in path takes away a segment that belongs to the prefix, or completes one
 * of the prefix to dots. */
static bool climbs_by(struct span path, struct span prefix, enum view view)
{
    struct span segment;
    size_t floor = 0;
    for (size_t at = 0; segment_next(prefix, view, &at, &segment);) {
        floor += segment.len > 0 || at < prefix.len;
    }
    size_t depth = 0;
    for (size_t at = 0; segment_next(path, view, &at, &segment);) {
        int dots = segment_dots(segment);
        if (dots > 0 && depth < floor) {
            return true;
        }
        if (dots == 2 && floor > 0 && depth == floor) {
            return true;
        }
        depth += dots == 0;
        depth -= dots == 2 && depth > 0;
    }
    return false;
}

/* "%2E", "%2F" or "%5C". */
static bool escape_suspected(struct span path, size_t at)
{
    if (!escape_at(path, at)) {
        return false;
    }
    uint8_t byte = escape_value(path, at);
    return byte == '.' || byte == '/' || byte == '\\';
}

/* A dot that begins a segment, or one of the escapes above: worth a closer look. */
static bool dots_suspected(struct span path)
{
    for (size_t at = span_find(path, 0, '.'); at < path.len; at = span_find(path, at + 1, '.')) {
        if (at == 0 || path.ptr[at - 1] == '/') {
            return true;
        }
    }
    for (size_t at = span_find(path, 0, '%'); at < path.len; at = span_find(path, at + 1, '%')) {
        if (escape_suspected(path, at)) {
            return true;
        }
    }
    return false;
}

static bool climbs(struct span path, struct span prefix)
{
    if (prefix.len <= 1 || !dots_suspected(path)) {
        return false;
    }
    bool found = false;
    for (enum view view = VIEW_STANDARD; view < VIEW_COUNT && !found; view++) {
        found = climbs_by(path, prefix, view);
    }
    return found;
}

/* The query and the last look, once all pieces are written. */
static enum location_result finish(struct build *b)
{
    enter(b, ZONE_QUERY);
    put_query(b);
    if (b->out->full) {
        return LOCATION_LONG;
    }
    /* Only one of these ends an authority; "https://a.example" and a value "b" would
     * otherwise make another host. */
    struct span all = buffer_span(b->out);
    assert(all.ptr != NULL);
    uint8_t next = b->authority_end < all.len ? all.ptr[b->authority_end] : '/';
    struct span path = span_slice(all, b->authority_end, b->path_end);
    if ((next != '/' && next != '?' && next != '#') || climbs(path, b->prefix)) {
        b->out->len = b->start;
        return LOCATION_ESCAPES;
    }
    return LOCATION_OK;
}

/* Not in the authority. any: whether a variable of the same expression was written. */
static void put_piece(struct build *b, const struct template *t, const struct template_part *part,
                      const struct template_value *value, bool any)
{
    if (part->zone == ZONE_PATH && !any && begins_with_slash(t, part, value)) {
        join(b);
    }
    if (part->kind == PART_LITERAL) {
        struct span text = template_bytes(t, part->at, part->len);
        if (part->zone == ZONE_PATH && b->out->len == b->authority_end) {
            b->prefix = text;
        }
        buffer_put(b->out, text);
    } else if (part->op == OPERATOR_PLUS && !any) {
        escape_put(b->out, value->bytes, reserved_in(part->zone), PERCENT_KEEP); /* the usual one */
    } else {
        template_put_variable(t, part, value, any, reserved_in(part->zone), b->out);
    }
}

enum location_result location_build(const struct template *target,
                                    const struct template_value *values, struct span query,
                                    struct buffer *out)
{
    struct build b = {.out = out, .start = out->len};
    b.query = target->has_query ? span_of(NULL, 0) : query;
    bool any = false;
    for (size_t i = 0; i < target->part_count; i++) {
        const struct template_part *part = &target->parts[i];
        bool literal = part->kind == PART_LITERAL;
        const struct template_value *value = literal ? NULL : &values[part->var];
        any = any && !literal && part->first == 0;
        if (part->zone == ZONE_AUTHORITY && literal) {
            buffer_put(out, template_bytes(target, part->at, part->len));
        } else if (part->zone == ZONE_AUTHORITY) {
            if (!put_label(&b, target, part, value)) {
                out->len = b.start;
                return LOCATION_ESCAPES;
            }
        } else if (literal || value->defined) {
            enter(&b, part->zone);
            put_piece(&b, target, part, value, any);
            any = true;
        }
    }
    return finish(&b);
}

enum location_result location_append(struct span base, struct span path, struct span query,
                                     struct buffer *out)
{
    struct span authority = location_authority(base);
    assert(authority.len > 0);
    struct build b = {.out = out, .start = out->len, .query = query};
    b.authority_end = out->len + authority.len;
    b.prefix = span_from(base, authority.len);
    buffer_put(out, base);
    if (path.len > 0 && path.ptr[0] == '/') {
        join(&b);
    } else if (path.len > 0) {
        out->len = out->full ? out->len : b.start;
        return LOCATION_ESCAPES;
    }
    escape_put(out, path, ESCAPE_PATH, PERCENT_KEEP);
    return finish(&b);
}

void location_add_parameter(struct buffer *out, size_t from, struct span name, struct span value)
{
    struct span all = buffer_span(out);
    size_t fragment = span_find(all, from, '#');
    size_t question = span_find(span_slice(all, 0, fragment), from, '?');
    size_t more = name.len + value.len + 2;
    if (buffer_reserve(out, more) == NULL) {
        return;
    }
    /* Nothing stands behind a '?' or '&' yet: the parameter goes right there. */
    bool begun =
        question < fragment && (all.ptr[fragment - 1] == '?' || all.ptr[fragment - 1] == '&');
    struct buffer at = buffer_over(out->ptr + fragment, more);
    out->len -= begun;
    memmove(at.ptr + more - begun, at.ptr, all.len - fragment);
    if (!begun) {
        buffer_byte(&at, question < fragment ? '&' : '?');
    }
    buffer_put(&at, name);
    buffer_byte(&at, '=');
    buffer_put(&at, value);
}
