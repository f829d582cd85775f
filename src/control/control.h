/* SPDX-License-Identifier: MIT */
/* The control process: owns the configuration. It reads and checks the file, compiles it,
 * publishes snapshots, opens and closes windows by the clock, and answers the metrics
 * listener. It sees no client's byte; while it is gone, workers go on with what they
 * have, and its successor goes on from the last good text. */
#pragma once

#include "sandbox/sandbox.h"

/* `detour _control POLICY config_path`, with its channel at descriptor 3. Returns the exit
 * status. */
int control_main(const struct sandbox_policy *policy, const char *config_path);
