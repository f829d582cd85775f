/* SPDX-License-Identifier: MIT */
/* OpenMetrics text: families in a fixed order, values summed over all workers. */
#include "control/metrics.h"

#include "base/clock.h"
#include "events/webhook.h"

#include <inttypes.h>

enum {
    families_bytes_max = 64 * 1024, /* all that is neither a rule nor a server */
    line_bytes_max = 160,           /* of a sample, without its labels' values */
    rule_lines = 2,
    server_lines = 13,
    detour_lines = 6,
};

static void put_help(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

/* In a label value backslash, quote and newline are escaped; the text must be UTF-8, which
 * the configuration has made sure of. */
static void put_label(struct buffer *out, const char *name, struct span value)
{
    buffer_put(out, span_cstr(name));
    buffer_put(out, SPAN("=\""));
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if (c == '\\' || c == '"' || c == '\n') {
            buffer_byte(out, '\\');
            c = c == '\n' ? 'n' : c;
        }
        buffer_byte(out, c);
    }
    buffer_byte(out, '"');
}

static void put_value(struct buffer *out, uint64_t value)
{
    buffer_byte(out, ' ');
    buffer_decimal(out, value);
    buffer_byte(out, '\n');
}

static void put_sample(struct buffer *out, const char *name, uint64_t value)
{
    buffer_put(out, span_cstr(name));
    put_value(out, value);
}

/* One number of every worker's block, by its place in the block. */
static uint64_t sum_at(const struct metrics *m, size_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < counters_lanes(m->counters); i++) {
        const uint8_t *block = (const uint8_t *)counters_of_worker(m->counters, i);
        sum += counter_get((const counter *)(const void *)(block + offset));
    }
    return sum;
}

static void put_statuses(const struct metrics *m, struct buffer *out)
{
    put_help(out, "detour_requests", "counter", "Requests that were answered, by status.");
    for (size_t status = 100; status < counters_statuses; status++) {
        size_t at = offsetof(struct counters_worker, statuses) + status * sizeof(counter);
        uint64_t count = sum_at(m, at);
        if (count > 0) {
            buffer_printf(out, "detour_requests_total{status=\"%zu\"} %" PRIu64 "\n", status,
                          count);
        }
    }
}

static void put_origins(const struct metrics *m, struct buffer *out)
{
    put_help(out, "detour_origin_requests", "counter",
             "Requests for an origin, by what became of them.");
    for (enum origin_end end = 0; end < ORIGIN_ENDS; end++) {
        size_t at = offsetof(struct counters_worker, origin_ends) + end * sizeof(counter);
        put_label(out, "detour_origin_requests_total{ended", origin_end_text(end));
        buffer_byte(out, '}');
        put_value(out, sum_at(m, at));
    }
}

struct family {
    const char *name;
    const char *type;
    const char *sample;
    const char *help;
    size_t offset;
};

