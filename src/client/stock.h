/* SPDX-License-Identifier: MIT */
/* What the files of the store share: the store itself, and what a request means to it. */
#pragma once

#include <detour/store.h>

#include "base/arena.h"
#include "client/keep.h"
#include "client/memo.h"
#include "client/text.h"
#include "uri/url.h"

#include <pthread.h>

struct detour_store {
    pthread_mutex_t lock;
    bool shared;
    struct keep *keep;
    struct arena arena; /* of a call */
    uint8_t old[memo_bytes_max];
    uint8_t new[memo_bytes_max];
};

/* ---- store.c ---- */

/* Empties the arena, too. */
void store_lock(struct detour_store *store);
/* Gives the error back. */
enum detour_error store_unlock(struct detour_store *store, enum detour_error error);

/* ---- stock.c ---- */

bool stock_request_is_sound(const struct detour_request *request);
/* The URL as records are found by: neither fragment nor userinfo. DETOUR_ERROR_USAGE: it is none of
 * http or https. */
enum detour_error stock_key(struct detour_store *store, struct span text, struct url *url,
                            struct span *out);
/* All lines of a name, as one (RFC 9110, 5.3). ptr NULL: none; or no memory, which *failed tells.
 */
struct span stock_value(struct arena *arena, const struct detour_request *request, struct span name,
                        bool *failed);
/* Whether what was asked for then is what is asked for now (RFC 9111, 4.1). */
bool stock_fits(struct detour_store *store, const struct variant *variant,
                const struct detour_request *request, bool *failed);
/* The record of a URL, decoded out of store->old. */
enum detour_error stock_find(struct detour_store *store, struct span key, struct memo *out,
                             bool *found);
/* No error when there is none. */
enum detour_error stock_forget(struct detour_store *store, struct span key);
