/* SPDX-License-Identifier: MIT */
/* timerfd on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET. libev's own periodics notice a
 * clock that was set only when they wake up, up to a minute later. */
#include "control/alarm.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The kernel's own maximum is 292 years since boot; this is within it. */
static const int64_t farthest_ns = INT64_C(9000000000) * NS_PER_SECOND;

static void on_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct alarm *alarm = watcher->data;
    uint64_t expirations;
    ssize_t n = read(alarm->fd, &expirations, sizeof(expirations));
    /* ECANCELED: the clock was set. */
    if (n == (ssize_t)sizeof(expirations) || errno == ECANCELED) {
        alarm->fired(alarm->context);
    }
}

enum err alarm_init(struct alarm *alarm, struct ev_loop *loop, void (*fired)(void *context),
                    void *context)
{
    *alarm = (struct alarm){.loop = loop, .fired = fired, .context = context};
    alarm->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (alarm->fd < 0) {
        return ERR_IO;
    }
    ev_io_init(&alarm->watcher, on_ready, alarm->fd, EV_READ);
    alarm->watcher.data = alarm;
    ev_io_start(loop, &alarm->watcher);
    return ERR_NONE;
}

void alarm_set(struct alarm *alarm, int64_t at_ns)
{
    int64_t at = at_ns < farthest_ns ? at_ns : farthest_ns;
    at = at > 0 ? at : 1; /* zero would disarm it */
    struct itimerspec spec = {
        .it_value = {.tv_sec = at / NS_PER_SECOND, .tv_nsec = at % NS_PER_SECOND}};
    alarm->at_ns = at_ns;
    int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    if (timerfd_settime(alarm->fd, flags, &spec, NULL) != 0 && errno == ECANCELED) {
        /* The clock was set since the caller looked at it: let it look again, at once. */
        spec.it_value = (struct timespec){.tv_nsec = 1};
        timerfd_settime(alarm->fd, flags, &spec, NULL);
    }
}

void alarm_yield(struct alarm *alarm)
{
    ev_io_stop(alarm->loop, &alarm->watcher);
    ev_set_priority(&alarm->watcher, EV_MINPRI);
    ev_io_start(alarm->loop, &alarm->watcher);
}

void alarm_fini(struct alarm *alarm)
{
    if (alarm->fd >= 0) {
        ev_io_stop(alarm->loop, &alarm->watcher);
        close(alarm->fd);
        alarm->fd = -1;
    }
}
