/* SPDX-License-Identifier: MIT */
/* Opens the store of run-time changes, once. */
#include "control/runtime/state.h"

#include "control/files/named.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *state_folder(struct arena *arena, const char *config_path, const struct model *model)
{
    return model->state.len > 0 ? named_path(arena, config_path, model->state) : NULL;
}

/* Two stores in turn would each hold a part of what was changed, and a confined process
 * could not open the second one. */
static bool must_stay(const struct state *state, const struct configuration *candidate,
                      const char *folder)
{
    if (state->folder != NULL) {
        return folder == NULL || strcmp(folder, state->folder) != 0;
    }
    return folder != NULL && candidate->confined;
}

bool state_open(struct state *state, struct configuration *candidate, const char *config_path,
                char why[store_reason_bytes])
{
    const char *folder = state_folder(&candidate->arena, config_path, candidate->model);
    if (folder == NULL && candidate->model->state.len > 0) {
        snprintf(why, store_reason_bytes, "%s", err_text(ERR_MEMORY));
        return false;
    }
    if (must_stay(state, candidate, folder)) {
        snprintf(
            why, store_reason_bytes,
            "`state` cannot change while Detour runs; restart it, or leave that key as it was");
        return false;
    }
    if (folder == NULL || state->store != NULL) {
        return true;
    }
    state->folder = strdup(folder);
    if (state->folder == NULL) {
        snprintf(why, store_reason_bytes, "%s", err_text(ERR_MEMORY));
        return false;
    }
    if (store_open(folder, &state->store, why) != ERR_NONE) {
        state_close(state);
        return false;
    }
    return true;
}

void state_close(struct state *state)
{
    store_close(&state->store);
    free(state->folder);
    state->folder = NULL;
}
