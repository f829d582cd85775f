/* SPDX-License-Identifier: MIT */
/* An event as a message and as a line of the log. */
#pragma once

#include "admin/admin.h"
#include "config/model.h"
#include "control/runtime/live.h"
#include "events/event.h"

/* What an event is about. */
struct telling {
    const struct event *event;
    struct span key; /* "site/name" */
    const struct model *model;
    const struct model_detour *detour; /* NULL: it is gone */
    struct store *store;               /* NULL: none, and so … */
    struct live *live;                 /* … is this */
    int64_t since_ns;                  /* a change that led to it is not older than this */
    int64_t now_ns;
};

/* The content of the message, malloced, at most webhook_content_bytes_max bytes. NULL: no
 * memory. */
char *telling_json(const struct telling *telling);
void telling_log(const struct telling *telling);

char *telling_refused_json(const struct admin_call *call, const struct admin_result *result,
                           int64_t now_ns);
void telling_refused_log(const struct admin_call *call, const struct admin_result *result);
