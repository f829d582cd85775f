/* SPDX-License-Identifier: MIT */
/* The configuration as the program thinks of it: what config/ makes of the text, after
 * every name is resolved, every pattern and template compiled, every default filled in.
 * compile/ turns it into a snapshot. All of it lives in one arena and is not changed
 * after model_load. */
#pragma once

#include "base/cidr.h"
#include "base/problem.h"
#include "http/forwarded.h"
#include "net/listener.h"
#include "schedule/schedule.h"
#include "uri/pattern.h"
#include "uri/template.h"

/* No end, or none known. */
#define TIME_NEVER SCHEDULE_NEVER

enum { model_workers_max = 256, share_ppm_full = 1000000 };

enum action_kind {
    ACTION_NEXT,    /* as if the rule had not matched (only as `rest`) */
    ACTION_TO,      /* redirect to what the template gives */
    ACTION_POOL,    /* redirect to a server of a pool */
    ACTION_PAGE,    /* people: redirect to a page elsewhere; everybody else: 503 */
    ACTION_WAIT,    /* people: a page of ours; everybody else: 503 */
    ACTION_RESPOND, /* an answer of our own */
    ACTION_PASS,    /* nothing to do here: 204 */
    ACTION_ORIGIN,  /* through to where the site lives */
};

struct model_action {
    enum action_kind kind;
    struct place place;
    uint16_t status;           /* of the redirect or the response */
    const struct template *to; /* ACTION_TO and ACTION_PAGE (without variables) */
    uint32_t pool;             /* index into model.pools */
    bool pool_strip;           /* of the pool's `path: strip`: see model_pool */
    uint32_t page;             /* ACTION_WAIT: index into model.pages */
    uint32_t origin;           /* ACTION_ORIGIN: index into model.origins */
    struct span body;          /* ACTION_RESPOND */
    struct span content_type;
    int64_t retry_after_s; /* of a page's 503 and of ACTION_RESPOND; -1: none was given */
};

/* One header, cookie or query parameter that is looked at. */
enum test_kind {
    TEST_PRESENT,
    TEST_ABSENT,
    TEST_EQUAL, /* value, with '*' standing for any run of bytes when glob is set */
};
struct model_test {
    enum test_kind kind;
    bool glob;
    struct span name;
    struct span value;
};

struct model_tests {
    const struct model_test *items;
    size_t count;
};

/* All of them must hold. A list that is empty asks nothing. */
struct model_conditions {
    uint32_t methods;           /* bit METHOD_x; 0: any */
    struct span *methods_other; /* methods that METHOD_OTHER stands for */
    size_t methods_other_count;
    struct model_tests headers;
    struct model_tests cookies;
    struct model_tests query;
    const struct cidr *clients;
    size_t client_count;
};

/* Values that a variable in the authority of a target may have (LDH labels). */
struct model_labels {
    struct span variable;
    const struct span *values;
    size_t value_count;
};

enum rule_kind { RULE_ROUTE, RULE_DETOUR, RULE_DEFAULT };

struct model_rule {
    enum rule_kind kind;
    struct place place;
    struct span name;     /* "api"; for those without one "#3", counted from 1; "default" */
    struct span identity; /* "shop/routes/api", "shop/detours/x", "shop/default": unique */

    /* What matches. At most one of path and prefix. */
    const struct pattern *path; /* NULL: any */
    struct span path_source;
    struct span prefix;         /* normalised, no slash at the end; empty: any */
    const struct pattern *host; /* NULL: any of the site's */
    struct span host_source;
    struct model_conditions conditions;

    struct model_action action;
    uint32_t share_ppm; /* share_ppm_full: everybody */
    struct model_action rest;

    bool query_keep;
    bool note;         /* the short hypertext with the link */
    int64_t max_age_s; /* -1: no freshness is sent */
    const struct field *headers;
    size_t header_count;
    const struct model_labels *labels;
    size_t label_count;
};

/* How much of a path the rule matches literally: its prefix, or the leading literal segments of its
 * pattern. That is what `path: strip` of a pool takes away. */
size_t model_literal_bytes(const struct model_rule *rule);

struct model_detour {
    struct model_rule rule;
    uint32_t site;
    struct schedule schedule;
    uint32_t watched;       /* index into model.origins, which schedule.trigger belongs to;
                               UINT32_MAX: none */
    uint32_t until_healthy; /* index into model.pools: it ends when that is healthy; UINT32_MAX */
    const struct pattern *const *except; /* paths that are left alone */
    size_t except_count;
    const struct cidr *bypass_clients;
    size_t bypass_client_count;
    struct model_tests bypass_cookies; /* any one of them is enough */
    bool bypass_link;                  /* … or a signed link (page/link.h) */
    struct span reason;
    struct span owner;
    struct place end_place; /* of until or for */
    bool leads_here;        /* to a host of this very file, so that a loop is possible */
    struct span json;       /* as it was read, for those who show it */
    uint64_t stanza;        /* hash of what the file says of it; 0: nothing */
    bool live;              /* run time says so, not the file */
};

