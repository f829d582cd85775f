/* SPDX-License-Identifier: MIT */
/* "Did you mean": the nearest of several names by edit distance. */
#pragma once

#include "base/span.h"

enum { suggest_bytes_max = 64 };

struct suggest {
    struct span wanted;
    struct span best; /* ptr NULL: nothing is near enough */
    size_t distance;
};

struct suggest suggest_begin(struct span wanted);
void suggest_offer(struct suggest *suggest, struct span candidate);

/* Insertions, deletions, changes and swaps of neighbours that turn a into b, without case;
 * SIZE_MAX when either is longer than suggest_bytes_max. */
size_t edit_distance(struct span a, struct span b);
