/* SPDX-License-Identifier: MIT */
/* The clients that are judged, each under a key of its own that it says in every path. */
#pragma once

#include "base/error.h"
#include "referee/judge.h"

enum {
    session_key_max = 32,
    session_client_max = 200,
    sessions_max = 32, /* the one that was quiet for longest gives way */
};

struct session {
    char key[session_key_max + 1];
    char client[session_client_max + 1]; /* what it calls itself; visible ASCII */
    bool told;                           /* its table has been printed */
    uint32_t visits;                     /* requests that are still coming: it stays */
    uint64_t used;
    struct evidence evidence[case_count_max]; /* in the order of test_cases */
};

struct sessions {
    struct session *list[sessions_max];
    size_t count;
    uint64_t clock;
};

/* Letters, digits, '-' and '_'. */
bool session_key_valid(struct span key);
/* NULL: there is none. */
struct session *session_find(struct sessions *sessions, struct span key);
/* Finds or makes it. ERR_MEMORY; ERR_LIMIT: all others are busy. */
enum err session_for(struct sessions *sessions, struct span key, struct session **out);
void sessions_fini(struct sessions *sessions);

/* Text of a client, for people: what is no visible ASCII becomes '?'. */
void session_name(struct session *session, struct span name);
