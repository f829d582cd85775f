/* SPDX-License-Identifier: MIT */
/* Writing with patience: a full disk is waited for, reported once, and counted. */
#include "logger/sink.h"

#include "base/log.h"
#include "shared/heartbeat.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { pause_first_ms = 50, pause_max_ms = 5000, pause_busy_ms = 10 };

bool sink_init(struct sink *sink, struct counters_common *counters)
{
    void *memory = malloc(sink_bytes_max);
    *sink = (struct sink){
        .fd = -1, .buffer = buffer_over(memory, sink_bytes_max), .counters = counters};
    return memory != NULL;
}

void sink_fini(struct sink *sink)
{
    free(sink->buffer.ptr);
    if (sink->fd >= 0) {
        close(sink->fd);
    }
    *sink = (struct sink){.fd = -1};
}

static void forget(struct sink *sink)
{
    sink->buffer.len = 0;
    sink->buffer.full = false;
    sink->written = 0;
}

static void note_failure(struct sink *sink, int64_t now_ns)
{
    if (errno == EAGAIN) { /* a pipe that somebody made non-blocking: its reader is slow */
        sink->retry_at_ns = now_ns + (int64_t)pause_busy_ms * 1000000;
        return;
    }
    counter_add(&sink->counters->log_write_errors, 1);
    if (!sink->failing) {
        log_error("cannot write the access log: %s; trying again", strerror(errno));
        sink->failing = true;
        sink->pause_ms = pause_first_ms;
    } else if (sink->pause_ms < pause_max_ms) {
        sink->pause_ms = sink->pause_ms * 2 < pause_max_ms ? sink->pause_ms * 2 : pause_max_ms;
    }
    sink->retry_at_ns = now_ns + sink->pause_ms * 1000000;
}

static void note_success(struct sink *sink, size_t bytes)
{
    counter_add(&sink->counters->log_bytes, bytes);
    sink->retry_at_ns = 0;
}

/* A slow disk, or a socket that nobody reads, is no hang: the successor would wait as long,
 * without what is in the buffer. */
static ssize_t write_with_patience(struct sink *sink)
{
    counter *heartbeat = &sink->counters->heartbeat_logger;
    heartbeat_sign(heartbeat, heartbeat_patience_endless_s);
    ssize_t n = write(sink->fd, sink->buffer.ptr + sink->written, sink->buffer.len - sink->written);
    heartbeat_sign(heartbeat, heartbeat_patience_s);
    return n;
}

bool sink_flush(struct sink *sink, int64_t now_ns)
{
    while (sink->fd >= 0 && sink->written < sink->buffer.len) {
        ssize_t n = write_with_patience(sink);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            note_failure(sink, now_ns);
            return false;
        }
        sink->written += (size_t)n;
        note_success(sink, (size_t)n);
    }
    if (sink->failing && sink->written > 0) {
        log_info("the access log is written again");
        sink->failing = false;
    }
    forget(sink);
    return true;
}

static void drop_half_line(struct sink *sink)
{
    struct buffer *buffer = &sink->buffer;
    size_t from = sink->written;
    if (from > 0 && buffer->ptr[from - 1] != '\n') {
        from = span_find(buffer_span(buffer), from, '\n') + 1;
        counter_add(&sink->counters->log_lost, 1);
    }
    memmove(buffer->ptr, buffer->ptr + from, buffer->len - from);
    buffer->len -= from;
    sink->written = 0;
}

void sink_replace(struct sink *sink, int fd)
{
    drop_half_line(sink);
    if (sink->fd >= 0) {
        close(sink->fd);
    }
    sink->fd = fd;
    sink->retry_at_ns = 0;
}

uint64_t sink_lines(const struct sink *sink)
{
    uint64_t lines = 0;
    for (size_t i = sink->written; i < sink->buffer.len; i++) {
        lines += sink->buffer.ptr[i] == '\n';
    }
    return lines;
}
