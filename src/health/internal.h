/* SPDX-License-Identifier: MIT */
/* What the files of health share.
 *
 *   health.c  the set of probes
 *   probe.c   one target, and what the answers make of its server
 *   turns.c   when it is asked, and how many at a time
 *   ask.c     the question itself, and what came of it */
#pragma once

#include "health/health.h"

#include "base/arena.h"
#include "fetch/fetch.h"
#include "health/agent.h"
#include "health/tcp.h"

struct probe;

/* Something that a target is asked again and again. */
struct question {
    struct probe *probe;
    bool of_agent;
    ev_timer turn;
    int64_t base_ns; /* when its turn n is: base + n intervals, and some chance */
    int64_t turns;
    bool waits;            /* it is its turn, but there was no room yet */
    struct question *next; /* that waits */
    struct fetch_request *fetch;
    struct tcp_question *tcp;
};

/* Those that concurrency counts together. */
struct group {
    struct span name; /* of one of its targets */
    size_t asking;
    size_t targets;
};

struct probe {
    struct health *health;
    struct health_target target; /* its strings are in the arena */
    struct arena arena;
    struct span key;      /* how it is asked, in one text */
    const char *question; /* the whole URL */
    const char *ca_file;  /* NULL: the system's */
    const char *host_field;
    struct group *group;
    struct track track;
    ev_timer growth; /* of the weight, after it came back */
    struct question probing;

    struct question asking_agent; /* its probe is NULL when there is none */
    struct agent agent;
    int64_t drain_began_ms; /* when it said drain */
    ev_timer leaving;       /* of its clients, after it did */
    char agent_says[agent_line_bytes_max];
    char agent_error[health_error_bytes];

    char error[health_error_bytes]; /* "": the last probe was good */
    int64_t asked_ns;
    int64_t latency_us;
    uint64_t probes;
    uint64_t failures;
};

struct health {
    struct ev_loop *loop;
    struct servers_map *servers;
    struct health_names names;
    void (*changed)(void *context); /* NULL: nobody wants to know */
    void *changed_context;
    struct fetch *fetch;
    struct probe **by_slot; /* servers_max */
    struct probe **probes;
    size_t probe_count;
    struct group **groups;
    size_t group_count;
    size_t asking;
    struct question *waiting_first;
    struct question *waiting_last;
};

/* probe.c */

struct probe *probe_new(struct health *health, const struct health_target *target);
void probe_free(struct probe **probe);
/* Whether it is asked in the same way. */
bool probe_is_of(const struct probe *probe, const struct health_target *target);
/* why: NULL when it was good. */
void probe_hear(struct probe *probe, const char *why, int64_t latency_us);
void probe_hear_agent(struct probe *probe, struct span line, const char *error);

/* turns.c */

/* From here on its turn comes at each interval. */
void question_begin(struct question *question);
/* What is under way is cancelled. */
void question_end(struct question *question);
/* The question was answered: there is room for another. */
void question_answered(struct question *question);

/* ask.c */

/* Asks; the end is question_answered. False: there was nothing to ask, and nothing is under way. */
bool ask_begin(struct question *question);
