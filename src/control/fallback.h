/* SPDX-License-Identifier: MIT */
/* Says, once for each change, that a pool has nobody left and its `fallback` answers, or that too
 * few are up and health is ignored; and when that is over. */
#pragma once

#include "config/model.h"
#include "shared/servers.h"

struct fallbacks;

struct fallbacks *fallbacks_new(void);
void fallbacks_free(struct fallbacks **fallbacks);

/* Looks at the pools if a word of a server has changed, or the model is another one. */
void fallbacks_look(struct fallbacks *fallbacks, const struct model *model,
                    struct servers_map *servers);
