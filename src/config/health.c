/* SPDX-License-Identifier: MIT */
/* `health`: how a server or an origin is probed. */
#include "config/pool.h"

/* Those of origins come first. */
enum health_key {
    HEALTH_TYPE,
    HEALTH_PATH,
    HEALTH_METHOD,
    HEALTH_EXPECT,
    HEALTH_INTERVAL,
    HEALTH_TIMEOUT,
    HEALTH_FALL,
    HEALTH_RISE,
    HEALTH_HOLD_DOWN,
    HEALTH_HOST,
    HEALTH_SLOW_START,
    HEALTH_CONCURRENCY,
    HEALTH_RESOLVE,
    HEALTH_CA,
    HEALTH_VERIFY,
    HEALTH_AGENT,
    HEALTH_KEYS,
    HEALTH_KEYS_OF_ORIGINS = HEALTH_HOST
};
static const char *const health_keys[HEALTH_KEYS] = {
    "type",   "path",      "method", "expect",     "interval",    "timeout",          "fall",
    "rise",   "hold_down", "host",   "slow_start", "concurrency", "resolve_interval", "ca",
    "verify", "agent"};

enum {
    hour_ms = 3600000,
    day_ms = 24 * hour_ms,
    concurrency_max = 512,
    ca_path_bytes_max = 4000,
    host_bytes_max = 255,
};

static bool read_health_path(struct load *load, const struct node *node, const struct node *map,
                             struct span *out)
{
    if (node == NULL) {
        problems_error(load->problems, map->place,
                       "`health` needs the `path` to ask for, like `path: /healthz`");
        return false;
    }
    struct span text = node->text;
    bool good = node->kind == NODE_SCALAR && text.len > 0 && text.len <= 1024 && text.ptr[0] == '/';
    for (size_t i = 0; i < text.len && good; i++) {
        good = text.ptr[i] > 0x20 && text.ptr[i] < 0x7f && text.ptr[i] != '#';
    }
    if (!good) {
        return read_refuse(load, node, "a path that begins with '/', like /healthz");
    }
    *out = load_copy(load, text);
    return true;
}

/* ---- what is asked ---- */

static bool read_type(struct load *load, const struct node *node, bool *tcp_out)
{
    if (!node_is_word(node, "http") && !node_is_word(node, "tcp")) {
        return read_refuse(load, node,
                           "http, which takes https where a server's URL does, or tcp for a "
                           "connection alone");
    }
    *tcp_out = node_is_word(node, "tcp");
    return true;
}

static bool read_method(struct load *load, const struct node *node, struct model_health *out)
{
    if (!node_is_word(node, "GET") && !node_is_word(node, "HEAD")) {
        return read_refuse(load, node, "GET or HEAD");
    }
    out->head = node_is_word(node, "HEAD");
    return true;
}

static bool read_host(struct load *load, const struct node *node, struct span *out)
{
    struct span text;
    if (!read_string(load, node, &text)) {
        return false;
    }
    bool good = text.len <= host_bytes_max;
    for (size_t i = 0; i < text.len && good; i++) {
        uint8_t c = text.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               memchr("-._:[]", c, 6) != NULL;
    }
    if (!good) {
        return read_refuse(load, node, "a host to send as Host, like www.example.com");
    }
    *out = text;
    return true;
}

/* ---- what is expected ---- */

static bool read_code(struct span text, uint16_t *out)
{
    uint64_t code;
    bool good = span_decimal(text, 599, &code) && code >= 100;
    *out = good ? (uint16_t)code : 0;
    return good;
}

static bool read_status(struct load *load, const struct node *node, struct model_statuses *out)
{
    struct model_statuses range = {0};
    size_t dash = span_find(node->text, 0, '-');
    bool good = node->kind == NODE_SCALAR && node->text.len > 0 &&
                read_code(span_slice(node->text, 0, dash), &range.from);
    range.to = range.from;
    if (good && dash < node->text.len) {
        good = read_code(span_from(node->text, dash + 1), &range.to);
    }
    if (!good || range.to < range.from) {
        return read_refuse(load, node, "a status code like 200, or a range like 200-299");
    }
    *out = range;
    return true;
}

