/* SPDX-License-Identifier: MIT */
/* Matches a subject: a literal by memcmp, a pattern with regular expressions by PCRE2, all
 * others by the steps below. No allocation. Each step that is taken is charged to the
 * budget, and so is each stretch of bytes that a run goes over. */
#include "uri/pattern_block.h"
#include "uri/regex_dialect.h"

enum { choices_max = 256, bytes_of_a_step = 256 };

/* What may still be tried another way. */
struct choice {
    uint16_t step;
    uint32_t at;    /* where it ended, the last time it was tried */
    uint32_t limit; /* of a run: where it may end at last */
};

struct matcher {
    const struct pattern *pattern;
    const uint8_t *subject;
    uint32_t len;
    uint32_t at;
    uint32_t steps_left;
    size_t choice_count;
    uint32_t from[pattern_groups_max];
    uint32_t to[pattern_groups_max];
    struct choice choices[choices_max];
};

enum progress { GOES_ON, FAILS, IS_SPENT };

static inline enum progress charge(struct matcher *m, size_t bytes)
{
    uint32_t cost = (uint32_t)(bytes / bytes_of_a_step);
    if (cost > m->steps_left) {
        return IS_SPENT;
    }
    m->steps_left -= cost;
    return GOES_ON;
}

static inline enum progress push(struct matcher *m, size_t step, uint32_t at, uint32_t limit)
{
    if (m->choice_count == choices_max) {
        return IS_SPENT;
    }
    m->choices[m->choice_count++] =
        (struct choice){.step = (uint16_t)step, .at = at, .limit = limit};
    return GOES_ON;
}

/* The next place from at on, up to limit, where a short run may end. */
static inline bool next_end(const struct matcher *m, uint8_t byte, uint32_t *at, uint32_t limit)
{
    if (*at > limit) {
        return false;
    }
    if (byte == 0) {
        return true;
    }
    uint32_t end = limit < m->len ? limit + 1 : m->len;
    const uint8_t *hit = memchr(m->subject + *at, byte, end - *at);
    if (hit == NULL) {
        return false;
    }
    *at = (uint32_t)(hit - m->subject);
    return true;
}

/* The last place from at down to limit, where a long one may end. */
static inline bool previous_end(const struct matcher *m, uint8_t byte, uint32_t *at, uint32_t limit)
{
    if (byte == 0) {
        return true;
    }
    uint32_t end = *at < m->len ? *at + 1 : m->len;
    const uint8_t *hit = end > limit ? memrchr(m->subject + limit, byte, end - limit) : NULL;
    if (hit == NULL) {
        return false;
    }
    *at = (uint32_t)(hit - m->subject);
    return true;
}

static inline uint32_t run_end(const struct matcher *m)
{
    const uint8_t *begin = m->subject + m->at;
    const uint8_t *hit = memchr(begin, pattern_delimiter(m->pattern->kind), m->len - m->at);
    return hit != NULL ? (uint32_t)(hit - m->subject) : m->len;
}

/* Tries the shortest end, and leaves the longer ones for later. */
static enum progress run_short(struct matcher *m, size_t index, const struct pattern_step *step)
{
    uint32_t limit = run_end(m);
    uint32_t at = m->at + step->min;
    enum progress progress = charge(m, limit - m->at);
    if (!next_end(m, step->byte, &at, limit)) {
        return progress == IS_SPENT ? IS_SPENT : FAILS;
    }
    m->at = at;
    return progress == IS_SPENT || at == limit ? progress : push(m, index, at, limit);
}

/* Tries the longest end first; end: where it lies. */
static enum progress run_long(struct matcher *m, size_t index, const struct pattern_step *step,
                              uint32_t end)
{
    uint32_t limit = m->at + step->min;
    uint32_t at = end;
    enum progress progress = charge(m, end - m->at);
    if (end < limit || !previous_end(m, step->byte, &at, limit)) {
        return progress == IS_SPENT ? IS_SPENT : FAILS;
    }
    m->at = at;
    return progress == IS_SPENT || at == limit ? progress : push(m, index, at, limit);
}

/* Goes back to the choice made last and takes the next way there. */
static enum progress back(struct matcher *m, size_t *index)
{
    while (m->choice_count > 0) {
        struct choice *choice = &m->choices[m->choice_count - 1];
        const struct pattern_step *step = &m->pattern->steps[choice->step];
        uint32_t before = choice->at;
        bool found = true;
        if (step->op == STEP_SPLIT) {
            m->at = choice->at;
            *index = step->no;
            m->choice_count--;
            return GOES_ON;
        }
        if (step->op == STEP_RUN_SHORT) {
            choice->at++;
            found = next_end(m, step->byte, &choice->at, choice->limit);
        } else {
            choice->at--;
            found = previous_end(m, step->byte, &choice->at, choice->limit);
        }
        m->at = choice->at;
        *index = choice->step + 1U;
        uint32_t moved = m->at > before ? m->at - before : before - m->at;
        moved = found ? moved : m->len;
        m->choice_count -= !found || choice->at == choice->limit;
        if (charge(m, moved) == IS_SPENT) {
            return IS_SPENT;
        }
        if (found) {
            return GOES_ON;
        }
    }
    return FAILS;
}

