/* SPDX-License-Identifier: MIT */
/* What control may still open once it serves. */
#pragma once

#include "control/configuration.h"
#include "sandbox/sandbox.h"

/* Leaves the folder of the configuration, those of the files that it names, and what
 * resolving names and time zones needs. ERR_IO, ERR_MEMORY: privileges were not given up. */
enum err control_confine(const struct sandbox_policy *policy, const char *config_path,
                         const struct model *model);

/* Why a file could not be opened, for people. What a confined process may not open is often
 * one that a later configuration named. */
const char *control_why(const struct configuration *configuration, int why);
