/* SPDX-License-Identifier: MIT */
/* How a compiled pattern lies in memory: shared by the pattern's own files and by nobody
 * else. A header, the steps, the groups, the segments, then their bytes; every place is an
 * offset from the header. */
#pragma once

#include "uri/pattern.h"

#include <assert.h>

enum { pattern_steps_max = 4096, pattern_segments_max = 4096 };

enum pattern_form {
    PATTERN_LITERAL, /* edge is the whole */
    PATTERN_STEPS,   /* run by our own matcher */
    PATTERN_REGEX,   /* run by PCRE2, when the subject begins with edge */
};

/* What the matcher does, one after the other. Where something fails later, the matcher
 * comes back to the choice made last. Runs are of bytes other than the delimiter. */
enum pattern_op {
    STEP_END,       /* the subject ends here: a match */
    STEP_TEXT,      /* these bytes stand here */
    STEP_BEGIN,     /* a group begins */
    STEP_FINISH,    /* it ends */
    STEP_UNSET,     /* it takes no part */
    STEP_SPLIT,     /* goes on at yes, and if that fails at no */
    STEP_BRANCH,    /* at yes when this byte stands here, else at no; nothing to come back to */
    STEP_JUMP,      /* goes on at yes */
    STEP_RUN,       /* the whole run, nothing to come back to */
    STEP_RUN_SHORT, /* a run, the shortest first */
    STEP_RUN_LONG,  /* a run, the longest first */
    STEP_ALL,       /* all that is left, nothing to come back to */
    STEP_ANY,       /* any bytes, the most first */
    STEP_TAKE_RUN,  /* BEGIN, RUN and FINISH at once; goes on at yes */
    STEP_TAKE_ALL,  /* BEGIN, ALL and FINISH at once; goes on at yes */
    STEP_OP_COUNT,
};

struct pattern_step {
    uint8_t op;
    uint8_t group;
    uint8_t min;  /* of a run and of any bytes: how many at least, 0 or 1 */
    uint8_t byte; /* of a branch; else the byte that must follow, 0: no single one */
    uint16_t yes;
    uint16_t no;
    uint32_t at;
    uint32_t len;
};

struct pattern_group {
    uint32_t name_at;
    uint32_t name_len;
    uint16_t capture;    /* its number in the regular expression */
    uint16_t may_vanish; /* empty means that it took no part; see pattern_regex.c */
};

/* What pattern_segment gives. */
struct pattern_segment_entry {
    uint32_t kind;
    uint32_t at;
    uint32_t len;
};

struct pattern {
    uint32_t size; /* of the block, a multiple of 8 */
    uint8_t kind;
    uint8_t form;
    uint8_t group_count;
    uint8_t zero;
    uint16_t step_count;
    uint16_t segment_count;
    uint32_t edge_at; /* every match begins so; of steps, ends so */
    uint32_t edge_len;
    uint32_t regex_at;
    uint32_t regex_len;
    uint32_t zero2;
    struct pattern_step steps[]; /* then the groups, then the segments */
};

static_assert(sizeof(struct pattern) == 32, "the steps follow without a gap");
static_assert(sizeof(struct pattern_step) == 16, "no padding that would be left unset");
static_assert(sizeof(struct pattern_group) == 12, "no padding that would be left unset");
static_assert(sizeof(struct pattern_segment_entry) == 12, "no padding that would be left unset");

static inline uint8_t pattern_delimiter(enum pattern_kind kind)
{
    return kind == PATTERN_PATH ? '/' : '.';
}

static inline const struct pattern_group *pattern_groups_of(const struct pattern *p)
{
    return (const struct pattern_group *)(const void *)(p->steps + p->step_count);
}

static inline const struct pattern_segment_entry *pattern_segments_of(const struct pattern *p)
{
    return (const struct pattern_segment_entry *)(const void *)(pattern_groups_of(p) +
                                                                p->group_count);
}

static inline size_t pattern_bytes_at(size_t steps, size_t groups, size_t segments)
{
    return sizeof(struct pattern) + steps * sizeof(struct pattern_step) +
           groups * sizeof(struct pattern_group) + segments * sizeof(struct pattern_segment_entry);
}

static inline struct span pattern_text(const struct pattern *p, size_t at, size_t len)
{
    return span_of((const uint8_t *)p + at, len);
}
