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

/* Of a group; as in struct pattern_groups. */
struct range {
    uint32_t from;
    uint32_t to;
};

struct matcher {
    const struct pattern *pattern;
    const uint8_t *subject;
    uint32_t len;
    uint32_t at;
    uint32_t steps_left;
    uint32_t set; /* a bit for each group that took part */
    size_t choice_count;
    struct range groups[pattern_groups_max];
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

/* ---- runs that may end at more than one place ---- */

/* The next place from at on, up to limit, where a short run may end. */
static bool next_end(const struct matcher *m, uint8_t byte, uint32_t *at, uint32_t limit)
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
static bool previous_end(const struct matcher *m, uint8_t byte, uint32_t *at, uint32_t limit)
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

static inline uint32_t run_end(const struct pattern *pattern, const uint8_t *subject, uint32_t at,
                               uint32_t len)
{
    const uint8_t *hit = memchr(subject + at, pattern_delimiter(pattern->kind), len - at);
    return hit != NULL ? (uint32_t)(hit - subject) : len;
}

/* Goes to the end that was found, and leaves those up to limit for later. */
static enum progress end_at(struct matcher *m, size_t index, uint32_t at, uint32_t limit)
{
    m->at = at;
    return at == limit ? GOES_ON : push(m, index, at, limit);
}

/* Tries the shortest end first. */
static enum progress run_short(struct matcher *m, size_t index, const struct pattern_step *step)
{
    uint32_t limit = run_end(m->pattern, m->subject, m->at, m->len);
    uint32_t at = m->at + step->min;
    if (charge(m, limit - m->at) == IS_SPENT) {
        return IS_SPENT;
    }
    return next_end(m, step->byte, &at, limit) ? end_at(m, index, at, limit) : FAILS;
}

/* Tries the longest end first; at: where it lies. */
static enum progress run_long(struct matcher *m, size_t index, const struct pattern_step *step,
                              uint32_t at)
{
    uint32_t limit = m->at + step->min;
    if (charge(m, at - m->at) == IS_SPENT) {
        return IS_SPENT;
    }
    return at >= limit && previous_end(m, step->byte, &at, limit) ? end_at(m, index, at, limit)
                                                                  : FAILS;
}

/* ---- choices ---- */

/* Takes the next way at the choice made last. FAILS: there was none left. */
static enum progress try_again(struct matcher *m, size_t *index)
{
    struct choice *choice = &m->choices[m->choice_count - 1];
    const struct pattern_step *step = &m->pattern->steps[choice->step];
    uint32_t before = choice->at;
    bool found;
    if (step->op == STEP_SPLIT) {
        m->at = before;
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
    uint32_t other = found ? choice->at : choice->limit;
    m->at = choice->at;
    *index = choice->step + 1U;
    m->choice_count -= !found || choice->at == choice->limit;
    if (charge(m, other > before ? other - before : before - other) == IS_SPENT) {
        return IS_SPENT;
    }
    return found ? GOES_ON : FAILS;
}

static enum progress back(struct matcher *m, size_t *index)
{
    enum progress progress = FAILS;
    while (progress == FAILS && m->choice_count > 0) {
        progress = try_again(m, index);
    }
    return progress;
}

/* ---- steps ---- */

static inline bool text_here(const struct pattern *pattern, const struct pattern_step *step,
                             const uint8_t *subject, uint32_t at, uint32_t len)
{
    return len - at >= step->len &&
           memcmp(subject + at, (const uint8_t *)pattern + step->at, step->len) == 0;
}

static inline bool byte_here(const struct pattern_step *step, const uint8_t *subject, uint32_t at,
                             uint32_t len)
{
    return at < len && subject[at] == step->byte;
}

/* A run or the rest that ends at one place only. */
static enum progress run_whole(struct matcher *m, uint32_t end, const struct pattern_step *step)
{
    uint32_t from = m->at;
    m->at = end;
    return end - from < step->min ? FAILS : charge(m, end - from);
}

/* Somebody else's block may end what has not begun, or begin it twice: a group takes part
 * only when it began before it ended. */
static void begin(struct matcher *m, uint8_t group)
{
    m->groups[group].from = m->at;
    m->set &= ~(UINT32_C(1) << group);
}

static void finish(struct matcher *m, uint8_t group)
{
    m->groups[group].to = m->at;
    m->set &= ~(UINT32_C(1) << group);
    if (m->groups[group].from <= m->at) {
        m->set |= UINT32_C(1) << group;
    }
}

/* Takes the step at *index and sets it to the one that follows. */
static enum progress advance(struct matcher *m, size_t *index)
{
    size_t now = *index;
    const struct pattern_step *step = &m->pattern->steps[now];
    uint32_t end = m->len;
    *index = now + 1;
    switch ((enum pattern_op)step->op) {
    case STEP_END:
        return FAILS;
    case STEP_TEXT:
        if (!text_here(m->pattern, step, m->subject, m->at, m->len)) {
            return FAILS;
        }
        m->at += step->len;
        return GOES_ON;
    case STEP_BEGIN:
        begin(m, step->group);
        return GOES_ON;
    case STEP_FINISH:
        finish(m, step->group);
        return GOES_ON;
    case STEP_UNSET:
        m->set &= ~(UINT32_C(1) << step->group);
        return GOES_ON;
    case STEP_SPLIT:
        *index = step->yes;
        return push(m, now, m->at, 0);
    case STEP_BRANCH:
        *index = byte_here(step, m->subject, m->at, m->len) ? step->yes : step->no;
        return GOES_ON;
    case STEP_JUMP:
        *index = step->yes;
        return GOES_ON;
    case STEP_RUN_SHORT:
        return run_short(m, now, step);
    case STEP_RUN_LONG:
        return run_long(m, now, step, run_end(m->pattern, m->subject, m->at, m->len));
    case STEP_ANY:
        return run_long(m, now, step, m->len);
    case STEP_RUN:
        end = run_end(m->pattern, m->subject, m->at, m->len);
        return run_whole(m, end, step);
    case STEP_TAKE_RUN:
        end = run_end(m->pattern, m->subject, m->at, m->len);
        break;
    default: /* STEP_ALL and STEP_TAKE_ALL */
        break;
    }
    if (step->op == STEP_ALL) {
        return run_whole(m, end, step);
    }
    *index = step->yes;
    begin(m, step->group);
    enum progress progress = run_whole(m, end, step);
    finish(m, step->group);
    return progress;
}

static inline void copy_groups(const struct range *found, uint32_t set, size_t count,
                               struct pattern_groups *groups)
{
    groups->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct range range = {.from = UINT32_MAX, .to = UINT32_MAX};
        if ((set >> i & 1) != 0) {
            range = found[i];
        }
        groups->at[i].from = range.from;
        groups->at[i].to = range.to;
    }
}

/* Goes on from the step at index, with choices. */
static enum match match_choices(struct matcher *m, size_t index)
{
    const struct pattern_step *steps = m->pattern->steps;
    m->choice_count = 0;
    for (size_t i = 0; i < m->pattern->group_count; i++) {
        m->groups[i].from = (m->set >> i & 1) != 0 ? m->groups[i].from : UINT32_MAX;
    }
    while (m->steps_left > 0) {
        m->steps_left--;
        if (steps[index].op == STEP_END && m->at == m->len) {
            return MATCH_YES;
        }
        enum progress progress = advance(m, &index);
        if (progress == FAILS) {
            progress = back(m, &index);
        }
        if (progress == FAILS) {
            return MATCH_NO;
        }
        if (progress == IS_SPENT) {
            break;
        }
    }
    m->steps_left = 0;
    return MATCH_LIMIT;
}

/* Not inlined, for it would take the registers that most patterns need. */
__attribute__((noinline)) static enum match match_rest(struct matcher *m,
                                                       const struct pattern_step *step,
                                                       struct regex_budget *budget,
                                                       struct pattern_groups *groups)
{
    const struct pattern *pattern = m->pattern;
    struct span tail = pattern_text(pattern, pattern->edge_at, pattern->edge_len);
    /* Spares trying all choices where the end already says no. */
    enum match match = span_ends(span_of(m->subject, m->len), tail)
                           ? match_choices(m, (size_t)(step - pattern->steps))
                           : MATCH_NO;
    budget->steps = m->steps_left;
    if (match == MATCH_YES) {
        copy_groups(m->groups, m->set, pattern->group_count, groups);
    }
    return match;
}

/* Most patterns have no choices, or begin without. As long as there is none, what fails has
 * failed for good, and all but the groups is in registers. */
static enum match match_steps(const struct pattern *pattern, struct span subject,
                              struct regex_budget *budget, struct pattern_groups *groups)
{
    struct matcher m;
    const struct pattern_step *step = pattern->steps;
    const uint8_t *bytes = subject.len > 0 ? subject.ptr : (const uint8_t *)"";
    uint32_t len = (uint32_t)subject.len;
    uint32_t at = 0;
    uint32_t set = 0;
    uint32_t left = budget->steps;
    enum match match = MATCH_LIMIT;
    for (; left > 0; left--) {
        if (step->op == STEP_TEXT) {
            if (!text_here(pattern, step, bytes, at, len)) {
                match = MATCH_NO;
                break;
            }
            at += step->len;
            step++;
        } else if (step->op == STEP_TAKE_RUN || step->op == STEP_TAKE_ALL) {
            uint32_t end = step->op == STEP_TAKE_RUN ? run_end(pattern, bytes, at, len) : len;
            if (end - at < step->min) {
                match = MATCH_NO;
                break;
            }
            m.groups[step->group] = (struct range){.from = at, .to = end};
            set |= UINT32_C(1) << step->group;
            at = end;
            step = &pattern->steps[step->yes];
        } else if (step->op == STEP_BRANCH) {
            step = &pattern->steps[byte_here(step, bytes, at, len) ? step->yes : step->no];
        } else if (step->op == STEP_END) {
            match = at == len ? MATCH_YES : MATCH_NO;
            break;
        } else {
            m.pattern = pattern;
            m.subject = bytes;
            m.len = len;
            m.at = at;
            m.set = set;
            m.steps_left = left;
            return match_rest(&m, step, budget, groups);
        }
    }
    budget->steps = left;
    if (match == MATCH_YES) {
        copy_groups(m.groups, set, pattern->group_count, groups);
    }
    return match;
}

static enum match match_regex(const struct pattern *pattern, const struct regex *regex,
                              struct span subject, struct regex_budget *budget,
                              struct pattern_groups *groups)
{
    size_t ends[2 * (regex_captures_max + 1)];
    assert(regex != NULL);
    if (!span_starts(subject, pattern_text(pattern, pattern->edge_at, pattern->edge_len))) {
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
        if (!span_eq(subject, pattern_text(pattern, pattern->edge_at, pattern->edge_len))) {
            return MATCH_NO;
        }
        groups->count = 0;
        return MATCH_YES;
    }
}
