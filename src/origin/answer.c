/* SPDX-License-Identifier: MIT */
/* The origin's answer, and its half of a tunnel: towards the client. What the client does not
 * take is held here, and then no more is read. */
#include "origin/internal.h"

#include "base/clock.h"
#include "http/field.h"

#include <assert.h>
#include <stdlib.h>

/* What came of a step. */
enum step {
    STEP_ON,   /* there may be more to do with what is left */
    STEP_WAIT, /* all of it is used or held */
    STEP_OVER, /* the pass is gone */
};

static void set_deadline(struct pass *pass, uint32_t ms)
{
    pass->deadline_ms = deadline_in(pass->origin->set, ms);
}

static enum step fail(struct pass *pass, enum origin_end why)
{
    pass_fail(pass, why);
    return STEP_OVER;
}

static enum step hold(struct pass *pass, struct span bytes)
{
    assert(pass->held == NULL);
    if (bytes.len > 0) {
        pass->held = stash_new(bytes);
    }
    return bytes.len > 0 && pass->held == NULL ? fail(pass, ORIGIN_NO_MEMORY) : STEP_WAIT;
}

/* The client takes no more: neither do we, from the origin. */
static enum step block(struct pass *pass, struct span rest)
{
    pass->blocked = true;
    pass->read_max = read_bytes_slow;
    pass->deadline_ms = 0;
    wire_watch(pass->wire, false);
    return hold(pass, rest);
}

static enum step done(struct pass *pass, struct span rest)
{
    struct field trailers[h1_trailers_max];
    size_t count = h1_trailers_read(&pass->trailers, trailers);
    /* Bytes that nobody asked for would be taken for the next answer. */
    pass->keep &= rest.len == 0 && pass->request_done && !pass->request_cut;
    pass_done(pass, trailers, count);
    return STEP_OVER;
}

static enum step take_plain(struct pass *pass, struct span *bytes)
{
    size_t len = bytes->len;
    if (pass->content == ANSWER_LENGTH && pass->answer_left < len) {
        len = (size_t)pass->answer_left;
    }
    size_t taken = len > 0 ? exchange_write(pass->exchange, span_slice(*bytes, 0, len)) : 0;
    pass->received_bytes += taken;
    *bytes = span_from(*bytes, taken);
    if (pass->content == ANSWER_LENGTH) {
        pass->answer_left -= taken;
        if (pass->answer_left == 0) {
            return done(pass, *bytes);
        }
    }
    return taken < len ? block(pass, *bytes) : STEP_WAIT;
}

static enum step take_chunked(struct pass *pass, struct span *bytes)
{
    struct h1_piece piece;
    size_t used = 0;
    enum h1_result result = h1_body_next(&pass->body, *bytes, &used, &piece);
    *bytes = span_from(*bytes, used);
    if (result == H1_BAD) {
        return fail(pass, ORIGIN_BAD);
    }
    if (!h1_trailers_add(&pass->trailers, piece.trailers)) {
        return fail(pass, ORIGIN_NO_MEMORY);
    }
    if (result == H1_DONE) {
        return done(pass, *bytes);
    }
    if (piece.content.len == 0) {
        return STEP_WAIT;
    }
    size_t taken = exchange_write(pass->exchange, piece.content);
    h1_body_pass(&pass->body, taken);
    pass->received_bytes += taken;
    *bytes = span_from(*bytes, taken);
    return taken < piece.content.len ? block(pass, *bytes) : STEP_ON;
}

static enum step take_content(struct pass *pass, struct span *bytes)
{
    switch ((enum h1_answer_content)pass->content) {
    case ANSWER_NONE:
        return done(pass, *bytes);
    case ANSWER_CHUNKED:
        return take_chunked(pass, bytes);
    case ANSWER_LENGTH:
    case ANSWER_TO_END:
        break;
    }
    return take_plain(pass, bytes);
}

/* Whether the origin chose what was offered (RFC 9110, 7.8). */
static bool was_offered(const struct pass *pass, struct span protocol)
{
    struct span offered = span_of(pass->head + pass->upgrade_at, pass->upgrade_len);
    struct span member;
    while (field_list_next(&offered, &member)) {
        if (span_eq_ci(member, protocol)) {
            return true;
        }
    }
    return false;
}

static void begin(struct pass *pass, const struct h1_answer *answer)
{
    const struct exchange_head head = {
        .status = answer->status,
        .fields = answer->fields,
        .field_count = answer->field_count,
        .upgrade = answer->upgrade,
        .has_length = answer->has_length,
        .content_length = answer->content_length,
    };
    pass->begun = true;
    pass->status = answer->status;
    pass->head_ns = clock_monotonic_ns();
    exchange_begin(pass->exchange, &head);
}

static enum step switch_protocols(struct pass *pass, const struct h1_answer *answer)
{
    if (!was_offered(pass, answer->upgrade) || !pass->request_done) {
        return fail(pass, ORIGIN_BAD);
    }
    begin(pass, answer);
    pass->state = PASS_TUNNEL;
    pass->content = ANSWER_TO_END;
    set_deadline(pass, pass->origin->tunnel_timeout_ms);
    exchange_resume(pass->exchange);
    return STEP_ON;
}

