/* SPDX-License-Identifier: MIT */
/* The command line of `detour on`, and the content that the admin API gets for it. */
#pragma once

#include "cli/admin_detour.h"

struct on_options {
    struct admin_options admin;
    const char *name;
    const char *path;
    const char *path_prefix;
    const char *to;
    const char *pool;
    const char *origin;
    const char *page;
    const char *duration; /* --for */
    const char *until;
    bool until_off;
    const char *until_healthy;
    const char *from;
    const char *repeat;
    const char *zone;
    const char *ramp;
    const char *return_over;
    const char *share;
    const char *rest;
    const char *max_age;
    const char *retry_after;
    struct option_list methods;
    struct option_list bypass;
    struct option_list except;
    bool hold;
    bool replace;
};

/* Zeroed options. True: go on. False: *status_out is to be returned. Refuses what nobody can
 * mean: no name, no end, two ends, no reason. */
bool on_read(int argc, char **argv, struct on_options *options, int *status_out);

/* The detour as in the file, without its site and name, which the path says. Owned by the
 * caller. */
json_t *on_content(const struct on_options *options);
