/* SPDX-License-Identifier: MIT */
/* From the files that the configuration names to what the workers' TLS contexts are made
 * of. Private keys leave this process only in sealed memfds, and stay in it only while
 * they are looked at. */
#pragma once

#include "control/configuration.h"

/* Reads and checks the certificates' files, whose paths are relative to the
 * configuration's own. All problems are added to the configuration's, in order. False:
 * there are errors. For a model without certificates there is nothing to do. */
bool certificates_load(struct configuration *configuration, int64_t now_ns);
/* Overwrites what was loaded. */
void certificates_free(struct configuration *configuration);

/* Encodes the certificates that were loaded into a sealed memfd; *fd_out becomes -1 when
 * there are none. The ticket keys are those of previous_fd (a memfd that this made; -1:
 * new ones), so that a reload costs nobody their session. */
enum err certificates_seal(const struct configuration *configuration, int previous_fd, int *fd_out);

/* The same certificates with a new ticket key in front; the oldest key falls off. */
enum err certificates_rotate(int fd, int *fd_out);