/* What run time says of one detour, or of one server. */
struct model_override {
    struct span key;  /* "site/name" of a detour, "/pool/name" of a server */
    bool off;         /* it is switched off, or removed; else it is as json says */
    struct span json; /* a detour as in the file, with its site and its name; or a server */
    uint64_t stanza;  /* hash of the file's stanza that it stands above; 0: there was none */

    /* Filled when the file is read. */
    bool seen;
    bool stands; /* false: the file has changed there, and wins */
};

static inline bool override_is_server(struct span key)
{
    return key.len > 0 && key.ptr[0] == '/';
}

struct model_overrides {
    struct model_override *items;
    size_t count;
    /* Who wins; stanza_now 0: the file says nothing of it. */
    bool (*stands)(const struct model_override *override, uint64_t stanza_now);
};

struct model_cors {
    bool enabled;
    bool any_origin; /* "*" */
    const struct span *origins;
    size_t origin_count;
    struct span methods; /* ready to be sent: "GET, POST" */
    struct span headers;
    struct span expose;
    bool credentials;
    int64_t max_age_s; /* of a preflight; -1: not sent */
};

struct model_site {
    struct place place;
    struct span name;
    const struct span *hosts; /* canonical; "*.x" wildcards keep their star */
    size_t host_count;
    bool catch_all; /* hosts holds "*" (which is not in the list) */

    bool https_redirect;
    uint16_t https_status;
    uint16_t https_port;

    const struct model_rule *routes;
    size_t route_count;
    struct model_rule fallback; /* `default`; 404 when the file says nothing */
    bool default_implied;       /* the file says nothing */
    struct model_cors cors;
};

enum balance { BALANCE_WEIGHTED, BALANCE_ROUND_ROBIN, BALANCE_HASH, BALANCE_NEAREST };
enum hash_key { HASH_PATH, HASH_CLIENT, HASH_HEADER, HASH_COOKIE };

/* Clients whom a server serves; the bits of snap_reach. */
enum { REACH_HTTP = 1, REACH_HTTPS = 2, REACH_IPV4 = 4, REACH_IPV6 = 8, REACH_ALL = 15 };

/* A country or a continent. */
struct model_area {
    uint8_t code[2]; /* upper case */
    bool continent;
    bool exclude;
};

/* Who is asked how a server is, as the server itself sees it. */
struct model_agent {
    uint16_t port;   /* by TCP, on the server's host; 0: not so */
    struct span url; /* by HTTP: absolute, or a path on the server; empty: not so */
};

/* What the operator wants of a server, in the file or at run time. */
enum server_wish {
    WISH_READY,
    WISH_DRAIN, /* no new clients, and those that it has go over the pool's drain_ms */
    WISH_MAINT, /* nobody, at once */
};

struct model_server {
    struct place place;
    struct span name;
    struct span identity; /* "mirrors/eu1" */
    struct span url;      /* serialised, no query, no fragment, no slash at the end */
    uint32_t weight;      /* 0: gets nobody */
    uint32_t priority;    /* 1 first */

    struct span other_url; /* the same of the other scheme, for clients of that; empty: none */
    uint32_t reach;        /* bits REACH_x */
    bool located;          /* `at` says where it is; else its address does */
    double latitude;       /* degrees */
    double longitude;
    const struct model_area *areas;
    size_t area_count;
    struct model_agent agent;

    /* What the live words say of it, and no snapshot. */
    enum server_wish wish;
    int64_t since_ns;   /* wall clock, of the drain; 0: not said */
    uint32_t share_ppm; /* of its weight */

    struct span json; /* as it was read, with its name */
    uint64_t stanza;  /* hash of what the file says of it; 0: nothing */
    bool live;        /* run time says so, not the file */
};

enum { model_statuses_max = 16, model_expected_body_bytes_max = 1024 };

/* Status codes of a good answer. */
struct model_statuses {
    uint16_t from;
    uint16_t to; /* the last one of them */
};

