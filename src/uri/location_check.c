/* SPDX-License-Identifier: MIT */
/* What a target must satisfy when it is configured, and what finished bytes must
 * satisfy before they are sent. */
#include "uri/location.h"

#include "uri/template_block.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes that no literal holds: they stand for the variables while an authority is read. */
enum { MARK_LABEL = 1, MARK_HOST = 2 };

/* The authority as one text, with a mark for each variable. */
struct shape {
    uint8_t bytes[512];
    uint16_t source_at[512];
    size_t len;
    struct template_error *error;
};

static bool refuse(struct template_error *error, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct template_error *error, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->reason, sizeof(error->reason), format, args);
    va_end(args);
    error->offset = offset;
    return false;
}

static bool shape_push(struct shape *shape, uint8_t byte, size_t source_at)
{
    if (shape->len == sizeof(shape->bytes)) {
        return refuse(shape->error, source_at, "the authority is longer than %zu bytes",
                      sizeof(shape->bytes));
    }
    shape->source_at[shape->len] = (uint16_t)source_at;
    shape->bytes[shape->len++] = byte;
    return true;
}

static bool shape_push_part(struct shape *shape, const struct template *t,
                            const struct template_part *part)
{
    if (part->kind == PART_VARIABLE) {
        struct span name = template_var_name(t, part->var);
        if (part->op != OPERATOR_NONE || part->first == 0 || part->last == 0) {
            return refuse(shape->error, part->source_at,
                          "in the authority a variable stands alone, without an operator: {%.*s}",
                          SPAN_ARG(name));
        }
        return shape_push(shape, span_eq(name, SPAN("host")) ? MARK_HOST : MARK_LABEL,
                          part->source_at);
    }
    for (uint32_t i = 0; i < part->len; i++) {
        if (!shape_push(shape, template_bytes(t, part->at, part->len).ptr[i],
                        part->source_at + i)) {
            return false;
        }
    }
    return true;
}

static bool shape_refuse(const struct shape *shape, size_t at, const char *reason)
{
    size_t offset = at < shape->len   ? shape->source_at[at]
                    : shape->len == 0 ? 0
                                      : (size_t)shape->source_at[shape->len - 1] + 1;
    return refuse(shape->error, offset, "%s", reason);
}

/* One label, in [from, to). last: no other follows. */
static bool shape_label_ok(const struct shape *shape, size_t from, size_t to, bool last)
{
    const uint8_t *bytes = shape->bytes;
    if (from == to) {
        return shape_refuse(shape, from, "the host has an empty label");
    }
    for (size_t i = from; i < to; i++) {
        if (bytes[i] == MARK_LABEL || bytes[i] == MARK_HOST) {
            if (to - from > 1) {
                return shape_refuse(shape, i,
                                    "a variable in the authority must be a whole label, and be "
                                    "followed by '.', ':', '/', '?', '#', {+path} or the end");
            }
            if (bytes[i] == MARK_HOST && !last) {
                return shape_refuse(shape, i, "{host} must be the end of the host");
            }
        } else if (bytes[i] == '%') {
            return shape_refuse(shape, i, "write the host in its ASCII form (xn--...)");
        } else if (!escape_is(bytes[i], ESCAPE_LABEL)) {
            return shape_refuse(shape, i, "not a character of a host name");
        }
    }
    if (to - from > 63 || bytes[from] == '-' || bytes[to - 1] == '-') {
        return shape_refuse(shape, from,
                            "a label has at most 63 bytes and no '-' at its beginning or end");
    }
    return true;
}

static bool shape_ip_ok(const struct shape *shape, size_t from, size_t to)
{
    if (to - from < 4 || shape->bytes[to - 1] != ']') {
        return shape_refuse(shape, from, "not an IPv6 address in brackets");
    }
    for (size_t i = from + 1; i < to - 1; i++) {
        uint8_t c = shape->bytes[i];
        if (!escape_is(c, ESCAPE_HEX) && c != ':' && c != '.') {
            return shape_refuse(shape, i, "not an IPv6 address in brackets");
        }
    }
    return true;
}

static bool shape_host_ok(const struct shape *shape, size_t from, size_t to)
{
    if (from == to) {
        return shape_refuse(shape, from, "the host is missing");
    }
    if (shape->bytes[from] == '[') {
        return shape_ip_ok(shape, from, to);
    }
    size_t label = from;
    for (size_t i = from; i <= to; i++) {
        if (i == to || shape->bytes[i] == '.') {
            if (!shape_label_ok(shape, label, i, i == to)) {
                return false;
            }
            label = i + 1;
        }
    }
    return true;
}

static bool shape_port_ok(const struct shape *shape, size_t from)
{
    uint64_t port = 0;
    struct span text = span_of(shape->bytes + from, shape->len - from);
    if (!span_decimal(text, 65535, &port) || port == 0) {
        return shape_refuse(shape, from, "the port must be a literal number from 1 to 65535");
    }
    return true;
}

