/* SPDX-License-Identifier: MIT */
/* The regular expression that the standard generates from a pattern. One difference: an
 * expression's own groups do not shift the numbers of the pattern's.
 * https://urlpattern.spec.whatwg.org/#converting-part-lists-to-regular-expressions
 *
 * "(X)?" where X is empty takes no part in JavaScript, and is an empty group to PCRE2; who
 * reads the groups has to make up for it (piece_may_vanish). */
#include "uri/pattern_pieces.h"

static void put(struct buffer *out, const char *text)
{
    buffer_put(out, span_cstr(text));
}

static void put_escaped(struct buffer *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != 0 && strchr(".+*?^${}()[]|/\\", text.ptr[i]) != NULL) {
            buffer_byte(out, '\\');
        }
        buffer_byte(out, text.ptr[i]);
    }
}

static void put_modifier(struct buffer *out, enum piece_modifier modifier)
{
    static const char *const texts[] = {[PIECE_ONCE] = "",
                                        [PIECE_OPTIONAL] = "?",
                                        [PIECE_ANY_TIMES] = "*",
                                        [PIECE_SOME_TIMES] = "+"};
    put(out, texts[modifier]);
}

static struct span value_of(const struct pieces *pieces, const struct piece *piece)
{
    switch (piece->kind) {
    case PIECE_SEGMENT:
        return pieces->kind == PATTERN_PATH ? SPAN("[^\\/]+?") : SPAN("[^\\.]+?");
    case PIECE_ANY:
        return SPAN(".*");
    default:
        return piece->value;
    }
}

/* How many capturing groups an expression has: by the tokenizer each of its parentheses is
 * escaped or followed by '?'. */
static uint16_t captures_in(struct span regex)
{
    uint16_t count = 0;
    for (size_t i = 0; i + 3 < regex.len; i++) {
        if (regex.ptr[i] == '\\') {
            i++;
        } else if (span_starts(span_from(regex, i), SPAN("(?<"))) {
            count = (uint16_t)(count + (regex.ptr[i + 3] != '=' && regex.ptr[i + 3] != '!'));
        }
    }
    return count;
}

/* A group without a text that stands by it. */
static void put_bare(struct buffer *out, const struct piece *piece, struct span value)
{
    put(out, piece_repeats(piece) ? "((?:" : "(");
    buffer_put(out, value);
    put(out, ")");
    put_modifier(out, piece->modifier);
    put(out, piece_repeats(piece) ? ")" : "");
}

/* The prefix and the suffix stand between the repeated values, and around all of them. */
static void put_repeated(struct buffer *out, const struct piece *piece, struct span value)
{
    put(out, "(?:");
    put_escaped(out, piece->prefix);
    put(out, "((?:");
    buffer_put(out, value);
    put(out, ")(?:");
    put_escaped(out, piece->suffix);
    put_escaped(out, piece->prefix);
    put(out, "(?:");
    buffer_put(out, value);
    put(out, "))*)");
    put_escaped(out, piece->suffix);
    put(out, piece->modifier == PIECE_ANY_TIMES ? ")?" : ")");
}

static void put_group(struct buffer *out, const struct piece *piece, struct span value)
{
    if (piece->prefix.len + piece->suffix.len == 0) {
        put_bare(out, piece, value);
    } else if (piece_repeats(piece)) {
        put_repeated(out, piece, value);
    } else {
        put(out, "(?:");
        put_escaped(out, piece->prefix);
        put(out, "(");
        buffer_put(out, value);
        put(out, ")");
        put_escaped(out, piece->suffix);
        put(out, ")");
        put_modifier(out, piece->modifier);
    }
}

static void put_fixed(struct buffer *out, const struct piece *piece)
{
    if (piece->modifier == PIECE_ONCE) {
        put_escaped(out, piece->value);
        return;
    }
    put(out, "(?:");
    put_escaped(out, piece->value);
    put(out, ")");
    put_modifier(out, piece->modifier);
}

/* No piece is longer than this: what repeats stands there twice, escaped. */
static size_t room_for(const struct pieces *pieces)
{
    size_t room = 8;
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->items[i];
        room += 40 + 4 * (piece->value.len + piece->prefix.len + piece->suffix.len);
    }
    return room;
}

struct span pattern_generate_regex(const struct pieces *pieces, struct arena *arena,
                                   uint16_t *captures)
{
    size_t room = room_for(pieces);
    uint8_t *memory = arena_alloc(arena, room);
    if (memory == NULL) {
        return (struct span){0};
    }
    struct buffer out = buffer_over(memory, room);
    uint16_t number = 1;
    size_t group = 0;
    put(&out, "^");
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->items[i];
        if (!piece_is_group(piece)) {
            put_fixed(&out, piece);
            continue;
        }
        struct span value = value_of(pieces, piece);
        bool twice = piece_repeats(piece) && piece->prefix.len + piece->suffix.len > 0;
        captures[group++] = number;
        number = (uint16_t)(number + 1 + captures_in(value) * (twice ? 2 : 1));
        put_group(&out, piece, value);
    }
    put(&out, "$");
    assert(!out.full);
    return buffer_span(&out);
}
