/* SPDX-License-Identifier: MIT */
/* What the files of exists share.
 *
 *   exists.c     the set of servers, and questions in their turn
 *   ask.c        one question over the network, and what its answer says
 *   originals.c  size and date of what first servers have */
#pragma once

#include "exists/exists.h"

#include "base/arena.h"
#include "fetch/fetch.h"

enum { exists_buckets = 4096 };

struct server;

/* Whether `about` has what is at the path. */
struct inquiry {
    struct exists *exists;
    struct server *about;
    struct server *asked; /* `about`, or first the one that it is compared with */
    uint64_t key;         /* of the fact */
    uint64_t path_hash;
    struct inquiry *next;        /* that waits for the same server */
    struct inquiry *chain;       /* of the same bucket */
    struct fetch_request *fetch; /* NULL: it waits */
    bool of_silent;              /* it is counted in running_silent */
    struct span path;
    uint8_t bytes[];
};

struct server {
    struct exists_target target;
    const char *ca_file;     /* NULL: the system's */
    const char *host_field;  /* NULL: as the URL says */
    struct server *original; /* NULL: none */
    struct inquiry *first;   /* that waits */
    struct inquiry *last;
    uint32_t waiting;
    uint32_t running;
    bool silent; /* the last one was not answered */
    bool ready;  /* it stands in one of the lists of those that can be asked */
    struct server *next;
};

/* What an original has at a path. */
struct original {
    uint64_t key; /* of the fact; 0: free */
    int64_t size;
    int64_t date_s;
    uint32_t until_s;
    bool absent;
};

/* Of servers, by their next. */
struct ready {
    struct server *first;
    struct server *last;
};

struct exists {
    struct exists_setting setting;
    struct fetch *fetch;
    struct arena arena;     /* of the servers */
    uint64_t fingerprint;   /* of the targets */
    struct server *servers; /* by key */
    size_t server_count;
    struct ready ready;        /* those that can be asked */
    struct ready ready_silent; /* … and did not answer last time */
    size_t waiting;
    size_t running;
    size_t running_silent;
    struct inquiry *buckets[exists_buckets];
    struct exists_counts *counts; /* servers_max, by slot */
    bool *known;                  /* likewise: it has counts */
    struct original *originals;   /* exists_originals_max; NULL until they are needed */
    uint64_t evicted;
};

static inline uint32_t exists_now_s(const struct exists *exists, int64_t monotonic_ns)
{
    return facts_now_s(exists->setting.facts, monotonic_ns);
}

/* exists.c */

/* The question waits for its turn with `asked`. */
void inquiry_wait(struct inquiry *inquiry);
/* The one that it is compared with has answered: the server itself is next. */
void inquiry_move(struct inquiry *inquiry);
/* It is answered: it is gone, and the fact is written. */
void inquiry_end(struct inquiry *inquiry, enum fact fact);

/* It has not answered: of what waits for it only the newest few are kept. */
void server_fell_silent(struct exists *exists, struct server *server);

/* ask.c */

/* Asks `asked`. False: that is impossible now. */
bool inquiry_send(struct inquiry *inquiry);

/* originals.c */

/* NULL: not known, or not any more. */
const struct original *original_find(const struct exists *exists, uint64_t key, uint32_t now_s);
void original_keep(struct exists *exists, const struct original *original);
