/* SPDX-License-Identifier: MIT */
/* The snapshot: sites, rules and pools, compiled into one flat, immutable block. Offsets
 * from its beginning, no pointers, so that every process maps it where it likes. Built by
 * compile/, read by decide/; every array is 8-aligned.
 *
 * snapshot_verify looks at the whole of it and believes nothing; snapshot_open, which a
 * worker calls on a sealed block that control has verified, looks at the header only. */
#pragma once

#include "base/cidr.h"
#include "base/error.h"
#include "uri/pattern.h"
#include "uri/template.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define SNAP_NONE UINT32_MAX
#define SNAP_MAGIC UINT64_C(0x50414e53525544) /* "DURSNAP" */
#define SNAP_NEVER INT64_MAX

enum {
    snap_version = 8,
    snap_bytes_max = 1 << 30,
    snap_rule_slots_max = 1 << 20, /* as many as the shared pages hold */
    snap_server_slots_max = 1 << 16,
    snap_title_bytes_max = 256, /* of a page; and … */
    snap_html_bytes_max = 64 << 10,
    snap_addresses_max = 16, /* of one origin */
    snap_authorities_bytes_max = 4 << 20,
};

/* Bytes in the block; len 0: empty, whatever off says. */
struct snap_ref {
    uint32_t off;
    uint32_t len;
};

/* count structs of one kind, one after the other. */
struct snap_list {
    uint32_t off;
    uint32_t count;
};

struct snap_limits {
    uint32_t header_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t write_timeout_ms;
    uint32_t lingering_time_ms;
    uint32_t lingering_idle_ms;
    uint32_t connections_max;
    uint64_t lingering_bytes;
};

/* A pattern block and its expression, if it needs one. block.len 0: none. */
struct snap_pattern {
    struct snap_ref block;
    uint32_t regex; /* index into regexes; SNAP_NONE */
    uint32_t reserved;
};

enum snap_test_kind { SNAP_TEST_PRESENT, SNAP_TEST_ABSENT, SNAP_TEST_EQUAL, SNAP_TEST_GLOB };
struct snap_test {
    uint32_t kind;
    struct snap_ref name;
    struct snap_ref value;
    uint32_t reserved;
};

struct snap_field {
    struct snap_ref name;
    struct snap_ref value;
};

/* Where a template's variable takes its value from. */
enum snap_source {
    SNAP_PATH_GROUP = 0,  /* + group */
    SNAP_HOST_GROUP = 64, /* + group */
    SNAP_SCHEME = 128,
    SNAP_HOST,
    SNAP_PORT,
    SNAP_PATH,
    SNAP_QUERY,
    SNAP_METHOD,
};

/* Values that a variable in the authority may have. */
struct snap_labels {
    uint32_t variable; /* of the template */
    uint32_t reserved;
    struct snap_list values; /* struct snap_ref */
};

enum snap_action_kind {
    SNAP_ACTION_NEXT,
    SNAP_ACTION_TO,
    SNAP_ACTION_POOL,
    SNAP_ACTION_PAGE, /* people: to a page elsewhere */
    SNAP_ACTION_WAIT, /* people: to a page of ours */
    SNAP_ACTION_RESPOND,
    SNAP_ACTION_PASS,
    SNAP_ACTION_ORIGIN, /* through to where the site lives */
};

struct snap_action {
    uint32_t kind;
    uint32_t status;
    struct snap_ref to;        /* template block; len 0: none */
    struct snap_list sources;  /* uint32_t enum snap_source, one for each variable of to */
    struct snap_list labels;   /* struct snap_labels */
    struct snap_ref authority; /* literal "scheme://host:port"; empty: it has variables */
    struct snap_ref body; /* of WAIT: the path for readers whose own is too long for a ticket */
    struct snap_ref content_type;
    uint32_t pool;         /* SNAP_NONE: none */
    uint32_t strip;        /* POOL with `path: strip`: bytes of the normal path to take away */
    uint32_t page;         /* of WAIT; SNAP_NONE: none */
    uint32_t origin;       /* of ORIGIN; SNAP_NONE: none */
    int64_t retry_after_s; /* -1: none */
};

struct snap_conditions {
    uint32_t methods; /* bit METHOD_x; 0: any */
    uint32_t reserved;
    struct snap_list methods_other; /* struct snap_ref */
    struct snap_list headers;       /* struct snap_test */
    struct snap_list cookies;       /* struct snap_test */
    struct snap_list query;         /* struct snap_test */
    struct snap_list clients;       /* struct cidr */
};

