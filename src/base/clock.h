/* SPDX-License-Identifier: MIT */
/* The two clocks. Timers use the monotonic one; what is told to clients and what a
 * schedule is compared with uses the wall clock. Engines take `now` as a value. */
#pragma once

#include <stdint.h>

#define NS_PER_SECOND INT64_C(1000000000)

/* Nanoseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ns(void);
/* Nanoseconds since some moment before this process began. */
int64_t clock_monotonic_ns(void);