static void put_worker_families(const struct metrics *m, struct buffer *out)
{
#define OF(field) offsetof(struct counters_worker, field)
    static const struct family families[] = {
        {"detour_existence_questions", "counter", "detour_existence_questions_total",
         "Questions of workers whether a server has something.", OF(questions)},
        {"detour_existence_questions_dropped", "counter",
         "detour_existence_questions_dropped_total",
         "Those of them that were not passed on, since there were too many.",
         OF(questions_dropped)},
        {"detour_connections_accepted", "counter", "detour_connections_accepted_total",
         "Connections that were accepted.", OF(connections_accepted)},
        {"detour_connections_active", "gauge", "detour_connections_active",
         "Connections that are open now.", OF(connections_active)},
        {"detour_connections_refused", "counter", "detour_connections_refused_total",
         "Connections that were closed at once: too many, or no descriptors left.",
         OF(connections_refused)},
        {"detour_bad_requests", "counter", "detour_bad_requests_total",
         "Requests that were refused before a decision.", OF(bad_requests)},
        {"detour_body_bytes", "counter", "detour_body_bytes_total",
         "Bytes of request bodies that were read and thrown away.", OF(body_bytes)},
        {"detour_http2_resets_received", "counter", "detour_http2_resets_received_total",
         "HTTP/2 streams that clients have reset.", OF(resets_received)},
        {"detour_http2_resets_sent", "counter", "detour_http2_resets_sent_total",
         "HTTP/2 streams that were reset here.", OF(resets_sent)},
        {"detour_http2_goaways", "counter", "detour_http2_goaways_total",
         "HTTP/2 connections that were ended for an error of the client's.", OF(goaways_sent)},
        {"detour_regex_limits", "counter", "detour_regex_limits_total",
         "Requests that spent the budget of their regular expressions.", OF(regex_limits)},
        {"detour_loops", "counter", "detour_loops_total",
         "Requests of clients that the last resort of a pool has sent back.", OF(loops)},
        {"detour_origin_connections", "counter", "detour_origin_connections_total",
         "Connections to origins that were begun.", OF(origin_connections)},
        {"detour_origin_reused", "counter", "detour_origin_reused_total",
         "Requests that went to an origin on a kept connection.", OF(origin_reused)},
        {"detour_origin_retries", "counter", "detour_origin_retries_total",
         "Requests that were sent once more, since a kept connection had gone.",
         OF(origin_retries)},
        {"detour_origin_sent_bytes", "counter", "detour_origin_sent_bytes_total",
         "Bytes of content that went to origins.", OF(origin_sent_bytes)},
        {"detour_origin_received_bytes", "counter", "detour_origin_received_bytes_total",
         "Bytes of content that came from origins.", OF(origin_received_bytes)},
        {"detour_log_dropped", "counter", "detour_log_dropped_total",
         "Access log records that found the ring full.", OF(log_dropped)},
    };
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        put_help(out, families[i].name, families[i].type, families[i].help);
        put_sample(out, families[i].sample, sum_at(m, families[i].offset));
    }
    put_help(out, "detour_tls_handshakes", "counter", "TLS handshakes that came to an end.");
    put_sample(out, "detour_tls_handshakes_total{result=\"full\"}", sum_at(m, OF(handshakes)));
    put_sample(out, "detour_tls_handshakes_total{result=\"resumed\"}",
               sum_at(m, OF(handshakes_resumed)));
    put_sample(out, "detour_tls_handshakes_total{result=\"failed\"}",
               sum_at(m, OF(handshakes_failed)));
    put_help(out, "detour_bodies", "counter",
             "Request bodies: of which nothing came, thrown away to their end, or cut off.");
    put_sample(out, "detour_bodies_total{outcome=\"not sent\"}", sum_at(m, OF(bodies_not_sent)));
    put_sample(out, "detour_bodies_total{outcome=\"drained\"}", sum_at(m, OF(bodies_drained)));
    put_sample(out, "detour_bodies_total{outcome=\"cut\"}", sum_at(m, OF(bodies_cut)));
    put_help(out, "detour_timeouts", "counter", "Connections that were closed for being slow.");
    put_sample(out, "detour_timeouts_total{kind=\"header\"}", sum_at(m, OF(timeouts_header)));
    put_sample(out, "detour_timeouts_total{kind=\"idle\"}", sum_at(m, OF(timeouts_idle)));
    put_sample(out, "detour_timeouts_total{kind=\"write\"}", sum_at(m, OF(timeouts_write)));
#undef OF
}

static void put_log_families(const struct counters_common *common, struct buffer *out)
{
    put_help(out, "detour_log_records", "counter", "Access log records that were taken up.");
    put_sample(out, "detour_log_records_total", counter_get(&common->log_records));
    put_help(out, "detour_log_bytes", "counter", "Bytes of the access log that were written.");
    put_sample(out, "detour_log_bytes_total", counter_get(&common->log_bytes));
    put_help(out, "detour_log_write_errors", "counter", "Failed writes of the access log.");
    put_sample(out, "detour_log_write_errors_total", counter_get(&common->log_write_errors));
    put_help(out, "detour_log_lost", "counter", "Access log lines that were never written.");
    put_sample(out, "detour_log_lost_total", counter_get(&common->log_lost));
}

static void put_processes(const struct metrics *m, struct buffer *out)
{
    const struct counters_common *common = counters_common(m->counters);
    put_help(out, "detour_workers", "gauge", "Worker processes.");
    put_sample(out, "detour_workers", counters_workers(m->counters));
    put_help(out, "detour_restarts", "counter", "Processes that ended and were replaced.");
    put_sample(out, "detour_restarts_total{process=\"worker\"}",
               counter_get(&common->restarts_workers));
    put_sample(out, "detour_restarts_total{process=\"control\"}",
               counter_get(&common->restarts_control));
    put_sample(out, "detour_restarts_total{process=\"logger\"}",
               counter_get(&common->restarts_logger));
}

