/* SPDX-License-Identifier: MIT */
/* A pattern between its source and its block: a list of pieces, which the standard calls
 * parts. Shared by the pattern's own files and by nobody else. */
#pragma once

#include "base/buffer.h"
#include "uri/path.h"
#include "uri/pattern.h"
#include "uri/pattern_block.h"

enum { pattern_pieces_max = 256 };

enum piece_kind {
    PIECE_FIXED,   /* a text */
    PIECE_SEGMENT, /* ":name", what stands up to the next delimiter */
    PIECE_ANY,     /* an asterisk */
    PIECE_REGEX,   /* "(...)" */
};

enum piece_modifier { PIECE_ONCE, PIECE_OPTIONAL, PIECE_ANY_TIMES, PIECE_SOME_TIMES };

struct piece {
    enum piece_kind kind;
    enum piece_modifier modifier;
    struct span value; /* the text in normal form, or the regular expression */
    struct span prefix;
    struct span suffix;
    struct span name;
    size_t offset; /* where it begins in the source */
};

struct pieces {
    enum pattern_kind kind;
    struct piece items[pattern_pieces_max];
    size_t count;
    size_t group_count;
    bool has_regex;
    size_t regex_offset; /* of the first regular expression in the source */
};

static inline bool piece_is_group(const struct piece *piece)
{
    return piece->kind != PIECE_FIXED;
}

static inline bool piece_repeats(const struct piece *piece)
{
    return piece->modifier == PIECE_ANY_TIMES || piece->modifier == PIECE_SOME_TIMES;
}

/* Whether ?, without a text that stands by it, makes the group optional: then it takes no
 * part rather than match nothing (ECMA-262, RepeatMatcher). */
static inline bool piece_may_vanish(const struct piece *piece)
{
    return piece->modifier == PIECE_OPTIONAL && piece->prefix.len + piece->suffix.len == 0;
}

/* Tokenizes and parses. Everything in *out lives in arena or in source. */
enum err pattern_parse(enum pattern_kind kind, struct span source, struct arena *arena,
                       struct pieces *out, struct pattern_error *error);

/* The encoding callbacks: fixed text in the form that subjects have. ERR_SYNTAX: no text
 * of a path or of a host. */
enum err pattern_text_path(struct span text, struct path_scratch *scratch, struct arena *arena,
                           struct span *out);
/* whole: the pattern has no other piece, so that it may be an IPv4 address. ipv6: the
 * pattern is an address in brackets. */
enum err pattern_text_host(struct span text, bool whole, bool ipv6, struct arena *arena,
                           struct span *out);

/* "Generate a regular expression and name list": the expression, in JavaScript's dialect.
 * captures: for each group the number that it has there. ptr NULL: no memory. */
struct span pattern_generate_regex(const struct pieces *pieces, struct arena *arena,
                                   uint16_t *captures);

/* Writes the steps that match what the generated expression matches, with the same
 * groups: at most pattern_steps_max, so many have room at steps. Texts are appended to
 * bytes, and steps point into it. Returns how many steps there are. */
size_t pattern_emit(const struct pieces *pieces, struct buffer *bytes, struct pattern_step *steps);
/* Replaces choices by steps that need none, where what follows decides. */
void pattern_refine(struct pattern_step *steps, size_t count, const uint8_t *bytes,
                    uint8_t delimiter);
