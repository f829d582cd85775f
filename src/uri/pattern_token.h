/* SPDX-License-Identifier: MIT */
/* The tokens of a pattern. https://urlpattern.spec.whatwg.org/#tokenizing
 * Used by pattern_parse.c alone. */
#pragma once

#include "uri/pattern_pieces.h"

enum token_kind {
    TOKEN_NONE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_REGEX,     /* text: within the parentheses */
    TOKEN_NAME,      /* text: behind the colon */
    TOKEN_CHARACTER, /* text: one code point */
    TOKEN_ESCAPED,   /* the same */
    TOKEN_MODIFIER,  /* '?' or '+' */
    TOKEN_ASTERISK,
    TOKEN_END,
};

struct token {
    enum token_kind kind;
    struct span text;
    size_t offset; /* where it begins in the source */
};

struct tokenizer {
    struct span source;
    size_t at;
    struct token now;
    const char *fault; /* static text: why no token could be read; then now is the end */
    size_t fault_at;
};

/* The first token is in now. */
void tokenizer_init(struct tokenizer *t, struct span source);
/* Puts the next one there. */
void tokenizer_next(struct tokenizer *t);
