/* SPDX-License-Identifier: MIT */
/* Bodies as an automaton over octets: its whole state is in struct h1_body, so any split
 * of the bytes gives the same result. Chunk data is stepped over in one go. */
#include "http/h1/body.h"

#include "http/scan.h"
#include "uri/escape.h"

#include <assert.h>

enum state {
    STATE_SIZE,          /* chunk-size, RFC 9112, 7.1 */
    STATE_EXT_BLANK,     /* white space that must lead to ';' */
    STATE_EXT_BEGIN,     /* after ';' */
    STATE_EXT_NAME,      /* a token */
    STATE_EXT_NAME_DONE, /* white space that must lead to '=' or ';' */
    STATE_EXT_EQUALS,    /* after '=' */
    STATE_EXT_VALUE,     /* a token */
    STATE_EXT_QUOTED,    /* in a quoted string */
    STATE_EXT_ESCAPED,   /* after a backslash in it */
    STATE_EXT_UNQUOTED,  /* after its end */
    STATE_SIZE_LF,       /* after the CR of a chunk's first line */
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_TRAILER, /* at the beginning of a trailer line */
    STATE_TRAILER_NAME,
    STATE_TRAILER_VALUE,
    STATE_TRAILER_LF,
    STATE_END_LF,
    STATE_DONE,
    STATE_BAD,
};

void h1_body_init(struct h1_body *body, const struct request *request)
{
    *body = (struct h1_body){.kind = request->body};
    if (request->body == BODY_LENGTH) {
        body->left = request->content_length;
        body->state = STATE_DATA;
    } else {
        body->state = request->body == BODY_CHUNKED ? STATE_SIZE : STATE_DONE;
    }
}

static bool is_token(uint8_t c)
{
    return (octet_classes[c] & OCTET_TOKEN) != 0;
}