static bool read_statuses(struct load *load, const struct node *node, struct model_health *out)
{
    bool good = true;
    if (list_count(node) == 0 || list_count(node) > model_statuses_max) {
        return read_refuse(load, node, "one to 16 status codes or ranges");
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        good = read_status(load, item, &out->statuses[out->status_count]) && good;
        out->status_count += good;
    }
    return good;
}

static bool read_expect(struct load *load, const struct node *node, struct model_health *out)
{
    static const char *const keys[] = {"status", "body"};
    const struct node *at[2];
    if (!read_map(load, node, "`expect`", keys, 2, at)) {
        return false;
    }
    bool good = at[0] == NULL || read_statuses(load, at[0], out);
    if (at[1] == NULL) {
        return good;
    }
    if (!read_string(load, at[1], &out->body)) {
        return false;
    }
    if (out->body.len > model_expected_body_bytes_max) {
        return read_refuse(load, at[1], "a text of at most 1024 bytes");
    }
    if (out->head) {
        problems_error(load->problems, at[1]->place,
                       "an answer to HEAD has no body; take `body` away, or write `method: GET`");
        return false;
    }
    return good;
}

/* ---- agents ---- */

static bool read_agent_url(struct load *load, const struct node *node, struct span *out)
{
    struct span text;
    if (!read_string(load, node, &text)) {
        return false;
    }
    bool good = text.len <= 1024 && (text.ptr[0] == '/' || span_starts(text, SPAN("http://")) ||
                                     span_starts(text, SPAN("https://")));
    for (size_t i = 0; i < text.len && good; i++) {
        good = text.ptr[i] > 0x20 && text.ptr[i] < 0x7f && text.ptr[i] != '#';
    }
    if (!good) {
        return read_refuse(load, node, "a URL, or a path on the server like /agent");
    }
    *out = text;
    return true;
}

bool read_agent(struct load *load, const struct node *node, struct model_agent *out)
{
    static const char *const keys[] = {"port", "url"};
    const struct node *at[2] = {NULL, NULL};
    uint32_t port = 0;
    if (node->kind == NODE_SCALAR) {
        uint64_t number;
        at[!span_decimal(node->text, UINT64_MAX, &number)] = node;
    } else if (!read_map(load, node, "`agent`", keys, 2, at)) {
        return false;
    }
    if ((at[0] == NULL) == (at[1] == NULL)) {
        return read_refuse(load, node, "one of {port: 9777} and {url: /agent}");
    }
    if (at[1] != NULL) {
        return read_agent_url(load, at[1], &out->url);
    }
    bool good = read_number(load, at[0], 1, 65535, &port);
    out->port = (uint16_t)port;
    return good;
}

/* ---- when ---- */

static bool read_times(struct load *load, const struct node *const *at, struct model_health *out)
{
    const struct {
        enum health_key key;
        uint32_t min_ms;
        uint32_t max_ms;
        uint32_t *ms;
    } times[] = {{HEALTH_INTERVAL, 100, hour_ms, &out->interval_ms},
                 {HEALTH_TIMEOUT, 10, hour_ms, &out->timeout_ms},
                 {HEALTH_HOLD_DOWN, 0, day_ms, &out->hold_down_ms},
                 {HEALTH_SLOW_START, 0, day_ms, &out->slow_start_ms},
                 {HEALTH_RESOLVE, 10, day_ms, &out->resolve_interval_ms}};
    bool good = true;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        const struct node *node = at[times[i].key];
        if (node != NULL) {
            good =
                read_duration_ms(load, node, times[i].min_ms, times[i].max_ms, times[i].ms) && good;
        }
    }
    if (out->timeout_ms <= out->interval_ms) {
        return good;
    }
    if (at[HEALTH_TIMEOUT] != NULL && good) {
        problems_error(load->problems, at[HEALTH_TIMEOUT]->place,
                       "with a `timeout` longer than the `interval` of %ums a server that hangs "
                       "would be noticed too late; make it shorter, or the interval longer",
                       (unsigned)out->interval_ms);
        return false;
    }
    out->timeout_ms = out->interval_ms;
    return good;
}

