/* SPDX-License-Identifier: MIT */
/* The decision: what one request gets, and the rule that said so. Pure: reads the
 * snapshot, the live state of servers, the request and `now`; writes the decision and its
 * scratch. A worker, `explain` and the fuzzers call the same function. */
#pragma once

#include "http/response.h"
#include "page/link.h"
#include "page/ticket.h"
#include "page/wait.h"
#include "pool/pool.h"
#include "shared/questions.h"
#include "signing/keys.h"
#include "snapshot/snapshot.h"
#include "uri/location.h"
#include "uri/path.h"
#include "uri/regex.h"

/* Compiled regular expressions of one snapshot, by their index in it. */
struct regex_set;
/* Compiles what previous (may be NULL) has not compiled already and takes the rest over
 * from it; previous is left without what moved and must be freed all the same. Its snapshot
 * must still be mapped, since its sources are looked at. ERR_SYNTAX or ERR_MEMORY: nothing was
 * changed. */
enum err regex_set_new(const struct snapshot *snapshot, struct regex_set *previous,
                       struct regex_set **out);
void regex_set_free(struct regex_set **set);

/* A page of ours that a request is shown; of no meaning where it is shown none. */
struct decide_wait {
    bool shown; /* the rules say so, of the URL that was asked for or that the ticket names */
    uint32_t page;
    const struct snap_rule *rule; /* that says so; NULL: none */
    struct span target;           /* where the reader wants to go */
    struct span ticket;
    int64_t until_ns; /* SNAP_NEVER: not known */
    int64_t now_ns;
    uint8_t target_bytes[ticket_target_max];
};

/* A signed link that was good: the cookie that keeps it. Of no meaning but for REASON_LINK. */
struct decide_link {
    struct span text; /* in the request */
    int64_t life_s;
    uint8_t cookie_name[link_cookie_bytes];
};

enum {
    decide_alternatives_max = snap_alternatives_max,
    decide_alternatives_told = 4, /* where the pool does not say how many */
    decide_alternatives_bytes_max = 8192,
    decide_links_bytes_max = 2048, /* of that in fields: proxies have 4 KiB for a whole head */
    alternative_priority = 2,      /* of the first of them: the Location itself is 1 */
};

/* Where else a client of a pool could go. Of no meaning but for decision->alternative_count. */
struct decide_alternatives {
    struct decide_alternative {
        struct span url;
        struct span link; /* a value of Link (RFC 6249) */
        uint32_t priority;
        uint32_t server; /* index into the snapshot's servers */
    } at[decide_alternatives_max];
    uint8_t text[decide_alternatives_bytes_max]; /* what does not fit is not named */
};

enum { decide_asks_max = 4 };
/* pool_avoid_words of the largest pool. */
enum { decide_avoid_words_max = snap_pool_servers_max / 64 };

/* What is known of which server has what, and what ought to be asked. */
struct decide_exists {
    const struct facts *facts; /* NULL: everybody has everything */
    uint32_t now_s;            /* facts_now_s, to about a second */

    /* Questions that a decision has raised, to be taken by who calls decide; paths point into the
     * request, or the context. */
    uint32_t ask_count;
    struct decide_ask {
        struct span path;
        uint64_t server;
        uint64_t key;
        bool again; /* it is known, and about to be forgotten */
    } asks[decide_asks_max];

    /* Servers of a pool, by their bits (pool_avoid). */
    uint64_t others[decide_avoid_words_max];  /* all that are not known to have it */
    uint64_t lacking[decide_avoid_words_max]; /* that are known not to */
    uint64_t settled[decide_avoid_words_max]; /* of whom nothing is to be asked */
};

/* What one thread needs to decide; kept between requests, no request leaves a trace that
 * another could see, except the turns of pools. */
