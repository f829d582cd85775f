/* SPDX-License-Identifier: MIT */
/* The key files of pools that sign tickets. Keys leave this process only in sealed memfds, and
 * stay with the configuration only until they are sealed. */
#pragma once

#include "control/configuration.h"
#include "signing/keys.h"

/* Reads and checks the files that the model's pools name. Problems are added to the
 * configuration's; that others can read a file is a warning. False: there are errors. */
bool signing_load(struct configuration *configuration);
/* Overwrites what was loaded. */
void signing_free(struct configuration *configuration);

/* The keys that were loaded as a sealed memfd; *fd_out becomes -1 when there are none. */
enum err signing_seal(const struct configuration *configuration, int *fd_out);

/* Maps such a memfd; fd -1: NULL. Replaces what *keys holds, which may be NULL. ERR_IO: errno says
 * why; ERR_SYNTAX: it is none. */
enum err signing_map(int fd, const struct signing_keys **keys);
