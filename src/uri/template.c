/* SPDX-License-Identifier: MIT */
/* Compiles a URI Template (RFC 6570, 2) into its flat block. */
#include "uri/template.h"

#include "base/utf8.h"
#include "uri/template_block.h"

#include <stdarg.h>
#include <stdio.h>

/* What is known of a template while its source is read. */
struct builder {
    struct span source;
    size_t at;
    enum template_zone zone;
    size_t zone_skip; /* "scheme://": its slashes end nothing */
    bool literal_open;
    size_t part_count;
    size_t var_count;
    struct template_part parts[template_parts_max];
    struct span vars[template_vars_max];
    struct buffer text; /* the literals, encoded */
    struct template_error *error;
};

static bool refuse(struct builder *b, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct builder *b, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->error->reason, sizeof(b->error->reason), format, args);
    va_end(args);
    b->error->offset = offset;
    return false;
}

enum template_zone template_first_zone(struct span source, size_t *skip)
{
    size_t end = 0;
    while (end < source.len && source.ptr[end] != '{' && source.ptr[end] != '/' &&
           source.ptr[end] != ':' && source.ptr[end] != '?' && source.ptr[end] != '#') {
        end++;
    }
    bool there = end > 0 && end < source.len && span_starts(span_from(source, end), SPAN("://"));
    *skip = there ? end + 3 : 0;
    return there ? ZONE_AUTHORITY : ZONE_PATH;
}

enum template_zone template_zone_step(enum template_zone zone, uint8_t c)
{
    if (c == '#') {
        return ZONE_FRAGMENT;
    }
    if (c == '?' && zone < ZONE_QUERY) {
        return ZONE_QUERY;
    }
    return c == '/' && zone == ZONE_AUTHORITY ? ZONE_PATH : zone;
}

enum template_zone template_zone_variable(enum template_zone zone, enum template_operator op)
{
    switch (op) {
    case OPERATOR_HASH:
        return ZONE_FRAGMENT;
    case OPERATOR_QUERY:
        return zone < ZONE_QUERY ? ZONE_QUERY : zone;
    case OPERATOR_PLUS:
    case OPERATOR_SLASH:
        return zone == ZONE_AUTHORITY ? ZONE_PATH : zone;
    default:
        return zone;
    }
}

static struct template_part *push_part(struct builder *b, enum template_part_kind kind)
{
    if (b->part_count == template_parts_max) {
        refuse(b, b->at, "more than %d literals and variables", template_parts_max);
        return NULL;
    }
    struct template_part *part = &b->parts[b->part_count++];
    *part = (struct template_part){
        .kind = (uint8_t)kind,
        .zone = (uint8_t)b->zone,
        .source_at = (uint16_t)b->at,
        .at = (uint32_t)b->text.len,
    };
    return part;
}

/* One byte of a literal, or one escape: what goes into the text. */
static bool push_literal(struct builder *b, struct span encoded)
{
    enum template_zone zone =
        b->at < b->zone_skip ? b->zone : template_zone_step(b->zone, encoded.ptr[0]);
    if (zone != b->zone || !b->literal_open) {
        b->zone = zone;
        if (push_part(b, PART_LITERAL) == NULL) {
            return false;
        }
        b->literal_open = true;
    }
    buffer_put(&b->text, encoded);
    b->parts[b->part_count - 1].len += (uint32_t)encoded.len;
    return true;
}

/* ucschar and iprivate (RFC 6570, 1.5): no C1 control, no noncharacter, no tag. */
static bool character_allowed(uint32_t code)
{
    if (code < 0xA0 || (code >= 0xFDD0 && code <= 0xFDEF) || (code >= 0xFFF0 && code <= 0xFFFF)) {
        return false;
    }
    return (code & 0xFFFE) != 0xFFFE && (code < 0xE0000 || code >= 0xE1000);
}