static void put_snapshot(const struct metrics *m, struct buffer *out)
{
    const struct counters_common *common = counters_common(m->counters);
    int64_t age_ns = m->now_ns - (int64_t)counter_get(&common->snapshot_time_ns);
    age_ns = age_ns > 0 ? age_ns : 0;
    put_help(out, "detour_snapshot_generation", "gauge", "Number of the newest snapshot.");
    put_sample(out, "detour_snapshot_generation", m->generation);
    put_help(out, "detour_snapshot_age_seconds", "gauge", "Time since it was published.");
    buffer_printf(out, "detour_snapshot_age_seconds %" PRId64 ".%03d\n", age_ns / NS_PER_SECOND,
                  (int)(age_ns % NS_PER_SECOND / 1000000));
    put_help(out, "detour_config_last_reload_success", "gauge",
             "1 when the last reading of the file was used, 0 when it had errors.");
    put_sample(out, "detour_config_last_reload_success", counter_get(&common->reload_success));
    put_help(out, "detour_config_last_reload_timestamp_seconds", "gauge",
             "When the file was read last.");
    put_sample(out, "detour_config_last_reload_timestamp_seconds",
               counter_get(&common->reload_time_s));
}

static void put_rule_sample(struct buffer *out, const char *name, const struct metrics_rule *rule,
                            uint64_t value)
{
    buffer_put(out, span_cstr(name));
    put_label(out, "{site", rule->site);
    put_label(out, ",rule", rule->identity);
    buffer_byte(out, '}');
    put_value(out, value);
}

static void put_rules(const struct metrics *m, struct buffer *out)
{
    uint32_t lanes = counters_lanes(m->counters);
    put_help(out, "detour_rule_hits", "counter", "Requests that a rule answered.");
    for (size_t i = 0; i < m->rule_count; i++) {
        uint64_t hits = 0;
        for (uint32_t w = 0; w < lanes; w++) {
            hits += counter_get(&counters_rules(m->counters, w)[m->rules[i].slot].hits);
        }
        put_rule_sample(out, "detour_rule_hits_total", &m->rules[i], hits);
    }
    put_help(out, "detour_rule_last_used_timestamp_seconds", "gauge",
             "When a rule answered last; absent for one that never did.");
    for (size_t i = 0; i < m->rule_count; i++) {
        uint64_t last = 0;
        for (uint32_t w = 0; w < lanes; w++) {
            uint64_t used =
                counter_get(&counters_rules(m->counters, w)[m->rules[i].slot].last_used_s);
            last = used > last ? used : last;
        }
        if (last > 0) {
            put_rule_sample(out, "detour_rule_last_used_timestamp_seconds", &m->rules[i], last);
        }
    }
}

static void put_detour_labels(struct buffer *out, const char *name,
                              const struct metrics_detour *detour)
{
    buffer_put(out, span_cstr(name));
    put_label(out, "{site", detour->site);
    put_label(out, ",rule", detour->identity);
}

static void put_detours(const struct metrics *m, struct buffer *out)
{
    struct schedule_view view;
    put_help(out, "detour_window_state", "stateset", "Where a detour is in its life.");
    for (size_t i = 0; i < m->detour_count; i++) {
        schedule_at(m->detours[i].schedule, m->now_ns, &view);
        for (int state = SCHEDULE_PLANNED; state <= SCHEDULE_OVER; state++) {
            put_detour_labels(out, "detour_window_state", &m->detours[i]);
            put_label(out, ",detour_window_state",
                      span_cstr(schedule_state_text((enum schedule_state)state)));
            buffer_byte(out, '}');
            put_value(out, state == (int)view.state);
        }
    }
    put_help(out, "detour_window_share_ratio", "gauge", "The part of all clients that it has now.");
    for (size_t i = 0; i < m->detour_count; i++) {
        schedule_at(m->detours[i].schedule, m->now_ns, &view);
        put_detour_labels(out, "detour_window_share_ratio", &m->detours[i]);
        buffer_printf(out, "} %u.%06u\n", view.share_ppm / 1000000, view.share_ppm % 1000000);
    }
    put_help(out, "detour_window_overdue_seconds", "gauge",
             "For how long a detour has been held past its end; absent for those that are not.");
    for (size_t i = 0; i < m->detour_count; i++) {
        schedule_at(m->detours[i].schedule, m->now_ns, &view);
        if (view.state == SCHEDULE_HELD) {
            put_detour_labels(out, "detour_window_overdue_seconds", &m->detours[i]);
            buffer_byte(out, '}');
            put_value(out, (uint64_t)((m->now_ns - view.closes_ns) / NS_PER_SECOND));
        }
    }
}

