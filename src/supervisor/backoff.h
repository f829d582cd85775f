/* SPDX-License-Identifier: MIT */
/* How long to wait before a process that ended is started anew.
 *
 * One that served is started at once, only never more than 20 times a second: whoever finds
 * a request that kills a worker must not gain more by it than that. One that never came so
 * far would fail again: not at all the first time, then 100 ms, doubling up to 10 s. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { backoff_apart_ms = 50, backoff_first_ms = 100, backoff_max_ms = 10000 };

struct backoff {
    uint32_t failures; /* to serve, in a row; zero to begin with */
};

/* To be called once for each end of the process. lived_ms: since it was started. */
int64_t backoff_delay_ms(struct backoff *backoff, bool served, int64_t lived_ms);
