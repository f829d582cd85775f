/* SPDX-License-Identifier: MIT */
/* libdetour: the memory of a client, which redirects it may use again without asking (RFC 9111).
 *
 * A temporary redirect (302, 303, 307) is kept only when the answer says so, and for as long as it
 * says; a permanent one (301, 308) as long as it says, or until it is forgotten when it says
 * nothing. What seems to come from the future, since the clock was set back, is not used when it
 * has an end. Nothing else is kept: neither other answers, nor content, nor answers to other
 * methods than GET; HEAD is answered by what GET brought. What is stale is as good as gone: there
 * is no asking again by validators, since a redirect is as short as the answer to that.
 *
 *     struct detour_hit *hit;
 *     detour_store_find(store, verdict->next->request, now_s, &hit);
 *     if (hit != NULL) {
 *         detour_chain_answer(chain, hit->answer, &verdict);
 *         detour_hit_free(&hit);
 *     } else {
 *         … send, and read the answer …
 *         detour_store_learn(store, verdict->next->request, &answer, NULL);
 *         detour_chain_answer(chain, &answer, &verdict);
 *     }
 *
 * It is a private cache unless options say otherwise: it holds what was said to one person, and is
 * not to be shared between people.
 *
 * THREADS. A store may be used by several threads at once; it locks itself. A file may be used by
 * several processes at once; within one process it may be open only once at a time, and not over a
 * fork(): open it in the child. The manual: detour_store(3). */
#ifndef DETOUR_STORE_H
#define DETOUR_STORE_H

#include <detour/detour.h>

#ifdef __cplusplus
extern "C" {
#endif

struct detour_store;

struct detour_store_options {
    size_t size;
    bool shared;          /* false; true: by the rules of a shared cache (s-maxage, private,
                             Authorization) */
    uint32_t entries_max; /* 10000 URLs; at most 1000000 */
    uint64_t bytes_max;   /* 16 MiB of records; 64 KiB to 1 GiB */
};

/* Sets size, and the defaults above, in as many members as the caller has. */
DETOUR_API void detour_store_options_init(struct detour_store_options *options, size_t size);

/* Room for why a file cannot be used, with its NUL. */
#define DETOUR_WHY_BYTES 256
/* For one URL, what Vary tells apart; the oldest goes. */
#define DETOUR_VARIANTS_MAX 8

/* One in memory. options NULL: the defaults. DETOUR_ERROR_USAGE: one is out of range. */
DETOUR_API enum detour_error detour_store_new(const struct detour_store_options *options,
                                              struct detour_store **out);
/* One in a file, which is made when it is not there, readable for its owner alone; path with
 * "-lock" behind it is a second one. The file is read through first, since LMDB trusts what it
 * finds. When it is full, what was stored longest ago goes.
 * DETOUR_ERROR_IO, DETOUR_ERROR_DAMAGED, DETOUR_ERROR_NEWER: why, unless NULL, has room for
 * DETOUR_WHY_BYTES and gets what to tell, without the path. A file that cannot be used is not
 * touched: to go on without what it holds, remove it and its lock. */
DETOUR_API enum detour_error detour_store_open(const char *path,
                                               const struct detour_store_options *options,
                                               char *why, struct detour_store **out);
/* Accepts a pointer to NULL, and leaves NULL behind. */
DETOUR_API void detour_store_free(struct detour_store **store);

/* What was made of an answer. */
enum detour_learnt {
    DETOUR_LEARNT_NOTHING = 0, /* it may not be kept; what was known of that URL is forgotten */
    DETOUR_LEARNT_STORED,
    DETOUR_LEARNT_INVALIDATED, /* the answer to an unsafe method: its URL, and those of the same
                                  origin that it names, are forgotten (RFC 9111, 4.4) */
    DETOUR_LEARNT_LIMIT,       /* it could be kept, but is longer than a record may be (64 KiB) */
};

/* Takes every answer that comes from the network, with the request as it was sent: the request of a
 * verdict, or with the fields that were really sent, which matter where Vary names them. An answer
 * that came from a store changes nothing. learnt may be NULL.
 * DETOUR_ERROR_USAGE: received_s is 0, or the URL is none of http or https.
 * DETOUR_ERROR_MEMORY, DETOUR_ERROR_IO, DETOUR_ERROR_DAMAGED: what was known may be forgotten. */
DETOUR_API enum detour_error detour_store_learn(struct detour_store *store,
                                                const struct detour_request *request,
                                                const struct detour_answer *answer,
                                                enum detour_learnt *learnt);

/* What a store has for a request. */
struct detour_hit {
    /* For detour_chain_answer: the status, Location, Cache-Control, Expires, Date, Vary and
     * Referrer-Policy as they came, and Age as it is now (RFC 9111, 4). from_store is true. */
    const struct detour_answer *answer;
    int64_t age_s;
    int64_t fresh_until_s; /* INT64_MAX: no end */
};

/* *out is NULL when nothing fresh is known: also for methods other than GET and HEAD, and when the
 * request wants to know for itself (`Cache-Control: no-cache`, `max-age`, `min-fresh`, `Pragma`).
 * Otherwise it is the caller's, who frees it. Errors as of detour_store_learn. */
DETOUR_API enum detour_error detour_store_find(struct detour_store *store,
                                               const struct detour_request *request, int64_t now_s,
                                               struct detour_hit **out);
/* Accepts a pointer to NULL, and leaves NULL behind. */
DETOUR_API void detour_hit_free(struct detour_hit **hit);

/* Forgets what is known of a URL, in all variants, or of all. */
DETOUR_API enum detour_error detour_store_forget(struct detour_store *store,
                                                 struct detour_text url);
DETOUR_API enum detour_error detour_store_clear(struct detour_store *store);
/* Forgets what is stale at that time. */
DETOUR_API enum detour_error detour_store_sweep(struct detour_store *store, int64_t now_s);
/* How many URLs it knows, stale ones included. */
DETOUR_API enum detour_error detour_store_count(struct detour_store *store, size_t *out);

struct detour_entry {
    struct detour_text url;
    uint16_t status;
    struct detour_text location; /* as it came */
    struct detour_text vary;     /* ptr NULL: none */
    int64_t stored_s;
    int64_t fresh_until_s; /* INT64_MAX: no end */
};

/* The entry lives until the function returns. False ends the walk. It must not use the store. */
typedef bool detour_entry_fn(void *context, const struct detour_entry *entry);

/* Each variant of each URL, in no order. */
DETOUR_API enum detour_error detour_store_walk(struct detour_store *store, detour_entry_fn *visit,
                                               void *context);

#ifdef __cplusplus
}
#endif

#endif
