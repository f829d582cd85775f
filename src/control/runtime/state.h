/* SPDX-License-Identifier: MIT */
/* The store of run-time changes that the configuration names under `state`: opened once,
 * before control is confined, and kept for as long as it lives. */
#pragma once

#include "control/configuration.h"
#include "store/store.h"

struct state {
    struct store *store; /* NULL: there is none, and nothing can be changed at run time */
    char *folder;        /* of the open one */
};

/* The folder of the model's `state`; a relative one is relative to the configuration's. NULL when
 * it has none, or no memory. */
const char *state_folder(struct arena *arena, const char *config_path, const struct model *model);

/* Opens what the candidate names; nothing is done when that one is open already. False: why
 * says for people what is the matter, be it the store or that another one would be needed
 * while Detour runs. */
bool state_open(struct state *state, struct configuration *candidate, const char *config_path,
                char why[store_reason_bytes]);
void state_close(struct state *state);