static bool literal_beyond_ascii(struct builder *b)
{
    uint32_t code = 0;
    size_t len = utf8_decode(b->source, b->at, &code);
    if (len == 0) {
        return refuse(b, b->at, "not well-formed UTF-8");
    }
    if (!character_allowed(code)) {
        return refuse(b, b->at, "the character U+%04X cannot stand in a template", code);
    }
    uint8_t memory[12];
    struct buffer encoded = buffer_over(memory, sizeof(memory));
    escape_put(&encoded, span_slice(b->source, b->at, b->at + len), ESCAPE_URI, PERCENT_ENCODE);
    bool pushed = push_literal(b, buffer_span(&encoded));
    b->at += len;
    return pushed;
}

/* RFC 6570, 2.1, and with it the apostrophe, which its own examples use. */
static bool literal(struct builder *b)
{
    uint8_t c = b->source.ptr[b->at];
    if (c >= 0x80) {
        return literal_beyond_ascii(b);
    }
    if (c == '}') {
        return refuse(b, b->at, "'}' without '{'");
    }
    if (c == '%' && !escape_at(b->source, b->at)) {
        return refuse(b, b->at, "'%%' must be followed by two hexadecimal digits; write %%25");
    }
    if (!escape_is(c, ESCAPE_LOCATION)) {
        return c > ' ' && c < 0x7F
                   ? refuse(b, b->at, "'%c' cannot stand in a URI; write %%%02X", c, c)
                   : refuse(b, b->at, "a space or control character cannot stand in a URI");
    }
    size_t len = c == '%' ? 3 : 1;
    bool pushed = push_literal(b, span_slice(b->source, b->at, b->at + len));
    b->at += len;
    return pushed;
}

/* The length of the varname that text begins with; 0 when there is none. */
static size_t name_length(struct span text)
{
    size_t len = 0;
    while (len < text.len) {
        if (escape_is(text.ptr[len], ESCAPE_VARCHAR)) {
            len++;
        } else if (escape_at(text, len)) {
            len += 3;
        } else if (text.ptr[len] == '.' && len > 0 && text.ptr[len - 1] != '.') {
            len++;
        } else {
            break;
        }
    }
    return len > 0 && text.ptr[len - 1] == '.' ? len - 1 : len;
}

bool template_name_ok(struct span text)
{
    return text.len > 0 && name_length(text) == text.len;
}

static bool variable_index(struct builder *b, struct span name, uint8_t *out)
{
    size_t i = 0;
    while (i < b->var_count && !span_eq(b->vars[i], name)) {
        i++;
    }
    if (i == template_vars_max) {
        return refuse(b, b->at, "more than %d variables", template_vars_max);
    }
    if (i == b->var_count) {
        b->vars[b->var_count++] = name;
    }
    *out = (uint8_t)i;
    return true;
}

/* One varspec; b->at is at its name and moves behind it. The first one of an expression
 * is said to be where the expression opens. */
static bool variable(struct builder *b, enum template_operator op, size_t opened_at, bool first)
{
    struct span rest = span_from(b->source, b->at);
    size_t len = name_length(rest);
    if (len == 0) {
        return refuse(b, b->at, "a variable's name is expected here");
    }
    uint8_t index = 0;
    if (!variable_index(b, span_slice(rest, 0, len), &index)) {
        return false;
    }
    struct template_part *part = push_part(b, PART_VARIABLE);
    if (part == NULL) {
        return false;
    }
    part->op = (uint8_t)op;
    part->var = index;
    part->first = first;
    part->at = 0;
    if (first) {
        part->source_at = (uint16_t)opened_at;
    }
    b->at += len;
    return true;
}

static bool operator_of(struct builder *b, enum template_operator *out)
{
    static const char operators[] = "+#./;?&";
    static const char reserved[] = "=,!@|";
    uint8_t c = b->at < b->source.len ? b->source.ptr[b->at] : 0;
    *out = OPERATOR_NONE;
    if (c == 0) {
        return true;
    }
    if (strchr(reserved, c) != NULL) {
        return refuse(b, b->at, "the operator '%c' has no meaning yet (RFC 6570, 2.2)", c);
    }
    const char *hit = strchr(operators, c);
    if (hit != NULL) {
        *out = (enum template_operator)(OPERATOR_PLUS + (hit - operators));
        b->at++;
    }
    return true;
}

