/* SPDX-License-Identifier: MIT */
/* The tokenizer and the parser of URLPattern.
 * https://urlpattern.spec.whatwg.org/#parsing-pattern-strings */
#include "uri/pattern_token.h"

#include <stdio.h>

struct parser {
    struct tokenizer tokens;
    struct arena *arena;
    struct path_scratch *scratch;
    struct pieces *pieces;
    struct pattern_error *error;
    bool ipv6;
    size_t number; /* of the next group without a name */
    struct buffer pending;
    size_t pending_at; /* where it begins in the source */
    struct buffer prefix;
    struct buffer suffix;
};

/* One "prefix name regex suffix modifier", before it is a piece. */
struct group {
    struct span prefix;
    struct span suffix;
    struct token name; /* TOKEN_NONE: there is none */
    struct token value;
    enum piece_modifier modifier;
    size_t offset;
};

static enum err complain(struct parser *p, size_t offset, const char *reason)
{
    p->error->offset = offset;
    snprintf(p->error->reason, sizeof(p->error->reason), "%s", reason);
    return ERR_SYNTAX;
}

static bool take(struct parser *p, enum token_kind kind, struct token *out)
{
    bool there = p->tokens.now.kind == kind;
    *out = there ? p->tokens.now : (struct token){.kind = TOKEN_NONE};
    if (there) {
        tokenizer_next(&p->tokens);
    }
    return there;
}

static void take_value(struct parser *p, struct group *group)
{
    if (!take(p, TOKEN_REGEX, &group->value) && group->name.kind == TOKEN_NONE) {
        take(p, TOKEN_ASTERISK, &group->value);
    }
}

static enum piece_modifier take_modifier(struct parser *p)
{
    struct token token;
    if (take(p, TOKEN_ASTERISK, &token)) {
        return PIECE_ANY_TIMES;
    }
    if (take(p, TOKEN_MODIFIER, &token)) {
        return token.text.ptr[0] == '?' ? PIECE_OPTIONAL : PIECE_SOME_TIMES;
    }
    return PIECE_ONCE;
}

static struct span take_text(struct parser *p, struct buffer *out)
{
    struct token token;
    out->len = 0;
    while (take(p, TOKEN_CHARACTER, &token) || take(p, TOKEN_ESCAPED, &token)) {
        buffer_put(out, token.text);
    }
    return buffer_span(out);
}

/* ---- pieces ---- */

static enum err normal_text(struct parser *p, struct span text, bool whole, size_t offset,
                            struct span *out)
{
    if (p->pieces->kind == PATTERN_PATH) {
        return pattern_text_path(text, p->scratch, p->arena, out);
    }
    enum err err = pattern_text_host(text, whole, p->ipv6, p->arena, out);
    if (err == ERR_SYNTAX) {
        return complain(p, offset, "this text cannot stand in a host name");
    }
    return err;
}

static enum err add_piece(struct parser *p, const struct piece *piece)
{
    struct pieces *pieces = p->pieces;
    if (pieces->count == pattern_pieces_max) {
        return complain(p, piece->offset, "too many groups and texts in one pattern");
    }
    if (piece_is_group(piece) && pieces->group_count == pattern_groups_max) {
        return complain(p, piece->offset, "more than 32 groups in one pattern");
    }
    pieces->group_count += piece_is_group(piece);
    pieces->items[pieces->count++] = *piece;
    return ERR_NONE;
}

/* Takes the byte off the end of the last piece, when that has no modifier, and with it a
 * piece that is nothing else. */
static void drop_last_byte(struct pieces *pieces, struct span byte)
{
    struct piece *last = pieces->count > 0 ? &pieces->items[pieces->count - 1] : NULL;
    if (last == NULL || last->modifier != PIECE_ONCE) {
        return;
    }
    struct span *text = piece_is_group(last) ? &last->suffix : &last->value;
    if (span_ends(*text, byte)) {
        text->len -= byte.len;
        pieces->count -= !piece_is_group(last) && text->len == 0;
    }
}

/* Subjects hold no doubled slash, so a path's piece that ends with one before another that
 * begins with one would never match. */
static void fold_slashes(struct pieces *pieces, struct span next)
{
    if (pieces->kind == PATTERN_PATH && span_starts(next, SPAN("/"))) {
        drop_last_byte(pieces, SPAN("/"));
    }
}

