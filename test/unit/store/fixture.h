/* SPDX-License-Identifier: MIT */
/* A folder for a store that goes away afterwards, and short ways to say what tests say. */
#pragma once

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char file[96];
    char reason[store_reason_bytes];
    struct store *store;
    struct arena arena;
};

/* cmocka's setup and teardown. The folder is there, the store is not yet open. */
int fixture_begin(void **state);
int fixture_end(void **state);

void fixture_open(struct fixture *f);
/* Empties the arena and opens the store again. */
void fixture_reopen(struct fixture *f);

/* One override. False: there is none of that key. */
bool fixture_find(struct fixture *f, const char *key, struct store_override *out);
/* What the store holds, as one number: equal for equal content. */
uint64_t fixture_digest(struct fixture *f);
/* The file's bytes, malloced. */
struct span fixture_read_file(const struct fixture *f);
void fixture_write_file(const struct fixture *f, struct span bytes);

struct store_change change_set(const char *key, const char *json, uint64_t stanza);
struct store_change change_off(const char *key, uint64_t stanza);
struct store_change change_none(const char *key);

/* One change; its number. */
uint64_t apply_one(struct fixture *f, struct store_change change);