struct decide_context {
    /* What each request looks at stands together; what few use stands behind it. */
    const struct snapshot *snapshot;
    const struct regex_set *regexes;
    struct pools *pools;                 /* of the snapshot */
    const struct geo_head *geo;          /* NULL: nobody knows where anybody is */
    const struct ticket_key *ticket_key; /* NULL: nobody is shown a page of ours */
    const struct signing_keys *signing;  /* NULL: URLs of pools stay without tickets */
    struct decide_trace *trace;          /* NULL but for explain: then every rule is looked at */
    /* A proxy asks: nobody is told where to go instead of being sent there, since a 200 says to a
     * proxy that there is nothing to do. */
    bool for_proxy;
    struct path_scratch path_scratch;
    uint8_t location[location_bytes_max];
    uint8_t host_lower[256]; /* of a forwarded host */
    struct decide_wait wait;
    struct decide_link link;
    struct decide_exists exists;
    struct decide_alternatives alternatives;
    uint64_t avoid[decide_avoid_words_max]; /* of the pool that was chosen from last */
    uint8_t query[request_head_bytes_max];  /* without the parameter of the pool's `avoid` */
};

enum reason {
    REASON_ROUTE, /* the rule says so */
    REASON_DETOUR,
    REASON_DEFAULT,
    REASON_REST,             /* the rule matched, and the client is not in its share */
    REASON_PAGE_OTHERS,      /* a page, and this is not a person's GET: 503 */
    REASON_POOL_EMPTY,       /* nobody is left in the pool: its fallback */
    REASON_POOL_LACKS,       /* nobody of the pool is known to have it: likewise */
    REASON_HTTPS,            /* https_redirect */
    REASON_PREFLIGHT,        /* CORS */
    REASON_OPTIONS,          /* OPTIONS * */
    REASON_NO_SITE,          /* no site answers for this host: 421 */
    REASON_MISDIRECTED,      /* https asked for over a connection that is not: 421 */
    REASON_REGEX_LIMIT,      /* the request spent its budget: 503 */
    REASON_LOCATION_LONG,    /* 414 */
    REASON_LOCATION_ESCAPES, /* 400 */
    REASON_FORWARDED_DIFFER, /* trusted proxies' Forwarded and X-Forwarded-*: 400 */
    REASON_WAIT,             /* a wait page */
    REASON_WAIT_OVER,        /* back from there, since it is over */
    REASON_WAIT_STATUS,      /* whether it is over */
    REASON_WAIT_METHOD,      /* of those two with another method: 405 */
    REASON_TICKET,           /* below /.well-known/detour/, but without a good ticket: 404 */
    REASON_LINK,             /* a signed link was opened: to the same URL without it */
    REASON_ORIGIN_REFUSED,   /* no connection to the origin could be made: 502 */
    REASON_ORIGIN_BAD,       /* its answer broke off, or is none that can be passed on: 502 */
    REASON_ORIGIN_LATE,      /* 504 */
    REASON_ORIGIN_BUSY,      /* too many requests wait for it already: 503 */
    REASON_ORIGIN_NOT,       /* the request is none that could be passed on: 400, 431, 508 */
    REASON_BAD_REQUEST,      /* refused before there was a decision */
    REASON_UNTRUSTED,        /* a question about another request, by nobody whom we trust: 403 */
    REASON_NO_ORIGINAL,      /* … that does not say which request: 400 */
    REASON_ORIGINAL_DIFFERS, /* … that says it twice, and not the same: 400 */
    REASON_LOOP,             /* the client has been sent to the pool's last resort already: 508 */
    REASON_ACTIVE,           /* whether a detour is active was asked, and it is told */
};
/* "route", "no site", …: for logs and explain. */
struct span reason_text(enum reason reason);

enum {
    VARY_COOKIE = 1,
    VARY_ACCEPT = 2,
    VARY_ORIGIN = 4,
    VARY_AVOID = 8,
    VARY_SAID = 16, /* Vary is said even where nothing says that the answer may be stored */
};
enum { decision_vary_rules_max = 4 }; /* more of them: private */

