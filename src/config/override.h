/* SPDX-License-Identifier: MIT */
/* Detours of the file, and what run time says instead. Internal to config/. */
#pragma once

#include "config/load.h"

/* What is to be read in the place of a detour of the file: itself, what run time says of
 * it, or NULL: it is switched off. json and stanza are for the model. */
const struct node *override_of(struct load *load, const struct node *node, struct span *json_out,
                               uint64_t *stanza_out, bool *live_out);
/* The next override that stands and that the file has no stanza for; *at counts from 0.
 * NULL: no more. */
const struct node *override_next(struct load *load, size_t *at, struct span *json_out);
