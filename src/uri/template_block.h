/* SPDX-License-Identifier: MIT */
/* How a compiled template lies in memory: shared by the template's own files and by
 * location.c, and by nobody else. A header, the parts, the names, then their bytes;
 * every place is an offset from the header. */
#pragma once

#include "uri/escape.h"
#include "uri/template.h"

#include <assert.h>

enum { template_parts_max = 256 };

/* RFC 6570, 2.2; the order is that of the table in template_expand.c. */
enum template_operator {
    OPERATOR_NONE,
    OPERATOR_PLUS,
    OPERATOR_HASH,
    OPERATOR_DOT,
    OPERATOR_SLASH,
    OPERATOR_SEMICOLON,
    OPERATOR_QUERY,
    OPERATOR_AND,
    OPERATOR_COUNT,
};

/* Which component of a URI a part lies in. A literal is cut where a component ends, so
 * that a part lies in one only. Only ever grows from part to part. */
enum template_zone { ZONE_AUTHORITY, ZONE_PATH, ZONE_QUERY, ZONE_FRAGMENT };

enum template_part_kind { PART_LITERAL, PART_VARIABLE };

struct template_part {
    uint8_t kind;
    uint8_t zone;
    uint8_t op;         /* of a variable */
    uint8_t var;        /* its index */
    uint8_t first;      /* whether its expression begins here */
    uint8_t last;       /* whether it ends here */
    uint16_t source_at; /* where it begins in the source */
    uint32_t at;        /* of a literal: its bytes, already encoded */
    uint32_t len;
};

struct template_name {
    uint32_t at;
    uint32_t len;
};

struct template
{
    uint32_t size; /* of the block, a multiple of 8 */
    uint16_t part_count;
    uint8_t var_count;
    uint8_t has_query; /* whether any part lies in the query */
    uint32_t source_at;
    uint32_t source_len;
    struct template_part parts[]; /* then the names */
};

static_assert(sizeof(struct template) == 16, "the parts follow without a gap");
static_assert(sizeof(struct template_part) == 16, "no padding that would be left unset");
static_assert(sizeof(struct template_name) == 8, "names follow parts without a gap");

static inline const struct template_name *template_names(const struct template *t)
{
    return (const struct template_name *)(const void *)(t->parts + t->part_count);
}

static inline struct span template_bytes(const struct template *t, size_t at, size_t len)
{
    return span_of((const uint8_t *)t + at, len);
}

/* The component in which the first part lies: the authority when the source begins with
 * scheme "://", whose length goes to *skip; else the path, and *skip is 0. */
enum template_zone template_first_zone(struct span source, size_t *skip);
/* The component after byte c of a literal in this one. */
enum template_zone template_zone_step(enum template_zone zone, uint8_t c);
/* The component of a variable that stands after this one. */
enum template_zone template_zone_variable(enum template_zone zone, enum template_operator op);

/* Whether the whole of text is a varname (RFC 6570, 2.3). */
bool template_name_ok(struct span text);

/* One defined variable. any: whether another of the same expression came before it.
 * reserved: the class for {+x} and {#x}. */
void template_put_variable(const struct template *t, const struct template_part *part,
                           const struct template_value *value, bool any, enum escape_class reserved,
                           struct buffer *out);
