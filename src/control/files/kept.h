/* SPDX-License-Identifier: MIT */
/* Files that are kept with the text of the configuration that names them, so that a control
 * process which is started again serves what its predecessor did, whatever became of the files
 * meanwhile: the HTML of pages, and authorities of origins. */
#pragma once

#include "control/configuration.h"

/* Gives the model what was kept: the same text names the same files in the same order. */
void kept_fill(const struct configuration *configuration);

/* The text and the files in one block, which lives in the configuration's arena. ERR_LIMIT: it
 * is larger than config_bytes_max; ERR_MEMORY. */
enum err kept_pack(struct configuration *configuration, struct span *out);
/* Takes apart a block that stands in configuration->text. ERR_SYNTAX: it is none;
 * ERR_MEMORY. */
enum err kept_unpack(struct configuration *configuration);
