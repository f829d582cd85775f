/* SPDX-License-Identifier: MIT */
/* What the files of referee/ share. */
#pragma once

#include "referee/referee.h"
#include "serve/serve.h"

enum { place_text_max = 64, listeners_count = 3 };

struct referee {
    struct server *server;
    struct listener listeners[listeners_count]; /* the last one speaks TLS */
    char places[PLACE_OTHER][place_text_max];
    struct sessions sessions;
    void (*done)(void *context, const struct session *session);
    void *context;
    uint8_t *text; /* of report_bytes_max: the last page, which the server may still be reading */
};

/* The next segment of *path, which begins with '/'; both are empty at its end. */
struct span referee_segment(struct span *path);
struct case_names referee_names(const struct referee *referee, struct span key);
void referee_answer(struct response *response, uint16_t status, struct span body);
/* So that the page may read answers of every origin. */
void referee_open(struct response *response);

/* A request that is judged, a word of how it ended, or that it was all. Its content is waited
 * for. */
void referee_visit(struct referee *referee, const struct serve_request *in,
                   struct response *response);
