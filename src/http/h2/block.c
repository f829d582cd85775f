/* SPDX-License-Identifier: MIT */
/* Header blocks of answers that flow through: made when they are said, and kept in order until
 * nghttp2 has a frame for each. */
#include "http/h2/flow.h"

#include "http/field.h"
#include "http/h2/hpack.h"

#include <assert.h>
#include <stdlib.h>

void h2_drop_blocks(struct h2_block *block)
{
    while (block != NULL) {
        struct h2_block *next = block->next;
        free(block);
        block = next;
    }
}

struct span h2_next_block(struct h2_passing *passing)
{
    h2_drop_blocks(passing->leaving);
    passing->leaving = passing->blocks;
    assert(passing->leaving != NULL);
    passing->blocks = passing->leaving->next;
    passing->leaving->next = NULL;
    return passing->leaving->block;
}

void h2_queue_block(struct h2_passing *passing, struct h2_block *block)
{
    struct h2_block **at = &passing->blocks;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = block;
}

/* Gives whether one of them was Date. */
static bool put_fields(uint8_t **at, const struct field *fields, size_t count)
{
    bool dated = false;
    for (size_t i = 0; i < count; i++) {
        struct span name = fields[i].name;
        if (token_valid(name) && !h2_is_connections(name) && field_value_valid(fields[i].value)) {
            *at = hpack_named_line(*at, name, span_trim(fields[i].value));
            dated |= name.len == 4 && scan_is(name.ptr, "date", 4);
        }
    }
    return dated;
}

struct h2_block *h2_make_block(const struct h2_session *session, const struct h2_said *said)
{
    size_t bytes = 2 * hpack_line_max(0, hpack_digits_max) + hpack_line_max(0, date_bytes);
    for (size_t i = 0; i < said->count; i++) {
        bytes += hpack_line_max(said->fields[i].name.len, said->fields[i].value.len);
    }
    struct h2_block *block =
        bytes <= h2_sent_block_max ? malloc(sizeof(*block) + h2_prefix_max + bytes) : NULL;
    if (block == NULL) {
        return NULL;
    }
    uint8_t *begin = block->text + h2_prefix_max;
    uint8_t *at = begin;
    if (said->status > 0) {
        at = hpack_decimal_line(at, HPACK_STATUS, said->status);
    }
    bool dated = put_fields(&at, said->fields, said->count);
    if (!dated && said->status >= 200 && session->engine->options.date != NULL) {
        at = hpack_line(at, HPACK_DATE, span_of(session->engine->options.date, date_bytes));
    }
    if (said->length != H2_LENGTH_UNKNOWN) {
        at = hpack_decimal_line(at, HPACK_CONTENT_LENGTH, said->length);
    }
    assert((size_t)(at - begin) <= bytes);
    block->next = NULL;
    block->block = span_of(begin, (size_t)(at - begin));
    return block;
}
