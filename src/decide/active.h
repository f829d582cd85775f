/* SPDX-License-Identifier: MIT */
/* Whether a detour is active, for a proxy that asks before anybody has asked it: a health
 * check. Nobody's request is looked at, so conditions, shares and who may pass by do not
 * matter. Pure. */
#pragma once

#include "decide/decide.h"

#define ACTIVE_PATH "/.well-known/detour/active"

enum active {
    ACTIVE_YES,
    ACTIVE_NO,
    ACTIVE_UNKNOWN, /* the query names no site of ours, or no path of a URL */
};

/* query: "site=NAME", and maybe "path=PATH". Without a path: whether a detour takes the whole
 * of the site, whatever the path and the host. With one: whether a detour takes that path.
 * ACTIVE_YES: *rule_out is the strongest of them. */
enum active active_find(struct decide_context *context, struct span query, uint32_t *rule_out);
