/* SPDX-License-Identifier: MIT */
/* When a server counts as up or down, and how much it is given after it came back. Pure.
 *
 * After `fall` failures in a row it is down, at once; after `rise` successes in a row it is
 * up again, but not before hold_down_ms have passed since it went down. So one that flaps is
 * down soon, and comes up once in hold_down_ms at most. Then its weight grows to what it is
 * in slow_start_ms, in steps. Times are of one monotonic clock, in milliseconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { track_steps = 20, track_ppm_full = 1000000 };

struct track_rule {
    uint32_t fall;          /* at least 1 */
    uint32_t rise;          /* at least 1 */
    uint32_t hold_down_ms;  /* 0: none */
    uint32_t slow_start_ms; /* 0: all of its weight at once */
};

struct track {
    bool up;
    bool growing;    /* it came up, and has not got all of its weight yet */
    uint32_t streak; /* probes in a row that spoke against `up` */
    int64_t since_ms;
};

/* Hears one probe. True when `up` has changed, which was at now_ms. */
bool track_hear(struct track *track, const struct track_rule *rule, bool success, int64_t now_ms);

/* For how long it is still held down; 0: it is up, or might come up now. */
int64_t track_held_ms(const struct track *track, const struct track_rule *rule, int64_t now_ms);

/* What part of its weight it gets now: never 0. Sets *next_ms_out to when that changes by
 * itself; 0: it does not. */
uint32_t track_weight_ppm(struct track *track, const struct track_rule *rule, int64_t now_ms,
                          int64_t *next_ms_out);

/* What part of its clients is left to one that has been leaving since began_ms and is to be rid of
 * them in drain_ms: from all of them in 20 steps to none. Sets *next_ms_out as track_weight_ppm. */
uint32_t track_drain_ppm(int64_t began_ms, uint32_t drain_ms, int64_t now_ms, int64_t *next_ms_out);
