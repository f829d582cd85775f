/* SPDX-License-Identifier: MIT */
/* Expands a compiled template (RFC 6570, 3), and gives its facts. */
#include "uri/template_block.h"

/* RFC 6570, appendix A. */
struct expansion {
    char first;    /* before the first defined variable; 0: nothing */
    char between;  /* before each further one */
    bool named;    /* name=value */
    bool bare;     /* a name whose value is empty stands without '=' */
    bool reserved; /* reserved characters and escapes pass */
};

static const struct expansion expansions[OPERATOR_COUNT] = {
    [OPERATOR_NONE] = {.between = ','},
    [OPERATOR_PLUS] = {.between = ',', .reserved = true},
    [OPERATOR_HASH] = {.first = '#', .between = ',', .reserved = true},
    [OPERATOR_DOT] = {.first = '.', .between = '.'},
    [OPERATOR_SLASH] = {.first = '/', .between = '/'},
    [OPERATOR_SEMICOLON] = {.first = ';', .between = ';', .named = true, .bare = true},
    [OPERATOR_QUERY] = {.first = '?', .between = '&', .named = true},
    [OPERATOR_AND] = {.first = '&', .between = '&', .named = true},
};

void template_put_variable(const struct template *t, const struct template_part *part,
                           const struct template_value *value, bool any, enum escape_class reserved,
                           struct buffer *out)
{
    const struct expansion *how = &expansions[part->op];
    char before = any ? how->between : how->first;
    if (before != 0) {
        buffer_byte(out, (uint8_t)before);
    }
    if (how->named) {
        buffer_put(out, template_var_name(t, part->var));
        if (value->bytes.len > 0 || !how->bare) {
            buffer_byte(out, '=');
        }
    }
    if (how->reserved) {
        escape_put(out, value->bytes, reserved, PERCENT_KEEP);
    } else {
        escape_put(out, value->bytes, ESCAPE_UNRESERVED,
                   value->sent ? PERCENT_DECODE : PERCENT_ENCODE);
    }
}

void template_expand(const struct template *t, const struct template_value *values,
                     struct buffer *out)
{
    bool any = false;
    for (size_t i = 0; i < t->part_count; i++) {
        const struct template_part *part = &t->parts[i];
        if (part->kind == PART_LITERAL) {
            buffer_put(out, template_bytes(t, part->at, part->len));
            continue;
        }
        any = any && part->first == 0;
        if (values[part->var].defined) {
            template_put_variable(t, part, &values[part->var], any, ESCAPE_URI, out);
            any = true;
        }
    }
}

size_t template_size(const struct template *t)
{
    return t->size;
}

size_t template_var_count(const struct template *t)
{
    return t->var_count;
}

struct span template_var_name(const struct template *t, size_t var)
{
    assert(var < t->var_count);
    const struct template_name *name = &template_names(t)[var];
    return template_bytes(t, name->at, name->len);
}

struct span template_source(const struct template *t)
{
    return template_bytes(t, t->source_at, t->source_len);
}
