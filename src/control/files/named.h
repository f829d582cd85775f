/* SPDX-License-Identifier: MIT */
/* Files that a configuration names: where they are, and what is in them. */
#pragma once

#include "base/buffer.h"
#include "control/configuration.h"

/* A relative path is relative to that of the configuration. NULL: no memory. */
const char *named_path(struct arena *arena, const char *config_path, struct span path);

/* Reads all of it into out, which is empty. A file that fills it is too large. path: as
 * named_path gave it, NULL included. False: the problem is among the configuration's, at the
 * place that names the file. */
bool named_read(struct configuration *configuration, const char *path, struct place place,
                struct buffer *out);
