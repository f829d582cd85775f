/* SPDX-License-Identifier: MIT */
/* The whole of what is in force as a file, and what another file would change. */
#pragma once

#include "config/model.h"

#include <jansson.h>

/* The file with what run time says in it: YAML in block style, without the comments. Of
 * malloc; NULL: no memory. */
char *export_yaml(struct span text, const struct model *model);

/* What is added, removed or changed between two configurations, resource by resource: the
 * members of the file, and within its lists sites, their routes, pools, their servers,
 * detours and pages by their names. An array of {"what", "resource", "name"}; NULL: no
 * memory. */
json_t *export_diff(struct span old_text, const struct model *old_model, struct span new_text,
                    const struct model *new_model);
