/* SPDX-License-Identifier: MIT */
/* Which servers of a model are asked whether they have something, and the questions of workers,
 * which come by rings. */
#pragma once

#include "config/model.h"
#include "control/resolver.h"
#include "exists/exists.h"

struct existence;

struct existence_setting {
    struct ev_loop *loop;
    struct servers_map *servers;
    const struct resolver *names;           /* of what is probed */
    const struct signing_keys *const *keys; /* of tickets, those of now */
    uint32_t lanes;                         /* rings */
    int facts_fd;
    int questions_fd;
    int bell_fd; /* taken over, also when it fails */
};

/* What the setting leads to outlives it. */
enum err existence_new(const struct existence_setting *setting, struct existence **out);
/* NULL is allowed. */
void existence_free(struct existence **existence);

/* The servers of all pools with `require: exists` are asked from here on, and no other. file: of
 * the configuration. ERR_MEMORY: nobody is. */
enum err existence_set(struct existence *existence, const struct model *model, const char *file);

/* What became of the questions. NULL is allowed, and gives NULL. */
const struct exists *existence_exists(const struct existence *existence);