/* What follows a varspec: ',' or '}'; anything else is refused by its name. */
static bool after_variable(struct builder *b, size_t opened_at, bool *done)
{
    if (b->at == b->source.len) {
        return refuse(b, opened_at, "'{' without '}'");
    }
    uint8_t c = b->source.ptr[b->at];
    if (c == ':' || c == '*') {
        return refuse(b, b->at, "'%c' is a modifier of level 4, which is not supported", c);
    }
    if (c != ',' && c != '}') {
        return c > ' ' && c < 0x7F ? refuse(b, b->at, "'%c' cannot stand in a variable's name", c)
                                   : refuse(b, b->at, "not a character of a variable's name");
    }
    *done = c == '}';
    b->at++;
    return true;
}

static bool expression(struct builder *b)
{
    size_t opened_at = b->at;
    enum template_operator op;
    b->at++;
    if (!operator_of(b, &op)) {
        return false;
    }
    if (b->at == b->source.len) {
        return refuse(b, opened_at, "'{' without '}'");
    }
    b->literal_open = false;
    b->zone = template_zone_variable(b->zone, op);
    bool done = false;
    for (bool first = true; !done; first = false) {
        if (!variable(b, op, opened_at, first) || !after_variable(b, opened_at, &done)) {
            return false;
        }
    }
    b->parts[b->part_count - 1].last = 1;
    return true;
}

/* Appends bytes to the block and gives where they lie. */
static uint32_t block_put(struct buffer *block, struct span bytes)
{
    uint32_t at = (uint32_t)block->len;
    buffer_put(block, bytes);
    return at;
}

/* Everything is known: one allocation of the exact size. */
static struct template *block_new(struct builder *b, struct arena *arena)
{
    size_t size = sizeof(struct template) + b->part_count * sizeof(struct template_part) +
                  b->var_count * sizeof(struct template_name);
    size_t bytes_at = size;
    size += b->text.len + b->source.len;
    for (size_t i = 0; i < b->var_count; i++) {
        size += b->vars[i].len;
    }
    size = (size + 7) / 8 * 8;
    struct template *t = arena_alloc(arena, size);
    if (t == NULL) {
        return NULL;
    }
    *t = (struct template){.size = (uint32_t)size,
                           .part_count = (uint16_t)b->part_count,
                           .var_count = (uint8_t)b->var_count};
    struct buffer block = buffer_over(t, size);
    block.len = bytes_at;
    uint32_t text_at = block_put(&block, buffer_span(&b->text));
    for (size_t i = 0; i < b->part_count; i++) {
        t->parts[i] = b->parts[i];
        t->parts[i].at = b->parts[i].kind == PART_LITERAL ? b->parts[i].at + text_at : 0;
        t->has_query |= b->parts[i].zone == ZONE_QUERY;
    }
    struct template_name *names = (struct template_name *)(void *)(t->parts + t->part_count);
    for (size_t i = 0; i < b->var_count; i++) {
        names[i].at = block_put(&block, b->vars[i]);
        names[i].len = (uint32_t)b->vars[i].len;
    }
    t->source_at = block_put(&block, b->source);
    t->source_len = (uint32_t)b->source.len;
    assert(!block.full);
    return t;
}

enum err template_compile(struct span source, struct arena *arena, const struct template **out,
                          struct template_error *error)
{
    uint8_t text[3 * template_bytes_max];
    struct builder b = {.source = source, .text = buffer_over(text, sizeof(text)), .error = error};
    if (source.len > template_bytes_max) {
        refuse(&b, template_bytes_max, "longer than %d bytes", template_bytes_max);
        return ERR_SYNTAX;
    }
    b.zone = template_first_zone(source, &b.zone_skip);
    while (b.at < source.len) {
        bool ok = source.ptr[b.at] == '{' ? expression(&b) : literal(&b);
        if (!ok) {
            return ERR_SYNTAX;
        }
    }
    struct template *t = block_new(&b, arena);
    if (t == NULL) {
        return ERR_MEMORY;
    }
    *out = t;
    return ERR_NONE;
}
