/* SPDX-License-Identifier: MIT */
/* The HTML files that pages name: read, looked at, and kept with the text of the
 * configuration, so that a control process which is started again serves what its predecessor
 * did, whatever became of the files meanwhile. */
#pragma once

#include "control/configuration.h"

/* Reads the files of the model's pages, or takes what was kept. Problems are added to the
 * configuration's. False: there are errors. */
bool pages_load(struct configuration *configuration);

/* The text and the files in one block, which lives in the configuration's arena. ERR_LIMIT: it
 * is larger than config_bytes_max; ERR_MEMORY. */
enum err pages_pack(struct configuration *configuration, struct span *out);
/* Takes apart a block that stands in configuration->text. ERR_SYNTAX: it is none;
 * ERR_MEMORY. */
enum err pages_unpack(struct configuration *configuration);
