/* SPDX-License-Identifier: MIT */
/* The logger's loop. While there is something to write it looks at the rings every 20 or
 * 40 ms and lets nobody ring; only when it found nothing does it ask for the bell, and
 * looks again for the sake of its heartbeat. So it wakes up 50 times a second at most,
 * however many records there are, and a lone one is written at once. */
#include "logger/logger.h"

#include "base/clock.h"
#include "base/log.h"
#include "logger/sink.h"
#include "net/channel.h"
#include "shared/heartbeat.h"
#include "shared/record.h"
#include "shared/ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    pause_ms = 40,
    pause_full_ms = 20,           /* when the last look found much */
    much_bytes = ring_bytes / 16, /* of records, in all rings */
    drain_ms_max = 3000,          /* for a disk that does not take the last lines */
    look_records_max = 65536,     /* between two looks at the channel */
};

struct logger {
    struct sink sink;
    struct counters_map *counters;
    struct ring **rings;
    uint32_t ring_count;
    int bell;
    bool started;  /* it knows where to write */
    bool asleep;   /* the rings may ring */
    bool draining; /* write what is there, and end */
    bool gone;     /* the supervisor is */
    struct channel_buffer buffer;
};

static bool open_rings(struct logger *l, int rings_fd, uint32_t count)
{
    l->rings = calloc(count, sizeof(struct ring *));
    for (uint32_t i = 0; l->rings != NULL && i < count; i++) {
        if (ring_open_consumer(RING_LOG, rings_fd, i, &l->rings[i]) != ERR_NONE) {
            return false;
        }
        l->ring_count++;
    }
    return l->rings != NULL;
}

static bool on_welcome(struct logger *l, struct message *message)
{
    if (message->fd_count != WELCOME_FDS || l->rings != NULL) {
        return false;
    }
    l->bell = message_take_fd(message, WELCOME_BELL);
    return counters_open(message->fds[WELCOME_COUNTERS], &l->counters) == ERR_NONE &&
           sink_init(&l->sink, counters_common(l->counters)) &&
           open_rings(l, message->fds[WELCOME_RINGS], message->number);
}

/* Takes one record off the ring; false: it is empty. */
static bool take_record(struct logger *l, struct ring *ring, size_t *bytes)
{
    struct span bytes_of_record;
    struct record record;
    if (!ring_peek(ring, &bytes_of_record)) {
        return false;
    }
    if (l->sink.fd >= 0 && record_decode(bytes_of_record, &record)) {
        record_to_json(&record, &l->sink.buffer);
        counter_add(&l->sink.counters->log_records, 1);
    }
    *bytes += bytes_of_record.len;
    ring_pop(ring);
    return true;
}

/* Moves what is in the rings to the sink, until they are empty, the sink does not take
 * more, or it was enough for one look. *bytes: how much was found. */
static void look(struct logger *l, size_t *bytes)
{
    size_t records = 0;
    for (uint32_t i = 0; i < l->ring_count && records < look_records_max; i++) {
        do {
            bool room = l->sink.buffer.cap - l->sink.buffer.len >= record_json_max;
            if (!room && !sink_flush(&l->sink, clock_monotonic_ns())) {
                return;
            }
        } while (take_record(l, l->rings[i], bytes) && ++records < look_records_max);
    }
}

/* One turn of work; gives how much was found. */
static size_t work(struct logger *l)
{
    size_t bytes = 0;
    int64_t now = clock_monotonic_ns();
    if (now < l->sink.retry_at_ns) {
        return 0;
    }
    if (l->sink.retry_at_ns != 0 && !sink_flush(&l->sink, now)) {
        return 0;
    }
    look(l, &bytes);
    sink_flush(&l->sink, now);
    return bytes;
}

static void on_log(struct logger *l, struct message *message)
{
    if (l->started) {
        work(l); /* what came before belongs into the old file */
    }
    l->started = true;
    int fd = message_take_fd(message, 0);
    sink_replace(&l->sink, fd);
    for (uint32_t i = 0; i < l->ring_count; i++) {
        ring_want(l->rings[i], fd >= 0);
    }
}

