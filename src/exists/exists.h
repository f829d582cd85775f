/* SPDX-License-Identifier: MIT */
/* Asks servers of pools with HEAD whether they have what is at a path, and keeps the answers as
 * facts (shared/facts.h), where workers find them. Control's only, one thread, nothing blocks.
 *
 * What an answer says: 2xx is yes. 5xx, 408, 425, 429 and no answer at all say nothing, and the
 * server is left alone about this path for some seconds; a yes that still holds goes on. All
 * else is no.
 *
 * Memory is bounded: so many questions wait, and those of one server take no more than an eighth of
 * what room there is left. What finds none is dropped and counted, and asked again by a worker if a
 * client still wants it. Servers take turns. Of one that does not answer but a few questions wait,
 * it is asked one at a time until it does, and all of these together have half of the questions
 * on their way: so those that hang leave room for the others.
 *
 * See doc/internals/existence.md. */
#pragma once

#include "base/buffer.h"
#include "shared/questions.h"
#include "shared/servers.h"
#include "signing/ticket.h"

#include <ev.h>

enum {
    exists_at_once_max = 128,         /* questions on their way */
    exists_at_once_silent_max = 64,   /* … to servers that did not answer last time */
    exists_at_once_of_server_max = 4, /* … to one server */
    exists_waiting_max = 4096,
    exists_waiting_of_server_max = 256,
    exists_waiting_of_silent_max = 4,
    exists_timeout_ms = 5000,
    exists_connect_timeout_ms = 2000,
    exists_tried_s = 5,           /* so long a server is left alone that said nothing */
    exists_originals_max = 16384, /* answers of first servers that others are compared with */
};

struct exists_target {
    uint64_t key;      /* as workers call it; see facts_key */
    uint64_t original; /* the key of the server whose size or date must be the same; 0: none */
    bool same_size;
    bool same_date;
    bool is_original; /* others are compared with it */
    uint32_t slot;    /* of its live state */
    struct span url;  /* without a slash at its end */
    struct span host; /* of it; IPv6 without brackets */
    uint16_t port;
    struct span authority; /* the Host to send; empty: that of the URL */
    struct span ca_file;   /* authorities in PEM; empty: the system's */
    bool unverified;       /* any certificate will do */
    uint32_t yes_s;        /* for how long an answer is believed */
    uint32_t no_s;
    bool signs; /* a ticket goes along, as with clients: */
    uint64_t sign_key;
    struct span sign_param;
    uint32_t sign_ttl_s;
};

struct exists_setting {
    struct ev_loop *loop;
    struct facts *facts;         /* writable */
    struct servers_map *servers; /* who is down is not asked */
    void *context;
    /* Where a host is: the last good address. False: nobody knows. */
    bool (*find)(void *context, struct span host, uint8_t address_out[16]);
    const struct signing_keys *const *keys; /* those of now; NULL: there are none */
};

/* What became of questions about one server. */
struct exists_counts {
    uint64_t yes;
    uint64_t no;
    uint64_t failed;  /* no answer, or one that says nothing */
    uint64_t dropped; /* there was no room for them */
};

struct exists;

/* What the setting leads to outlives it. ERR_MEMORY. */
enum err exists_new(const struct exists_setting *setting, struct exists **out);
/* What was asked is forgotten; the facts stay. NULL is allowed. */
void exists_free(struct exists **exists);

/* Replaces the set of servers; spans are copied. When it is another one, what is under way is
 * forgotten. ERR_MEMORY: nobody is asked. */
enum err exists_set(struct exists *exists, const struct exists_target *targets, size_t count);

/* Sees to it that it is known soon whether a server has what is at the path (question_fits), unless
 * that is known already, is being asked, or nobody has this key. */
void exists_ask(struct exists *exists, uint64_t server, struct span path);

/* What is known now, and for how long still. exists: NULL is allowed. */
enum fact exists_known(const struct exists *exists, uint64_t server, struct span path,
                       uint32_t *left_s);

/* False: nobody is asked of what has this slot. NULL is allowed for exists. */
bool exists_look(const struct exists *exists, uint32_t slot, struct exists_counts *out);
/* Facts that had to go while they still held. */
uint64_t exists_evicted(const struct exists *exists);
/* Questions that wait or are on their way. */
size_t exists_pending(const struct exists *exists);
