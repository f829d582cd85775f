/* SPDX-License-Identifier: MIT */
/* Files that are replaced as a whole or not at all. */
#pragma once

#include "base/span.h"

/* Writes beside the file and puts it in its place when it is safely there, with the old
 * one's permissions. What is no regular file (a device, a pipe) is written to as it is.
 * exit_could_not_run: the reason has been printed, and the old file stands. */
int write_whole_file(const char *command, const char *path, struct span text);
/* Whether that can be expected to go well, for who works long before there is something to write.
 * False: errno says why. */
bool can_write_file(const char *path);