static bool read_tls(struct load *load, const struct node *const *at, struct model_health *out)
{
    bool verify = true;
    if (at[HEALTH_CA] != NULL && !read_string(load, at[HEALTH_CA], &out->ca)) {
        return false;
    }
    if (out->ca.len > ca_path_bytes_max || span_ends(out->ca, SPAN("/"))) {
        return read_refuse(load, at[HEALTH_CA], "the path of a file with certificates in PEM");
    }
    const struct node *node = at[HEALTH_VERIFY];
    if (node == NULL) {
        return true;
    }
    if (!node_is_word(node, "off") && !read_bool(load, node, &verify)) {
        return false;
    }
    out->unverified = node_is_word(node, "off") || !verify;
    if (out->unverified) {
        problems_warning(load->problems, node->place,
                         "with `verify: off` a server with a certificate that clients refuse "
                         "counts as healthy; name its authority with `ca` instead");
    }
    return true;
}

/* What a connection alone does not need. */
static bool check_tcp(struct load *load, const struct node *const *at)
{
    static const enum health_key of_http[] = {HEALTH_PATH, HEALTH_METHOD, HEALTH_EXPECT,
                                              HEALTH_HOST, HEALTH_CA,     HEALTH_VERIFY};
    for (size_t i = 0; i < sizeof(of_http) / sizeof(of_http[0]); i++) {
        const struct node *node = at[of_http[i]];
        if (node != NULL) {
            problems_error(load->problems, node->key->place,
                           "`type: tcp` makes a connection and asks nothing; take `%s` away, or "
                           "write `type: http`",
                           health_keys[of_http[i]]);
            return false;
        }
    }
    return true;
}

static bool read_http(struct load *load, const struct node *const *at, const struct node *map,
                      struct model_health *out)
{
    bool good = read_health_path(load, at[HEALTH_PATH], map, &out->path);
    good = (at[HEALTH_METHOD] == NULL || read_method(load, at[HEALTH_METHOD], out)) && good;
    good = (at[HEALTH_EXPECT] == NULL || read_expect(load, at[HEALTH_EXPECT], out)) && good;
    good = (at[HEALTH_HOST] == NULL || read_host(load, at[HEALTH_HOST], &out->host)) && good;
    return read_tls(load, at, out) && good;
}

static bool read_keys(struct load *load, const struct node *node, size_t count,
                      struct model_health *out)
{
    const struct node *at[HEALTH_KEYS] = {NULL};
    if (node_is_word(node, "off")) {
        return true;
    }
    if (!read_map(load, node, "`health`", health_keys, count, at)) {
        return false;
    }
    bool good = at[HEALTH_TYPE] == NULL || read_type(load, at[HEALTH_TYPE], &out->tcp);
    good = (out->tcp ? check_tcp(load, at) : read_http(load, at, node, out)) && good;
    good = read_times(load, at, out) && good;
    good = read_number(load, at[HEALTH_FALL], 1, 100, &out->fall) && good;
    good = read_number(load, at[HEALTH_RISE], 1, 100, &out->rise) && good;
    good = read_number(load, at[HEALTH_CONCURRENCY], 1, concurrency_max, &out->concurrency) && good;
    good = (at[HEALTH_AGENT] == NULL || read_agent(load, at[HEALTH_AGENT], &out->agent)) && good;
    out->enabled = good;
    return good;
}

bool read_health(struct load *load, const struct node *node, struct model_health *out)
{
    return read_keys(load, node, HEALTH_KEYS_OF_ORIGINS, out);
}

bool read_pool_health(struct load *load, const struct node *node, struct model_health *out)
{
    return read_keys(load, node, HEALTH_KEYS, out);
}

bool read_panic(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (node_is_word(node, "off")) {
        pool->panic_ppm = 0;
        return true;
    }
    return read_percent_ppm(load, node, &pool->panic_ppm);
}
