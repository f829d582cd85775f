/* SPDX-License-Identifier: MIT */
/* From the pieces of a pattern to its flat block, and what may be asked of a block. */
#include "uri/pattern_pieces.h"

#include <stdio.h>

/* The block while it grows: places are counted from the first of the bytes, and moved when
 * it is known where those begin. */
struct builder {
    struct pieces pieces;
    struct pattern_step steps[pattern_steps_max];
    struct pattern_group groups[pattern_groups_max];
    struct pattern_segment_entry *segments;
    size_t segments_cap;
    struct buffer bytes;
    struct pattern head; /* last, as its own last member has no size */
};

static uint32_t put_bytes(struct builder *b, struct span text)
{
    size_t at = b->bytes.len;
    buffer_put(&b->bytes, text);
    return (uint32_t)at;
}

/* ---- segments ---- */

/* The segment that is being read. */
struct segment {
    uint32_t at;
    uint32_t len;
    bool any;  /* holds a ":name" */
    bool more; /* and something else */
};

static void put_segment(struct builder *b, enum segment_kind kind, const struct segment *segment)
{
    struct pattern_segment_entry entry = {.kind = kind};
    if (kind == SEGMENT_LITERAL) {
        entry.at = segment->at;
        entry.len = segment->len;
    }
    b->segments[b->head.segment_count++] = entry;
}

/* False: the segment is neither a text nor one ":name", so that here is the rest. */
static bool end_segment(struct builder *b, struct segment *segment)
{
    if ((segment->any && (segment->more || segment->len > 0)) ||
        b->head.segment_count == pattern_segments_max - 1) {
        return false;
    }
    put_segment(b, segment->any ? SEGMENT_ANY : SEGMENT_LITERAL, segment);
    *segment = (struct segment){0};
    return true;
}

static bool add_text(struct builder *b, struct segment *segment, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '/') {
            if (!end_segment(b, segment)) {
                return false;
            }
        } else {
            uint32_t at = put_bytes(b, span_slice(text, i, i + 1));
            segment->at = segment->len == 0 ? at : segment->at;
            segment->len++;
        }
    }
    return true;
}

/* Whether a slash or the end follows, be the optional pieces from this one on there or
 * not: then the segment before it is complete. */
static bool slash_follows(const struct builder *b, size_t from)
{
    for (size_t i = from; i < b->pieces.count; i++) {
        const struct piece *piece = &b->pieces.items[i];
        if (!span_starts(piece->kind == PIECE_FIXED ? piece->value : piece->prefix, SPAN("/"))) {
            return false;
        }
        if (piece->modifier == PIECE_ONCE || piece->modifier == PIECE_SOME_TIMES) {
            return true;
        }
    }
    return true;
}

/* False: what comes is not that simple. */
static bool add_piece(struct builder *b, struct segment *segment, const struct piece *piece)
{
    if (piece->kind == PIECE_FIXED) {
        return add_text(b, segment, piece->value);
    }
    if (!add_text(b, segment, piece->prefix) || piece->kind != PIECE_SEGMENT) {
        return false;
    }
    segment->more = segment->more || segment->any;
    segment->any = true;
    return add_text(b, segment, piece->suffix);
}

/* The first slash opens the first segment. */
static bool begins_with_slash(struct builder *b)
{
    struct piece *first = &b->pieces.items[0];
    if (b->pieces.kind != PATTERN_PATH || b->pieces.count == 0 || first->modifier != PIECE_ONCE) {
        return false;
    }
    return span_starts(first->kind == PIECE_FIXED ? first->value : first->prefix, SPAN("/"));
}

static void add_segments(struct builder *b)
{
    struct segment segment = {0};
    bool simple = begins_with_slash(b);
    for (size_t i = 0; simple && i < b->pieces.count; i++) {
        struct piece piece = b->pieces.items[i];
        struct span *text = piece.kind == PIECE_FIXED ? &piece.value : &piece.prefix;
        if (i == 0) {
            *text = span_from(*text, 1);
        }
        if (piece.modifier != PIECE_ONCE) {
            if (slash_follows(b, i)) {
                end_segment(b, &segment);
            }
            simple = false;
        } else {
            simple = add_piece(b, &segment, &piece);
        }
    }
    simple = simple && end_segment(b, &segment);
    put_segment(b, simple ? SEGMENT_END : SEGMENT_REST, NULL);
}