/* Takes the step at *index and sets it to the one that follows. */
static inline enum progress advance(struct matcher *m, size_t *index)
{
    size_t now = *index;
    const struct pattern_step *step = &m->pattern->steps[now];
    *index = now + 1;
    switch ((enum pattern_op)step->op) {
    case STEP_TEXT:
        if (m->len - m->at < step->len ||
            memcmp(m->subject + m->at, (const uint8_t *)m->pattern + step->at, step->len) != 0) {
            return FAILS;
        }
        m->at += step->len;
        return GOES_ON;
    case STEP_BEGIN:
        m->from[step->group] = m->at;
        return GOES_ON;
    case STEP_FINISH:
        m->to[step->group] = m->at;
        return GOES_ON;
    case STEP_UNSET:
        m->from[step->group] = UINT32_MAX;
        return GOES_ON;
    case STEP_SPLIT:
        *index = step->yes;
        return push(m, now, m->at, 0);
    case STEP_BRANCH:
        *index = m->at < m->len && m->subject[m->at] == step->byte ? step->yes : step->no;
        return GOES_ON;
    case STEP_JUMP:
        *index = step->yes;
        return GOES_ON;
    case STEP_RUN: {
        uint32_t end = run_end(m);
        bool enough = end - m->at >= step->min;
        enum progress progress = charge(m, end - m->at);
        m->at = end;
        return enough ? progress : FAILS;
    }
    case STEP_RUN_SHORT:
        return run_short(m, now, step);
    case STEP_RUN_LONG:
        return run_long(m, now, step, run_end(m));
    case STEP_ANY:
        return run_long(m, now, step, m->len);
    default: { /* STEP_ALL; STEP_END does not come here */
        bool enough = m->len - m->at >= step->min;
        m->at = m->len;
        return enough ? GOES_ON : FAILS;
    }
    }
}

/* The choices made last on the way that led here decide which groups took part: each way
 * sets each group, or unsets it. A block of somebody else's may not: hence the look at
 * their order. */
static void copy_groups(const struct matcher *m, struct pattern_groups *groups)
{
    groups->count = m->pattern->group_count;
    for (size_t i = 0; i < groups->count; i++) {
        bool there = m->from[i] <= m->to[i] && m->to[i] <= m->len;
        groups->at[i].from = there ? m->from[i] : UINT32_MAX;
        groups->at[i].to = there ? m->to[i] : UINT32_MAX;
    }
}

static enum match match_steps(const struct pattern *pattern, struct span subject,
                              struct regex_budget *budget, struct pattern_groups *groups)
{
    struct matcher m;
    m.pattern = pattern;
    m.subject = subject.len > 0 ? subject.ptr : (const uint8_t *)"";
    m.len = (uint32_t)subject.len;
    m.at = 0;
    m.steps_left = budget->steps;
    m.choice_count = 0;
    for (size_t i = 0; i < pattern->group_count; i++) {
        m.from[i] = UINT32_MAX;
        m.to[i] = 0;
    }
    enum match result = MATCH_LIMIT;
    size_t index = 0;
    while (m.steps_left > 0) {
        m.steps_left--;
        enum progress progress;
        if (pattern->steps[index].op == STEP_END) {
            if (m.at == m.len) {
                copy_groups(&m, groups);
                result = MATCH_YES;
                break;
            }
            progress = FAILS;
        } else {
            progress = advance(&m, &index);
        }
        if (progress == FAILS) {
            progress = back(&m, &index);
            if (progress == FAILS) {
                result = MATCH_NO;
                break;
            }
        }
        if (progress == IS_SPENT) {
            m.steps_left = 0;
        }
    }
    budget->steps = m.steps_left;
    return result;
}

static enum match match_regex(const struct pattern *pattern, const struct regex *regex,
                              struct span subject, struct regex_budget *budget,
                              struct pattern_groups *groups)
{
    size_t ends[2 * (regex_captures_max + 1)];
    assert(regex != NULL);
    if (!span_starts(subject, pattern_text(pattern, pattern->lead_at, pattern->lead_len))) {
        return MATCH_NO;
    }
    enum match match = regex_match(regex, subject, budget, ends, regex_captures_max + 1);
    if (match != MATCH_YES) {
        return match;
    }
    groups->count = pattern->group_count;
    const struct pattern_group *entries = pattern_groups_of(pattern);
    for (size_t i = 0; i < groups->count; i++) {
        size_t capture = entries[i].capture <= regex_captures_max ? entries[i].capture : 0;
        bool there = ends[2 * capture] != SIZE_MAX &&
                     (!entries[i].may_vanish || ends[2 * capture] < ends[2 * capture + 1]);
        groups->at[i].from = there ? (uint32_t)ends[2 * capture] : UINT32_MAX;
        groups->at[i].to = there ? (uint32_t)ends[2 * capture + 1] : UINT32_MAX;
    }
    return MATCH_YES;
}

enum match pattern_match(const struct pattern *pattern, const struct regex *regex,
                         struct span subject, struct regex_budget *budget,
                         struct pattern_groups *groups)
{
    assert(subject.len < UINT32_MAX);
    switch ((enum pattern_form)pattern->form) {
    case PATTERN_REGEX:
        return match_regex(pattern, regex, subject, budget, groups);
    case PATTERN_STEPS:
        return match_steps(pattern, subject, budget, groups);
    default:
        if (!span_eq(subject, pattern_text(pattern, pattern->lead_at, pattern->lead_len))) {
            return MATCH_NO;
        }
        groups->count = 0;
        return MATCH_YES;
    }
}
