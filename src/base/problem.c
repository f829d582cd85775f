/* SPDX-License-Identifier: MIT */
/* Gathers and prints problems. */
#include "base/problem.h"

#include "base/log.h"

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

void problems_add_all(struct problems *problems, const struct problems *others)
{
    size_t error_count = problems->error_count + others->error_count;
    for (size_t i = 0; i < others->count; i++) {
        problems_add(problems, others->items[i]);
    }
    problems->error_count = error_count; /* also of those that there was no memory for */
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

/* Standard error is not buffered: without this each character would be a system call. */
struct printer {
    FILE *out;
    size_t len;
    char room[16384];
};

static void flush(struct printer *printer)
{
    fwrite(printer->room, 1, printer->len, printer->out);
    printer->len = 0;
}

static void put(struct printer *printer, const char *text)
{
    for (; *text != 0; text++) {
        if (printer->len == sizeof(printer->room)) {
            flush(printer);
        }
        printer->room[printer->len++] = *text;
    }
}

/* What stands in a configuration may hold anything; a terminal must not obey it. */
static void put_safely(struct printer *printer, const char *text)
{
    for (; *text != 0; text++) {
        char escaped[8] = {*text};
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)*text);
        }
        put(printer, escaped);
    }
}

static void put_problem(struct printer *printer, const char *file, const struct problem *problem)
{
    char place[32] = "";
    put_safely(printer, file);
    if (problem->place.line != 0) {
        snprintf(place, sizeof(place), ":%u:%u", problem->place.line, problem->place.column);
    }
    put(printer, place);
    put(printer, problem->severity == SEVERITY_ERROR ? ": error: " : ": warning: ");
    put_safely(printer, problem->text);
    put(printer, "\n");
}

void problems_print(const struct problems *problems, FILE *out)
{
    struct printer printer = {.out = out};
    for (size_t i = 0; i < problems->count; i++) {
        put_problem(&printer, problems->file, &problems->items[i]);
    }
    flush(&printer);
}

void problems_log(const struct problems *problems)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out != NULL) {
        problems_print(problems, out);
    }
    if (out == NULL || fclose(out) != 0) {
        log_error("there is no memory to print %zu problems", problems->count);
    } else if (len > 0) {
        log_lines(span_of((const uint8_t *)text, len));
    }
    free(text);
}
