/* SPDX-License-Identifier: MIT */
/* The files that say where addresses are (`geo`), as a sealed block that workers map. They are
 * read with the configuration; afterwards they are looked at once a minute, and after one was
 * replaced they are read on a thread of its own. What cannot be read any more leaves the old block
 * in use. */
#pragma once

#include "control/configuration.h"
#include "control/resolver.h"
#include "geo/geo.h"

struct places;

/* changed: there is another block. Called from the loop. ERR_MEMORY. */
enum err places_new(struct ev_loop *loop, void (*changed)(void *context), void *context,
                    struct places **out);
/* Waits for a thread that reads. NULL is allowed. */
void places_free(struct places **places);

/* What a candidate names is read, unless it is what there is already. False: the problem is among
 * the configuration's. */
bool places_load(struct places *places, struct configuration *configuration);
/* What the configuration names cannot be read, and comes into force all the same: it is watched,
 * and read when it is replaced. */
void places_watch(struct places *places, struct configuration *configuration);
/* The candidate is in force, or given up. */
void places_commit(struct places *places);
void places_abandon(struct places *places);
/* The block of the next configuration if one is on its way, else that in force; -1: none. */
int places_fd(const struct places *places);

/* Where the host of a URL is: by its address, or by those that the resolver knows of its name. */
bool places_point(const struct places *places, const struct resolver *resolver, struct span url,
                  float out[3]);
/* The same of any block; geo and resolver may be NULL. */
bool places_point_in(const struct geo_head *geo, const struct resolver *resolver, struct span url,
                     float out[3]);
/* Asks for the names of servers whose places are not written down. */
void places_want(struct resolver *resolver, const struct model *model);

/* For whoever serves nothing. A block of malloc, or the problem is noted; a configuration that
 * names none has NULL, and is fine. */
bool places_read(struct configuration *configuration, uint8_t **bytes_out, size_t *len_out);
