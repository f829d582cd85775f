/* SPDX-License-Identifier: MIT */
/* Changes at run time, on the configuration that is in force (control/api/api.h). */
#include "control/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/runtime/recovered.h"

#include <unistd.h>

static const struct configuration *core_current(void *context)
{
    const struct control *c = context;
    return c->current;
}

/* The text that is in force, with the files that were read with it. */
static struct configuration *core_load(void *context, struct model_overrides *overrides)
{
    struct control *c = context;
    struct configuration *fresh = configuration_again(c->current);
    if (fresh != NULL) {
        unfit_load_without(fresh, overrides, &c->current->unfit, clock_wall_ns());
    }
    return fresh;
}

static enum err core_replace(void *context, struct configuration **fresh, uint64_t *generation_out)
{
    struct control *c = context;
    c->changes++; /* it is stored, whatever becomes of it here */
    enum err err = control_publish(c, *fresh, -1, -1);
    if (err != ERR_NONE) {
        return err;
    }
    configuration_free(&c->current);
    c->current = *fresh;
    *fresh = NULL;
    announce_look(c->announce);
    control_begin_probes(c);
    /* Nothing is waited for where all workers say so already. */
    *generation_out = c->generation != c->acknowledged ? c->generation : 0;
    return ERR_NONE;
}

static uint64_t core_next_reading(void *context)
{
    const struct control *c = context;
    return c->readings + 1;
}

static void core_reload(void *context)
{
    struct control *c = context;
    c->reload_again = true;
    if (c->candidate == NULL) {
        candidate_begin(c);
    }
}

static void core_status(void *context, struct api_status *out)
{
    const struct control *c = context;
    const struct counters_common *common =
        c->counters != NULL ? counters_common(c->counters) : NULL;
    *out = (struct api_status){.generation = c->generation,
                               .acknowledged = c->acknowledged,
                               .workers = c->counters != NULL ? counters_workers(c->counters) : 0,
                               .file = c->path,
                               .servers = c->servers,
                               .health = c->health,
                               .exists = existence_exists(c->existence),
                               .folder = c->state.folder,
                               .webhooks = announce_webhooks(c->announce),
                               .file_good =
                                   common != NULL && counter_get(&common->reload_success) != 0};
}

static void core_refused(void *context, const struct admin_call *call,
                         const struct admin_result *result)
{
    struct control *c = context;
    announce_refused(c->announce, call, result);
}

static enum err core_ticket_key(void *context, struct ticket_key *out)
{
    const struct control *c = context;
    ssize_t got = c->secret_fd >= 0 ? pread(c->secret_fd, out->bytes, sizeof(out->bytes), 0) : -1;
    return got == (ssize_t)sizeof(out->bytes) ? ERR_NONE : ERR_IO;
}

/* Detours of run time that are over go by themselves, and the history says when. */
void change_end_what_is_over(struct control *c)
{
    int64_t now_ns = clock_wall_ns();
    size_t ended = 0;
    if (c->live == NULL || c->current == NULL) {
        return;
    }
    enum err err = live_expire(c->live, c->current->model, now_ns, &ended);
    if (err != ERR_NONE) {
        log_error("cannot store that a detour is over: %s", err_why(err));
    }
    if (ended > 0) {
        struct configuration *fresh = core_load(c, live_overrides(c->live));
        c->changes++;
        if (fresh != NULL && fresh->model != NULL) {
            configuration_free(&c->current);
            c->current = fresh;
            control_begin_probes(c);
        } else {
            configuration_free(&fresh);
        }
    }
}

/* Detours whose pool is healthy again go by themselves, too. */
void change_end_what_recovered(struct control *c)
{
    size_t ended = 0;
    if (c->live == NULL || c->current == NULL || c->candidate != NULL || c->servers == NULL) {
        return;
    }
    enum err err = recovered_end(c->live, c->current, c->servers, clock_wall_ns(),
                                 clock_monotonic_ns(), &ended);
    if (err != ERR_NONE) {
        log_error("cannot store that a detour is over: %s", err_why(err));
    }
    if (ended == 0) {
        return;
    }
    struct configuration *fresh = core_load(c, live_overrides(c->live));
    uint64_t generation;
    if (fresh != NULL && fresh->model != NULL) {
        core_replace(c, &fresh, &generation);
        log_info("%zu detour%s over: what was waited for is healthy", ended,
                 ended == 1 ? " is" : "s are");
    }
    configuration_free(&fresh);
}

struct api_core change_core(struct control *c)
{
    return (struct api_core){.context = c,
                             .current = core_current,
                             .load = core_load,
                             .replace = core_replace,
                             .next_reading = core_next_reading,
                             .reload = core_reload,
                             .status = core_status,
                             .refused = core_refused,
                             .ticket_key = core_ticket_key};
}