static void put_messages(const struct metrics *m, struct buffer *out)
{
    static const char *const outcomes[WEBHOOK_OUTCOMES] = {[WEBHOOK_DELIVERED] = "delivered",
                                                           [WEBHOOK_FAILED] = "failed",
                                                           [WEBHOOK_GIVEN_UP] = "given_up",
                                                           [WEBHOOK_DROPPED] = "dropped"};
    if (m->messages == NULL) {
        return;
    }
    put_help(out, "detour_webhook_messages", "counter",
             "Tries to tell a webhook something that failed, and how messages ended.");
    for (size_t i = 0; i < WEBHOOK_OUTCOMES; i++) {
        put_label(out, "detour_webhook_messages_total{outcome", span_cstr(outcomes[i]));
        buffer_byte(out, '}');
        put_value(out, m->messages[i]);
    }
    put_help(out, "detour_webhook_pending", "gauge", "Messages to webhooks on their way.");
    buffer_put(out, SPAN("detour_webhook_pending"));
    put_value(out, m->messages_pending);
}

static void put_server_labels(struct buffer *out, const char *name,
                              const struct metrics_server *server)
{
    buffer_put(out, span_cstr(name));
    put_label(out, "{pool", server->pool);
    put_label(out, ",server", server->name);
}

/* A stateset: one sample for each state, of which one is 1. */
static void put_state(const struct metrics *m, const struct metrics_server *server,
                      struct buffer *out)
{
    static const struct span names[] = {[SERVER_UP] = {(const uint8_t *)"up", 2},
                                        [SERVER_DOWN] = {(const uint8_t *)"down", 4},
                                        [SERVER_DRAIN] = {(const uint8_t *)"drain", 5},
                                        [SERVER_MAINT] = {(const uint8_t *)"maint", 5}};
    enum server_state state = server_live_state(&servers_live(m->servers)[server->slot]);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        put_server_labels(out, "detour_server_state", server);
        put_label(out, ",detour_server_state", names[i]);
        buffer_byte(out, '}');
        put_value(out, i == (size_t)state);
    }
}

static void put_pools(const struct metrics *m, struct buffer *out)
{
    put_help(out, "detour_server_state", "stateset", "Whether a server of a pool is used.");
    for (size_t i = 0; i < m->pool_server_count; i++) {
        put_state(m, &m->pool_servers[i], out);
    }
    put_help(out, "detour_server_weight_ratio", "gauge",
             "The part of its configured weight that a server has now.");
    for (size_t i = 0; i < m->pool_server_count; i++) {
        const struct metrics_server *server = &m->pool_servers[i];
        uint32_t ppm = server_live_weight_ppm(&servers_live(m->servers)[server->slot]);
        put_server_labels(out, "detour_server_weight_ratio", server);
        buffer_printf(out, "} %u.%06u\n", ppm / 1000000, ppm % 1000000);
    }
}

static void put_seconds(struct buffer *out, const char *name, const struct metrics_server *server,
                        int64_t ns)
{
    put_server_labels(out, name, server);
    buffer_printf(out, "} %lld.%06lld\n", (long long)(ns / NS_PER_SECOND),
                  (long long)(ns % NS_PER_SECOND / 1000));
}

static void put_probe_count(const struct metrics *m, struct buffer *out, bool failures)
{
    const char *name =
        failures ? "detour_server_probe_failures_total" : "detour_server_probes_total";
    struct health_view view;
    for (size_t i = 0; i < m->pool_server_count; i++) {
        if (health_look(m->health, m->pool_servers[i].slot, &view)) {
            put_server_labels(out, name, &m->pool_servers[i]);
            buffer_byte(out, '}');
            put_value(out, failures ? view.failures : view.probes);
        }
    }
}

