/* SPDX-License-Identifier: MIT */
/* What the clock does to detours: whether a new snapshot is needed, and which of them are
 * overdue. */
#pragma once

#include "config/model.h"

/* Detours as they were published last. Zeroed: nothing was. */
struct windows {
    struct schedule_view *views;
    size_t count;
    int64_t published_ns;
};

enum windows_change {
    WINDOWS_SAME, /* the snapshot that there is says it all */
    WINDOWS_STEP, /* ramps went on */
    WINDOWS_OTHER,
};

/* Whether they differ by nothing but the step of a ramp. */
bool windows_is_step(const struct schedule_view *a, const struct schedule_view *b);
/* Compares what holds now with what was published. */
enum windows_change windows_compare(const struct windows *windows, const struct model *model,
                                    int64_t now_ns);
/* Notes what holds now, and warns of detours that have become overdue since the last time. */
void windows_publish(struct windows *windows, const struct model *model, int64_t now_ns);
void windows_fini(struct windows *windows);

/* Warns, in the log, of each detour that is held past its end. */
void windows_warn(const struct model *model, int64_t now_ns);
