/* SPDX-License-Identifier: MIT */
/* How long an answer may be used again (RFC 9111). */
#pragma once

#include <detour/detour.h>

#include "base/span.h"

/* RFC 9111, 1.2.2: what does not fit counts as this. */
#define SECONDS_MAX (INT64_C(1) << 31)

/* Digits and nothing else. */
bool seconds_read(struct span text, int64_t *out);

/* A number of seconds out of a directive. */
struct directive_seconds {
    bool present;
    bool valid; /* a number; and the same one where it was said twice */
    int64_t value;
};

/* Cache-Control of a request or an answer, all lines together. */
struct directives {
    bool no_store;
    bool no_cache;
    bool is_private;
    bool is_public;
    bool must_revalidate;
    bool must_understand;
    struct directive_seconds max_age;
    struct directive_seconds s_maxage;
    struct directive_seconds min_fresh;
};

/* no_cache also tells of `Pragma: no-cache` where there is no Cache-Control (RFC 9111, 5.4). */
void directives_read(const struct detour_field *fields, size_t count, struct directives *out);

/* guess: whether a cache may make a lifetime up, though the status is not one of those for which
 * it always may (RFC 9111, 4.2.2). */
void freshness_judge(const struct detour_request *request, const struct detour_answer *answer,
                     bool shared, struct detour_freshness *out, bool *guess);
