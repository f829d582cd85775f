/* SPDX-License-Identifier: MIT */
/* Chains in tables: requests and answers as texts, verdicts as texts. */
#pragma once

#include <detour/detour.h>
#include <detour/store.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { fixture_fields_max = 40, fixture_steps_max = 8, fixture_text_bytes = 4096 };

/* "Name: value\nName: value", split; points into lines. A field whose name begins with '!' is
 * sensitive, and the '!' is no part of it. */
struct fixture_fields {
    struct detour_field fields[fixture_fields_max];
    size_t count;
};
void fixture_split(const char *lines, struct fixture_fields *out);

struct fixture_answer {
    uint16_t status;
    const char *fields; /* NULL: none */
    bool body_begun;
    bool from_store;
    /* The verdict: "follow GET http://a/b", "deliver no-location", "refuse loop". */
    const char *verdict;
    const char *left;        /* NULL: not looked at; the next request's fields, as in `fields` */
    const char *notes;       /* NULL: not looked at; otherwise all names of notes, by spaces */
    const char *said;        /* NULL: not looked at; a piece of a sentence of a note */
    int64_t wait_s;          /* of next */
    const char *body;        /* NULL: not looked at; "none", "replayable", "once" */
    const char *credentials; /* NULL: not looked at; "yes", "no" */
};

struct fixture_case {
    const char *name;
    enum detour_mode mode;
    /* Changes of the defaults. */
    uint32_t redirects_max; /* 0: the default */
    bool location_trusted;
    bool no_downgrade;
    bool no_unsafe;
    bool auto_referer;
    uint32_t schemes; /* 0: the default */

    const char *method; /* NULL: GET */
    const char *url;    /* NULL: "http://a.test/one" */
    const char *fields;
    enum detour_body body;
    const char *begun;                                /* NULL: not looked at; as verdict */
    const char *begun_left;                           /* as left */
    const char *begun_notes;                          /* as notes */
    struct fixture_answer answers[fixture_steps_max]; /* up to status 0 */
};

/* When the answers come: Sun, 06 Nov 1994 08:49:37 GMT. */
#define FIXTURE_NOW INT64_C(784111777)

void fixture_run(const struct fixture_case *cases, size_t count);
#define FIXTURE_RUN(cases) fixture_run(cases, sizeof(cases) / sizeof((cases)[0]))

/* A chain that has begun. */
struct detour_chain *fixture_begin(const struct fixture_case *each,
                                   const struct detour_verdict **verdict);
/* "follow GET http://a/b#c", "deliver", "refuse loop". */
void fixture_write_verdict(const struct detour_verdict *verdict, char out[fixture_text_bytes]);
bool fixture_has_note(const struct detour_verdict *verdict, enum detour_note_kind kind);
