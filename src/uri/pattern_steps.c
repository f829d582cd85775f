/* SPDX-License-Identifier: MIT */
/* Writes the steps of a pattern without regular expressions of its own, such that they try
 * what the generated expression tries, in the same order. */
#include "uri/pattern_pieces.h"

/* Of one piece at most; see emit_repeated. */
enum { steps_of_piece_max = 15 };

struct emitter {
    struct buffer *bytes;
    struct pattern_step *steps;
    size_t count;
    size_t target; /* the last place that other steps may go on at */
};

static struct pattern_step *emit(struct emitter *e, enum pattern_op op)
{
    struct pattern_step *step = &e->steps[e->count++];
    *step = (struct pattern_step){.op = (uint8_t)op};
    return step;
}

static void emit_text(struct emitter *e, struct span text)
{
    if (text.len == 0) {
        return;
    }
    struct pattern_step *before = e->count > e->target ? &e->steps[e->count - 1] : NULL;
    if (before != NULL && before->op == STEP_TEXT && before->at + before->len == e->bytes->len) {
        before->len += (uint32_t)text.len;
    } else {
        struct pattern_step *step = emit(e, STEP_TEXT);
        step->at = (uint32_t)e->bytes->len;
        step->len = (uint32_t)text.len;
    }
    buffer_put(e->bytes, text);
}

static void emit_group(struct emitter *e, enum pattern_op op, uint8_t group)
{
    emit(e, op)->group = group;
}

/* Where the next step will be, for another one to go on at. */
static uint16_t here(struct emitter *e)
{
    e->target = e->count;
    return (uint16_t)e->count;
}

/* What follows may be left out; end_optional says where it ends. */
static struct pattern_step *begin_optional(struct emitter *e)
{
    struct pattern_step *split = emit(e, STEP_SPLIT);
    split->yes = here(e);
    return split;
}

/* Where it is left out, the group in it takes no part. */
static void end_optional(struct emitter *e, struct pattern_step *split, uint8_t group)
{
    struct pattern_step *jump = emit(e, STEP_JUMP);
    split->no = here(e);
    emit_group(e, STEP_UNSET, group);
    jump->yes = here(e);
}

/* "(X)?", "((?:X)*)" and the like. X* and X+ of a run come to the longest run first, one of
 * any bytes to the most first, as the turns are greedy whatever X is. */
static void emit_bare(struct emitter *e, const struct piece *piece, uint8_t group)
{
    bool any = piece->kind == PIECE_ANY;
    bool optional = piece->modifier == PIECE_OPTIONAL;
    struct pattern_step *split = optional ? begin_optional(e) : NULL;
    emit_group(e, STEP_BEGIN, group);
    struct pattern_step *run = emit(e, any                    ? STEP_ANY
                                       : piece_repeats(piece) ? STEP_RUN_LONG
                                                              : STEP_RUN_SHORT);
    /* An optional group does not match nothing. */
    run->min = any ? optional : piece->modifier != PIECE_ANY_TIMES;
    emit_group(e, STEP_FINISH, group);
    if (optional) {
        end_optional(e, split, group);
    }
}

static void emit_value(struct emitter *e, const struct piece *piece)
{
    bool any = piece->kind == PIECE_ANY;
    emit(e, any ? STEP_ANY : STEP_RUN_SHORT)->min = !any;
}

/* "(?:prefix((?:X)(?:suffix prefix(?:X))*)suffix)?" and its simpler sisters. */
static void emit_surrounded(struct emitter *e, const struct piece *piece, uint8_t group)
{
    bool optional = piece->modifier == PIECE_ANY_TIMES || piece->modifier == PIECE_OPTIONAL;
    struct pattern_step *split = optional ? begin_optional(e) : NULL;
    emit_text(e, piece->prefix);
    emit_group(e, STEP_BEGIN, group);
    emit_value(e, piece);
    if (piece_repeats(piece)) {
        uint16_t loop = here(e);
        struct pattern_step *again = emit(e, STEP_SPLIT);
        again->yes = here(e);
        emit_text(e, piece->suffix);
        emit_text(e, piece->prefix);
        emit_value(e, piece);
        emit(e, STEP_JUMP)->yes = loop;
        again->no = here(e);
    }
    emit_group(e, STEP_FINISH, group);
    emit_text(e, piece->suffix);
    if (optional) {
        end_optional(e, split, group);
    }
}

/* A text with a modifier. An empty one, repeated or not, is nothing. */
static void emit_fixed(struct emitter *e, const struct piece *piece)
{
    if (piece->value.len == 0) {
        return;
    }
    if (piece->modifier == PIECE_ONCE) {
        emit_text(e, piece->value);
        return;
    }
    if (piece->modifier == PIECE_SOME_TIMES) {
        emit_text(e, piece->value);
    }
    uint16_t loop = here(e);
    struct pattern_step *split = emit(e, STEP_SPLIT);
    split->yes = here(e);
    emit_text(e, piece->value);
    if (piece->modifier != PIECE_OPTIONAL) {
        emit(e, STEP_JUMP)->yes = loop;
    }
    split->no = here(e);
}

