/* SPDX-License-Identifier: MIT */
/* Memory that notes when it runs out, and the search for what was meant. */
#include "config/load.h"

#include "config/suggest.h"

void *load_alloc(struct load *load, size_t count, size_t size)
{
    void *memory = arena_array(load->arena, count, size);
    load->no_memory = load->no_memory || memory == NULL;
    return memory;
}

void *load_scratch(struct load *load, size_t count, size_t size)
{
    void *memory = arena_array(load->scratch, count, size);
    load->no_memory = load->no_memory || memory == NULL;
    return memory;
}

struct span load_copy(struct load *load, struct span text)
{
    struct span copy = arena_copy(load->arena, text);
    load->no_memory = load->no_memory || copy.ptr == NULL;
    return copy.ptr != NULL ? copy : SPAN("");
}

struct span load_printf(struct load *load, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(load->arena, format, args);
    va_end(args);
    load->no_memory = load->no_memory || text == NULL;
    return text != NULL ? span_cstr(text) : SPAN("");
}

/* A file full of mistakes must not cost a comparison of everything with everything. */
enum { candidates_max = 1000 };

const char *load_hint(struct load *load, struct span wanted, const struct span *candidates,
                      size_t count)
{
    struct suggest suggest = suggest_begin(wanted);
    if (load->suggestions_left == 0) {
        return "";
    }
    load->suggestions_left--;
    for (size_t i = 0; i < count && i < candidates_max; i++) {
        suggest_offer(&suggest, candidates[i]);
    }
    if (suggest.best.ptr == NULL) {
        return "";
    }
    const char *text =
        arena_printf(load->scratch, "; did you mean `%.*s`?", SPAN_ARG(suggest.best));
    return text != NULL ? text : "";
}