static void receive(struct logger *l)
{
    struct message message;
    enum err err;
    while ((err = channel_receive(channel_fd, &l->buffer, &message)) == ERR_NONE) {
        if (message.type == MESSAGE_WELCOME) {
            if (!on_welcome(l, &message)) {
                log_error("cannot use what the supervisor sent");
                l->gone = true;
            }
        } else if (message.type == MESSAGE_LOG && l->rings != NULL) {
            on_log(l, &message);
        } else if (message.type == MESSAGE_DRAIN) {
            l->draining = true;
        }
        message_close_fds(&message);
    }
    if (err != ERR_AGAIN) {
        l->gone = true;
    }
}

static void set_asleep(struct logger *l, bool asleep)
{
    for (uint32_t i = 0; i < l->ring_count; i++) {
        if (asleep) {
            ring_sleep(l->rings[i]);
        } else {
            ring_wake(l->rings[i]);
        }
    }
    l->asleep = asleep;
}

static bool any_record(struct logger *l)
{
    struct span record;
    for (uint32_t i = 0; i < l->ring_count; i++) {
        if (ring_peek(l->rings[i], &record)) {
            return true;
        }
    }
    return false;
}

/* How long to wait for the channel or the bell, if they are silent. */
static int pause_after(struct logger *l, size_t bytes_found)
{
    if (l->sink.retry_at_ns != 0) {
        int64_t left = l->sink.retry_at_ns - clock_monotonic_ns();
        int left_ms = left <= 0 ? 0 : (int)(left / 1000000 + 1);
        return left_ms < heartbeat_pause_ms ? left_ms : heartbeat_pause_ms;
    }
    if (bytes_found > 0) {
        return bytes_found >= much_bytes ? pause_full_ms : pause_ms;
    }
    set_asleep(l, true);
    if (any_record(l)) { /* it came after the look and before the bell was armed */
        set_asleep(l, false);
        return 0;
    }
    return heartbeat_pause_ms;
}

static void wait_for_more(struct logger *l, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = channel_fd, .events = POLLIN},
                            {.fd = l->asleep ? l->bell : -1, .events = POLLIN}};
    poll(fds, 2, timeout_ms);
    if (fds[1].revents != 0) {
        uint64_t rung;
        ssize_t ignored = read(l->bell, &rung, sizeof(rung));
        (void)ignored;
    }
    if (l->asleep) {
        set_asleep(l, false);
    }
    if (fds[0].revents != 0) {
        receive(l);
    }
}

/* The workers have ended: nothing comes any more. */
static void drain(struct logger *l)
{
    int64_t until = clock_monotonic_ns() + (int64_t)drain_ms_max * 1000000;
    while (clock_monotonic_ns() < until && (work(l) > 0 || l->sink.retry_at_ns != 0)) {
        poll(NULL, 0, l->sink.retry_at_ns != 0 ? pause_full_ms : 0);
    }
    uint64_t lost = sink_lines(&l->sink);
    for (uint32_t i = 0; i < l->ring_count; i++) {
        struct span record;
        while (ring_peek(l->rings[i], &record)) {
            ring_pop(l->rings[i]);
            lost++;
        }
    }
    if (lost > 0) {
        counter_add(&l->sink.counters->log_lost, lost);
        log_error("%llu lines of the access log were lost", (unsigned long long)lost);
    }
}

static void fini(struct logger *l)
{
    for (uint32_t i = 0; i < l->ring_count; i++) {
        ring_close(&l->rings[i]);
    }
    free(l->rings);
    sink_fini(&l->sink);
    counters_close(&l->counters);
    free(l);
}

int logger_main(const struct sandbox_policy *policy)
{
    struct logger *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return 1;
    }
    log_role("logger");
    if (sandbox_enter(policy, SANDBOX_LOGGER, NULL, 0) != ERR_NONE) {
        log_error("cannot give up privileges: %s", strerror(errno));
        free(l);
        return 1;
    }
    l->bell = -1;
    l->sink.fd = -1;
    while (!l->gone && !l->draining) {
        /* Before the first LOG nobody knows whether records are wanted: they wait. */
        if (!l->started) {
            wait_for_more(l, -1);
            continue;
        }
        size_t found = work(l);
        heartbeat_sign(&l->sink.counters->heartbeat_logger, heartbeat_patience_s);
        wait_for_more(l, pause_after(l, found));
    }
    bool drained = l->draining && !l->gone;
    if (drained && l->started) {
        drain(l);
    }
    fini(l);
    return drained ? 0 : 1;
}
