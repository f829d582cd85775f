/* SPDX-License-Identifier: MIT */
/* The HTML files that pages name. */
#pragma once

#include "control/configuration.h"

/* Reads them into the model's pages. Problems are added to the configuration's. False: there are
 * errors. */
bool pages_load(struct configuration *configuration);
