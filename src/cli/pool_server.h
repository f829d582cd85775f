/* SPDX-License-Identifier: MIT */
/* What the commands about servers of pools share. */
#pragma once

#include "cli/admin_detour.h"
#include "cli/json.h"

/* "mirrors/eu1" in its two halves. exit_could_not_run: it is none, which was said. */
int server_split(struct arena *arena, const char *command, const char *name, const char **pool_out,
                 const char **server_out);

/* One line: "mirrors/eu1 is drained: no client is led there". would: of a dry run. */
void server_print_line(struct arena *arena, const json_t *view, bool would);
/* "change 7; `detour revert 7` takes it back", or that nothing was changed. */
void server_print_change(struct admin_client *client, const struct admin_reply *reply,
                         bool dry_run);
/* Those that something is wanted of, in a table with its own headings; nothing when there are
 * none. pools: the answer of /v1/pools. Gives how many. */
size_t servers_print_wanted(struct arena *arena, const json_t *pools);