static bool is_value(uint8_t c)
{
    return (octet_classes[c] & OCTET_VALUE) != 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static enum state size_digit(struct h1_body *body, unsigned digit)
{
    if (body->digits == h1_chunk_digits_max || body->left > H1_BODY_BYTES_MAX >> 4) {
        return STATE_BAD;
    }
    body->digits++;
    body->left = body->left << 4 | digit;
    return STATE_SIZE;
}

/* What may follow a complete size, extension name or extension value. */
static enum state after_extension(uint8_t c)
{
    if (c == ';') {
        return STATE_EXT_BEGIN;
    }
    if (is_blank(c)) {
        return STATE_EXT_BLANK;
    }
    return c == '\r' ? STATE_SIZE_LF : STATE_BAD;
}

static enum state step_size(struct h1_body *body, uint8_t c)
{
    if (escape_is(c, ESCAPE_HEX)) {
        return size_digit(body, escape_digit(c));
    }
    return body->digits > 0 ? after_extension(c) : STATE_BAD;
}

static enum state step_name(enum state state, uint8_t c)
{
    switch (state) {
    case STATE_EXT_BLANK:
        if (is_blank(c)) {
            return state;
        }
        return c == ';' ? STATE_EXT_BEGIN : STATE_BAD;
    case STATE_EXT_BEGIN:
        if (is_blank(c)) {
            return state;
        }
        return is_token(c) ? STATE_EXT_NAME : STATE_BAD;
    case STATE_EXT_NAME:
        if (is_token(c)) {
            return state;
        }
        if (c == '=') {
            return STATE_EXT_EQUALS;
        }
        return is_blank(c) ? STATE_EXT_NAME_DONE : after_extension(c);
    default: /* STATE_EXT_NAME_DONE */
        if (is_blank(c)) {
            return state;
        }
        if (c == '=') {
            return STATE_EXT_EQUALS;
        }
        return c == ';' ? STATE_EXT_BEGIN : STATE_BAD;
    }
}

static enum state step_quoted(enum state state, uint8_t c)
{
    if (c == '\r' || c == '\n' || c == 0) {
        return STATE_BAD;
    }
    if (state == STATE_EXT_ESCAPED) {
        return STATE_EXT_QUOTED;
    }
    if (c == '"') {
        return STATE_EXT_UNQUOTED;
    }
    return c == '\\' ? STATE_EXT_ESCAPED : STATE_EXT_QUOTED;
}

static enum state step_value(enum state state, uint8_t c)
{
    switch (state) {
    case STATE_EXT_EQUALS:
        if (is_blank(c)) {
            return state;
        }
        if (c == '"') {
            return STATE_EXT_QUOTED;
        }
        return is_token(c) ? STATE_EXT_VALUE : STATE_BAD;
    case STATE_EXT_VALUE:
        return is_token(c) ? state : after_extension(c);
    case STATE_EXT_UNQUOTED:
        return after_extension(c);
    default:
        return step_quoted(state, c);
    }
}

/* Everything between a chunk's size and its CR counts, whether one chunk says it or
 * thousands do. */
static enum state step_extension(struct h1_body *body, enum state state, uint8_t c)
{
    if (c != '\r' && ++body->extension_bytes > h1_chunk_extension_bytes_max) {
        return STATE_BAD;
    }
    return state <= STATE_EXT_NAME_DONE ? step_name(state, c) : step_value(state, c);
}

static enum state step_trailer(struct h1_body *body, enum state state, uint8_t c)
{
    if (++body->trailer_bytes > h1_trailer_bytes_max) {
        return STATE_BAD;
    }
    switch (state) {
    case STATE_TRAILER:
        if (c == '\r') {
            return STATE_END_LF;
        }
        return is_token(c) ? STATE_TRAILER_NAME : STATE_BAD;
    case STATE_TRAILER_NAME:
        if (c == ':') {
            return STATE_TRAILER_VALUE;
        }
        return is_token(c) ? state : STATE_BAD;
    case STATE_TRAILER_VALUE:
        if (c == '\r') {
            return STATE_TRAILER_LF;
        }
        return is_value(c) ? state : STATE_BAD;
    default: /* STATE_TRAILER_LF */
        return c == '\n' ? STATE_TRAILER : STATE_BAD;
    }
}

static enum state after_size(struct h1_body *body)
{
    body->digits = 0;
    return body->left > 0 ? STATE_DATA : STATE_TRAILER;
}

static enum state step(struct h1_body *body, uint8_t c)
{
    enum state state = (enum state)body->state;
    switch (state) {
    case STATE_SIZE:
        state = step_size(body, c);
        /* The first octet after the size belongs to the extension, if there is one. */
        body->extension_bytes += state == STATE_EXT_BEGIN || state == STATE_EXT_BLANK;
        return body->extension_bytes > h1_chunk_extension_bytes_max ? STATE_BAD : state;
    case STATE_SIZE_LF:
        return c == '\n' ? after_size(body) : STATE_BAD;
    case STATE_DATA_CR:
        return c == '\r' ? STATE_DATA_LF : STATE_BAD;
    case STATE_DATA_LF:
        return c == '\n' ? STATE_SIZE : STATE_BAD;
    case STATE_END_LF:
        return c == '\n' ? STATE_DONE : STATE_BAD;
    case STATE_TRAILER:
    case STATE_TRAILER_NAME:
    case STATE_TRAILER_VALUE:
    case STATE_TRAILER_LF:
        return step_trailer(body, state, c);
    default:
        return step_extension(body, state, c);
    }
}

/* Steps over data; gives how many octets. */
static size_t skip_data(struct h1_body *body, size_t available)
{
    size_t len = body->left < available ? (size_t)body->left : available;
    body->left -= len;
    if (body->left == 0) {
        body->state = body->kind == BODY_LENGTH ? STATE_DONE : STATE_DATA_CR;
    }
    return len;
}

uint64_t h1_body_unseen(const struct h1_body *body)
{
    return body->state == STATE_DATA ? body->left : 0;
}

enum h1_result h1_body_pass(struct h1_body *body, size_t len)
{
    assert(len <= h1_body_unseen(body));
    skip_data(body, len);
    return body->state == STATE_DONE ? H1_DONE : H1_MORE;
}

enum h1_result h1_body_skip(struct h1_body *body, struct span bytes, size_t *used)
{
    size_t at = 0;
    while (at < bytes.len && body->state < STATE_DONE) {
        if (body->state == STATE_DATA) {
            at += skip_data(body, bytes.len - at);
        } else {
            body->state = (uint8_t)step(body, bytes.ptr[at++]);
        }
    }
    if (body->state == STATE_DONE) {
        *used = at;
        return H1_DONE;
    }
    return body->state == STATE_BAD ? H1_BAD : H1_MORE;
}

static bool in_trailers(const struct h1_body *body)
{
    return body->state >= STATE_TRAILER && body->state <= STATE_END_LF;
}

/* Goes over framing from *at on, to content or the end. */
static void step_over(struct h1_body *body, struct span bytes, size_t *at)
{
    while (*at < bytes.len && body->state != STATE_DATA && body->state < STATE_DONE &&
           !in_trailers(body)) {
        body->state = (uint8_t)step(body, bytes.ptr[(*at)++]);
    }
}

enum h1_result h1_body_next(struct h1_body *body, struct span bytes, size_t *used,
                            struct h1_piece *piece)
{
    size_t at = 0;
    *piece = (struct h1_piece){0};
    step_over(body, bytes, &at);
    size_t from = at;
    while (at < bytes.len && in_trailers(body)) {
        body->state = (uint8_t)step(body, bytes.ptr[at++]);
    }
    piece->trailers = span_slice(bytes, from, at);
    *used = at;
    if (body->state == STATE_DATA) {
        size_t len = body->left < bytes.len - at ? (size_t)body->left : bytes.len - at;
        piece->content = span_slice(bytes, at, at + len);
        return H1_MORE;
    }
    if (body->state == STATE_DONE) {
        return H1_DONE;
    }
    return body->state == STATE_BAD ? H1_BAD : H1_MORE;
}
