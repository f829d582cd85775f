/* SPDX-License-Identifier: MIT */
/* What the files of worker/ share: the one worker that there is in its process. */
#pragma once

#include "decide/answer.h"
#include "decide/decide.h"
#include "net/channel.h"
#include "net/listener.h"
#include "origin/origin.h"
#include "serve/serve.h"
#include "shared/counters.h"
#include "shared/record.h"
#include "shared/ring.h"
#include "shared/servers.h"
#include "snapshot/snapshot.h"
#include "tls/tls.h"

/* A snapshot and what was made of it. */
struct worker_snapshot {
    const struct snapshot *snapshot; /* NULL: none yet */
    size_t bytes;                    /* of the mapping */
    struct regex_set *regexes;
    struct pools *pools;
};

struct worker {
    struct ev_loop *loop;
    ev_io channel;
    ev_timer heartbeat;
    ev_prepare sleep;
    ev_signal terminate;
    struct channel_buffer buffer;

    uint32_t index;
    struct counters_map *counters_map; /* NULL: not welcomed yet */
    struct counters_worker *counters;
    struct counters_rule *rules;
    struct servers_map *servers;
    struct ring *ring;
    int bell_fd;
    bool has_logged; /* since the bell was last rung */

    struct facts *facts;
    struct ring *questions_ring;
    struct questions *questions;
    int knock_fd;
    bool has_asked; /* since control's bell was last rung */

    struct server *server;   /* NULL until the first snapshot */
    struct origins *origins; /* likewise */
    struct listener listeners[message_fds_max];
    size_t listener_count;

    struct tls_context *tls; /* until there is a server to give it to */
    struct worker_snapshot current;
    struct ticket_key ticket_key;
    const struct signing_keys *signing;      /* of the current snapshot, mapped; NULL: none */
    const struct signing_keys *signing_next; /* of the one that is about to come … */
    bool has_signing_next;                   /* … if this says so */
    struct decide_context decide;
    struct answer_scratch answer;
    uint8_t log_path[record_string_max]; /* where path and query do not stand together */
    uint32_t active;                     /* the rule that a health check has found */
    uint8_t detour_status[4];
};

/* adopt.c */

/* Answers from the snapshot of this message from now on, and acknowledges it. One that
 * cannot be used is reported in the log, and the one in use stays. */
void adopt_snapshot(struct worker *worker, struct message *message);
void drop_snapshot(struct worker_snapshot *dropped);
/* Begins new connections with the certificates of this message. */
void adopt_tls(struct worker *worker, struct message *message);
/* Signs the tickets of wait pages with the key of this message. */
void adopt_secret(struct worker *worker, struct message *message);
void adopt_geo(struct worker *worker, struct message *message);
/* Keeps the keys of this message for the next snapshot. */
void adopt_signing(struct worker *worker, struct message *message);

/* handle.c */

/* What the log says of a request, but for its status and Location. request: the one that was
 * decided on. */
void worker_record(struct worker *worker, const struct serve_request *asked,
                   const struct request *request, const struct decision *decision,
                   struct record *out);
void worker_log(struct worker *worker, const struct record *record);

/* A serve_handler_fn; context is the worker. */
void handle_request(void *context, const struct serve_request *asked, struct response *response);
