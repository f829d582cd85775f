/* SPDX-License-Identifier: MIT */
/* YAML text as a tree of nodes, each of which knows where it stands.
 *
 * Less than YAML on purpose: one document, the core types only, no anchors and no aliases
 * (so that a small text stays a small tree, and the same resource can be written as JSON),
 * no key twice. */
#pragma once

#include "base/problem.h"

enum { yaml_depth_max = 32, yaml_nodes_max = 8000000, yaml_bytes_max = 256 << 20 };

enum node_kind { NODE_NULL, NODE_SCALAR, NODE_LIST, NODE_MAP };

/* Where the text of a node does not stand in the file byte for byte. */
#define NODE_NOT_VERBATIM UINT8_MAX

struct node {
    enum node_kind kind;
    bool plain;   /* a scalar without quotes: may be a number or a boolean */
    uint8_t lead; /* columns from place to the first byte of text, or NODE_NOT_VERBATIM */
    struct place place;
    struct span text;       /* of a scalar, NUL-terminated */
    struct span label;      /* how messages call it: its key, or that of the list it is in */
    const struct node *key; /* in a map; NULL in a list */
    struct node *first;     /* of a list, or the first value of a map */
    struct node *next;
    size_t count;
};

/* The tree lives in arena. NULL: an error, which problems says. An empty text is a
 * NODE_NULL. */
const struct node *yaml_read(struct span text, struct arena *arena, struct problems *problems);

/* The place of byte `offset` of a scalar's text, as near as it is known. */
struct place node_place_at(const struct node *node, size_t offset);
