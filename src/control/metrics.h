/* SPDX-License-Identifier: MIT */
/* What is counted, as OpenMetrics 1.0 text. No I/O. */
#pragma once

#include "base/buffer.h"
#include "exists/exists.h"
#include "health/health.h"
#include "schedule/schedule.h"
#include "shared/counters.h"
#include "shared/servers.h"

struct metrics_rule {
    struct span site;
    struct span identity; /* as in the access log */
    uint32_t slot;
};

struct metrics_detour {
    struct span site;
    struct span identity;
    const struct schedule *schedule;
};

struct metrics_server {
    struct span pool;
    struct span name;
    struct span identity;
    uint32_t slot;
};

struct metrics {
    struct counters_map *counters;
    struct servers_map *servers;
    const struct metrics_rule *rules;
    size_t rule_count;
    const struct metrics_detour *detours;
    size_t detour_count;
    const struct metrics_server *pool_servers;
    size_t pool_server_count;
    const struct health *health; /* NULL: nobody is probed */
    const struct exists *exists; /* NULL: nobody is asked what it has */
    const uint64_t *messages;    /* to webhooks, by outcome; NULL: none are told */
    size_t messages_pending;
    uint64_t generation;
    int64_t now_ns;       /* wall clock */
    int64_t monotonic_ns; /* the same moment by the other one */
};

/* Appends the whole exposition, which ends with "# EOF". out->full when it did not fit. */
void metrics_write(const struct metrics *metrics, struct buffer *out);

/* How much room metrics_write will need at most. */
size_t metrics_size_max(const struct metrics *metrics);