size_t pattern_emit(const struct pieces *pieces, struct buffer *bytes, struct pattern_step *steps)
{
    static_assert(pattern_pieces_max * steps_of_piece_max < pattern_steps_max,
                  "the steps of all pieces fit, and the end");
    struct emitter e = {.bytes = bytes, .steps = steps};
    uint8_t group = 0;
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->items[i];
        if (!piece_is_group(piece)) {
            emit_fixed(&e, piece);
        } else if (piece->prefix.len + piece->suffix.len == 0) {
            emit_bare(&e, piece, group++);
        } else {
            emit_surrounded(&e, piece, group++);
        }
    }
    emit(&e, STEP_END);
    return e.count;
}

/* ---- what can come first ---- */

/* What a match from some step on can begin with. */
struct firsts {
    bool byte[256];
    bool end;
};

struct walk {
    const struct pattern_step *steps;
    const uint8_t *bytes;
    uint8_t delimiter;
    bool seen[pattern_steps_max];
    uint16_t waiting[pattern_steps_max];
    size_t waiting_count;
};

static void wait_for(struct walk *walk, size_t step)
{
    if (!walk->seen[step]) {
        walk->seen[step] = true;
        walk->waiting[walk->waiting_count++] = (uint16_t)step;
    }
}

static void look_at(struct walk *walk, size_t at, struct firsts *out)
{
    const struct pattern_step *step = &walk->steps[at];
    switch ((enum pattern_op)step->op) {
    case STEP_END:
        out->end = true;
        return;
    case STEP_TEXT:
        out->byte[walk->bytes[step->at]] = true;
        return;
    case STEP_SPLIT:
    case STEP_BRANCH:
        wait_for(walk, step->yes);
        wait_for(walk, step->no);
        return;
    case STEP_JUMP:
        wait_for(walk, step->yes);
        return;
    case STEP_RUN:
    case STEP_RUN_SHORT:
    case STEP_RUN_LONG:
    case STEP_ALL:
    case STEP_ANY:
        for (size_t i = 0; i < 256; i++) {
            bool any = step->op == STEP_ALL || step->op == STEP_ANY;
            out->byte[i] = out->byte[i] || any || i != walk->delimiter;
        }
        if (step->min == 0) {
            wait_for(walk, at + 1);
        }
        return;
    default:
        wait_for(walk, at + 1);
    }
}

static void firsts_of(struct walk *walk, size_t from, struct firsts *out)
{
    *out = (struct firsts){0};
    memset(walk->seen, 0, sizeof(walk->seen));
    walk->waiting_count = 0;
    wait_for(walk, from);
    while (walk->waiting_count > 0) {
        look_at(walk, walk->waiting[--walk->waiting_count], out);
    }
}

/* The only byte that can come, or 0. */
static uint8_t only_byte(const struct firsts *firsts)
{
    size_t count = 0;
    uint8_t byte = 0;
    for (size_t i = 0; i < 256; i++) {
        count += firsts->byte[i];
        byte = firsts->byte[i] ? (uint8_t)i : byte;
    }
    return count == 1 && !firsts->end ? byte : 0;
}

/* Whether a run can only be followed by what ends it anyway. */
static bool ends_runs(const struct firsts *firsts, uint8_t delimiter)
{
    struct firsts others = *firsts;
    others.byte[delimiter] = false;
    for (size_t i = 0; i < 256; i++) {
        if (others.byte[i]) {
            return false;
        }
    }
    return true;
}

static void refine_step(struct walk *walk, struct pattern_step *steps, size_t at)
{
    struct firsts firsts;
    struct pattern_step *step = &steps[at];
    const struct pattern_step *yes = &steps[step->yes];
    switch ((enum pattern_op)step->op) {
    case STEP_SPLIT:
        firsts_of(walk, step->no, &firsts);
        if (yes->op == STEP_TEXT && !firsts.byte[walk->bytes[yes->at]]) {
            step->op = STEP_BRANCH;
            step->byte = walk->bytes[yes->at];
        }
        return;
    case STEP_RUN_SHORT:
    case STEP_RUN_LONG:
        firsts_of(walk, at + 1, &firsts);
        step->byte = only_byte(&firsts);
        step->op = ends_runs(&firsts, walk->delimiter) ? (uint8_t)STEP_RUN : step->op;
        return;
    case STEP_ANY:
        firsts_of(walk, at + 1, &firsts);
        step->byte = only_byte(&firsts);
        /* At the end of the subject, which is tried first, what follows matches. */
        step->op = firsts.end ? (uint8_t)STEP_ALL : step->op;
        return;
    default:
        return;
    }
}

/* A group that is one run or all the rest is the most frequent of all. What it was made of
 * stays behind, and nobody comes there. */
static void fuse(struct pattern_step *steps, size_t at)
{
    const struct pattern_step *run = &steps[at + 1];
    if (steps[at].op == STEP_BEGIN && (run->op == STEP_RUN || run->op == STEP_ALL) &&
        steps[at + 2].op == STEP_FINISH) {
        steps[at].op = run->op == STEP_RUN ? STEP_TAKE_RUN : STEP_TAKE_ALL;
        steps[at].min = run->min;
        steps[at].yes = (uint16_t)(at + 3);
    }
}

void pattern_refine(struct pattern_step *steps, size_t count, const uint8_t *bytes,
                    uint8_t delimiter)
{
    struct walk walk = {.steps = steps, .bytes = bytes, .delimiter = delimiter};
    for (size_t i = 0; i < count; i++) {
        refine_step(&walk, steps, i);
    }
    for (size_t i = 0; i + 3 < count; i++) {
        fuse(steps, i);
    }
}