static enum step inform(struct pass *pass, const struct h1_answer *answer)
{
    if (pass->informs++ == origin_informs_max) {
        return fail(pass, ORIGIN_BAD);
    }
    if (answer->status == 100) {
        exchange_continue(pass->exchange);
    } else {
        exchange_inform(pass->exchange, answer->status, answer->fields, answer->field_count);
    }
    if (pass->request_done) {
        set_deadline(pass, pass->origin->response_timeout_ms);
    }
    return STEP_ON;
}

static enum step take_answer(struct pass *pass, const struct h1_answer *answer)
{
    if (answer->status == 101) {
        return switch_protocols(pass, answer);
    }
    if (answer->status < 200) {
        return inform(pass, answer);
    }
    begin(pass, answer);
    pass->state = PASS_CONTENT;
    pass->content = (uint8_t)answer->content;
    pass->answer_left = answer->content_length;
    pass->keep = answer->keep_alive;
    if (answer->content == ANSWER_CHUNKED) {
        h1_answer_body(answer, &pass->body);
    }
    set_deadline(pass, pass->origin->idle_timeout_ms);
    return STEP_ON;
}

static enum step take_head(struct pass *pass, struct span *bytes)
{
    struct h1_answer *answer = &pass->origin->set->answer;
    size_t used = 0;
    if (bytes->len == 0) {
        return STEP_WAIT;
    }
    switch (h1_answer_parse(*bytes, &pass->scanned, pass->method == METHOD_HEAD, answer, &used)) {
    case H1_BAD:
        return fail(pass, ORIGIN_BAD);
    case H1_MORE:
        return hold(pass, *bytes);
    case H1_DONE:
        break;
    }
    pass->scanned = 0;
    *bytes = span_from(*bytes, used);
    return take_answer(pass, answer);
}

/* False: the pass is over. */
static bool take(struct pass *pass, struct span bytes)
{
    enum step step = STEP_ON;
    while (step == STEP_ON) {
        step = pass->state == PASS_HEAD ? take_head(pass, &bytes) : take_content(pass, &bytes);
    }
    return step == STEP_WAIT;
}

/* The origin has closed, or ended its half. */
static void ended(struct pass *pass)
{
    if (pass->state == PASS_HEAD) {
        pass_broken(pass);
    } else if (pass->content != ANSWER_TO_END || pass->wire->cut) {
        pass_fail(pass, ORIGIN_BROKEN);
    } else if (pass->state == PASS_CONTENT) {
        pass->keep = false;
        pass_done(pass, NULL, 0);
    } else {
        exchange_end(pass->exchange, NULL, 0);
        pass->down_done = true;
        if (pass->up_done) {
            pass_over(pass, ORIGIN_DONE);
        } else {
            wire_watch(pass->wire, false);
        }
    }
}

static void note_activity(struct pass *pass)
{
    pass->heard = true;
    if (pass->state == PASS_CONTENT) {
        set_deadline(pass, pass->origin->idle_timeout_ms);
    } else if (pass->state == PASS_TUNNEL) {
        set_deadline(pass, pass->origin->tunnel_timeout_ms);
    }
}

/* Puts what is held of a head where the next bytes come behind it. */
static size_t lay_out_held(struct pass *pass)
{
    struct span left = stash_left(pass->held);
    if (left.len > 0) {
        memcpy(pass->origin->set->in, left.ptr, left.len);
    }
    free(pass->held);
    pass->held = NULL;
    return left.len;
}

/* The pass may be over afterwards. */
static void read_once(struct pass *pass)
{
    struct wire *wire = pass->wire;
    bool again = false;
    size_t held_len = lay_out_held(pass);
    size_t len = wire_read(wire, held_len, pass->read_max, &again);
    if (len > 0) {
        note_activity(pass);
        pass->read_max = again && pass->read_max < read_bytes ? pass->read_max * 2 : pass->read_max;
    }
    /* What was held is held again, if nothing has come behind it. */
    if (take(pass, span_of(pass->origin->set->in, held_len + len)) && wire->ended &&
        !pass->blocked) {
        ended(pass);
    }
}

/* Once a turn, so that the near side has sent what there was before. */
void answer_read(struct pass *pass)
{
    if (pass->blocked) {
        return;
    }
    if (pass->begun && !exchange_ready(pass->exchange)) {
        block(pass, (struct span){0});
        return;
    }
    read_once(pass);
}

void answer_go_on(struct pass *pass)
{
    struct stash *held = pass->held;
    pass->held = NULL;
    pass->blocked = false;
    set_deadline(pass, pass->state == PASS_TUNNEL ? pass->origin->tunnel_timeout_ms
                                                  : pass->origin->idle_timeout_ms);
    bool alive = take(pass, stash_left(held));
    free(held);
    if (!alive || pass->blocked) {
        return;
    }
    if (pass->wire->ended) {
        ended(pass);
    } else {
        wire_watch(pass->wire, true);
    }
}
