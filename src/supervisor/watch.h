/* SPDX-License-Identifier: MIT */
/* Whether a process that runs is alive, by its signs of life (shared/heartbeat.h). Ticks of
 * a second are counted, not seconds, so that a time in which the whole machine stood still
 * is held against nobody. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct watch {
    uint64_t sign; /* the last one that was seen, maybe its predecessor's */
    uint32_t patience_s;
    uint32_t silent_ticks;
    bool serves; /* it has given a sign since it was started */
};

/* Before the process is started; patience_s: for its first sign. */
void watch_begin(struct watch *watch, uint64_t sign, uint32_t patience_s);
/* Notes a sign if it is a new one. */
void watch_look(struct watch *watch, uint64_t sign);
/* The same once a second. True: it hangs. */
bool watch_tick(struct watch *watch, uint64_t sign);
