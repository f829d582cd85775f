/* SPDX-License-Identifier: MIT */
/* From YAML to answers, for tests: a configuration is loaded and compiled, then asked. */
#pragma once

#include "base/clock.h"
#include "compile/compile.h"
#include "decide/answer.h"
#include "http/h1/parse.h"

/* When requests are asked unless a row says otherwise: 2026-11-18T11:06:40Z. */
#define NOW_S INT64_C(1795000000)
#define NOW (NOW_S * NS_PER_SECOND)

enum { fixture_servers_max = 1024 };

struct fixture {
    struct arena arena;
    struct problems problems;
    const struct model *model;
    uint8_t *bytes;
    size_t len;
    const struct snapshot *snapshot;
    struct regex_set *regexes;
    struct server_live live[fixture_servers_max];
    uint32_t slots; /* given to servers so far */
    struct pools *pools;
    struct decide_context context;
    char text[request_head_bytes_max];
    struct h1_head head;
    struct decision decision;
    struct answer_scratch scratch;
    struct response response;
};

/* One request. */
struct ask {
    const char *line;   /* "GET /path" */
    const char *host;   /* NULL: shop.example */
    const char *fields; /* whole lines with CRLF; NULL: none */
    const char *from;   /* NULL: 192.0.2.1 */
    bool secure;
    int64_t at_ns; /* 0: NOW */
};

/* Ends the test with the problems printed when the text is no good configuration. */
struct fixture *fixture_new(const char *yaml);
/* The same configuration, compiled as of another moment. */
void fixture_compile(struct fixture *f, int64_t now_ns);
void fixture_free(struct fixture **f);

/* Decides; the decision stays in f->decision until the next request. */
const struct decision *fixture_ask(struct fixture *f, const struct ask *ask);
/* Decides and answers; f->response. */
const struct response *fixture_answer(struct fixture *f, const struct ask *ask);
/* The value of a response field, and of one only; ptr NULL: there is none. */
struct span fixture_field(const struct fixture *f, const char *name);

/* All pools begin with their first turn again. */
void fixture_rewind(struct fixture *f);
/* The live state of "pool/server". */
void fixture_set(struct fixture *f, const char *identity, enum server_state state,
                 uint32_t weight_ppm);
/* The identity of the server that was chosen, or of the rule; "" for none. */
struct span fixture_server(const struct fixture *f);
struct span fixture_rule(const struct fixture *f);

/* Both are equal, else the test fails and says what they are. */
void fixture_same(const char *name, const char *what, struct span got, const char *wanted);
