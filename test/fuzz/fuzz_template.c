/* SPDX-License-Identifier: MIT */
/* Compiles the first line as a template and expands it with values cut from the rest:
 * nothing but URI characters may come out, and twice the same. */
#include "uri/template.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool uri_byte(uint8_t c)
{
    return c > 0x20 && c < 0x7F && strchr("\"<>\\^`{|}", c) == NULL;
}

static void check_output(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        assert(uri_byte(text.ptr[i]));
        if (text.ptr[i] == '%') {
            assert(text.len - i >= 3 && strchr("0123456789ABCDEFabcdef", text.ptr[i + 1]) != NULL &&
                   strchr("0123456789ABCDEFabcdef", text.ptr[i + 2]) != NULL);
        }
    }
}

/* Value number i: a line; its first byte says of which kind. */
static struct template_value value_cut(struct span *rest)
{
    size_t end = span_find(*rest, 0, '\n');
    struct span line = span_slice(*rest, 0, end);
    *rest = span_from(*rest, end < rest->len ? end + 1 : end);
    if (line.len == 0) {
        return (struct template_value){0};
    }
    return (struct template_value){
        .bytes = span_from(line, 1), .defined = true, .sent = (line.ptr[0] & 1) != 0};
}

static void expand(const struct template *t, struct span rest)
{
    static uint8_t memory[2][1 << 16];
    struct template_value values[template_vars_max];
    assert(template_var_count(t) <= template_vars_max);
    for (size_t i = 0; i < template_var_count(t); i++) {
        values[i] = value_cut(&rest);
    }
    struct buffer once = buffer_over(memory[0], sizeof(memory[0]));
    struct buffer again = buffer_over(memory[1], sizeof(memory[1]));
    template_expand(t, values, &once);
    template_expand(t, values, &again);
    assert(once.full == again.full && span_eq(buffer_span(&once), buffer_span(&again)));
    check_output(buffer_span(&once));
}

/* Whatever verify takes, the other functions bear. */
static void hostile(const struct template *t, struct arena *arena, struct span rest)
{
    size_t size = template_size(t);
    uint8_t *block = arena_alloc(arena, size);
    if (block == NULL || rest.len < 3) {
        return;
    }
    memcpy(block, t, size);
    block[(rest.ptr[0] | (size_t)rest.ptr[1] << 8) % size] ^= rest.ptr[2];
    if (template_verify(block, size)) {
        expand((const struct template *)(const void *)block, span_from(rest, 3));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    size_t end = span_find(input, 0, '\n');
    struct span source = span_slice(input, 0, end);
    struct span rest = span_from(input, end < size ? end + 1 : end);
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = NULL;
    struct template_error error;
    enum err err = template_compile(source, &arena, &t, &error);
    if (err == ERR_NONE) {
        assert(template_verify(t, template_size(t)));
        assert(span_eq(template_source(t), source));
        expand(t, rest);
        hostile(t, &arena, rest);
    } else {
        assert(err == ERR_SYNTAX && error.offset <= source.len && error.reason[0] != '\0');
    }
    arena_fini(&arena);
    return 0;
}
