/* SPDX-License-Identifier: MIT */
/* What the two halves of the request parser share: parse.c reads lines, fields.c knows
 * what the fields mean. Private to h1/. */
#pragma once

#include "http/h1/parse.h"

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
    struct span authority; /* of an absolute-form target; ptr NULL: another form */
    struct once host;
    struct once content_length;
    struct once transfer_encoding;
    bool in_fields; /* the request line is complete */
    bool expects_continue;
    bool expects_other;
    bool says_close;
    bool says_keep_alive;
};

/* Takes notice of a field that the framing, the connection or the decision needs. */
void reader_note(struct reader *reader, struct span name, struct span value);

/* After the empty line: framing, persistence, expectation, host. STEP_FINE or a status. */
uint16_t reader_finish(struct reader *reader);
