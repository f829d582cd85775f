/* SPDX-License-Identifier: MIT */
/* Detours of the file, and what run time says instead. Internal to config/. */
#pragma once

#include "config/load.h"

#include <jansson.h>

/* A detour as it was read, alone: what it says, and what is wrong with it. Nothing in it
 * depends on other detours or on the time, so it is good as long as the rest of the text. */
struct stanza {
    struct span key;  /* "site/name" */
    struct span json; /* as it was read */
    uint64_t hash;    /* of what the file says; 0: run time says it */
    bool good;
    struct model_detour detour; /* what is known of it, if it is not good */
    struct place name_place;
    struct place clients_place; /* of its first look at client addresses; line 0: none */
    struct problems problems;

    /* Of run time: who uses it, and what it is made of. A stanza of the file, or of a model
     * that shares with nobody, lives in an arena of theirs. */
    size_t users;
    struct arena arena;
};

/* With its keys in order, so that the same meaning is the same text; empty: no memory. */
struct span canonical_json(struct load *load, const json_t *json);
/* Lines of a text that nobody has before him say nothing. */
void forget_places(struct node *node);

/* Before a text is read: nothing is known of the overrides yet. NULL is allowed. */
void overrides_forget(struct model_overrides *overrides);

/* A stanza of the file. */
void stanza_read(struct load *load, const struct node *node, struct stanza *out);
/* One of run time, with one user; in load->arena unless `shared`. NULL: no memory. */
struct stanza *stanza_read_live(struct load *load, const struct model_override *override,
                                bool shared);
/* The last user's takes it away; NULL is allowed. */
void stanza_drop(struct stanza *stanza);
