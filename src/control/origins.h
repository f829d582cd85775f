/* SPDX-License-Identifier: MIT */
/* What control knows of origins beside what the file says: their ports as workers must be
 * allowed them, their authorities, their addresses, and whether their probes fail. */
#pragma once

#include "base/buffer.h"
#include "control/configuration.h"

/* "8080,8443": each once, ascending. */
void origins_ports(const struct model *model, struct buffer *out);