enum snap_rule_kind { SNAP_ROUTE, SNAP_DETOUR, SNAP_DEFAULT };
enum snap_rule_flags {
    SNAP_QUERY_KEEP = 1,
    SNAP_NOTE = 2,
    SNAP_CONDITIONS = 4,   /* there is something in conditions */
    SNAP_EXEMPTIONS = 8,   /* there is something in except or bypass */
    SNAP_BYPASS_LINK = 16, /* a detour that signed links pass by (page/link.h) */
};

struct snap_rule {
    struct snap_ref identity; /* "shop/routes/api" */
    uint32_t slot;            /* of its counters */
    uint32_t kind;
    uint32_t flags;
    uint32_t line; /* in the configuration */
    struct snap_pattern path;
    struct snap_pattern host;
    struct snap_ref prefix; /* empty: any */
    struct snap_ref source; /* the path or prefix as written, for explain */
    struct snap_conditions conditions;
    struct snap_list except;         /* struct snap_pattern; detours */
    struct snap_list bypass_clients; /* struct cidr */
    struct snap_list bypass_cookies; /* struct snap_test */
    uint32_t share_ppm;
    uint32_t share_salt; /* so that shares of different rules are independent */
    uint32_t reach_ppm;  /* of all clients: those whom a detour takes while it opens or closes */
    uint32_t reserved;
    struct snap_action action;
    struct snap_action rest;
    struct snap_list headers; /* struct snap_field, to add */
    int64_t max_age_s;        /* -1: none */
    int64_t opened_ns;        /* detours; INT64_MIN: since ever, or not known */
    int64_t until_ns;         /* detours; SNAP_NEVER */
    int64_t change_ns;        /* when the clock may change an answer of it; SNAP_NEVER */
    struct snap_ref reason;
    struct snap_ref owner;
};

/* How the candidates among many rules are found: a trie of path segments. A rule hangs on
 * the node that its leading literal and one-segment parts lead to; the rules on all nodes
 * that a path passes are a superset of those that match it, each list in ascending order. */
struct snap_node {
    uint32_t any;           /* the child for a ":name" segment; SNAP_NONE */
    uint32_t literals;      /* how many literal children it has */
    struct snap_list rules; /* uint32_t, indexes into rules */
};
struct snap_edge {
    uint32_t node; /* the parent; SNAP_NONE: an empty place of the hash table */
    uint32_t child;
    struct snap_ref segment;
};
/* Rules [first, first + count) in the order in which they are tried. */
struct snap_ruleset {
    uint32_t first;
    uint32_t count;
    struct snap_list nodes; /* struct snap_node, the root first; none: try one by one */
    struct snap_list edges; /* struct snap_edge; an open hash table, a power of two */
};

struct snap_cors {
    uint32_t enabled;
    uint32_t any_origin;
    uint32_t credentials;
    uint32_t reserved;
    struct snap_list origins; /* struct snap_ref */
    struct snap_ref methods;
    struct snap_ref headers;
    struct snap_ref expose;
    int64_t max_age_s;
};

struct snap_site {
    struct snap_ref name;
    struct snap_ruleset detours; /* those that are active, the strongest first */
    struct snap_ruleset routes;
    uint32_t fallback;     /* rule index of `default` */
    uint32_t https_status; /* 0: no https_redirect */
    uint32_t https_port;
    uint32_t default_implied; /* nobody has written the default */
    struct snap_cors cors;
    int64_t change_ns; /* when the next detour opens on this site; SNAP_NEVER */
};

/* Exact hosts and "*.suffix" wildcards (with their star cut off: ".suffix"). */
struct snap_host {
    struct snap_ref host; /* empty: an empty place of the hash table */
    uint32_t site;
    uint32_t reserved;
};

enum snap_balance { SNAP_WEIGHTED, SNAP_ROUND_ROBIN, SNAP_HASH, SNAP_NEAREST };
enum snap_hash_key { SNAP_KEY_PATH, SNAP_KEY_CLIENT, SNAP_KEY_HEADER, SNAP_KEY_COOKIE };
/* Clients whom a server serves. */
enum snap_reach {
    SNAP_REACH_HTTP = 1,
    SNAP_REACH_HTTPS = 2,
    SNAP_REACH_IPV4 = 4,
    SNAP_REACH_IPV6 = 8,
    SNAP_REACH_ALL = 15,
};
enum { snap_weight_max = 1000000 };

/* Countries and continents whose clients a server takes, or does not. */
struct snap_area {
    uint8_t code[2]; /* upper case */
    uint8_t continent;
    uint8_t exclude;
};

