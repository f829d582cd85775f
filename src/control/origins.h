/* SPDX-License-Identifier: MIT */
/* What control knows of origins beside what the file says: their ports as workers must be
 * allowed them, their addresses, and whether their probes fail. */
#pragma once

#include "base/buffer.h"
#include "control/configuration.h"
#include "control/resolver.h"
#include "shared/servers.h"

/* "8080,8443": each once, ascending. */
void origins_ports(const struct model *model, struct buffer *out);

/* Takes the addresses that stand in the snapshot that is in use: those that a predecessor knew,
 * for the case that a name cannot be looked up just now. */
void origins_remember(struct resolver *resolver, int snapshot_fd);
/* Wants the names of the model's origins looked up. */
void origins_want(struct resolver *resolver, const struct model *model);
/* What is known of an origin goes on in a model of another text. */
void origins_carry(const struct model *from, const struct model *to);
/* Fills in their addresses, and since when their probes fail. Gives whether anything of it
 * is another than it was. */
bool origins_fill(const struct model *model, const struct resolver *resolver,
                  struct servers_map *servers, int64_t now_ns);
