/* SPDX-License-Identifier: MIT */
/* When a server counts as up or down: after `fall` failures in a row it is down, after
 * `rise` successes in a row it is up again. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hysteresis {
    bool up;
    uint32_t streak; /* probes in a row that spoke against `up` */
};

/* Hears one probe. True when the state has changed. fall and rise are at least 1. */
bool hysteresis_hear(struct hysteresis *state, bool success, uint32_t fall, uint32_t rise);
