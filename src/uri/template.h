/* SPDX-License-Identifier: MIT */
/* URI Templates, RFC 6570 through level 3. A compiled template is one flat block
 * without pointers, 8-aligned, as a pattern is. No I/O. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

enum { template_vars_max = 32, template_bytes_max = 4096 };

struct template; /* the flat block */

struct template_error {
    size_t offset;
    char reason[160];
};

/* ERR_SYNTAX: *error says why (level 4's ":3" and "*" are named as such). Characters
 * beyond ASCII in literals are percent-encoded (RFC 6570, 3.1); those that no URI may
 * hold are refused. The block lives in arena. */
enum err template_compile(struct span source, struct arena *arena, const struct template **out,
                          struct template_error *error);
/* Size of the block in bytes, a multiple of 8. */
size_t template_size(const struct template *t);
/* Whether len bytes at block, 8-aligned, are a template that is safe to read. For
 * snapshots: nothing in the block is believed. */
bool template_verify(const void *block, size_t len);

/* The distinct variable names, in the order of first use. */
size_t template_var_count(const struct template *t);
struct span template_var_name(const struct template *t, size_t var);
struct span template_source(const struct template *t);

/* A value for one variable. sent: bytes of a URI, in which escapes are escapes: {x}
 * decodes them once before it encodes anew. Otherwise: the text itself. {+x} lets
 * reserved characters and well-formed escapes through in both, and encodes a stray '%'. */
struct template_value {
    struct span bytes;
    bool defined;
    bool sent;
};

/* values[i] belongs to variable i. One pass; out->full says that it did not fit. */
void template_expand(const struct template *t, const struct template_value *values,
                     struct buffer *out);
