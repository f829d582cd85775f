/* SPDX-License-Identifier: MIT */
/* The top level of the file, and the order in which its parts are read. */
#include "config/rule.h"

#include "config/listen.h"
#include "config/tls.h"
#include "uri/location.h"

enum top_key {
    TOP_LISTEN,
    TOP_TLS,
    TOP_WORKERS,
    TOP_SITES,
    TOP_POOLS,
    TOP_PAGES,
    TOP_ORIGINS,
    TOP_DETOURS,
    TOP_PROXIES,
    TOP_FORWARDED,
    TOP_ALLOWED,
    TOP_LOG,
    TOP_STATE,
    TOP_METRICS,
    TOP_ADMIN,
    TOP_EVENTS,
    TOP_BY,
    TOP_LIMITS,
    TOP_GEO,
    TOP_KEYS
};
static const char *const top_keys[TOP_KEYS] = {"listen",
                                               "tls",
                                               "workers",
                                               "sites",
                                               "pools",
                                               "pages",
                                               "origins",
                                               "detours",
                                               "trusted_proxies",
                                               "forwarded_header",
                                               "allowed_targets",
                                               "access_log",
                                               "state",
                                               "metrics",
                                               "admin",
                                               "events",
                                               "redirect_by",
                                               "limits",
                                               "geo"};

enum limit_key {
    LIMIT_HEADER,
    LIMIT_IDLE,
    LIMIT_WRITE,
    LIMIT_LINGERING,
    LIMIT_CONNECTIONS,
    LIMIT_DRAIN,
    LIMIT_KEYS
};
static const char *const limit_keys[LIMIT_KEYS] = {
    "header_timeout", "idle_timeout", "write_timeout", "lingering", "connections", "drain_timeout"};

enum { hour_ms = 3600000, connections_ceiling = 1000000 };

/* ---- metrics and the log ---- */

static bool is_local(const struct listener *listener)
{
    switch (listener->address.any.sa_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(listener->address.v4.sin_addr.s_addr) >> 24 == 127;
    default:
        return IN6_IS_ADDR_LOOPBACK(&listener->address.v6.sin6_addr);
    }
}

static bool read_metrics(struct load *load, const struct node *node)
{
    static const char *const keys[] = {"listen", "public"};
    const struct node *at[2] = {node, NULL};
    bool public = false;
    struct listener listener = {0};
    if (node->kind != NODE_SCALAR && !read_map(load, node, "`metrics`", keys, 2, at)) {
        return false;
    }
    if (at[0] == NULL) {
        problems_error(load->problems, node->place,
                       "`metrics` needs `listen`, like `listen: http://127.0.0.1:8309`");
        return false;
    }
    bool good = at[1] == NULL || read_bool(load, at[1], &public);
    if (!parse_listener(load, at[0], &listener) || !good) {
        return false;
    }
    if (listener.secure) {
        return read_refuse(load, at[0],
                           "an address that begins with http://, since metrics are "
                           "served in clear");
    }
    if (!public && !is_local(&listener)) {
        problems_error(load->problems, at[0]->place,
                       "metrics on %s would be open to others; listen on 127.0.0.1 or a unix "
                       "socket, or say `public: true`",
                       listener.text);
        return false;
    }
    for (size_t i = 0; i < load->model->listener_count; i++) {
        if (listener_overlaps(&load->model->listeners[i], &listener)) {
            problems_error(load->problems, at[0]->place,
                           "%s is taken by `listen` already; give metrics a port of their own",
                           listener.text);
            return false;
        }
    }
    load->model->metrics = listener;
    load->model->has_metrics = true;
    return true;
}

enum { log_path_bytes_max = 4000, state_path_bytes_max = 4000 };

static bool read_log(struct load *load, const struct node *node)
{
    struct span text;
    if (node_is_word(node, "off")) {
        return true;
    }
    if (node_is_word(node, "stdout") || node_is_word(node, "-")) {
        load->model->access_log = SPAN("-");
        return true;
    }
    if (!read_string(load, node, &text)) {
        return false;
    }
    if (text.len > log_path_bytes_max || text.ptr[text.len - 1] == '/') {
        return read_refuse(load, node, "the path of a file, stdout or off");
    }
    load->model->access_log = text;
    return true;
}

static bool read_state(struct load *load, const struct node *node)
{
    struct span text;
    if (!read_string(load, node, &text)) {
        return false;
    }
    if (text.len == 0 || text.len > state_path_bytes_max || memchr(text.ptr, 0, text.len) != NULL) {
        return read_refuse(load, node, "the path of a folder, like /var/lib/detour");
    }
    load->model->state = text;
    return true;
}

/* ---- limits ---- */

static bool read_lingering(struct load *load, const struct node *node, struct model_limits *limits)
{
    static const char *const keys[] = {"bytes", "time", "idle"};
    const struct node *at[3];
    if (!read_map(load, node, "`lingering`", keys, 3, at)) {
        return false;
    }
    bool good =
        at[0] == NULL || read_size(load, at[0], UINT64_C(1) << 44, &limits->lingering_bytes);
    good = (at[1] == NULL ||
            read_duration_ms(load, at[1], 100, hour_ms, &limits->lingering_time_ms)) &&
           good;
    return (at[2] == NULL ||
            read_duration_ms(load, at[2], 100, hour_ms, &limits->lingering_idle_ms)) &&
           good;
}

