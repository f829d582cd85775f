/* SPDX-License-Identifier: MIT */
/* Gathers and prints problems. */
#include "base/problem.h"

#include <stdlib.h>

void problems_init(struct problems *problems, struct arena *arena, const char *file)
{
    *problems = (struct problems){.arena = arena, .file = file};
}

static void problems_add(struct problems *problems, struct problem problem)
{
    if (problem.severity == SEVERITY_ERROR) {
        problems->error_count++;
    }
    struct problem *items = arena_grow(problems->arena, problems->items, problems->count,
                                       &problems->capacity, sizeof(*items));
    if (items == NULL) {
        return; /* the count of errors still says that it failed */
    }
    problems->items = items;
    items[problems->count++] = problem;
}

static void add_formatted(struct problems *problems, enum severity severity, struct place place,
                          const char *format, va_list args)
{
    char *text = arena_vprintf(problems->arena, format, args);
    problems_add(problems, (struct problem){.severity = severity,
                                            .place = place,
                                            .text = text != NULL ? text : "out of memory"});
}

void problems_error(struct problems *problems, struct place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_formatted(problems, SEVERITY_ERROR, place, format, args);
    va_end(args);
}

void problems_warning(struct problems *problems, struct place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_formatted(problems, SEVERITY_WARNING, place, format, args);
    va_end(args);
}

static int compare_places(const void *left, const void *right)
{
    const struct problem *a = left;
    const struct problem *b = right;
    if (a->place.line != b->place.line) {
        return a->place.line < b->place.line ? -1 : 1;
    }
    if (a->place.column != b->place.column) {
        return a->place.column < b->place.column ? -1 : 1;
    }
    return (int)b->severity - (int)a->severity;
}

void problems_sort(struct problems *problems)
{
    if (problems->count > 1) {
        qsort(problems->items, problems->count, sizeof(*problems->items), compare_places);
    }
}

/* What stands in a configuration may hold anything; a terminal must not obey it. */
static void print_safely(const char *text, FILE *out)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            fprintf(out, "\\x%02x", *at);
        } else {
            fputc(*at, out);
        }
    }
}

static void print_problem(const struct problems *problems, const struct problem *problem, FILE *out)
{
    print_safely(problems->file, out);
    if (problem->place.line != 0) {
        fprintf(out, ":%u:%u", problem->place.line, problem->place.column);
    }
    fputs(problem->severity == SEVERITY_ERROR ? ": error: " : ": warning: ", out);
    print_safely(problem->text, out);
    fputc('\n', out);
}

void problems_print(const struct problems *problems, FILE *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        print_problem(problems, &problems->items[i], out);
    }
}
