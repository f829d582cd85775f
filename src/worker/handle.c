/* SPDX-License-Identifier: MIT */
/* One request: decided, answered, counted, logged. Allocates nothing and makes no
 * system call, but for one that is passed on (pass.c). */
#include "worker/internal.h"

#include "base/clock.h"
#include "http/field.h"
#include "worker/pass.h"
#include "worker/question.h"

static void count_rule(struct worker *worker, const struct serve_request *asked,
                       const struct decision *decision)
{
    if (decision->rule != SNAP_NONE) {
        uint32_t slot = snapshot_rule(worker->current.snapshot, decision->rule)->slot;
        counter_add(&worker->rules[slot].hits, 1);
        counter_set(&worker->rules[slot].last_used_s, (uint64_t)(asked->now_ns / NS_PER_SECOND));
    }
}

static void count_request(struct worker *worker, const struct serve_request *asked,
                          const struct decision *decision, uint16_t status)
{
    struct counters_worker *counters = worker->counters;
    counter_add(&counters->requests, 1);
    if (status < counters_statuses) {
        counter_add(&counters->statuses[status], 1);
    }
    if (asked->bad_status != 0) {
        counter_add(&counters->bad_requests, 1);
    }
    if (decision->reason == REASON_REGEX_LIMIT) {
        counter_add(&counters->regex_limits, 1);
    }
    if (decision->reason == REASON_LOOP) {
        counter_add(&counters->loops, 1);
    }
    count_rule(worker, asked, decision);
}

static struct span rule_identity(const struct snapshot *snapshot, uint32_t rule)
{
    if (rule == SNAP_NONE) {
        return (struct span){0};
    }
    return snapshot_text(snapshot, snapshot_rule(snapshot, rule)->identity);
}

/* Path and query as they were sent. In a target they stand together, with a '?' between;
 * an absolute-form target without a path is the exception. */
static struct span sent_path(struct worker *worker, const struct request *request)
{
    if (request->query.ptr == NULL) {
        return request->path;
    }
    if (request->query.ptr == request->path.ptr + request->path.len + 1) {
        return span_of(request->path.ptr, request->path.len + 1 + request->query.len);
    }
    struct buffer joined = buffer_over(worker->log_path, sizeof(worker->log_path));
    buffer_put(&joined, request->path);
    buffer_byte(&joined, '?');
    buffer_put(&joined, request->query);
    return buffer_span(&joined);
}

/* The loop's time stands still while a turn is worked on; a logged request is worth a look
 * at the clock. One that was set meanwhile says nothing. */
static uint32_t duration_us(const struct serve_request *asked)
{
    int64_t worked_ns = clock_wall_ns() - asked->now_ns;
    int64_t sound_ns = worked_ns > 0 && worked_ns < NS_PER_SECOND ? worked_ns : 0;
    return (uint32_t)((asked->duration_ns + sound_ns) / 1000);
}

void worker_record(struct worker *worker, const struct serve_request *asked,
                   const struct request *request, const struct decision *decision,
                   struct record *out)
{
    *out = (struct record){
        .time_ns = asked->now_ns,
        .client_port = decision->client.port,
        .version = request->version_major == 2 ? 20 : (uint8_t)(10 + request->version_minor),
        .secure = decision->client.secure,
        .duration_us = duration_us(asked),
        .strings =
            {
                [RECORD_METHOD] = request->method_name,
                [RECORD_HOST] = decision->host,
                [RECORD_PATH] = sent_path(worker, request),
                [RECORD_RULE] = rule_identity(worker->current.snapshot, decision->rule),
                [RECORD_WHY] = reason_text(decision->reason),
                [RECORD_USER_AGENT] = field_find(request, SPAN("User-Agent")),
            },
    };
    memcpy(out->client, decision->client.address, sizeof(out->client));
}

void worker_log(struct worker *worker, const struct record *record)
{
    uint8_t *room = ring_reserve(worker->ring, record_size(record));
    if (room == NULL) {
        counter_add(&worker->counters->log_dropped, 1);
        return;
    }
    record_encode(record, room);
    ring_commit(worker->ring);
    worker->has_logged = true;
}

/* request: the one that was decided on. */
static void log_request(struct worker *worker, const struct serve_request *asked,
                        const struct request *request, const struct decision *decision,
                        const struct response *response)
{
    struct record record;
    worker_record(worker, asked, request, decision, &record);
    record.status = response->status;
    record.strings[RECORD_LOCATION] = decision->location;
    worker_log(worker, &record);
}

/* What the decision has raised. Nobody waits for the answers: later requests find them. */
static __attribute__((cold, noinline)) void ask_control(struct worker *worker)
{
    struct decide_exists *exists = &worker->decide.exists;
    for (uint32_t i = 0; i < exists->ask_count; i++) {
        const struct decide_ask *ask = &exists->asks[i];
        const struct question_asked question = {.server = ask->server, .path = ask->path};
        switch (questions_ask(worker->questions, &question, ask->key, ask->again, exists->now_s)) {
        case QUESTION_SAID:
            counter_add(&worker->counters->questions, 1);
            worker->has_asked = true;
            break;
        case QUESTION_DROPPED:
            counter_add(&worker->counters->questions_dropped, 1);
            break;
        case QUESTION_SAID_BEFORE:
            break;
        }
    }
    exists->ask_count = 0;
}

void handle_request(void *context, const struct serve_request *asked, struct response *response)
{
    struct worker *worker = context;
    const struct listener_answer *told = &asked->listener->answer;
    const struct request *request = asked->request;
    struct subrequest about;
    struct decision decision;
    if (asked->bad_status != 0) {
        /* Counted and logged like a request that has a decision. */
        decision_init(&decision, asked->request, asked->peer);
        decision_refuse(&decision, REASON_BAD_REQUEST, asked->bad_status);
    } else if (told->decision) {
        request = question_decide(worker, asked, &about, &decision);
    } else {
        decide(&worker->decide, asked->request, asked->peer, asked->now_ns, &decision);
        if (decision.origin != SNAP_NONE && pass_request(worker, asked, &decision)) {
            count_rule(worker, asked, &decision);
            return;
        }
    }
    if (worker->decide.exists.ask_count > 0) {
        ask_control(worker);
    }
    answer_from_decision(&worker->decide, request, &decision, &worker->answer, response);
    if (told->decision) {
        question_answer(worker, asked, &decision, response);
    }
    if (decision.pass && told->pass_status != 0) {
        response->status = told->pass_status;
    }
    count_request(worker, asked, &decision, response->status);
    if (ring_wanted(worker->ring)) {
        log_request(worker, asked, request, &decision, response);
    }
}
