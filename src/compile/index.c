/* SPDX-License-Identifier: MIT */
/* The trie of path segments: each rule hangs on the node that its leading literal and
 * one-segment parts lead to. The trie only narrows; the rule itself says what matches. */
#include "compile/parts.h"

/* A node while the trie grows; its rules are a chain in rule order. */
struct node {
    uint32_t any;
    uint32_t literals;
    uint32_t rule_count;
    uint32_t first_link; /* into links; SNAP_NONE */
    uint32_t last_link;
};

struct link {
    uint32_t rule;
    uint32_t next;
};

struct trie {
    struct compile *compile;
    struct node *nodes;
    uint32_t node_count;
    uint32_t node_cap;
    struct snap_edge *edges;
    uint32_t edge_count;
    uint32_t edge_cap; /* a power of two */
    struct link *links;
    uint32_t link_count;
    bool failed;
};

static uint32_t new_node(struct trie *trie)
{
    if (trie->node_count == trie->node_cap) {
        uint32_t cap = trie->node_cap == 0 ? 64 : trie->node_cap * 2;
        struct node *grown = realloc(trie->nodes, cap * sizeof(*grown));
        if (grown == NULL) {
            trie->failed = true;
            return 0;
        }
        trie->nodes = grown;
        trie->node_cap = cap;
    }
    trie->nodes[trie->node_count] =
        (struct node){.any = SNAP_NONE, .first_link = SNAP_NONE, .last_link = SNAP_NONE};
    return trie->node_count++;
}

static struct span edge_text(const struct trie *trie, const struct snap_edge *edge)
{
    return span_of(trie->compile->block.bytes + edge->segment.off, edge->segment.len);
}

static struct snap_edge *find_edge(const struct trie *trie, uint32_t node, struct span segment)
{
    uint32_t mask = trie->edge_cap - 1;
    uint32_t at = snapshot_edge_hash(node, segment) & mask;
    while (trie->edges[at].node != SNAP_NONE &&
           (trie->edges[at].node != node || !span_eq(edge_text(trie, &trie->edges[at]), segment))) {
        at = (at + 1) & mask;
    }
    return &trie->edges[at];
}

static void widen_edges(struct trie *trie)
{
    struct snap_edge *old = trie->edges;
    uint32_t old_cap = trie->edge_cap;
    uint32_t cap = old_cap == 0 ? 64 : old_cap * 2;
    struct snap_edge *edges = malloc(cap * sizeof(*edges));
    if (edges == NULL) {
        trie->failed = true;
        return;
    }
    for (uint32_t i = 0; i < cap; i++) {
        edges[i] = (struct snap_edge){.node = SNAP_NONE};
    }
    trie->edges = edges;
    trie->edge_cap = cap;
    for (uint32_t i = 0; i < old_cap; i++) {
        if (old[i].node != SNAP_NONE) {
            *find_edge(trie, old[i].node, edge_text(trie, &old[i])) = old[i];
        }
    }
    free(old);
}

static uint32_t literal_child(struct trie *trie, uint32_t node, struct span segment)
{
    if (trie->edge_count * 2 >= trie->edge_cap) {
        widen_edges(trie);
    }
    if (trie->failed) {
        return 0;
    }
    struct snap_edge *edge = find_edge(trie, node, segment);
    if (edge->node == SNAP_NONE) {
        uint32_t child = new_node(trie);
        edge->segment = block_text(&trie->compile->block, segment);
        edge->node = node;
        edge->child = child;
        trie->edge_count++;
        trie->nodes[node].literals++;
    }
    return edge->child;
}

static uint32_t any_child(struct trie *trie, uint32_t node)
{
    if (trie->nodes[node].any == SNAP_NONE) {
        uint32_t child = new_node(trie);
        trie->nodes[node].any = child;
    }
    return trie->nodes[node].any;
}

static uint32_t node_of_prefix(struct trie *trie, struct span prefix)
{
    uint32_t node = 0;
    size_t from = 1;
    while (from <= prefix.len && !trie->failed) {
        size_t slash = span_find(prefix, from, '/');
        node = literal_child(trie, node, span_slice(prefix, from, slash));
        from = slash + 1;
    }
    return node;
}

static uint32_t node_of_pattern(struct trie *trie, const struct pattern *pattern)
{
    uint32_t node = 0;
    struct span text;
    for (size_t at = 0; !trie->failed; at++) {
        enum segment_kind kind = pattern_segment(pattern, at, &text);
        if (kind == SEGMENT_LITERAL) {
            node = literal_child(trie, node, text);
        } else if (kind == SEGMENT_ANY) {
            node = any_child(trie, node);
        } else {
            break;
        }
    }
    return node;
}

/* The block may move while strings are put into it, so the model's own are walked. */
static uint32_t node_of_rule(struct trie *trie, const struct model_rule *rule)
{
    return rule->path != NULL ? node_of_pattern(trie, rule->path)
                              : node_of_prefix(trie, rule->prefix);
}

static void hang(struct trie *trie, uint32_t node, uint32_t rule)
{
    uint32_t link = trie->link_count++;
    trie->links[link] = (struct link){.rule = rule, .next = SNAP_NONE};
    struct node *at = &trie->nodes[node];
    if (at->last_link == SNAP_NONE) {
        at->first_link = link;
    } else {
        trie->links[at->last_link].next = link;
    }
    at->last_link = link;
    at->rule_count++;
}

static struct snap_list rules_of_node(struct trie *trie, const struct node *node)
{
    struct block *block = &trie->compile->block;
    struct snap_list list = block_array(block, node->rule_count, sizeof(uint32_t));
    size_t i = 0;
    for (uint32_t link = node->first_link; link != SNAP_NONE; link = trie->links[link].next) {
        block_set(block, list, i++, &trie->links[link].rule, sizeof(uint32_t));
    }
    return list;
}

static void write_trie(struct trie *trie, struct snap_ruleset *set)
{
    struct block *block = &trie->compile->block;
    if (trie->edge_cap == 0) {
        widen_edges(trie);
    }
    set->nodes = block_array(block, trie->node_count, sizeof(struct snap_node));
    for (uint32_t i = 0; i < trie->node_count; i++) {
        struct snap_node node = {.any = trie->nodes[i].any,
                                 .literals = trie->nodes[i].literals,
                                 .rules = rules_of_node(trie, &trie->nodes[i])};
        block_set(block, set->nodes, i, &node, sizeof(node));
    }
    if (!trie->failed) {
        set->edges = block_list(block, trie->edges, trie->edge_cap, sizeof(*trie->edges));
    }
}

void compile_index(struct compile *compile, struct snap_ruleset *set)
{
    if (set->count < index_rules_min || compile->block.err != ERR_NONE) {
        return;
    }
    struct trie trie = {.compile = compile};
    trie.links = malloc(set->count * sizeof(*trie.links));
    trie.failed = trie.links == NULL;
    new_node(&trie);
    for (uint32_t i = set->first; i < set->first + set->count && !trie.failed; i++) {
        uint32_t node = node_of_rule(&trie, compile->sources[i]);
        if (!trie.failed) {
            hang(&trie, node, i);
        }
    }
    if (!trie.failed) {
        write_trie(&trie, set);
    }
    if (trie.failed && compile->block.err == ERR_NONE) {
        compile->block.err = ERR_MEMORY;
    }
    free(trie.nodes);
    free(trie.edges);
    free(trie.links);
}
