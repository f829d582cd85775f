/* SPDX-License-Identifier: MIT */
/* Counting probes that speak against the present state, and time since it began. */
#include "health/track.h"

int64_t track_held_ms(const struct track *track, const struct track_rule *rule, int64_t now_ms)
{
    int64_t left = track->since_ms + rule->hold_down_ms - now_ms;
    return track->up || left < 0 ? 0 : left;
}

static bool is_enough(const struct track *track, const struct track_rule *rule, int64_t now_ms)
{
    if (track->up) {
        return track->streak >= rule->fall;
    }
    return track->streak >= rule->rise && track_held_ms(track, rule, now_ms) == 0;
}

bool track_hear(struct track *track, const struct track_rule *rule, bool success, int64_t now_ms)
{
    if (success == track->up) {
        track->streak = 0;
        return false;
    }
    track->streak += track->streak < UINT32_MAX;
    if (!is_enough(track, rule, now_ms)) {
        return false;
    }
    *track = (struct track){
        .up = success, .growing = success && rule->slow_start_ms > 0, .since_ms = now_ms};
    return true;
}

uint32_t track_weight_ppm(struct track *track, const struct track_rule *rule, int64_t now_ms,
                          int64_t *next_ms_out)
{
    int64_t passed = now_ms - track->since_ms;
    *next_ms_out = 0;
    if (!track->growing || passed >= rule->slow_start_ms) {
        track->growing = false;
        return track_ppm_full;
    }
    /* Step k of 20 lasts until k twentieths of the time are over, rounded up; full comes after. */
    int64_t step = (passed < 0 ? 0 : passed) * track_steps / rule->slow_start_ms + 1;
    *next_ms_out = track->since_ms + (step * rule->slow_start_ms + track_steps - 1) / track_steps;
    return (uint32_t)(track_ppm_full * step / (track_steps + 1));
}

uint32_t track_drain_ppm(int64_t began_ms, uint32_t drain_ms, int64_t now_ms, int64_t *next_ms_out)
{
    int64_t passed = now_ms - began_ms;
    *next_ms_out = 0;
    if (passed >= drain_ms) {
        return 0;
    }
    int64_t step = (passed < 0 ? 0 : passed) * track_steps / drain_ms;
    *next_ms_out = began_ms + ((step + 1) * drain_ms + track_steps - 1) / track_steps;
    return (uint32_t)(track_ppm_full / track_steps * (track_steps - step));
}
