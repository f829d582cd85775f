/* SPDX-License-Identifier: MIT */
/* The worker process: answers requests from the newest snapshot, on the listening sockets
 * it is given. One thread, one loop. Everything it knows comes over the channel at
 * descriptor 3 (net/message.h); it reads no file and allocates nothing on the way of a
 * request. */
#pragma once

#include "sandbox/sandbox.h"

/* `detour _worker POLICY`, started by the supervisor. Returns the status to exit with: 0 after a
 * drain or when the supervisor has gone, 2 when it could not begin. */
int worker_main(const struct sandbox_policy *policy);
