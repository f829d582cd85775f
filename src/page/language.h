/* SPDX-License-Identifier: MIT */
/* The sentences of a wait page in the languages that it speaks. No I/O. */
#pragma once

#include "base/span.h"

/* All UTF-8. */
struct words {
    const char *tag;      /* BCP 47, as in <html lang> */
    const char *title;    /* where the operator gives none */
    const char *lead;     /* what is going on, and that nothing needs to be done */
    const char *until;    /* before a time */
    const char *unknown;  /* where the end is not known */
    const char *progress; /* what the bar shows */
    const char *waiting;  /* states, for the reader */
    const char *late;
    const char *over;
    const char *back;       /* the link */
    const char *sent_title; /* for who has sent a form */
    const char *sent;
};

/* What the reader of an Accept-Language field likes best (RFC 9110, 12.5.4); the first part
 * of a tag counts, and of equal ones the first. English when none is spoken here; ptr NULL:
 * no field. */
const struct words *words_for(struct span accept_language);

/* All of them, for tests. */
extern const struct words words_all[];
extern const size_t words_count;
