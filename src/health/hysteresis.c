/* SPDX-License-Identifier: MIT */
/* Counting probes that speak against the present state. */
#include "health/hysteresis.h"

bool hysteresis_hear(struct hysteresis *state, bool success, uint32_t fall, uint32_t rise)
{
    if (success == state->up) {
        state->streak = 0;
        return false;
    }
    state->streak++;
    if (state->streak < (state->up ? fall : rise)) {
        return false;
    }
    state->up = success;
    state->streak = 0;
    return true;
}
