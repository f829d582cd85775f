/* SPDX-License-Identifier: MIT */
/* Walks the trie of path segments, and merges the lists of the nodes it passed. */
#include "snapshot/snapshot.h"

enum { frontier_max = 16 };

/* What the walk has reached: the nodes for the segments seen so far. */
struct walk {
    struct candidates *out;
    const struct snapshot *snapshot;
    const struct snap_ruleset *rules;
    uint32_t nodes[frontier_max];
    uint32_t count;
    bool full; /* more nodes than there is room for: every rule must be looked at */
};

static const struct snap_node *node_at(const struct walk *walk, uint32_t node)
{
    return (const struct snap_node *)snapshot_at(walk->snapshot, walk->rules->nodes.off) + node;
}

static uint32_t find_child(const struct walk *walk, uint32_t node, struct span segment)
{
    const struct snap_edge *edges = snapshot_at(walk->snapshot, walk->rules->edges.off);
    uint32_t mask = walk->rules->edges.count - 1;
    for (uint32_t at = snapshot_edge_hash(node, segment) & mask;; at = (at + 1) & mask) {
        if (edges[at].node == SNAP_NONE) {
            return SNAP_NONE;
        }
        if (edges[at].node == node &&
            span_eq(snapshot_text(walk->snapshot, edges[at].segment), segment)) {
            return edges[at].child;
        }
    }
}

static void enter(struct walk *walk, uint32_t *next, uint32_t *next_count, uint32_t node)
{
    if (node == SNAP_NONE) {
        return;
    }
    struct candidates *out = walk->out;
    struct snap_list rules = node_at(walk, node)->rules;
    if (*next_count == frontier_max ||
        (rules.count > 0 && out->list_count == candidate_lists_max)) {
        walk->full = true;
        return;
    }
    next[(*next_count)++] = node;
    if (rules.count > 0) {
        const uint32_t *first = snapshot_at(walk->snapshot, rules.off);
        out->lists[out->list_count].at = first;
        out->lists[out->list_count++].end = first + rules.count;
    }
}

static void step(struct walk *walk, struct span segment)
{
    uint32_t next[frontier_max];
    uint32_t next_count = 0;
    for (uint32_t i = 0; i < walk->count; i++) {
        const struct snap_node *node = node_at(walk, walk->nodes[i]);
        if (node->literals > 0) {
            enter(walk, next, &next_count, find_child(walk, walk->nodes[i], segment));
        }
        if (segment.len > 0) {
            enter(walk, next, &next_count, node->any);
        }
    }
    for (uint32_t i = 0; i < next_count; i++) {
        walk->nodes[i] = next[i];
    }
    walk->count = next_count;
}

static void walk_path(struct walk *walk, struct span path)
{
    uint32_t none = 0;
    enter(walk, walk->nodes, &none, 0);
    walk->count = none;
    size_t from = 1;
    while (from <= path.len && walk->count > 0 && !walk->full) {
        size_t slash = span_find(path, from, '/');
        step(walk, span_slice(path, from, slash));
        from = slash + 1;
    }
}

void candidates_init(struct candidates *candidates, const struct snapshot *snapshot,
                     const struct snap_ruleset *rules, struct span path, bool linear)
{
    candidates->next = rules->first;
    candidates->end = rules->first + rules->count;
    candidates->list_count = 0;
    if (linear || rules->nodes.count == 0) {
        return;
    }
    struct walk walk = {.out = candidates, .snapshot = snapshot, .rules = rules};
    walk_path(&walk, path);
    if (walk.full) {
        candidates->list_count = 0;
    } else {
        candidates->next = candidates->end;
    }
}

uint32_t candidates_next(struct candidates *candidates)
{
    if (candidates->list_count == 0) {
        return candidates->next < candidates->end ? candidates->next++ : SNAP_NONE;
    }
    uint32_t best = SNAP_NONE;
    uint32_t best_list = 0;
    for (uint32_t i = 0; i < candidates->list_count; i++) {
        const uint32_t *at = candidates->lists[i].at;
        if (at < candidates->lists[i].end && *at < best) {
            best = *at;
            best_list = i;
        }
    }
    if (best != SNAP_NONE) {
        candidates->lists[best_list].at++;
    }
    return best;
}
