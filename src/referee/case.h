/* SPDX-License-Identifier: MIT */
/* The cases by which a client is judged: what it is to ask for, what it is answered, and by which
 * rule what it did is judged. A table; no state, no I/O. doc/internals/conformance.md */
#pragma once

#include "base/buffer.h"
#include "http/request.h"

enum {
    case_fields_max = 2,
    case_legs_max = 2,
    case_answer_fields_max = 4,
    case_location_max = 512,
    case_count_max = 96,
    loop_requests_max = 101, /* then a loop ends by itself */
    content_small = 12,
    content_large = 256 << 10,
};

/* What any content consists of: these twelve bytes, again and again. */
#define CONTENT_PATTERN "redirect=me&"

/* Where a request came in, or is to go to. */
enum case_place {
    PLACE_HERE,   /* the first port, by its address */
    PLACE_PORT,   /* the second port, by its address: another origin */
    PLACE_NAME,   /* the first port, by the name "localhost": another origin, another host */
    PLACE_SECURE, /* the third port, by its address: https */
    PLACE_OTHER,  /* another port by that name; no case leads there */
};

/* One answer. The location has words in it: {here}, {port}, {name}, {secure}, {user} are the URL of
 * the case at a place, {user} the first one with userinfo in front; {path} is the path alone. */
struct leg {
    uint16_t status;
    const char *location;  /* NULL: no field */
    const char *location2; /* a second field */
    const char *name;      /* of one more field; NULL: none */
    const char *value;
    struct span content; /* ptr NULL: a short note */
};

struct evidence;
struct finding;

struct test_case {
    const char *id;
    const char *group;
    const char *title;   /* what is tried */
    const char *right;   /* what the standard says */
    const char *section; /* and where */
    const char *method;
    const char *fields[case_fields_max]; /* "Name: value", sent by the client on its own */
    uint32_t content_bytes;              /* of the first request; 0: none */
    uint8_t times;        /* how often it is asked for, one after the other; 0: once */
    bool jar;             /* with a cookie jar */
    bool navigate;        /* a browser goes there, since fetch() does not see it */
    bool early;           /* step 0 is answered before the content has come */
    bool secure;          /* step 0 is at PLACE_SECURE */
    bool loop;            /* the legs go round */
    uint8_t hops;         /* so many redirects, instead of legs */
    const char *fragment; /* of the first URL; NULL: none */
    const char *alias;    /* what the path of step 1 ends in, when it is not "1" */
    const char *expected; /* for the judge: the fragment at the end */
    struct leg legs[case_legs_max];
    void (*judge)(const struct evidence *evidence, struct finding *out);
};

extern const struct test_case test_cases[];
extern const size_t test_case_count;

/* NULL: there is none. */
const struct test_case *case_find(struct span id);

/* Which step the end of a path is; step_unknown for what no answer leads to. */
enum { step_unknown = 255 };
uint8_t case_step(const struct test_case *test, struct span text);

/* What is put into the locations. */
struct case_names {
    struct span key;
    struct span places[PLACE_OTHER]; /* "127.0.0.1:8390", … */
};

/* Whether it comes by PLACE_SECURE, whose certificate nobody vouches for. */
bool case_needs_tls(const struct test_case *test);

/* The URL of step 0, with its fragment. */
void case_url(const struct test_case *test, const struct case_names *names, struct buffer *out);

/* An answer as it is sent. Spans point into constants and into text. */
struct case_answer {
    uint16_t status;
    struct field fields[case_answer_fields_max];
    size_t field_count;
    struct span content;
    char text[2][case_location_max];
};

/* cookie: the request had the one that loop-cookie sets. number: of this request, from 0. */
void case_answer(const struct test_case *test, const struct case_names *names, uint8_t step,
                 bool cookie, uint32_t number, struct case_answer *out);