struct model_health {
    bool enabled;
    bool tcp; /* a connection is enough; else HTTP or HTTPS, as the URL says */
    struct span path;
    bool head;        /* asked with HEAD, not GET */
    struct span host; /* the Host that probes send; empty: the URL's */
    struct model_statuses statuses[model_statuses_max];
    uint32_t status_count; /* 0: 200 to 299 */
    struct span body;      /* must occur in the answer; empty: anything will do */
    uint32_t interval_ms;
    uint32_t timeout_ms; /* not longer than interval_ms */
    uint32_t fall;
    uint32_t rise;

    uint32_t hold_down_ms;  /* so long a server stays down at least; 0 */
    uint32_t slow_start_ms; /* so long its weight grows when it is up again; 0 */
    uint32_t concurrency;   /* probes at a time; 0: as many as there are */
    uint32_t resolve_interval_ms;
    struct span ca; /* a file, relative to the configuration's; empty: the system's */
    bool unverified;
    struct model_agent agent; /* of servers that name none of their own */
};

/* Signed tickets of a pool (`sign`). */
struct model_sign {
    struct place place;
    struct span key_file; /* relative to the configuration's file; empty: no tickets */
    struct place key_file_place;
    struct span param;
    uint32_t ttl_s;
};

/* `require: exists`: a server is asked whether it has what a client wants. */
struct model_exists {
    bool required;
    bool same_size; /* as on the first server */
    bool same_date;
    uint32_t yes_s; /* for how long an answer is believed */
    uint32_t no_s;
};

enum { model_link_max = 8 };

enum { exists_life_s_max = 7 * 86400 };

struct model_pool {
    struct place place;
    struct span name;
    enum balance balance;
    enum hash_key hash_key;
    struct span hash_name; /* of the header or cookie */
    bool strip;            /* `path: strip`: what the route matched literally is taken away */
    const struct model_server *servers;
    size_t server_count;
    uint32_t drain_ms;    /* over which clients leave a server that is drained */
    uint32_t min_healthy; /* of the better priorities, or the next one serves too */
    uint32_t panic_ppm;   /* fewer of the servers are up: health is ignored; 0: never */
    uint32_t within_ppm;  /* `nearest`: of the nearest one's distance */
    struct span sticky;   /* the cookie that holds clients to their servers; empty: none */
    uint32_t sticky_s;    /* how long it does */
    struct model_health health;
    struct span avoid_param; /* where a client may say whom it cannot reach; empty: nowhere but in
                                Detour-Avoid */
    bool avoid_carry;        /* a Location says which servers its client was sent to */
    struct model_sign sign;
    struct model_exists exists;
    uint32_t link_max;            /* alternatives that are named in Link; 0: none */
    bool json;                    /* who asks for JSON is told where, and not sent there */
    bool fallback_all;            /* ignore health when nobody is left */
    struct model_action fallback; /* when nobody is left; 503 when the file says nothing */
};

/* A hash of all that it depends on whether a server is taken to have something: by it workers and
 * control speak of the server. */
uint64_t model_exists_key(const struct model_pool *pool, const struct model_server *server);

enum { model_title_bytes_max = 256, model_html_bytes_max = 64 << 10, model_pages_max = 1000 };

/* A substitute page that Detour serves. */
struct model_page {
    struct place place;
    struct span name;
    struct span title; /* empty: one in the reader's language */
    struct span file;  /* the operator's HTML, as a path that is relative to the
                          configuration's file; empty: the HTML of ours */
    struct place file_place;
    bool in_place;     /* served at the URL that was asked for, with 503 */
    struct span *html; /* what stands in the file. Nobody in config/ reads files: it is empty
                          until control/files/pages.h has filled it, and then the page is ours */
};

enum {
    model_origins_max = 1000,
    model_origin_ports_max = 64, /* different ones */
    origin_addresses_max = 16,
};

/* One address of an origin. */
struct origin_address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint32_t scope;    /* of a link-local one: the interface */
};

/* What is known of an origin while the program runs. Nobody in config/ looks names or files
 * up: it is empty until control/ has filled it. */
struct origin_live {
    struct origin_address addresses[origin_addresses_max]; /* in the order to try them */
    size_t address_count;
    struct span authorities;         /* certificates in PEM */
    struct span ca_path;             /* of `ca`, as it can be opened */
    struct schedule_trigger failing; /* pulled: its probe says that it is down */
};

