/* SPDX-License-Identifier: MIT */
/* The supervisor process: owns what must outlive the others (listening sockets, shared
 * pages, the newest snapshot and the text it was made of), starts control, workers and the
 * logger, replaces those that end, and passes their messages on. It reads no
 * configuration, no client's byte, and allocates next to nothing.
 *
 * SIGHUP: control reads the file again. SIGTERM, SIGINT: drain and exit 0; a second one
 * ends at once. */
#pragma once

#include "sandbox/sandbox.h"

/* `detour serve -c config_path`; policy: what its children give up. Returns the status to exit
 * with: 0 after a drain, 1 when the first configuration has errors, 2 when it could not be run; in
 * both cases the reason is on standard error. */
int supervisor_main(const char *config_path, const struct sandbox_policy *policy);
