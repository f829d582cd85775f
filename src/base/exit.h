/* SPDX-License-Identifier: MIT */
/* What a process ends with, as detour(1) says. */
#pragma once

enum exit_status {
    exit_ok = 0,
    exit_errors = 1, /* in the configuration */
    exit_could_not_run = 2,
};
