/* SPDX-License-Identifier: MIT */
/* The CPU time of this process, for what is measured in a loop. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}
