/* SPDX-License-Identifier: MIT */
/* A far side for tests: does with a request what its path asks for, and remembers what it
 * was told. */
#pragma once

#include "fixture.h"
#include "serve/exchange.h"

enum { far_bytes_max = 1 << 22, far_max = 128 };

/* One exchange. Paths, which may be joined: "/echo" answers with the content in chunks,
 * "/count" with its length, after its end; "/length" says a length before; "/early" answers
 * at once and takes nothing; "/take" one octet of the content at a time; "/late" resumes
 * when the test says so; "/continue" sends 100; "/inform" sends 103; "/tunnel" is 101 and an
 * echo; "/answer" gives an answer of its own; "/abort" breaks off after a few bytes;
 * "/large" answers with far_large_bytes; "/trailers" adds one to the answer; "/silent" does
 * nothing. */
struct far {
    struct exchange *exchange; /* NULL: it has ended */
    char path[64];
    uint64_t content_length;
    enum body_kind body;
    size_t content_len;
    size_t calls;
    bool content_ended;
    unsigned ends;
    bool gone;
    bool began;
    size_t written; /* of the answer */
    size_t large_left;
    size_t trailer_count;
    char trailer[128];
    uint8_t *content;
    bool dead; /* no memory for an exchange */
};

enum { far_large_bytes = 3 << 20 };

extern struct far fars[far_max];
extern size_t far_count;

/* With malloc, calloc and realloc wrapped (--wrap): the allocation of this number fails; 0:
 * none. It counts down. */
extern unsigned far_fails;

void far_reset(void);
void far_handle(void *context, const struct serve_request *asked, struct response *response);
/* What the large answer holds at this place. */
uint8_t far_large_octet(size_t at);
