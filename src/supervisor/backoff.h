/* SPDX-License-Identifier: MIT */
/* How long to wait before a process that ended is started anew: not at all the first time,
 * then 100 ms, doubling up to 10 s; one that lived for 10 s begins from the start. */
#pragma once

#include <stdint.h>

enum { backoff_first_ms = 100, backoff_max_ms = 10000, backoff_reset_ms = 10000 };

struct backoff {
    uint32_t failures; /* in a row; zero to begin with */
};

/* To be called once for each end of the process. */
int64_t backoff_delay_ms(struct backoff *backoff, int64_t lived_ms);
