/* SPDX-License-Identifier: MIT */
/* Views of all detours, compared one by one. */
#include "control/windows.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/time.h"

#include <stdlib.h>

bool windows_is_step(const struct schedule_view *a, const struct schedule_view *b)
{
    return a->state == b->state && a->opened_ns == b->opened_ns && a->closes_ns == b->closes_ns &&
           a->opens_ns == b->opens_ns;
}

enum windows_change windows_compare(const struct windows *windows, const struct model *model,
                                    int64_t now_ns)
{
    enum windows_change change = WINDOWS_SAME;
    if (windows->views == NULL || windows->count != model->detour_count) {
        return WINDOWS_OTHER;
    }
    for (size_t i = 0; i < windows->count; i++) {
        struct schedule_view now;
        schedule_at(&model->detours[i].schedule, now_ns, &now);
        if (schedule_views_equal(&windows->views[i], &now)) {
            continue;
        }
        if (!windows_is_step(&windows->views[i], &now)) {
            return WINDOWS_OTHER;
        }
        change = WINDOWS_STEP;
    }
    return change;
}

static void warn(const struct model_detour *detour, const struct schedule_view *view,
                 int64_t now_ns)
{
    char text[time_text_max];
    log_warning("detour %.*s is overdue: it should have ended at %s, %lld s ago, and is held%s%.*s",
                SPAN_ARG(detour->rule.identity), time_format(view->closes_ns, text),
                (long long)((now_ns - view->closes_ns) / NS_PER_SECOND),
                detour->owner.len > 0 ? "; its owner is " : "", SPAN_ARG(detour->owner));
}

static void warn_since(const struct model *model, int64_t since_ns, int64_t now_ns)
{
    for (size_t i = 0; i < model->detour_count; i++) {
        struct schedule_view view;
        schedule_at(&model->detours[i].schedule, now_ns, &view);
        if (view.state == SCHEDULE_HELD && view.closes_ns > since_ns) {
            warn(&model->detours[i], &view, now_ns);
        }
    }
}

void windows_warn(const struct model *model, int64_t now_ns)
{
    warn_since(model, INT64_MIN, now_ns);
}

void windows_publish(struct windows *windows, const struct model *model, int64_t now_ns)
{
    int64_t since_ns = windows->views != NULL ? windows->published_ns : INT64_MIN;
    free(windows->views);
    windows->views = calloc(model->detour_count + 1, sizeof(*windows->views));
    windows->count = model->detour_count;
    windows->published_ns = now_ns;
    for (size_t i = 0; windows->views != NULL && i < windows->count; i++) {
        schedule_at(&model->detours[i].schedule, now_ns, &windows->views[i]);
    }
    warn_since(model, since_ns, now_ns);
}

void windows_fini(struct windows *windows)
{
    free(windows->views);
    windows->views = NULL;
}