static bool read_limits(struct load *load, const struct node *node)
{
    struct model_limits *limits = &load->model->limits;
    const struct node *at[LIMIT_KEYS];
    const struct {
        enum limit_key key;
        uint32_t *ms;
    } times[] = {{LIMIT_HEADER, &limits->header_timeout_ms},
                 {LIMIT_IDLE, &limits->idle_timeout_ms},
                 {LIMIT_WRITE, &limits->write_timeout_ms},
                 {LIMIT_DRAIN, &limits->drain_timeout_ms}};
    if (!read_map(load, node, "`limits`", limit_keys, LIMIT_KEYS, at)) {
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (at[times[i].key] != NULL) {
            good = read_duration_ms(load, at[times[i].key], 100, hour_ms, times[i].ms) && good;
        }
    }
    if (at[LIMIT_LINGERING] != NULL) {
        good = read_lingering(load, at[LIMIT_LINGERING], limits) && good;
    }
    uint64_t value;
    if (at[LIMIT_CONNECTIONS] != NULL) {
        if (!read_integer(load, at[LIMIT_CONNECTIONS], 1, connections_ceiling, &value)) {
            return false;
        }
        limits->connections_max = (uint32_t)value;
    }
    return good;
}

void limits_default(struct model_limits *limits)
{
    *limits = (struct model_limits){.header_timeout_ms = 10000,
                                    .idle_timeout_ms = 60000,
                                    .write_timeout_ms = 10000,
                                    .lingering_time_ms = 60000,
                                    .lingering_idle_ms = 5000,
                                    .lingering_bytes = UINT64_C(1) << 30,
                                    .connections_max = 16000,
                                    .drain_timeout_ms = 30000};
}

/* ---- the whole ---- */

static void read_workers(struct load *load, const struct node *node)
{
    uint64_t value;
    if (node_is_word(node, "auto")) {
        return;
    }
    if (node->kind != NODE_SCALAR || !span_decimal(node->text, model_workers_max, &value)) {
        read_refuse(load, node, "`auto` or a whole number up to 256");
        return;
    }
    load->model->workers = (uint32_t)value;
}

/* Names as they are sent, so that they can be compared with the proxy's own file. */
static bool read_forwarded(struct load *load, const struct node *node)
{
    if (node->kind == NODE_SCALAR && span_eq_ci(node->text, SPAN("X-Forwarded-For"))) {
        load->model->forwarded = FORWARDED_X;
    } else if (node->kind == NODE_SCALAR && span_eq_ci(node->text, SPAN("Forwarded"))) {
        load->model->forwarded = FORWARDED_RFC7239;
    } else {
        return read_refuse(load, node, "X-Forwarded-For or Forwarded");
    }
    return true;
}

/* A proxy that writes one family of fields lets a client write the other one. */
static void warn_of_forwarded(struct load *load, const struct node *proxies,
                              const struct node *forwarded)
{
    bool trusts = proxies != NULL && load->model->trusted_proxy_count > 0;
    if (trusts && forwarded == NULL) {
        problems_warning(load->problems, proxies->key->place,
                         "say which field these proxies write: `forwarded_header: "
                         "X-Forwarded-For` or `forwarded_header: Forwarded`; without it a "
                         "request that has both, and in which they differ, is refused");
    }
    if (!trusts && forwarded != NULL) {
        problems_warning(load->problems, forwarded->key->place,
                         "`forwarded_header` is never looked at, since nobody stands under "
                         "`trusted_proxies`");
    }
}

static void read_proxies(struct load *load, const struct node *proxies,
                         const struct node *forwarded)
{
    bool good = true;
    if (proxies != NULL) {
        load->proxies_given = true;
        good = read_cidrs(load, proxies, &load->model->trusted_proxies,
                          &load->model->trusted_proxy_count);
    }
    if (forwarded != NULL) {
        good = read_forwarded(load, forwarded) && good;
    }
    if (good) {
        warn_of_forwarded(load, proxies, forwarded);
    }
}

/* Pools, pages and origins before what names them, sites before detours. Each reader reports for
 * itself. */
void read_top(struct load *load, const struct node *root, const struct node **detours_out)
{
    const struct node *at[TOP_KEYS];
    static const struct node empty = {.kind = NODE_MAP, .place = {1, 1}};
    root = root->kind == NODE_NULL ? &empty : root;
    *detours_out = NULL;
    if (!read_map(load, root, "the file", top_keys, TOP_KEYS, at)) {
        return;
    }
    read_listen(load, at[TOP_LISTEN], at[TOP_PROXIES]);
    read_tls(load, at[TOP_LISTEN], at[TOP_TLS]);
    if (at[TOP_WORKERS] != NULL) {
        read_workers(load, at[TOP_WORKERS]);
    }
    if (at[TOP_ALLOWED] != NULL) {
        read_allowed_targets(load, at[TOP_ALLOWED]);
    }
    read_proxies(load, at[TOP_PROXIES], at[TOP_FORWARDED]);
    const struct {
        enum top_key key;
        bool (*read)(struct load *load, const struct node *node);
    } parts[] = {{TOP_LOG, read_log},
                 {TOP_METRICS, read_metrics},
                 {TOP_ADMIN, read_admin},
                 {TOP_EVENTS, read_events},
                 {TOP_LIMITS, read_limits},
                 {TOP_PAGES, read_pages},
                 {TOP_GEO, read_geo},
                 {TOP_POOLS, read_pools},
                 {TOP_ORIGINS, read_declared_origins},
                 {TOP_SITES, read_sites}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (at[parts[i].key] != NULL) {
            parts[i].read(load, at[parts[i].key]);
        }
    }
    *detours_out = at[TOP_DETOURS];
    if (at[TOP_STATE] != NULL) {
        read_state(load, at[TOP_STATE]);
    }
    if (at[TOP_BY] != NULL) {
        read_bool(load, at[TOP_BY], &load->model->redirect_by);
    }
}