static enum err add_pending(struct parser *p)
{
    if (p->pending.len == 0) {
        return ERR_NONE;
    }
    struct piece piece = {.kind = PIECE_FIXED, .offset = p->pending_at};
    bool whole = p->pieces->count == 0 && p->tokens.now.kind == TOKEN_END;
    enum err err = normal_text(p, buffer_span(&p->pending), whole, p->pending_at, &piece.value);
    p->pending.len = 0;
    if (err != ERR_NONE) {
        return err;
    }
    fold_slashes(p->pieces, piece.value);
    return add_piece(p, &piece);
}

static void add_to_pending(struct parser *p, struct span text, size_t offset)
{
    p->pending_at = p->pending.len == 0 ? offset : p->pending_at;
    buffer_put(&p->pending, text);
}

/* "{text}?": a text that the modifier keeps apart from the others. */
static enum err add_fixed(struct parser *p, const struct group *group)
{
    struct piece piece = {
        .kind = PIECE_FIXED, .modifier = group->modifier, .offset = group->offset};
    if (group->prefix.len == 0) {
        return ERR_NONE;
    }
    enum err err = normal_text(p, group->prefix, false, group->offset, &piece.value);
    return err != ERR_NONE ? err : add_piece(p, &piece);
}

/* "([^\\/]+?)" is the same as ":name" and "(.*)" as an asterisk; the first also without the
 * backslash, which the standard leaves to the regular expression. */
static void value_of(struct parser *p, const struct group *group, struct piece *piece)
{
    struct span segment = p->pieces->kind == PATTERN_PATH ? SPAN("[^\\/]+?") : SPAN("[^\\.]+?");
    struct span plain = p->pieces->kind == PATTERN_PATH ? SPAN("[^/]+?") : SPAN("[^.]+?");
    struct span text = group->value.text;
    if (group->value.kind == TOKEN_NONE ||
        (group->value.kind == TOKEN_REGEX && (span_eq(text, segment) || span_eq(text, plain)))) {
        piece->kind = PIECE_SEGMENT;
    } else if (group->value.kind == TOKEN_ASTERISK || span_eq(text, SPAN(".*"))) {
        piece->kind = PIECE_ANY;
    } else {
        piece->kind = PIECE_REGEX;
        piece->value = text;
        p->pieces->regex_offset =
            p->pieces->has_regex ? p->pieces->regex_offset : group->value.offset;
        p->pieces->has_regex = true;
    }
}

static enum err name_of(struct parser *p, const struct group *group, struct span *out)
{
    struct span name = group->name.text;
    if (group->name.kind == TOKEN_NONE) {
        const char *text = arena_printf(p->arena, "%zu", p->number++);
        if (text == NULL) {
            return ERR_MEMORY;
        }
        name = span_cstr(text);
    }
    for (size_t i = 0; i < p->pieces->count; i++) {
        const struct piece *other = &p->pieces->items[i];
        if (piece_is_group(other) && span_eq(other->name, name)) {
            return complain(p, group->name.offset, "two groups of one name");
        }
    }
    *out = name;
    return ERR_NONE;
}

/* https://urlpattern.spec.whatwg.org/#add-a-part */
static enum err add_group(struct parser *p, const struct group *group)
{
    bool captures = group->name.kind != TOKEN_NONE || group->value.kind != TOKEN_NONE;
    struct piece piece = {.modifier = group->modifier, .offset = group->offset};
    if (!captures && group->modifier == PIECE_ONCE) {
        add_to_pending(p, group->prefix, group->offset);
        return ERR_NONE;
    }
    enum err err = add_pending(p);
    if (err != ERR_NONE) {
        return err;
    }
    if (!captures) {
        return add_fixed(p, group);
    }
    value_of(p, group, &piece);
    err = name_of(p, group, &piece.name);
    if (err == ERR_NONE) {
        err = normal_text(p, group->prefix, false, group->offset, &piece.prefix);
    }
    if (err == ERR_NONE) {
        err = normal_text(p, group->suffix, false, group->offset, &piece.suffix);
    }
    if (err != ERR_NONE) {
        return err;
    }
    if (piece.modifier == PIECE_ONCE) {
        fold_slashes(p->pieces, piece.prefix);
    }
    return add_piece(p, &piece);
}

