/* SPDX-License-Identifier: MIT */
/* What the admin API does: the calls of admin/ carried out on the configuration in force
 * and on the store. A change is tried on the whole configuration, made durable, published,
 * and answered when every worker answers from it.
 *
 *   call ─▶ trial: the file with the change in it, read and checked
 *        ─▶ store: durable                                  (a dry run ends before it)
 *        ─▶ snapshot ─▶ workers ─ACK─▶ the answer */
#pragma once

#include "control/configuration.h"
#include "control/runtime/live.h"
#include "page/ticket.h"

#include <ev.h>

struct admin_call;
struct admin_result;
struct webhooks;

struct servers_map;
struct health;
struct api_status {
    uint64_t generation;
    uint64_t acknowledged; /* by all workers */
    uint32_t workers;
    const char *file;
    const char *folder; /* of the store; NULL: none */
    const struct webhooks *webhooks;
    bool file_good;              /* as it was when it was read last */
    struct servers_map *servers; /* their live state; NULL: not known yet */
    const struct health *health; /* NULL: nobody is probed yet */
    const struct exists *exists; /* NULL: nobody is asked yet */
};

/* What it needs of the one who owns the configuration. */
struct api_core {
    void *context;
    const struct configuration *(*current)(void *context);
    /* The text of the current one, read anew with these overrides. NULL: no memory. */
    struct configuration *(*load)(void *context, struct model_overrides *overrides);
    /* Publishes it, if it says something new, and takes it over. *generation_out is what workers
     * will acknowledge; 0: all of them have it already. */
    enum err (*replace)(void *context, struct configuration **configuration,
                        uint64_t *generation_out);
    /* Reads the file again, as SIGHUP does, in the next reading: the one on its way may have
     * read an older file. */
    uint64_t (*next_reading)(void *context);
    void (*reload)(void *context);
    void (*status)(void *context, struct api_status *out);
    void (*refused)(void *context, const struct admin_call *call,
                    const struct admin_result *result);
    /* What workers sign tickets and links with. ERR_IO: there is none. */
    enum err (*ticket_key)(void *context, struct ticket_key *out);
};

struct api;
/* live: NULL when there is no store, and then changes are refused. */
enum err api_new(struct ev_loop *loop, const struct api_core *core, struct api **out);
void api_free(struct api **api);
void api_set_store(struct api *api, struct store *store, struct live *live);

/* As observe_listen: NULL and -1 to stop. */
enum err api_listen(struct api *api, const struct listener *listener, int fd);

/* All workers answer from this generation. */
void api_acknowledged(struct api *api, uint64_t generation);
/* This reading of the file has ended: with problems, with another reason, or well, with a
 * generation that is on its way to the workers. */
void api_reloaded(struct api *api, uint64_t reading, const struct problems *problems,
                  const char *reason, uint64_t generation);
