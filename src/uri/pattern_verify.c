/* SPDX-License-Identifier: MIT */
/* Looks at a block that may be anything, and says whether it is a pattern that can be read
 * and matched without leaving the block. */
#include "uri/pattern_block.h"

/* Empty places may be anywhere in the bytes. */
static bool place_ok(const struct pattern *p, uint32_t at, uint32_t len)
{
    size_t bytes_at = pattern_bytes_at(p->step_count, p->group_count, p->segment_count);
    return at >= bytes_at && at <= p->size && len <= p->size - at;
}

static bool header_ok(const struct pattern *p, size_t len)
{
    bool regex = p->form == PATTERN_REGEX;
    bool steps = p->form == PATTERN_STEPS;
    return p->size == len && len % 8 == 0 && p->kind <= PATTERN_HOST && p->form <= PATTERN_REGEX &&
           p->group_count <= pattern_groups_max && p->step_count <= pattern_steps_max &&
           p->segment_count >= 1 && p->segment_count <= pattern_segments_max &&
           pattern_bytes_at(p->step_count, p->group_count, p->segment_count) <= len &&
           place_ok(p, p->edge_at, p->edge_len) && place_ok(p, p->regex_at, p->regex_len) &&
           (p->regex_len > 0) == regex && (p->step_count > 0) == steps &&
           (p->form != PATTERN_LITERAL || p->group_count == 0);
}

/* Each step goes on to another one, or is the end. */
static bool step_ok(const struct pattern *p, size_t at)
{
    const struct pattern_step *step = &p->steps[at];
    bool next = at + 1 < p->step_count;
    bool yes = step->yes < p->step_count;
    switch ((enum pattern_op)step->op) {
    case STEP_END:
        return true;
    case STEP_TEXT:
        return next && place_ok(p, step->at, step->len);
    case STEP_BEGIN:
    case STEP_FINISH:
    case STEP_UNSET:
        return next && step->group < p->group_count;
    case STEP_SPLIT:
    case STEP_BRANCH:
        return yes && step->no < p->step_count;
    case STEP_JUMP:
        return yes;
    case STEP_TAKE_RUN:
    case STEP_TAKE_ALL:
        return yes && step->group < p->group_count && step->min <= 1;
    case STEP_RUN:
    case STEP_RUN_SHORT:
    case STEP_RUN_LONG:
    case STEP_ALL:
    case STEP_ANY:
        return next && step->min <= 1;
    default:
        return false;
    }
}

static bool segments_ok(const struct pattern *p)
{
    const struct pattern_segment_entry *segments = pattern_segments_of(p);
    size_t last = p->segment_count - 1U;
    for (size_t i = 0; i < last; i++) {
        if (segments[i].kind != SEGMENT_ANY && (segments[i].kind != SEGMENT_LITERAL ||
                                                !place_ok(p, segments[i].at, segments[i].len))) {
            return false;
        }
    }
    return segments[last].kind == SEGMENT_REST || segments[last].kind == SEGMENT_END;
}

bool pattern_verify(const void *block, size_t len)
{
    const struct pattern *p = block;
    if (len < sizeof(*p) || !header_ok(p, len)) {
        return false;
    }
    for (size_t i = 0; i < p->step_count; i++) {
        if (!step_ok(p, i)) {
            return false;
        }
    }
    const struct pattern_group *groups = pattern_groups_of(p);
    for (size_t i = 0; i < p->group_count; i++) {
        if (!place_ok(p, groups[i].name_at, groups[i].name_len)) {
            return false;
        }
    }
    return segments_ok(p);
}
