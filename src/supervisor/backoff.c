/* SPDX-License-Identifier: MIT */
/* The arithmetic of waiting before a restart. */
#include "supervisor/backoff.h"

enum { failures_max = 8 /* 100 ms << 7 is beyond the maximum already */ };

int64_t backoff_delay_ms(struct backoff *backoff, bool served, int64_t lived_ms)
{
    if (served) {
        backoff->failures = 0;
        return lived_ms < backoff_apart_ms ? backoff_apart_ms - lived_ms : 0;
    }
    uint32_t failures = backoff->failures;
    if (failures < failures_max) {
        backoff->failures++;
    }
    if (failures == 0) {
        return 0;
    }
    int64_t delay = (int64_t)backoff_first_ms << (failures - 1);
    return delay < backoff_max_ms ? delay : backoff_max_ms;
}