struct decision {
    enum reason reason;
    uint16_t status;
    uint32_t site;        /* SNAP_NONE: none */
    uint32_t rule;        /* index into the snapshot's rules; SNAP_NONE: none */
    uint32_t server;      /* index into the snapshot's servers; SNAP_NONE: none */
    uint32_t origin;      /* index into the snapshot's origins: the request is passed on to it as it
                             was sent, and its answer is the answer. `pass` is set too, for who
                             passes nothing on: a proxy that only asks. SNAP_NONE: none */
    struct span location; /* in context->location; empty: none */
    const struct snap_action *action; /* the action that was carried out, or NULL */
    bool pass;                        /* "nothing to do here" */
    bool problem;                     /* the body is a problem document */
    bool json;                  /* the client is told the Location in a 200, and not sent there */
    uint32_t alternative_count; /* in context->alternatives */
    int64_t expires_s;          /* when the Location is good no more, in wall seconds; 0: never */
    bool hold;                /* the pool's cookie is to hold the client to `server` from now on */
    bool html;                /* … in HTML, for a browser's form POST */
    bool depends_on_client;   /* share, bypass, clients or a pool had a say: private */
    uint32_t vary;            /* bit VARY_x: fields that had a say */
    uint32_t vary_rule_count; /* rules whose conditions on other fields had a say */
    uint32_t vary_rules[decision_vary_rules_max];
    int64_t max_age_s;     /* clipped; -1: none */
    int64_t retry_after_s; /* -1: none */
    struct client client;  /* as trusted proxies say */
    struct span host;      /* effective; canonical */
    int32_t port;          /* with it, likewise; -1: none was named */
};

/* What is known of a request before anything is decided. */
static inline void decision_init(struct decision *decision, const struct request *request,
                                 const struct client *peer)
{
    *decision = (struct decision){
        .reason = REASON_DEFAULT,
        .site = SNAP_NONE,
        .rule = SNAP_NONE,
        .server = SNAP_NONE,
        .origin = SNAP_NONE,
        .max_age_s = -1,
        .retry_after_s = -1,
        .client = *peer,
        .host = request->host,
        .port = request->port,
    };
}

/* The answer is a problem document with this status, and no Location. */
void decision_refuse(struct decision *decision, enum reason reason, uint16_t status);

/* For explain: each rule that was looked at, and why it lost. */
enum lost {
    LOST_NOT,   /* it won */
    LOST_LATER, /* it matches too, but another one came first */
    LOST_PATH,
    LOST_HOST,
    LOST_METHOD,
    LOST_HEADER,
    LOST_COOKIE,
    LOST_QUERY,
    LOST_CLIENT,
    LOST_SHARE, /* the client is not in its share, and the rest goes on */
    LOST_RAMP,  /* the detour has not taken the client yet, or has let it go */
    LOST_EXCEPT,
    LOST_BYPASS,
    LOST_LABEL, /* a value for the authority that the rule does not list */
};
/* "the path does not match", … */
struct span lost_text(enum lost lost);

struct decide_trace {
    struct decide_trace_row {
        uint32_t rule;
        enum lost lost;
    } * rows; /* of the caller; row_max of them */
    size_t row_max;
    size_t row_count;
    struct path path; /* as it was matched */
    bool pooled;      /* a server of `pool` was to be chosen, for this client: */
    uint32_t pool;
    struct pool_client pool_client;
    struct span pool_path; /* that is appended to its URL */
};

/* now_ns: wall clock. */
void decide(struct decide_context *context, const struct request *request,
            const struct client *peer, int64_t now_ns, struct decision *out);
/* The same for a request whose client, host and port are known: no proxy is heard any more. */
void decide_known(struct decide_context *context, const struct request *request,
                  const struct client *client, int64_t now_ns, struct decision *out);
