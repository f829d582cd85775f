/* SPDX-License-Identifier: MIT */
/* The operational log: one line each to standard error, with the time, the role of
 * the process and a level. Not the access log (shared/ring.h). */
#pragma once

#include "base/span.h"

/* "supervisor", "control", "worker 0". Kept by pointer. */
void log_role(const char *role);

void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lines that are ready, as they are. False: nobody took all of them within a second, and the
 * rest is lost. */
bool log_lines(struct span lines);