static void put_probes(const struct metrics *m, struct buffer *out)
{
    struct health_view view;
    put_help(out, "detour_server_since_timestamp_seconds", "gauge",
             "When the state of a server changed last; absent for one that never did.");
    for (size_t i = 0; i < m->pool_server_count; i++) {
        const struct metrics_server *server = &m->pool_servers[i];
        int64_t since = (int64_t)server_live_since_ns(&servers_live(m->servers)[server->slot]);
        if (since != 0) {
            put_seconds(out, "detour_server_since_timestamp_seconds", server,
                        m->now_ns - m->monotonic_ns + since);
        }
    }
    put_help(out, "detour_server_probe_duration_seconds", "gauge",
             "How long the last probe of a server took.");
    for (size_t i = 0; i < m->pool_server_count; i++) {
        if (health_look(m->health, m->pool_servers[i].slot, &view) && view.asked_ns != 0) {
            put_seconds(out, "detour_server_probe_duration_seconds", &m->pool_servers[i],
                        view.latency_us * 1000);
        }
    }
    put_help(out, "detour_server_probes", "counter", "Probes of a server that ended.");
    put_probe_count(m, out, false);
    put_help(out, "detour_server_probe_failures", "counter", "Those of them that failed.");
    put_probe_count(m, out, true);
}

static void put_existence(const struct metrics *m, struct buffer *out)
{
    static const struct span names[] = {{(const uint8_t *)"yes", 3},
                                        {(const uint8_t *)"no", 2},
                                        {(const uint8_t *)"failed", 6},
                                        {(const uint8_t *)"dropped", 7}};
    struct exists_counts counts;
    put_help(out, "detour_server_existence_questions", "counter",
             "Questions whether a server has what was asked for, by what became of them.");
    for (size_t i = 0; i < m->pool_server_count; i++) {
        if (!exists_look(m->exists, m->pool_servers[i].slot, &counts)) {
            continue;
        }
        const uint64_t values[] = {counts.yes, counts.no, counts.failed, counts.dropped};
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
            put_server_labels(out, "detour_server_existence_questions_total", &m->pool_servers[i]);
            put_label(out, ",result", names[k]);
            buffer_byte(out, '}');
            put_value(out, values[k]);
        }
    }
    put_help(out, "detour_existence_pending", "gauge",
             "Questions to servers that wait or are on their way.");
    buffer_put(out, SPAN("detour_existence_pending"));
    put_value(out, exists_pending(m->exists));
    put_help(out, "detour_existence_evicted", "counter",
             "Answers of servers that were forgotten before their time, since there was no room.");
    buffer_put(out, SPAN("detour_existence_evicted_total"));
    put_value(out, exists_evicted(m->exists));
}

void metrics_write(const struct metrics *m, struct buffer *out)
{
    put_help(out, "detour_build", "info", "The program.");
    buffer_put(out, SPAN("detour_build_info{version=\"" DETOUR_VERSION "\"} 1\n"));
    put_processes(m, out);
    put_snapshot(m, out);
    put_statuses(m, out);
    put_worker_families(m, out);
    put_origins(m, out);
    put_log_families(counters_common(m->counters), out);
    put_rules(m, out);
    put_detours(m, out);
    put_pools(m, out);
    put_probes(m, out);
    put_existence(m, out);
    put_messages(m, out);
    buffer_put(out, SPAN("# EOF\n"));
}

size_t metrics_size_max(const struct metrics *m)
{
    size_t size = families_bytes_max;
    for (size_t i = 0; i < m->rule_count; i++) {
        size_t labels = 2 * (m->rules[i].site.len + m->rules[i].identity.len);
        size += rule_lines * (line_bytes_max + labels);
    }
    for (size_t i = 0; i < m->detour_count; i++) {
        size_t labels = 2 * (m->detours[i].site.len + m->detours[i].identity.len);
        size += detour_lines * (line_bytes_max + labels);
    }
    for (size_t i = 0; i < m->pool_server_count; i++) {
        size_t labels = 2 * (m->pool_servers[i].pool.len + m->pool_servers[i].name.len);
        size += server_lines * (line_bytes_max + labels);
    }
    return size;
}
