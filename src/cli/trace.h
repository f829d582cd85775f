/* SPDX-License-Identifier: MIT */
/* What the files of `detour trace` share. */
#pragma once

#include "base/arena.h"
#include "walk/walk.h"

#include <jansson.h>
#include <stdio.h>

/* As detour-trace(1) says. */
enum trace_exit {
    trace_exit_delivered = 0,
    trace_exit_bad_status = 1,
    trace_exit_refused = 3,
    trace_exit_failed = 4,
};

enum { trace_body_bytes_max = 64 << 20 }; /* of content that is held in memory */

/* What the options say of the content. */
struct trace_data {
    const struct option_list *data;
    const struct option_list *binary;
    const struct option_list *form;
    const char *upload; /* -T */
};

/* The content of the first request. */
struct trace_body {
    enum detour_body kind;
    struct walk_source source;
    const char *method;       /* that curl would take; NULL: no content, no opinion */
    const char *content_type; /* NULL: none */
};

/* exit_could_not_run: the reason has been printed. Memory is the arena's; a descriptor stays open
 * until the program ends. */
int trace_body_read(const struct trace_data *data, struct arena *arena, struct trace_body *out);

/* Whether cookies can be read and written there; NULL: they are not to be. exit_could_not_run: the
 * reason has been printed. */
int trace_cookie_files(const char *from, const char *to);

/* ---- trace_words.c: what both forms say ---- */

/* Whether the value of a request's field is nobody's business. */
bool trace_is_secret(const struct detour_field *field);
/* "permanent", "temporary", "success", "client-error", "server-error", "other". */
const char *trace_class(uint16_t status);
/* "HTTP/1.1", for what walk_head.http is. */
const char *trace_version(uint8_t http);

/* How many redirects of a chain there were of each class. */
struct trace_way {
    uint32_t permanent;
    uint32_t temporary;
};

/* status 0: no answer. */
void trace_way_add(struct trace_way *way, uint16_t status);
/* What they are together: "permanent", "temporary", "mixed", "none". */
const char *trace_way_name(const struct trace_way *way);

/* ---- trace_text.c: for people ---- */

struct trace_text {
    FILE *out;
    bool colours;
    bool lines; /* the terminal can draw them */
    bool verbose;
    uint32_t hops;
};

void trace_text_init(struct trace_text *text, FILE *out, bool verbose);
void trace_text_sending(struct trace_text *text, const struct detour_next *next);
void trace_text_hop(struct trace_text *text, const struct walk_hop *hop);
void trace_text_end(struct trace_text *text, const struct walk_end *end,
                    const struct trace_way *way);

/* ---- trace_json.c: for programs; NULL where memory is exhausted ---- */

json_t *trace_json_request(const struct detour_next *next);
/* Adds the answer to what trace_json_request gave. */
void trace_json_hop(json_t *object, const struct walk_hop *hop);
json_t *trace_json_end(const struct walk_end *end, const struct trace_way *way);