/* Where a site lives: requests are passed on to it. */
struct model_origin {
    struct place place;
    struct span name;      /* as in `origins`; of one without a name its URL */
    struct span identity;  /* "origin:shop": of its probe's live state */
    struct span url;       /* serialised, without a slash at its end */
    struct span host;      /* of the URL: canonical; IPv6 in its brackets */
    struct span authority; /* as Host has it */
    uint16_t port;
    bool secure;
    bool verify;
    bool own_host;        /* Host is its own; else the client's */
    struct span tls_name; /* in its certificate; IPv6 without brackets */
    struct span ca;       /* a file, relative to the configuration's; empty: the system's */
    struct place ca_place;
    uint32_t connect_timeout_ms;
    uint32_t response_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t tunnel_timeout_ms;
    uint32_t keep_alive_ms; /* 0: none is kept */
    uint32_t connections_max;
    uint32_t resolve_interval_ms; /* between two lookups of its host's name */
    struct model_health health;   /* failed: detours of `when_origin_fails` begin */
    bool used;                    /* a rule passes to it, or a detour watches it */
    struct origin_live *live;
};

struct model_limits {
    uint32_t header_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t write_timeout_ms;
    uint32_t lingering_time_ms;
    uint32_t lingering_idle_ms;
    uint64_t lingering_bytes;
    uint32_t connections_max; /* of one worker */
    uint32_t drain_timeout_ms;
};

/* The files of one certificate, as paths that are relative to the configuration's file. */
struct model_certificate {
    struct span certificate;
    struct span key;  /* the same file when the configuration names none */
    struct span ocsp; /* empty: nothing to staple */
    struct place certificate_place;
    struct place key_place;
    struct place ocsp_place;
};

/* As enum event_kind of events/. */
enum model_event {
    MODEL_EVENT_STARTED,
    MODEL_EVENT_ENDING,
    MODEL_EVENT_ENDED,
    MODEL_EVENT_OVERDUE,
    MODEL_EVENT_REFUSED,
    MODEL_EVENTS
};

enum { model_webhooks_max = 16, model_ending_s = 600 };

/* Somebody who is told of events. */
struct model_webhook {
    struct place place;
    struct span url;         /* serialised */
    struct span secret_file; /* relative to the configuration's file */
    struct place secret_place;
    uint32_t events; /* bit MODEL_EVENT_x */
};

enum { model_geo_files_max = 4 };

/* An MMDB file. */
struct model_geo_file {
    struct span path;
    struct place place;
};

struct model {
    const struct listener *listeners;
    size_t listener_count;
    const struct model_certificate *certificates;
    size_t certificate_count; /* at least 1 if a listener is secure */
    uint32_t workers;         /* 0: one for each core */
    const struct cidr *trusted_proxies;
    size_t trusted_proxy_count;
    enum forwarded_family forwarded;
    bool redirect_by;       /* X-Redirect-By with the rule's name */
    struct span access_log; /* a path, "-" for standard output, empty: none */
    struct span state;      /* the folder of what is changed at run time; empty: none */
    bool has_metrics;
    struct listener metrics;
    bool has_admin;
    struct listener admin;
    const struct model_webhook *webhooks;
    size_t webhook_count;
    int64_t ending_s; /* how long before its end an end is told; 0: never */
    struct model_limits limits;
    const struct model_site *sites;
    size_t site_count;
    const struct model_geo_file *geo; /* that say where addresses are */
    size_t geo_count;
    const struct model_pool *pools;
    size_t pool_count;
    const struct model_page *pages;
    size_t page_count;
    const struct model_origin *origins;
    size_t origin_count;
    const struct model_detour *detours;
    size_t detour_count;
};

/* Reads and checks a whole configuration. now_ns is what windows are compared with (one
 * that is over is accepted with a warning). Everything lives in problems->arena. NULL
 * when there was an error; all problems are in *problems either way. */
const struct model *model_load(struct span text, int64_t now_ns, struct problems *problems);
/* The same, with what run time says instead of some detours, or beside them. */
const struct model *model_load_live(struct span bytes, struct model_overrides *overrides,
                                    int64_t now_ns, struct problems *problems);

/* A text that was read once, so that what run time changes in it need not cost reading all
 * of it again (doc/decisions/0022). */
struct model_text;
struct stanza;

/* What was read for a model of what run time says. */
struct model_live {
    struct stanza **items;
    size_t count;
};

/* Reads all but what run time says. The text, and all that is made of it, lives in the
 * arena. NULL: no memory; what is wrong is told by model_of_text. */
struct model_text *model_text_read(struct span bytes, struct arena *arena, const char *file);
/* What model_load_live gives, to the byte, for the text. What stands in *live as it was read
 * for a model of the same text is taken over; then *live holds what the model needs of it,
 * whatever becomes of the model, and must outlive it, as the text must. */
const struct model *model_of_text(struct model_text *text, struct model_overrides *overrides,
                                  int64_t now_ns, struct problems *problems,
                                  struct model_live *live);
/* Another one that needs the same. ERR_MEMORY. */
enum err model_live_share(const struct model_live *live, struct model_live *out);
void model_live_fini(struct model_live *live);
