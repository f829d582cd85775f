/* SPDX-License-Identifier: MIT */
/* What the files of compile/ share: a model on its way into a block. */
#pragma once

#include "compile/block.h"

/* The detours that may take clients which they have not now. */
struct openings {
    struct opening *places; /* a hash table; NULL: there are none */
    uint32_t mask;
};

struct compile {
    struct block block;
    const struct model *model;
    const struct compile_slots *slots; /* NULL: all slots are 0 */
    int64_t now_ns;
    const struct schedule_view *views; /* of the model's detours */
    struct openings openings;
    uint32_t site;           /* the one that is compiled */
    struct snap_rule *rules; /* filled in the order of their indexes; room for all of them */
    const struct model_rule **sources; /* what they are made of */
    uint32_t rule_count;
    uint32_t rule_max;
};

/* rule.c */

/* Appends a rule and gives its index; SNAP_NONE after a failure. detour may be NULL. */
uint32_t compile_rule(struct compile *compile, const struct model_rule *rule,
                      const struct model_detour *detour);
struct snap_action compile_action(struct compile *compile, const struct model_action *action,
                                  const struct model_rule *rule);

/* site.c */
struct snap_list compile_sites(struct compile *compile);
struct snap_list compile_hosts(struct compile *compile, uint32_t *catch_all_out);

/* opening.c */

/* What is found points into the model. ERR_MEMORY. */
enum err openings_init(struct openings *openings, const struct model *model,
                       const struct schedule_view *views);
void openings_fini(struct openings *openings);
/* When the first detour of the site opens, or takes more clients, that could match a request
 * which the rule matches; SNAP_NEVER. May be too early. */
int64_t openings_soonest(const struct openings *openings, uint32_t site,
                         const struct model_rule *rule);

/* index.c */

/* Fewer rules than this are tried one by one: that is quicker. */
enum { index_rules_min = 6 };
/* Builds set->nodes and set->edges over the rules [set->first, set->first + set->count). */
void compile_index(struct compile *compile, struct snap_ruleset *set);

/* pool.c */
struct snap_list compile_pools(struct compile *compile, struct snap_list *servers_out);

/* page.c */
struct snap_list compile_pages(struct compile *compile);

/* origin.c */
struct snap_list compile_origins(struct compile *compile);
