/* SPDX-License-Identifier: MIT */
/* The authorities that certificates of origins are believed by. */
#pragma once

#include "control/configuration.h"

/* Reads those of origins whose certificates are looked at: the files that they name, unless
 * those were kept with the text, and the system's. Problems are added to the configuration's.
 * False: there was an error. */
bool authorities_load(struct configuration *configuration);
/* Whether the origin names a file of its own. */
bool authorities_are_own(const struct model_origin *origin);