/* scheme "://" host [":" port], nothing else. */
static bool shape_ok(const struct shape *shape)
{
    struct span all = span_of(shape->bytes, shape->len);
    size_t colon = span_find(all, 0, ':');
    struct span scheme = span_slice(all, 0, colon);
    if (!span_eq_ci(scheme, SPAN("http")) && !span_eq_ci(scheme, SPAN("https"))) {
        return shape_refuse(shape, 0, "the scheme must be http or https");
    }
    size_t host = colon + 3;
    size_t at_sign = span_find(all, host, '@');
    if (at_sign < all.len) {
        return shape_refuse(shape, at_sign, "a Location must not carry a user or a password");
    }
    size_t bracket = host < all.len && all.ptr[host] == '[' ? span_find(all, host, ']') : host;
    size_t end = span_find(all, bracket, ':');
    return shape_host_ok(shape, host, end) && (end == all.len || shape_port_ok(shape, end + 1));
}

/* The authority is followed by nothing that could lengthen it. */
static bool end_ok(const struct template *t, const struct template_part *part,
                   struct template_error *error)
{
    if (part->kind == PART_LITERAL || part->op != OPERATOR_PLUS) {
        return true;
    }
    struct span name = template_var_name(t, part->var);
    if (span_eq(name, SPAN("path")) && part->first == 1 && part->last == 1) {
        return true;
    }
    return refuse(error, part->source_at,
                  "after the authority only '/', '?', '#' or {+path} may stand, not {+%.*s}",
                  SPAN_ARG(name));
}

static bool segment_is_dots(struct span segment)
{
    static const char *const forms[] = {".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (span_eq_ci(segment, span_cstr(forms[i]))) {
            return true;
        }
    }
    return false;
}

/* A dot segment that the target itself writes out, bounded by slashes or an end. */
static bool literal_dots_ok(const struct template *t, size_t i, struct template_error *error)
{
    const struct template_part *part = &t->parts[i];
    struct span text = template_bytes(t, part->at, part->len);
    bool open_left = i > 0 && part[-1].kind == PART_VARIABLE;
    bool open_right = i + 1 < t->part_count && part[1].kind == PART_VARIABLE &&
                      part[1].zone == ZONE_PATH && part[1].op != OPERATOR_SLASH;
    size_t from = 0;
    while (from <= text.len) {
        size_t end = span_find(text, from, '/');
        bool bounded = (from > 0 || !open_left) && (end < text.len || !open_right);
        if (bounded && segment_is_dots(span_slice(text, from, end))) {
            return refuse(error, part->source_at + from,
                          "the path holds a dot segment; write the path that is meant");
        }
        from = end + 1;
    }
    return true;
}

enum err location_target_check(const struct template *target, struct template_error *error)
{
    struct shape shape = {.error = error};
    if (target->part_count == 0 || target->parts[0].zone != ZONE_AUTHORITY) {
        refuse(error, 0, "a target begins with a literal http:// or https:// and a host");
        return ERR_SYNTAX;
    }
    size_t i = 0;
    for (; i < target->part_count && target->parts[i].zone == ZONE_AUTHORITY; i++) {
        if (!shape_push_part(&shape, target, &target->parts[i])) {
            return ERR_SYNTAX;
        }
    }
    if (!shape_ok(&shape) ||
        (i < target->part_count && !end_ok(target, &target->parts[i], error))) {
        return ERR_SYNTAX;
    }
    for (; i < target->part_count && target->parts[i].zone == ZONE_PATH; i++) {
        if (target->parts[i].kind == PART_LITERAL && !literal_dots_ok(target, i, error)) {
            return ERR_SYNTAX;
        }
    }
    return ERR_NONE;
}

uint32_t location_authority_vars(const struct template *target)
{
    uint32_t vars = 0;
    for (size_t i = 0; i < target->part_count; i++) {
        const struct template_part *part = &target->parts[i];
        if (part->kind == PART_VARIABLE && part->zone == ZONE_AUTHORITY) {
            vars |= UINT32_C(1) << part->var;
        }
    }
    return vars;
}

bool location_check(struct span location, struct span authority)
{
    if (authority.len == 0 || !span_starts(location, authority)) {
        return false;
    }
    uint8_t next = location.len > authority.len ? location.ptr[authority.len] : '/';
    if (next != '/' && next != '?' && next != '#') {
        return false;
    }
    return escape_run(location, 0, ESCAPE_LOCATION) == location.len;
}

struct span location_authority(struct span url)
{
    size_t at = span_find(url, 0, ':');
    if (at == 0 || url.len - at < 3 || url.ptr[at + 1] != '/' || url.ptr[at + 2] != '/') {
        return span_of(url.ptr, 0);
    }
    static const char ends[] = "/?#";
    struct span rest = url;
    for (size_t i = 0; i < sizeof(ends) - 1; i++) {
        rest.len = span_find(rest, at + 3, (uint8_t)ends[i]);
    }
    return rest;
}
