/* SPDX-License-Identifier: MIT */
/* Cuts a pattern into tokens, with the standard's policy "strict". */
#include "uri/pattern_token.h"

#include "base/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static void fault(struct tokenizer *t, size_t at, const char *reason)
{
    t->fault = reason;
    t->fault_at = at;
    t->now = (struct token){.kind = TOKEN_END, .offset = at};
}

/* Ends the token at now.offset before to. */
static void token(struct tokenizer *t, enum token_kind kind, size_t from, size_t text_to, size_t to)
{
    t->now.kind = kind;
    t->now.text = span_slice(t->source, from, text_to);
    t->at = to;
}

/* IdentifierStart and IdentifierPart (ECMA-262, 12.7), by PCRE2's tables of Unicode. Names
 * beyond ASCII are rare, so the class is not kept. */
static bool identifier_beyond_ascii(struct span character, bool first)
{
    const char *class = first ? "^\\p{ID_Start}" : "^[\\p{ID_Continue}\\x{200C}\\x{200D}]";
    int error;
    size_t offset;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR) class, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &error, &offset, NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    bool yes = code != NULL && data != NULL &&
               pcre2_match(code, character.ptr, character.len, 0, 0, data, NULL) >= 0;
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return yes;
}

static bool identifier(struct span character, bool first)
{
    uint8_t c = character.ptr[0];
    if (c >= 0x80) {
        return identifier_beyond_ascii(character, first);
    }
    return ascii_is_alpha(c) || c == '_' || c == '$' || (!first && ascii_is_digit(c));
}

/* now.offset: at the colon. */
static void read_name(struct tokenizer *t)
{
    size_t from = t->now.offset + 1;
    size_t at = from;
    uint32_t value;
    while (at < t->source.len) {
        size_t len = utf8_decode(t->source, at, &value);
        if (len == 0 || !identifier(span_slice(t->source, at, at + len), at == from)) {
            break;
        }
        at += len;
    }
    if (at == from) {
        fault(t, t->now.offset, "a ':' without a name; write \\: for the character");
    } else {
        token(t, TOKEN_NAME, from, at, at);
    }
}

/* Why the expression cannot go on with what stands at this place; NULL: it can. */
static const char *regex_fault(struct span source, size_t from, size_t at)
{
    uint8_t c = source.ptr[at];
    bool last = at + 1 == source.len;
    if (c >= 0x80 || (c == '\\' && !last && source.ptr[at + 1] >= 0x80)) {
        return "a regular expression in a pattern holds ASCII alone";
    }
    if (c == '?' && at == from) {
        return "a regular expression in a pattern does not begin with '?'";
    }
    if (c == '\\' && last) {
        return "a backslash at the end";
    }
    if (c == '(' && (last || source.ptr[at + 1] != '?')) {
        return "a '(' within a regular expression is followed by '?'; write (?:...)";
    }
    return NULL;
}

/* now.offset: at the parenthesis. */
static void read_regex(struct tokenizer *t)
{
    size_t from = t->now.offset + 1;
    size_t depth = 1;
    for (size_t at = from; at < t->source.len; at++) {
        const char *reason = regex_fault(t->source, from, at);
        uint8_t c = t->source.ptr[at];
        if (reason != NULL) {
            fault(t, at, reason);
            return;
        }
        at += c == '\\';
        depth += c == '(';
        depth -= c == ')';
        if (depth > 0) {
            continue;
        }
        if (at == from) {
            fault(t, t->now.offset, "an empty regular expression");
        } else {
            token(t, TOKEN_REGEX, from, at, at + 1);
        }
        return;
    }
    fault(t, t->now.offset, "no ')' to this '('; write \\( for the character");
}

static void read_character(struct tokenizer *t, enum token_kind kind, size_t at)
{
    uint32_t value;
    size_t len = utf8_decode(t->source, at, &value);
    if (len == 0) {
        fault(t, at, "not UTF-8");
    } else {
        token(t, kind, at, at + len, at + len);
    }
}

void tokenizer_next(struct tokenizer *t)
{
    size_t at = t->at;
    if (t->fault != NULL) {
        return;
    }
    t->now = (struct token){.kind = TOKEN_END, .offset = at};
    if (at == t->source.len) {
        return;
    }
    switch (t->source.ptr[at]) {
    case '*':
        token(t, TOKEN_ASTERISK, at, at + 1, at + 1);
        break;
    case '?':
    case '+':
        token(t, TOKEN_MODIFIER, at, at + 1, at + 1);
        break;
    case '{':
        token(t, TOKEN_OPEN, at, at + 1, at + 1);
        break;
    case '}':
        token(t, TOKEN_CLOSE, at, at + 1, at + 1);
        break;
    case ':':
        read_name(t);
        break;
    case '(':
        read_regex(t);
        break;
    case '\\':
        if (at + 1 == t->source.len) {
            fault(t, at, "a backslash at the end");
        } else {
            read_character(t, TOKEN_ESCAPED, at + 1);
        }
        break;
    default:
        read_character(t, TOKEN_CHARACTER, at);
    }
}

void tokenizer_init(struct tokenizer *t, struct span source)
{
    *t = (struct tokenizer){.source = source};
    tokenizer_next(t);
}
