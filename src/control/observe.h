/* SPDX-License-Identifier: MIT */
/* The metrics listener: GET /metrics and GET /healthz. */
#pragma once

#include "control/metrics.h"
#include "net/listener.h"

#include <ev.h>

struct observe;

/* `fill` is called for each exposition. ERR_MEMORY. */
enum err observe_new(struct ev_loop *loop, void (*fill)(void *context, struct metrics *out),
                     void *context, struct observe **out);
void observe_free(struct observe **observe);

/* Serves on this listener alone from here on; listener NULL: on none. Owns fd. */
enum err observe_listen(struct observe *observe, const struct listener *listener, int fd);
