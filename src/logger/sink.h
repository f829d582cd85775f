/* SPDX-License-Identifier: MIT */
/* Where the lines go: a buffer before a descriptor that may refuse them for a while. What
 * could not be written stays, and is tried again. */
#pragma once

#include "base/buffer.h"
#include "shared/counters.h"

enum { sink_bytes_max = 1 << 20 };

struct sink {
    int fd;               /* -1: lines are thrown away */
    struct buffer buffer; /* sink_bytes_max */
    size_t written;       /* of the buffer, by the last write that was cut short */
    bool failing;         /* it was said that writing fails */
    int64_t retry_at_ns;  /* monotonic; 0: at once */
    int64_t pause_ms;     /* what was waited last */
    struct counters_common *counters;
};

bool sink_init(struct sink *sink, struct counters_common *counters);
void sink_fini(struct sink *sink);

/* Writes all it has. False: something is left, and retry_at_ns says when to try again. */
bool sink_flush(struct sink *sink, int64_t now_ns);
/* Goes on with another descriptor, which it owns from here. A line that is half in the
 * old file loses its other half; whole lines that wait go into the new one. */
void sink_replace(struct sink *sink, int fd);
/* How many lines it still holds. */
uint64_t sink_lines(const struct sink *sink);
