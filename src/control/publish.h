/* SPDX-License-Identifier: MIT */
/* From a configuration to a sealed snapshot. */
#pragma once

#include "control/configuration.h"
#include "control/files/places.h"

/* Compiles what holds at now_ns, with the slots of its rules and servers (the servers' are noted
 * in the configuration's list too), into a memfd that nobody can change any more. *content_inout:
 * the snapshot_content_hash of what is in use; when this one says the same, *fd_out is -1. 0:
 * whatever it says. places and resolver say where servers are. */
enum err publish_snapshot(struct configuration *configuration, struct counters_map *counters,
                          struct servers_map *servers, const struct places *places,
                          const struct resolver *resolver, uint64_t generation, int64_t now_ns,
                          uint64_t *content_inout, int *fd_out);

/* Fills in the slots of the list of rules, for metrics: most snapshots are gone before anybody
 * asks. */
void publish_note_rules(struct configuration *configuration, struct counters_map *counters);

/* Some bytes in a memfd that nobody can change any more. */
enum err publish_sealed(const char *name, struct span bytes, int *fd_out);
