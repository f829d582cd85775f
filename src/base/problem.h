/* SPDX-License-Identifier: MIT */
/* What an operator will read: where, what is wrong, and the mend. Problems are
 * gathered, so that all of them are reported at once. */
#pragma once

#include "base/arena.h"

#include <stdio.h>

enum severity { SEVERITY_WARNING, SEVERITY_ERROR };

/* A place in a text; line and column count from 1, 0 means unknown. */
struct place {
    uint32_t line;
    uint32_t column;
};

struct problem {
    enum severity severity;
    struct place place;
    const char *text;
};

/* Lives in the arena it was given; items are in the order they were found. */
struct problems {
    struct arena *arena;
    const char *file; /* how the text is called in messages */
    struct problem *items;
    size_t count;
    size_t capacity;
    size_t error_count;
};

void problems_init(struct problems *problems, struct arena *arena, const char *file);

/* "target is not declared; add it to allowed_targets" */
void problems_error(struct problems *problems, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void problems_warning(struct problems *problems, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends those of others, whose texts must live as long. */
void problems_add_all(struct problems *problems, const struct problems *others);

/* By line and column, errors and warnings mixed as they stand in the file. */
void problems_sort(struct problems *problems);

/* detour.yaml:12:5: error: … , a line each; control bytes are escaped. */
void problems_print(const struct problems *problems, FILE *out);
/* The same to standard error, for a process that must not wait for its reader (base/log.h). */
void problems_log(const struct problems *problems);
