/* SPDX-License-Identifier: MIT */
/* Counting silence. */
#include "supervisor/watch.h"

#include "shared/heartbeat.h"

void watch_begin(struct watch *watch, uint64_t sign, uint32_t patience_s)
{
    *watch = (struct watch){.sign = sign, .patience_s = patience_s};
}

void watch_look(struct watch *watch, uint64_t sign)
{
    if (sign != watch->sign) {
        *watch =
            (struct watch){.sign = sign, .patience_s = heartbeat_patience_of(sign), .serves = true};
    }
}

bool watch_tick(struct watch *watch, uint64_t sign)
{
    watch->silent_ticks++;
    watch_look(watch, sign);
    return watch->silent_ticks >= watch->patience_s;
}