struct snap_server {
    struct snap_ref identity; /* "mirrors/eu1" */
    struct snap_ref url;
    struct snap_ref authority;
    struct snap_ref plain_url; /* for clients who came over http, where that is another; or empty */
    struct snap_ref plain_authority;
    uint64_t hash; /* of the identity: its place under `hash` */
    uint32_t slot; /* of its live state */
    uint32_t weight;
    uint32_t priority;
    uint32_t line;
    uint32_t reach;   /* bits SNAP_REACH_x */
    uint32_t located; /* `point` says where it is */
    float point[3];   /* on the sphere of radius 1 */
    uint32_t reserved;
    struct snap_list areas; /* struct snap_area; nothing to include: from everywhere */
    uint64_t exists_key;    /* by which it is known what it has (shared/facts.h) */
};

/* By what a client may call a server that it cannot reach: its name, its host, its host with a
 * port. */
struct snap_called {
    uint64_t hash;   /* XXH3_64bits of the text; two texts of one hash are taken for the same */
    uint32_t server; /* its index in the pool */
    uint32_t reserved;
};

enum { snap_alternatives_max = 8, snap_pool_servers_max = 65536 };

struct snap_pool {
    struct snap_ref name;
    uint32_t balance;
    uint32_t hash_key;
    struct snap_ref hash_name;
    uint32_t first_server; /* servers of a pool stand together, by priority; pools in order */
    uint32_t server_count;
    uint32_t min_healthy; /* of the better priorities, or the next one serves too; at least 1 */
    uint32_t panic_ppm;   /* fewer of the servers are up: health is ignored; 0: never */
    uint32_t within_ppm;  /* `nearest`: of the nearest one's distance; at least a million */
    uint32_t fallback_all;
    struct snap_ref sticky; /* the cookie that holds clients; empty: none does */
    uint32_t sticky_s;
    uint32_t link_max;           /* alternatives that are named in Link; 0: none; at most
                                    snap_alternatives_max */
    uint32_t json;               /* bool: who asks for JSON is told where, and not sent there */
    uint32_t avoid_carry;        /* a Location says which servers its client was sent to */
    struct snap_ref avoid_param; /* where a client may say whom it cannot reach; empty: nowhere
                                    but in Detour-Avoid */
    struct snap_ref sign_param;  /* of signed tickets; empty: no tickets */
    uint64_t sign_key;           /* by which the worker finds the key, which is not in here */
    uint32_t sign_ttl_s;
    uint32_t exists;       /* only to servers that are known to have what is asked for */
    uint32_t exists_yes_s; /* for how long it is known that one has it */
    uint32_t reserved;
    struct snap_action fallback;
    struct snap_list called; /* struct snap_called, by their hashes */
};

/* A page of ours, for who has to wait. */
struct snap_page {
    struct snap_ref name;
    struct snap_ref title;  /* empty: one of ours */
    struct snap_ref before; /* the operator's HTML around the script; both empty: ours */
    struct snap_ref after;
    uint32_t in_place; /* served at the URL that was asked for, with 503 */
    uint32_t reserved;
};

/* Where a connection to an origin goes. */
struct snap_address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint32_t port;     /* 1 to 65535 */
    uint32_t scope;    /* of a link-local address: the interface; else 0 */
};

enum snap_origin_flags {
    SNAP_ORIGIN_TLS = 1,
    SNAP_ORIGIN_VERIFY = 2,   /* its certificate must hold `tls_name` and come from `authorities` */
    SNAP_ORIGIN_OWN_HOST = 4, /* Host is `authority`; else it is the client's */
};

/* Where a site lives: whom requests are passed on to (RFC 9110, 3.7). */
struct snap_origin {
    struct snap_ref name;        /* for logs and explain: as configured, or its URL */
    struct snap_ref url;         /* "https://app.internal:8443", without a slash at its end */
    struct snap_ref authority;   /* "app.internal:8443"; no port where it is the scheme's own */
    struct snap_ref tls_name;    /* "app.internal", "192.0.2.1", "2001:db8::1": without brackets.
                                    An address is no name for SNI (RFC 6066, 3) */
    struct snap_ref authorities; /* certificates in PEM; empty: none, or without TLS */
    struct snap_list addresses;  /* struct snap_address, in the order in which they are tried;
                                    none: its name has never been resolved */
    uint64_t key; /* connections to origins of equal keys are alike, in whatever snapshot: a
                     hash of flags, url, tls_name and authorities */
    uint32_t flags;
    uint32_t line;
    uint32_t connect_timeout_ms;  /* of one address: TCP and TLS */
    uint32_t response_timeout_ms; /* from the request's last byte to the answer's head */
    uint32_t idle_timeout_ms;     /* without a byte of content either way */
    uint32_t tunnel_timeout_ms;   /* without a byte either way, after 101 */
    uint32_t keep_alive_ms;       /* how long an idle connection is kept; 0: not at all */
    uint32_t connections_max;     /* of one worker */
};