/* ---- the rest of the block ---- */

/* The text that all matches begin with, of those run by PCRE2 or by memcmp. */
static void add_lead(struct builder *b)
{
    const struct piece *first = &b->pieces.items[0];
    if (b->pieces.count == 0 || first->modifier != PIECE_ONCE) {
        return;
    }
    struct span lead = first->kind == PIECE_FIXED ? first->value : first->prefix;
    b->head.edge_at = put_bytes(b, lead);
    b->head.edge_len = (uint32_t)lead.len;
}

/* The text that all matches end with, of those run by steps. */
static void add_tail(struct builder *b)
{
    const struct piece *last = &b->pieces.items[b->pieces.count - 1];
    if (last->modifier == PIECE_ONCE) {
        struct span tail = last->kind == PIECE_FIXED ? last->value : last->suffix;
        b->head.edge_at = put_bytes(b, tail);
        b->head.edge_len = (uint32_t)tail.len;
    }
}

static void add_groups(struct builder *b, const uint16_t *captures)
{
    for (size_t i = 0; i < b->pieces.count; i++) {
        const struct piece *piece = &b->pieces.items[i];
        if (piece_is_group(piece)) {
            size_t at = b->head.group_count++;
            b->groups[at] = (struct pattern_group){.name_at = put_bytes(b, piece->name),
                                                   .name_len = (uint32_t)piece->name.len,
                                                   .capture = captures[at],
                                                   .may_vanish = piece_may_vanish(piece)};
        }
    }
}

static enum err add_regex(struct builder *b, struct span regex, struct pattern_error *error)
{
    struct regex *compiled = NULL;
    const char *reason = NULL;
    enum err err = regex_compile(regex, &compiled, &reason);
    regex_free(&compiled);
    if (err == ERR_SYNTAX) {
        error->offset = b->pieces.regex_offset;
        snprintf(error->reason, sizeof(error->reason), "in a regular expression: %s", reason);
    }
    if (err == ERR_NONE) {
        b->head.form = PATTERN_REGEX;
        b->head.regex_at = put_bytes(b, regex);
        b->head.regex_len = (uint32_t)regex.len;
    }
    return err;
}

static void add_steps(struct builder *b)
{
    uint8_t delimiter = pattern_delimiter(b->pieces.kind);
    size_t count = pattern_emit(&b->pieces, &b->bytes, b->steps);
    pattern_refine(b->steps, count, b->bytes.ptr, delimiter);
    b->head.form = PATTERN_STEPS;
    b->head.step_count = (uint16_t)count;
}

static bool is_literal(const struct pieces *pieces)
{
    return pieces->count == 0 || (pieces->count == 1 && pieces->items[0].kind == PIECE_FIXED &&
                                  pieces->items[0].modifier == PIECE_ONCE);
}

/* Each text goes into the bytes at most four times: twice by the steps, once as a segment
 * and once as the lead or tail. */
static enum err reserve(struct builder *b, size_t regex_len, struct arena *scratch)
{
    size_t texts = 0;
    for (size_t i = 0; i < b->pieces.count; i++) {
        const struct piece *piece = &b->pieces.items[i];
        texts += piece->value.len + piece->prefix.len + piece->suffix.len + piece->name.len;
    }
    size_t cap = 4 * texts + regex_len + 1;
    uint8_t *memory = arena_alloc(scratch, cap);
    b->segments = arena_array(scratch, pattern_segments_max, sizeof(*b->segments));
    if (memory == NULL || b->segments == NULL) {
        return ERR_MEMORY;
    }
    b->bytes = buffer_over(memory, cap);
    return ERR_NONE;
}

