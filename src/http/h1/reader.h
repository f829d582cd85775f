/* SPDX-License-Identifier: MIT */
/* What the two halves of the request parser share: parse.c reads lines, fields.c knows
 * what the fields mean. Private to h1/. */
#pragma once

#include "http/h1/parse.h"
#include "http/known.h"

/* What came of a step beside a status to answer with. */
enum { STEP_FINE = 0, STEP_MORE = 1 };

/* Of a field that must not be repeated: how often, and the first value. */
struct once {
    uint32_t count;
    struct span value;
};

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *line; /* where the line that is being read begins */
    struct request *request;
    uint8_t *host_lower;
    struct field *fields;
    struct span other_target; /* one that does not begin with '/'; ptr NULL: it does */
    struct span authority;    /* of an absolute-form target; ptr NULL: another form */
    struct once host;
    struct once content_length;
    struct once transfer_encoding;
    bool in_fields; /* the request line is complete */
    struct expectations expectations;
    bool says_close;
    bool says_keep_alive;
};

/* Whether a name may be one that reader_note knows, by its length and first letter. It
 * spares a browser's request most of the calls. name is a token. */
static inline bool reader_may_note(struct span name)
{
    /* Bit 1 is 'a' and 'A', bit 2 is 'b' and 'B', and so on. */
    static const uint32_t initials[18] = {
        [4] = 1u << ('h' & 31),
        [6] = 1u << ('a' & 31) | 1u << ('c' & 31) | 1u << ('e' & 31) | 1u << ('o' & 31),
        [9] = 1u << ('f' & 31),
        [10] = 1u << ('c' & 31),
        [12] = 1u << ('d' & 31),
        [14] = 1u << ('c' & 31),
        [15] = 1u << ('x' & 31),
        [17] = 1u << ('t' & 31),
    };
    return name.len < 18 && (initials[name.len] >> (name.ptr[0] & 31) & 1) != 0;
}

/* Takes notice of a field that the framing, the connection or the decision needs; of
 * others too, and ignores them. */
void reader_note(struct reader *reader, const struct field *field);

/* After the empty line: framing, persistence, expectation, host. STEP_FINE or a status. */
uint16_t reader_finish(struct reader *reader);
