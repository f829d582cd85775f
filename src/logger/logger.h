/* SPDX-License-Identifier: MIT */
/* The logger process: turns the records of all workers' rings into lines of JSON and
 * writes them. It is a process of its own, so that a slow disk holds neither a request nor
 * the schedule (doc/decisions/0003-logger-process.md). */
#pragma once

#include "sandbox/sandbox.h"

/* `detour _logger POLICY`, with its channel at descriptor 3. Returns the exit status. */
int logger_main(const struct sandbox_policy *policy);
