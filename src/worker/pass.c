/* SPDX-License-Identifier: MIT */
/* What is kept of a request while an origin answers it: its line for the log. */
#include "worker/pass.h"

#include "base/clock.h"
#include "http/accept.h"

#include <stdlib.h>

/* As others write it into their logs: the client went away before there was an answer. */
enum { status_client_gone = 499 };

enum { retry_after_s = 5 };

struct passed {
    struct worker *worker;
    bool html;           /* a browser asks */
    int64_t duration_ns; /* before it was passed on */
    size_t record_len;   /* 0: there is no log */
    uint8_t record[];
};

static enum reason reason_of(enum origin_end end)
{
    switch (end) {
    case ORIGIN_UNREACHED:
        return REASON_ORIGIN_REFUSED;
    case ORIGIN_BROKEN:
    case ORIGIN_BAD:
        return REASON_ORIGIN_BAD;
    case ORIGIN_LATE:
        return REASON_ORIGIN_LATE;
    case ORIGIN_BUSY:
    case ORIGIN_UNRESOLVED:
    case ORIGIN_NO_MEMORY:
        return REASON_ORIGIN_BUSY;
    default:
        return REASON_ORIGIN_NOT;
    }
}

static void be_refused(struct decision *decision, enum origin_end why, uint16_t status)
{
    decision_refuse(decision, reason_of(why), status);
    decision->action = NULL;
    decision->pass = false;
    decision->problem = status != 204;
    decision->retry_after_s = status == 503 ? retry_after_s : -1;
}

/* The request has gone by now, and nothing of it has a say in this. */
static void refuse(void *context, enum origin_end why, uint16_t status, struct response *response)
{
    static const struct request nothing = {.version_major = 1, .port = -1};
    static const struct client nobody;
    struct passed *passed = context;
    struct worker *worker = passed->worker;
    struct decision decision;
    decision_init(&decision, &nothing, &nobody);
    be_refused(&decision, why, status);
    decision.html = passed->html;
    answer_from_decision(&worker->decide, &nothing, &decision, &worker->answer, response);
}

static void count(struct worker *worker, uint16_t status)
{
    counter_add(&worker->counters->requests, 1);
    counter_add(&worker->counters->statuses[status], 1);
}

static void log_passed(const struct passed *passed, const struct origin_report *report,
                       uint16_t status)
{
    struct record record;
    int64_t duration_us = passed->duration_ns / 1000 + report->total_us;
    if (!record_decode(span_of(passed->record, passed->record_len), &record)) {
        return;
    }
    record.status = status;
    record.duration_us = duration_us < UINT32_MAX ? (uint32_t)duration_us : UINT32_MAX;
    record.origin_status = report->upstream_status;
    record.origin_us =
        report->upstream_us < UINT32_MAX ? (uint32_t)report->upstream_us : UINT32_MAX;
    record.bytes_sent = report->sent_bytes;
    record.bytes_received = report->received_bytes;
    record.strings[RECORD_ORIGIN] = report->origin;
    if (report->end != ORIGIN_DONE) {
        record.strings[RECORD_ENDED] = origin_end_text(report->end);
    }
    worker_log(passed->worker, &record);
}

static void done(void *context, const struct origin_report *report)
{
    struct passed *passed = context;
    uint16_t status = report->status != 0 ? report->status : status_client_gone;
    count(passed->worker, status);
    if (passed->record_len > 0) {
        log_passed(passed, report, status);
    }
    free(passed);
}

static const struct origin_owner owner = {.refuse = refuse, .done = done};

static struct passed *passed_new(struct worker *worker, const struct serve_request *asked,
                                 const struct decision *decision)
{
    struct record record;
    size_t len = 0;
    if (ring_wanted(worker->ring)) {
        worker_record(worker, asked, asked->request, decision, &record);
        len = record_size(&record);
    }
    struct passed *passed = malloc(sizeof(*passed) + len);
    if (passed == NULL) {
        return NULL;
    }
    *passed = (struct passed){
        .worker = worker,
        .html = accept_names_html(asked->request->known.accept),
        .duration_ns = asked->duration_ns,
        .record_len = len,
    };
    if (len > 0) {
        record_encode(&record, passed->record);
    }
    return passed;
}

static bool is_trusted(const struct worker *worker, const struct client *peer)
{
    const struct snapshot *snapshot = worker->current.snapshot;
    struct snap_list trusted = snapshot->trusted;
    return trusted.count > 0 &&
           cidr_any_holds(snapshot_at(snapshot, trusted.off), trusted.count, peer->address);
}

bool pass_request(struct worker *worker, const struct serve_request *asked,
                  struct decision *decision)
{
    struct passed *passed = passed_new(worker, asked, decision);
    struct origin_asked about = {
        .asked = asked,
        .client = &decision->client,
        .peer_trusted = is_trusted(worker, asked->peer),
        .host = decision->host,
        .port = decision->port,
    };
    enum origin_end end = ORIGIN_NO_MEMORY;
    uint16_t status = 503;
    if (passed != NULL) {
        end = origin_pass(worker->origins, decision->origin, &about, &owner, passed, &status);
    }
    if (end == ORIGIN_DONE) {
        return true;
    }
    free(passed);
    be_refused(decision, end, status);
    decision->html = accept_names_html(asked->request->known.accept);
    return false;
}
