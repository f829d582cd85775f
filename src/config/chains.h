/* SPDX-License-Identifier: MIT */
/* Rules by the first segment of what they match, so that a search for those that match a path
 * need not look at all of them. Internal to config/. */
#pragma once

#include "config/load.h"

/* Those with the same first segment, and those that do not say one, are a chain each. */
struct chains {
    struct names firsts; /* to the first number of a chain */
    uint32_t *nexts;
    uint32_t *lasts; /* of the chain that this number begins */
    uint32_t max;
};

struct chains_walk {
    const struct chains *chains;
    uint32_t same;
    uint32_t open;
};

enum { chains_end = UINT32_MAX };

/* For numbers below max, in the arena of the names. False: no memory. */
bool chains_init(struct chains *chains, struct arena *arena, size_t max);
/* In ascending order of their numbers. False: no memory. */
bool chains_add(struct chains *chains, uint32_t site, const struct model_rule *rule,
                uint32_t number);
/* The numbers that could match the normal path, ascending. */
struct chains_walk chains_begin(const struct chains *chains, uint32_t site, struct span path);
/* chains_end: no more. */
uint32_t chains_next(struct chains_walk *walk);
