/* SPDX-License-Identifier: MIT */
/* Walks along every line of a list, many at once, and keeps what came of each. */
#pragma once

#include "audit/judge.h"

#include <ev.h>
#include <stdio.h>

enum {
    audit_retry_wait_max_s = 60, /* between two tries */
    audit_waiting_max = 4096,    /* lines that wait for another try */
};

struct audit_result {
    uint32_t findings; /* bits */
    bool done;
    uint8_t outcome; /* enum walk_outcome */
    uint16_t tries;
    const char *reason; /* of a refusal or a failure; NULL */
    const struct audit_hop *hops;
    size_t hop_count;
    int64_t total_us;
};

struct audit_options {
    const struct walker_options *walker; /* at_once_max: --parallel */
    const struct audit_rules *rules;
    struct detour_text method;
    const struct detour_field *fields;
    size_t field_count;
    uint32_t retries;
    uint32_t retry_delay_ms; /* before the first; doubled for each that follows */
    FILE *progress;          /* a terminal; NULL: no bar */
};

/* Results are the arena's, one for each row. ERR_MEMORY: some rows are not done. */
enum err audit_run(const struct audit_list *list, const struct audit_options *options,
                   struct arena *arena, struct audit_result **out);