struct snapshot {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    uint64_t size;
    uint64_t header_hash; /* of the header with this field 0 */
    uint64_t generation;
    int64_t built_ns;
    struct snap_limits limits;
    uint32_t redirect_by;
    uint32_t catch_all; /* site; SNAP_NONE */
    uint32_t forwarded; /* enum forwarded_family */
    uint32_t reserved;
    struct snap_list trusted; /* struct cidr */
    struct snap_list sites;
    struct snap_list hosts; /* struct snap_host; an open hash table, a power of two */
    struct snap_list rules;
    struct snap_list pools;
    struct snap_list servers;
    struct snap_list pages;
    struct snap_list origins;
    struct snap_list regexes; /* struct snap_ref: the sources */
};

/* bytes: 8-aligned. NULL: not a snapshot of this version, or not of this length. */
const struct snapshot *snapshot_open(struct span bytes);
/* As snapshot_open, and every offset, count, kind and index in it looked at: whatever
 * passes can be read without further checks. */
const struct snapshot *snapshot_verify(struct span bytes);

/* Of all that it says, but for its generation and when it was built: never 0. */
uint64_t snapshot_content_hash(const struct snapshot *snapshot);

static inline const void *snapshot_at(const struct snapshot *snapshot, uint32_t off)
{
    return (const uint8_t *)snapshot + off;
}

static inline struct span snapshot_text(const struct snapshot *snapshot, struct snap_ref ref)
{
    return span_of((const uint8_t *)snapshot + ref.off, ref.len);
}

static inline const struct pattern *snapshot_pattern(const struct snapshot *snapshot,
                                                     const struct snap_pattern *pattern)
{
    return pattern->block.len > 0 ? snapshot_at(snapshot, pattern->block.off) : NULL;
}

static inline const struct snap_rule *snapshot_rule(const struct snapshot *snapshot, uint32_t rule)
{
    return (const struct snap_rule *)snapshot_at(snapshot, snapshot->rules.off) + rule;
}

static inline const struct snap_site *snapshot_site(const struct snapshot *snapshot, uint32_t site)
{
    return (const struct snap_site *)snapshot_at(snapshot, snapshot->sites.off) + site;
}

static inline const struct snap_pool *snapshot_pool(const struct snapshot *snapshot, uint32_t pool)
{
    return (const struct snap_pool *)snapshot_at(snapshot, snapshot->pools.off) + pool;
}

static inline const struct snap_server *snapshot_server(const struct snapshot *snapshot,
                                                        uint32_t server)
{
    return (const struct snap_server *)snapshot_at(snapshot, snapshot->servers.off) + server;
}

static inline const struct snap_page *snapshot_page(const struct snapshot *snapshot, uint32_t page)
{
    return (const struct snap_page *)snapshot_at(snapshot, snapshot->pages.off) + page;
}

static inline const struct snap_origin *snapshot_origin(const struct snapshot *snapshot,
                                                        uint32_t origin)
{
    return (const struct snap_origin *)snapshot_at(snapshot, snapshot->origins.off) + origin;
}

static inline const struct snap_address *snapshot_addresses(const struct snapshot *snapshot,
                                                            const struct snap_origin *origin,
                                                            uint32_t *count_out)
{
    *count_out = origin->addresses.count;
    return snapshot_at(snapshot, origin->addresses.off);
}

/* As connect(2) takes it; gives its length. IPv4 becomes AF_INET. */
union snap_socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};
socklen_t snapshot_socket_address(const struct snap_address *address,
                                  union snap_socket_address *out);

static inline struct span snapshot_regex(const struct snapshot *snapshot, uint32_t regex)
{
    const struct snap_ref *refs = snapshot_at(snapshot, snapshot->regexes.off);
    return snapshot_text(snapshot, refs[regex]);
}

static inline uint32_t snapshot_pool_count(const struct snapshot *snapshot)
{
    return snapshot->pools.count;
}

/* The site that answers for a canonical host: exact, then the longest wildcard, then the
 * catch-all; SNAP_NONE. */
uint32_t snapshot_site_for(const struct snapshot *snapshot, struct span host);

/* Candidates for a path, in the order of the rules. */
enum { candidate_lists_max = 48 };
struct candidates {
    uint32_t next; /* without an index: one by one */
    uint32_t end;
    uint32_t list_count;
    struct {
        const uint32_t *at;
        const uint32_t *end;
    } lists[candidate_lists_max];
};
/* linear: look at every rule, for explain. */
void candidates_init(struct candidates *candidates, const struct snapshot *snapshot,
                     const struct snap_ruleset *rules, struct span path, bool linear);
/* The next rule, or SNAP_NONE. */
uint32_t candidates_next(struct candidates *candidates);

/* The hash functions that builder and reader share. */
uint32_t snapshot_host_hash(struct span host);
uint32_t snapshot_edge_hash(uint32_t node, struct span segment);
