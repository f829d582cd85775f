/* SPDX-License-Identifier: MIT */
/* What the worker itself reads of a snapshot: how rules are counted and called, and the
 * limits. */
#include "worker/internal.h"

uint32_t rule_slot(const struct worker *worker, uint32_t rule)
{
    return snapshot_rule(worker->current.snapshot, rule)->slot;
}

struct span rule_identity(const struct worker *worker, uint32_t rule)
{
    const struct snapshot *snapshot = worker->current.snapshot;
    if (rule == SNAP_NONE) {
        return (struct span){0};
    }
    return snapshot_text(snapshot, snapshot_rule(snapshot, rule)->identity);
}

struct serve_limits limits_of(const struct snapshot *snapshot)
{
    const struct snap_limits *limits = snapshot_limits(snapshot);
    return (struct serve_limits){
        .header_timeout_ms = limits->header_timeout_ms,
        .idle_timeout_ms = limits->idle_timeout_ms,
        .write_timeout_ms = limits->write_timeout_ms,
        .body_idle_ms = limits->lingering_idle_ms,
        .body_time_ms = limits->lingering_time_ms,
        .linger_ms = limits->lingering_time_ms,
        .body_bytes_max = limits->lingering_bytes,
        .connections_max = limits->connections_max,
    };
}