/* ---- the grammar ---- */

/* Behind '{'. */
static enum err parse_braces(struct parser *p, size_t offset)
{
    struct token close;
    struct group group = {.offset = offset};
    group.prefix = take_text(p, &p->prefix);
    take(p, TOKEN_NAME, &group.name);
    take_value(p, &group);
    group.suffix = take_text(p, &p->suffix);
    if (!take(p, TOKEN_CLOSE, &close)) {
        return complain(p, p->tokens.now.offset,
                        "in braces stand a text, one group and a text, and then '}'");
    }
    group.modifier = take_modifier(p);
    return add_group(p, &group);
}

/* A group without braces: a slash before it in a path belongs to it. */
static enum err parse_group(struct parser *p, struct token before, struct group *group)
{
    bool has_prefix = p->pieces->kind == PATTERN_PATH && before.kind != TOKEN_NONE &&
                      span_eq(before.text, SPAN("/"));
    if (has_prefix) {
        group->prefix = before.text;
        group->offset = before.offset;
    } else if (before.kind != TOKEN_NONE) {
        add_to_pending(p, before.text, before.offset);
    }
    enum err err = add_pending(p);
    if (err != ERR_NONE) {
        return err;
    }
    group->modifier = take_modifier(p);
    return add_group(p, group);
}

static const char *misplaced(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_CLOSE:
        return "a '}' without a '{'; write \\} for the character";
    case TOKEN_MODIFIER:
        return "a '?' or '+' stands behind a group; write \\? or \\+ for the character";
    default:
        return "this cannot stand here";
    }
}

static enum err parse_one(struct parser *p, bool *done)
{
    struct token character;
    struct token open;
    struct group group = {.offset = p->tokens.now.offset};
    take(p, TOKEN_CHARACTER, &character);
    take(p, TOKEN_NAME, &group.name);
    take_value(p, &group);
    if (group.name.kind != TOKEN_NONE || group.value.kind != TOKEN_NONE) {
        return parse_group(p, character, &group);
    }
    if (character.kind != TOKEN_NONE || take(p, TOKEN_ESCAPED, &character)) {
        add_to_pending(p, character.text, character.offset);
        return ERR_NONE;
    }
    if (take(p, TOKEN_OPEN, &open)) {
        return parse_braces(p, open.offset);
    }
    enum err err = add_pending(p);
    if (err == ERR_NONE && p->tokens.now.kind != TOKEN_END) {
        err = complain(p, p->tokens.now.offset, misplaced(p->tokens.now.kind));
    }
    *done = true;
    return err;
}

/* A host in brackets: https://urlpattern.spec.whatwg.org/#hostname-pattern-is-an-ipv6-address */
static bool is_address(struct span source)
{
    return source.len >= 2 && (source.ptr[0] == '[' || span_starts(source, SPAN("{[")) ||
                               span_starts(source, SPAN("\\[")));
}

enum err pattern_parse(enum pattern_kind kind, struct span source, struct arena *arena,
                       struct pieces *out, struct pattern_error *error)
{
    struct parser parser = {.arena = arena, .pieces = out, .error = error};
    uint8_t *memory = arena_array(arena, source.len + 1, 3);
    parser.scratch = arena_alloc(arena, sizeof(*parser.scratch));
    if (memory == NULL || parser.scratch == NULL) {
        return ERR_MEMORY;
    }
    *out = (struct pieces){.kind = kind};
    parser.pending = buffer_over(memory, source.len);
    parser.prefix = buffer_over(memory + source.len, source.len);
    parser.suffix = buffer_over(memory + 2 * source.len, source.len);
    parser.ipv6 = kind == PATTERN_HOST && is_address(source);
    tokenizer_init(&parser.tokens, source);
    enum err err = ERR_NONE;
    bool done = false;
    while (err == ERR_NONE && !done && parser.tokens.fault == NULL) {
        err = parse_one(&parser, &done);
    }
    /* The standard reads all tokens before it parses: what is no token comes first. */
    if (parser.tokens.fault != NULL) {
        return complain(&parser, parser.tokens.fault_at, parser.tokens.fault);
    }
    if (err == ERR_NONE && kind == PATTERN_HOST) {
        drop_last_byte(out, SPAN(".")); /* hosts of requests have none at their end */
    }
    return err;
}
