/* SPDX-License-Identifier: MIT */
/* One request on its way: its begin, and the ways it can end. */
#include "origin/internal.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

/* Of an answer that is ours; 0 where there is none. */
static uint16_t status_of_end(enum origin_end end)
{
    static const uint16_t statuses[ORIGIN_ENDS] = {
        [ORIGIN_UNREACHED] = 502, [ORIGIN_BROKEN] = 502, [ORIGIN_BAD] = 502,
        [ORIGIN_LATE] = 504,      [ORIGIN_BUSY] = 503,   [ORIGIN_UNRESOLVED] = 503,
        [ORIGIN_NO_MEMORY] = 503,
    };
    return statuses[end];
}

static uint16_t status_of_refusal(enum encode_result result)
{
    switch (result) {
    case ENCODE_LONG:
        return 431;
    case ENCODE_LOOP:
        return 508;
    case ENCODE_FORWARDS:
        return 204;
    case ENCODE_BAD:
    case ENCODE_DONE:
        break;
    }
    return 400;
}

static void count_end(struct origin *origin, enum origin_end end)
{
    counter_add(&origin->set->counters->origin_ends[end], 1);
}

static struct origin_report report_of(const struct pass *pass, enum origin_end end)
{
    return (struct origin_report){
        .end = end,
        .status = pass->status,
        .upstream_status = pass->begun ? pass->status : 0,
        .reused = pass->reused,
        .upstream_us = pass->head_ns != 0 ? (pass->head_ns - pass->started_ns) / 1000 : -1,
        .total_us = (clock_monotonic_ns() - pass->started_ns) / 1000,
        .sent_bytes = pass->sent_bytes,
        .received_bytes = pass->received_bytes,
        .origin = pass->origin->name,
    };
}

/* The exchange has ended, the wire has been given away. Whoever waits gets its turn. */
static void finish(struct pass *pass, enum origin_end end)
{
    struct origin *origin = pass->origin;
    struct counters_worker *counters = origin->set->counters;
    struct origin_report report = report_of(pass, end);
    count_end(origin, end);
    counter_add(&counters->origin_sent_bytes, pass->sent_bytes);
    counter_add(&counters->origin_received_bytes, pass->received_bytes);
    pass->owner->done(pass->context, &report);
    chain_remove(&pass->chain);
    origin->waiting_count -= pass->state == PASS_WAITING;
    origin->pass_count--;
    sweep_remove(origin->set);
    h1_trailers_free(&pass->trailers);
    free(pass->held);
    free(pass);
    pool_serve(origin);
}

static void drop_wire(struct pass *pass)
{
    if (pass->wire != NULL) {
        wire_close(pass->wire);
        pass->wire = NULL;
    }
}

void pass_fail(struct pass *pass, enum origin_end why)
{
    drop_wire(pass);
    if (pass->begun) {
        exchange_abort(pass->exchange);
    } else {
        struct response response;
        response_clear(&response);
        pass->owner->refuse(pass->context, why, status_of_end(why), &response);
        pass->status = response.status;
        exchange_answer(pass->exchange, &response);
    }
    finish(pass, why);
}

void pass_done(struct pass *pass, const struct field *trailers, size_t count)
{
    exchange_end(pass->exchange, trailers, count);
    pool_give_back(pass->wire, pass->keep);
    pass->wire = NULL;
    finish(pass, ORIGIN_DONE);
}

void pass_over(struct pass *pass, enum origin_end end)
{
    drop_wire(pass);
    finish(pass, end);
}

void pass_connected(struct pass *pass)
{
    struct span head = span_of(pass->head, pass->head_len);
    pass->state = PASS_HEAD;
    pass->heard = false;
    pass->scanned = 0;
    pass->deadline_ms = 0;
    wire_send(pass->wire, &head, 1);
    if (pass->request_done) {
        if (pass->body_kind == BODY_CHUNKED) { /* without any content, or it would not be tried */
            struct span end = SPAN("0\r\n\r\n");
            wire_send(pass->wire, &end, 1);
        }
        pass->deadline_ms = deadline_in(pass->origin->set, pass->origin->response_timeout_ms);
    } else {
        exchange_resume(pass->exchange);
    }
}

static struct pass *pass_new(struct origin *origin, const struct request *request, struct span head,
                             struct span upgrade)
{
    struct pass *pass = calloc(1, sizeof(*pass) + head.len);
    if (pass == NULL) {
        return NULL;
    }
    memcpy(pass->head, head.ptr, head.len);
    pass->head_len = head.len;
    if (upgrade.len > 0) {
        pass->upgrade_at = (uint32_t)(upgrade.ptr - head.ptr);
        pass->upgrade_len = (uint32_t)upgrade.len;
    }
    pass->origin = origin;
    pass->method = (uint8_t)request->method;
    pass->body_kind = (uint8_t)request->body;
    pass->content_left = request->content_length;
    pass->request_done = request->body == BODY_NONE;
    pass->read_max = read_bytes_slow;
    pass->started_ns = clock_monotonic_ns();
    return pass;
}

static enum origin_end begin(struct pass *pass, const struct serve_request *asked)
{
    struct origin *origin = pass->origin;
    pass->exchange = server_pass(asked, &pass_far, pass);
    if (pass->exchange == NULL) {
        free(pass);
        return ORIGIN_NO_MEMORY;
    }
    chain_add(&origin->passes, &pass->chain);
    origin->pass_count++;
    sweep_add(origin->set);
    pass->state = PASS_OPENING;
    counter_add(&origin->set->counters->origin_requests, 1);
    pool_seek(pass, false);
    return ORIGIN_DONE;
}

static enum encode_result encode(struct origin *origin, const struct origin_asked *asked,
                                 struct buffer *out, struct span *upgrade)
{
    const struct encode_asked encoded = {
        .request = asked->asked->request,
        .peer = asked->asked->peer,
        .client = asked->client,
        .peer_trusted = asked->peer_trusted,
        .host = asked->host,
        .port = asked->port,
        .own_host = origin->own_host,
        .authority = origin->authority,
    };
    return request_encode(&encoded, out, upgrade);
}

static enum origin_end refuse(struct origin *origin, enum origin_end end, uint16_t status,
                              uint16_t *status_out)
{
    count_end(origin, end);
    *status_out = status;
    return end;
}

enum origin_end origin_pass(struct origins *set, uint32_t index, const struct origin_asked *asked,
                            const struct origin_owner *owner, void *context, uint16_t *status)
{
    assert(index < set->count);
    struct origin *origin = set->by_index[index];
    struct buffer head = buffer_over(set->plain, encode_bytes_max);
    struct span upgrade = {0};
    if (origin->address_count == 0) {
        return refuse(origin, ORIGIN_UNRESOLVED, 503, status);
    }
    enum encode_result result = encode(origin, asked, &head, &upgrade);
    if (result != ENCODE_DONE) {
        return refuse(origin, ORIGIN_REQUEST, status_of_refusal(result), status);
    }
    struct pass *pass = pass_new(origin, asked->asked->request, buffer_span(&head), upgrade);
    if (pass == NULL) {
        return refuse(origin, ORIGIN_NO_MEMORY, 503, status);
    }
    pass->owner = owner;
    pass->context = context;
    enum origin_end end = begin(pass, asked->asked);
    return end == ORIGIN_DONE ? end : refuse(origin, end, 503, status);
}
