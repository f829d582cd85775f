/* SPDX-License-Identifier: MIT */
/* Detours of the file, and what run time says instead. Internal to config/. */
#pragma once

#include "config/load.h"

/* What the model keeps of where a detour comes from. */
struct provenance {
    struct span key; /* "site/name" of what run time says; empty: the file says it */
    struct span json;
    uint64_t stanza; /* of the file; 0: it has none */
};

/* Before a text is read: nothing is known of the overrides yet. NULL is allowed. */
void overrides_forget(struct model_overrides *overrides);
/* What is to be read in the place of a detour of the file: itself, what run time says of
 * it, or NULL: it is switched off. */
const struct node *override_of(struct load *load, const struct node *node, struct provenance *out);
/* The next override that stands and that the file has no stanza for; *at counts from 0.
 * NULL: no more. */
const struct node *override_next(struct load *load, size_t *at, struct provenance *out);
