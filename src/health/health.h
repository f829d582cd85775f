/* SPDX-License-Identifier: MIT */
/* Probes: each target is asked at its interval, by HTTP, HTTPS or a TCP connection, and what
 * track.h makes of the answers goes into the live state of its server; what an agent says of
 * its server goes there too. Control's only, one thread, nothing blocks.
 *
 * The turns of a target lie at its interval, each later by up to a tenth of it, by chance, and
 * no turn moves the next. So a server that dies is down no later than fall × interval + a tenth
 * of an interval + timeout after it, as long as there is room to ask everybody in time. */
#pragma once

#include "base/error.h"
#include "base/span.h"
#include "health/expect.h"
#include "health/track.h"
#include "shared/servers.h"

#include <ev.h>

enum {
    health_at_once_max = 512, /* questions under way; more wait for their turn */
    health_error_bytes = 256, /* of what went wrong last, with its NUL */
};

enum health_type { HEALTH_HTTP, HEALTH_TCP };

struct health_target {
    struct span identity; /* "mirrors/eu1", "origin:shop" */
    const char *kind;     /* "server": what people call it, and … */
    struct span name;     /* "mirrors/eu1" */
    struct span group;    /* "mirrors": those that concurrency counts together */
    uint32_t slot;        /* of the server's live state */

    enum health_type type;
    struct span url;  /* of the server, without a slash at its end */
    struct span host; /* of it; IPv6 without brackets */
    uint16_t port;
    struct span path;      /* what is asked for, from '/' on */
    const char *method;    /* static; NULL: GET */
    struct span authority; /* the Host to send; empty: that of the URL */
    struct expect expect;
    struct span ca_file; /* authorities in PEM; empty: the system's */
    bool unverified;     /* any certificate will do */

    uint32_t interval_ms;
    uint32_t timeout_ms;  /* not longer than interval_ms */
    uint32_t concurrency; /* of its group; 0: no limit of its own */
    struct track_rule rule;

    uint32_t drain_ms;     /* over which it loses its clients when its agent says drain */
    uint16_t agent_port;   /* where it says how it is, by TCP; 0: not so */
    struct span agent_url; /* … or by HTTP; empty: not so */
};

enum health_found {
    HEALTH_FOUND,
    HEALTH_NOT_YET, /* nobody has looked it up yet: not its fault */
    HEALTH_NOWHERE, /* it has no address, and never had one */
};

/* Where names are: the last good address. NULL: libcurl looks up, and TCP needs addresses. */
struct health_names {
    void *context;
    enum health_found (*find)(void *context, struct span host, uint8_t address_out[16],
                              uint32_t *scope_out);
};

struct health;

/* servers outlives it, and so does what names leads to. ERR_MEMORY. */
enum err health_new(struct ev_loop *loop, struct servers_map *servers,
                    const struct health_names *names, struct health **out);
/* From here on changed is called when a target has gone up or down, from the loop. */
void health_on_change(struct health *health, void (*changed)(void *context), void *context);
/* Ends all probes; the servers keep the state that they have. */
void health_free(struct health **health);

/* Replaces the set of targets; spans are copied. A target that was there already, asked in
 * the same way, keeps its state and its turn; a new one goes on from the state in the
 * shared pages, which outlived the last control. A server that is no longer probed is up,
 * and one whose agent is no longer asked is what else is said of it. ERR_MEMORY: some targets
 * are not probed. */
enum err health_set(struct health *health, const struct health_target *targets, size_t count);

/* How a target is, for people. Good until the loop turns. */
struct health_view {
    bool up;
    int64_t since_ns;   /* CLOCK_MONOTONIC; 0: as long as is known */
    int64_t held_ms;    /* for how long it will not come up, however well it is */
    const char *error;  /* of the last probe; NULL: it was good, or there was none */
    int64_t asked_ns;   /* CLOCK_MONOTONIC, when the last one ended; 0: none has */
    int64_t latency_us; /* of it */
    uint64_t probes;    /* that ended */
    uint64_t failures;  /* of them */
    bool has_agent;
    const char *agent_says;  /* its last line; "": none yet */
    const char *agent_error; /* of the last time that it was asked; NULL: none */
};

/* False: nobody probes what has this slot. NULL is allowed for health. */
bool health_look(const struct health *health, uint32_t slot, struct health_view *out);
