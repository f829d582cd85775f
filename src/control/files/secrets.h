/* SPDX-License-Identifier: MIT */
/* The files of the secrets that messages to webhooks are signed with. */
#pragma once

#include "control/configuration.h"

/* False: a problem is among the configuration's. */
bool secrets_load(struct configuration *configuration);