static enum err build(struct builder *b, struct arena *scratch, struct pattern_error *error)
{
    uint16_t captures[pattern_groups_max] = {0};
    struct span regex = pattern_generate_regex(&b->pieces, scratch, captures);
    if (regex.ptr == NULL || reserve(b, regex.len, scratch) != ERR_NONE) {
        return ERR_MEMORY;
    }
    b->head.kind = (uint8_t)b->pieces.kind;
    add_groups(b, captures);
    add_segments(b);
    if (b->pieces.has_regex) {
        add_lead(b);
        return add_regex(b, regex, error);
    }
    if (is_literal(&b->pieces)) {
        add_lead(b);
        b->head.form = PATTERN_LITERAL;
    } else {
        add_steps(b);
        add_tail(b);
    }
    return ERR_NONE;
}

/* ---- into one piece ---- */

static void relocate(struct builder *b, uint32_t by)
{
    b->head.edge_at += by;
    b->head.regex_at += by;
    for (size_t i = 0; i < b->head.step_count; i++) {
        b->steps[i].at += by;
    }
    for (size_t i = 0; i < b->head.group_count; i++) {
        b->groups[i].name_at += by;
    }
    for (size_t i = 0; i < b->head.segment_count; i++) {
        b->segments[i].at += by;
    }
}

static enum err flatten(struct builder *b, struct arena *arena, const struct pattern **out)
{
    size_t bytes_at =
        pattern_bytes_at(b->head.step_count, b->head.group_count, b->head.segment_count);
    size_t size = (bytes_at + b->bytes.len + 7) & ~(size_t)7;
    uint8_t *block = arena_alloc(arena, size);
    if (block == NULL) {
        return ERR_MEMORY;
    }
    assert(!b->bytes.full);
    b->head.size = (uint32_t)size;
    relocate(b, (uint32_t)bytes_at);
    struct buffer at = buffer_over(block, size);
    buffer_put(&at, span_of(&b->head, sizeof(b->head)));
    buffer_put(&at, span_of(b->steps, b->head.step_count * sizeof(b->steps[0])));
    buffer_put(&at, span_of(b->groups, b->head.group_count * sizeof(b->groups[0])));
    buffer_put(&at, span_of(b->segments, b->head.segment_count * sizeof(b->segments[0])));
    buffer_put(&at, buffer_span(&b->bytes));
    *out = (const struct pattern *)(const void *)block;
    return ERR_NONE;
}

enum err pattern_compile(enum pattern_kind kind, struct span source, struct arena *arena,
                         const struct pattern **out, struct pattern_error *error)
{
    struct arena scratch;
    if (source.len > pattern_bytes_max) {
        *error = (struct pattern_error){.offset = pattern_bytes_max};
        snprintf(error->reason, sizeof(error->reason), "longer than %d bytes", pattern_bytes_max);
        return ERR_SYNTAX;
    }
    arena_init(&scratch, 0);
    struct builder *b = arena_alloc(&scratch, sizeof(*b));
    enum err err = ERR_MEMORY;
    if (b != NULL) {
        err = pattern_parse(kind, source, &scratch, &b->pieces, error);
    }
    if (err == ERR_NONE) {
        err = build(b, &scratch, error);
    }
    if (err == ERR_NONE) {
        err = flatten(b, arena, out);
    }
    arena_fini(&scratch);
    return err;
}

/* ---- questions ---- */

size_t pattern_size(const struct pattern *pattern)
{
    return pattern->size;
}

size_t pattern_group_count(const struct pattern *pattern)
{
    return pattern->group_count;
}

struct span pattern_group_name(const struct pattern *pattern, size_t group)
{
    assert(group < pattern->group_count);
    const struct pattern_group *entry = pattern_groups_of(pattern) + group;
    return pattern_text(pattern, entry->name_at, entry->name_len);
}

struct span pattern_regex(const struct pattern *pattern)
{
    return pattern_text(pattern, pattern->regex_at, pattern->regex_len);
}

/* The last segment is END or REST, and stands for all behind it. */
enum segment_kind pattern_segment(const struct pattern *pattern, size_t at, struct span *text)
{
    size_t last = pattern->segment_count - 1U;
    const struct pattern_segment_entry *entry =
        pattern_segments_of(pattern) + (at < last ? at : last);
    if (entry->kind == SEGMENT_LITERAL) {
        *text = pattern_text(pattern, entry->at, entry->len);
    }
    return (enum segment_kind)entry->kind;
}
