/* SPDX-License-Identifier: MIT */
/* An alarm for an instant of the wall clock that also goes off when the clock was set,
 * since what is true at "now" may then be different, in either direction. */
#pragma once

#include "base/error.h"

#include <ev.h>
#include <stdint.h>

struct alarm {
    struct ev_loop *loop;
    ev_io watcher;
    int fd;
    int64_t at_ns;
    void (*fired)(void *context);
    void *context;
};

enum err alarm_init(struct alarm *alarm, struct ev_loop *loop, void (*fired)(void *context),
                    void *context);
/* at_ns: wall clock; one that is over fires at once. INT64_MAX: only when the clock is
 * set. To be set anew after it fired. */
void alarm_set(struct alarm *alarm, int64_t at_ns);
/* Of several that go off at the same instant the others come first. Once, before it is set. */
void alarm_yield(struct alarm *alarm);
void alarm_fini(struct alarm *alarm);
