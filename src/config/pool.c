/* SPDX-License-Identifier: MIT */
/* The pools: map. */
#include "config/rule.h"

#include "http/field.h"
#include "uri/url.h"

enum pool_key {
    POOL_BALANCE,
    POOL_HASH,
    POOL_SERVERS,
    POOL_PATH,
    POOL_HEALTH,
    POOL_FALLBACK,
    POOL_KEYS
};
static const char *const pool_keys[POOL_KEYS] = {"balance", "hash",   "servers",
                                                 "path",    "health", "fallback"};

enum server_key { SERVER_NAME, SERVER_URL, SERVER_WEIGHT, SERVER_PRIORITY, SERVER_KEYS };
static const char *const server_keys[SERVER_KEYS] = {"name", "url", "weight", "priority"};

enum health_key {
    HEALTH_PATH,
    HEALTH_INTERVAL,
    HEALTH_TIMEOUT,
    HEALTH_FALL,
    HEALTH_RISE,
    HEALTH_KEYS
};
static const char *const health_keys[HEALTH_KEYS] = {"path", "interval", "timeout", "fall", "rise"};

enum { servers_of_pool_max = 65536, weight_max = 1000000, priority_max = 100, hour_ms = 3600000 };

/* ---- servers ---- */

static const char *url_fault(const struct url *url)
{
    if (!span_eq(url->scheme, SPAN("http")) && !span_eq(url->scheme, SPAN("https"))) {
        return "its scheme must be http or https";
    }
    if (url->host.len == 0) {
        return "it names no host";
    }
    if (url->username.len > 0 || url->password.len > 0) {
        return "it holds a user name or password, which everybody would be shown; take it away";
    }
    if (url->query.ptr != NULL || url->fragment.ptr != NULL) {
        return "a query or fragment cannot stand here, since the request's path is appended; take "
               "it away";
    }
    return NULL;
}

static bool read_server_url(struct load *load, const struct node *node, struct url *url,
                            struct span *out)
{
    struct span text;
    if (!read_string(load, node, &text)) {
        return false;
    }
    if (url_parse(text, NULL, load->arena, url) != ERR_NONE) {
        return read_refuse(load, node, "the URL of a server, like https://eu1.example.net");
    }
    const char *fault = url_fault(url);
    if (fault != NULL) {
        problems_error(load->problems, node->place, "the URL \"%.*s\" cannot be a server's: %s",
                       SHOW(text), fault);
        return false;
    }
    struct span href;
    if (url_serialise(url, load->arena, &href) != ERR_NONE) {
        load->no_memory = true;
        return false;
    }
    while (href.len > 0 && href.ptr[href.len - 1] == '/') {
        href.len--;
    }
    *out = href;
    struct origin origin = {.scheme = url->scheme, .host = url->host, .port = url->port};
    return target_allowed(load, node->place, &origin);
}

static bool read_number(struct load *load, const struct node *node, uint64_t min, uint64_t max,
                        uint32_t *out)
{
    uint64_t value;
    if (node == NULL) {
        return true;
    }
    if (!read_integer(load, node, min, max, &value)) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* Two servers of one host differ by their ports, so the port is part of the name. */
static struct span name_from(struct load *load, const struct url *url)
{
    return url->port < 0 ? load_copy(load, url->host)
                         : load_printf(load, "%.*s:%d", SPAN_ARG(url->host), (int)url->port);
}

static bool read_server(struct load *load, const struct node *node, const struct model_pool *pool,
                        struct model_server *out)
{
    const struct node *at[SERVER_KEYS] = {[SERVER_URL] = node};
    struct url url;
    *out = (struct model_server){.place = node->place, .weight = 1, .priority = 1};
    if (node->kind != NODE_SCALAR &&
        !read_map(load, node, "a server", server_keys, SERVER_KEYS, at)) {
        return false;
    }
    if (at[SERVER_URL] == NULL) {
        problems_error(load->problems, node->place,
                       "a server needs a `url`, like `url: https://eu1.example.net`");
        return false;
    }
    bool good = read_server_url(load, at[SERVER_URL], &url, &out->url);
    good = read_number(load, at[SERVER_WEIGHT], 0, weight_max, &out->weight) && good;
    good = read_number(load, at[SERVER_PRIORITY], 1, priority_max, &out->priority) && good;
    if (at[SERVER_NAME] != NULL) {
        good = read_name(load, at[SERVER_NAME], &out->name) && good;
    } else if (out->url.len > 0) {
        out->name = name_from(load, &url);
    }
    out->identity = load_printf(load, "%.*s/%.*s", SPAN_ARG(pool->name), SPAN_ARG(out->name));
    return good;
}

static bool server_is_new(struct load *load, const struct model_server *server, struct names *names,
                          struct names *urls)
{
    uint32_t line;
    enum err by_url = names_add(urls, server->url, server->place.line, &line);
    if (by_url == ERR_RANGE) {
        problems_error(load->problems, server->place,
                       "the server %.*s stands twice, first in line %u; take one away, or give it "
                       "more `weight`",
                       SHOW(server->url), line);
        return false;
    }
    enum err by_name = names_add(names, server->name, server->place.line, &line);
    if (by_name == ERR_RANGE) {
        problems_error(load->problems, server->place,
                       "the name `%.*s` of this server is taken by the one in line %u; give it "
                       "another `name`",
                       SHOW(server->name), line);
        return false;
    }
    load->no_memory = load->no_memory || by_url != ERR_NONE || by_name != ERR_NONE;
    return true;
}

static bool read_servers(struct load *load, const struct node *node, struct model_pool *pool)
{
    bool good = true;
    uint64_t weights = 0;
    size_t count = 0;
    struct names names = {.arena = load->scratch};
    struct names urls = {.arena = load->scratch};
    if (list_count(node) == 0) {
        problems_error(load->problems, pool->place,
                       "the pool `%.*s` has no servers; add `servers: [https://eu1.example.net]`",
                       SHOW(pool->name));
        return false;
    }
    if (list_count(node) > servers_of_pool_max) {
        return read_refuse(load, node, "a list of at most 65536 servers");
    }
    struct model_server *servers = load_alloc(load, list_count(node), sizeof(*servers));
    if (servers == NULL) {
        return false;
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (read_server(load, item, pool, &servers[count]) &&
            server_is_new(load, &servers[count], &names, &urls)) {
            weights += servers[count++].weight;
        } else {
            good = false;
        }
    }
    pool->servers = servers;
    pool->server_count = count;
    if (good && weights == 0) {
        problems_warning(load->problems, node->place,
                         "all servers of the pool `%.*s` have weight 0, so everybody gets its "
                         "`fallback`; give one a weight",
                         SHOW(pool->name));
    }
    return good;
}

/* ---- balance ---- */

static bool read_hash_map(struct load *load, const struct node *node, struct model_pool *pool)
{
    static const char *const keys[] = {"header", "cookie"};
    const struct node *at[2];
    if (!read_map(load, node, "`hash`", keys, 2, at)) {
        return false;
    }
    const struct node *chosen = at[0] != NULL ? at[0] : at[1];
    if (chosen == NULL || (at[0] != NULL && at[1] != NULL)) {
        return read_refuse(load, node, "one of {header: NAME} and {cookie: NAME}");
    }
    if (chosen->kind != NODE_SCALAR || !token_valid(chosen->text)) {
        return read_refuse(load, chosen, "a name");
    }
    pool->hash_key = at[0] != NULL ? HASH_HEADER : HASH_COOKIE;
    pool->hash_name = load_copy(load, chosen->text);
    return true;
}

static bool read_hash(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (pool->balance != BALANCE_HASH) {
        problems_error(load->problems, node->key->place,
                       "`hash` says what is hashed, but the balance is another; write `balance: "
                       "hash`");
        return false;
    }
    if (node->kind == NODE_MAP) {
        return read_hash_map(load, node, pool);
    }
    if (node_is_word(node, "path")) {
        pool->hash_key = HASH_PATH;
        return true;
    }
    if (node_is_word(node, "client")) {
        pool->hash_key = HASH_CLIENT;
        return true;
    }
    return read_refuse(load, node, "path, client, {header: NAME} or {cookie: NAME}");
}

static bool read_balance(struct load *load, const struct node *const *at, struct model_pool *pool)
{
    static const struct {
        const char *word;
        enum balance balance;
    } words[] = {{"weighted", BALANCE_WEIGHTED},
                 {"round-robin", BALANCE_ROUND_ROBIN},
                 {"hash", BALANCE_HASH}};
    const struct node *node = at[POOL_BALANCE];
    bool good = node == NULL;
    for (size_t i = 0; i < 3 && node != NULL; i++) {
        if (node_is_word(node, words[i].word)) {
            pool->balance = words[i].balance;
            good = true;
        }
    }
    if (!good) {
        return read_refuse(load, node, "weighted, round-robin or hash");
    }
    return at[POOL_HASH] == NULL || read_hash(load, at[POOL_HASH], pool);
}

/* ---- health and fallback ---- */

static const char *const fallback_keys[ROUTE_KEYS] = {
    [KEY_TO] = "to",
    [KEY_PAGE] = "page",
    [KEY_RESPOND] = "respond",
    [KEY_STATUS] = "status",
    [KEY_RETRY_AFTER] = "retry_after",
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

bool read_health(struct load *load, const struct node *node, struct model_health *out)
{
    const struct node *at[HEALTH_KEYS];
    if (node_is_word(node, "off")) {
        return true;
    }
    if (!read_map(load, node, "`health`", health_keys, HEALTH_KEYS, at)) {
        return false;
    }
    bool good = read_health_path(load, at[HEALTH_PATH], node, &out->path);
    if (at[HEALTH_INTERVAL] != NULL) {
        good = read_duration_ms(load, at[HEALTH_INTERVAL], 100, hour_ms, &out->interval_ms) && good;
    }
    if (at[HEALTH_TIMEOUT] != NULL) {
        good = read_duration_ms(load, at[HEALTH_TIMEOUT], 10, hour_ms, &out->timeout_ms) && good;
    }
    good = read_number(load, at[HEALTH_FALL], 1, 100, &out->fall) && good;
    good = read_number(load, at[HEALTH_RISE], 1, 100, &out->rise) && good;
    out->enabled = good;
    return good;
}

static bool read_fallback(struct load *load, const struct node *node, struct model_pool *pool)
{
    struct scope scope = {.fallback = true};
    if (node_is_word(node, "all")) {
        pool->fallback_all = true;
        return true;
    }
    if (node->kind != NODE_MAP) {
        return read_refuse(load, node, "`all`, or a map like {status: 503, retry_after: 30s}");
    }
    return read_action_map(load, node, "`fallback`", fallback_keys,
                           "a fallback adds no fields; put `headers` into the rules", &scope,
                           &pool->fallback);
}

static bool read_pool_path(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (!node_is_word(node, "keep") && !node_is_word(node, "strip")) {
        return read_refuse(load, node, "keep, or strip for taking away what the route matched");
    }
    pool->strip = node_is_word(node, "strip");
    return true;
}

static bool read_pool(struct load *load, const struct node *node, struct model_pool *pool)
{
    const struct node *at[POOL_KEYS] = {[POOL_SERVERS] = node};
    if (node->kind != NODE_LIST && !read_map(load, node, "a pool", pool_keys, POOL_KEYS, at)) {
        return false;
    }
    bool good = read_balance(load, at, pool);
    good = (at[POOL_PATH] == NULL || read_pool_path(load, at[POOL_PATH], pool)) && good;
    good = read_servers(load, at[POOL_SERVERS], pool) && good;
    good = (at[POOL_HEALTH] == NULL || read_health(load, at[POOL_HEALTH], &pool->health)) && good;
    good = (at[POOL_FALLBACK] == NULL || read_fallback(load, at[POOL_FALLBACK], pool)) && good;
    if (at[POOL_HEALTH] == NULL) {
        problems_warning(load->problems, pool->place,
                         "the pool `%.*s` has no `health`, so clients are sent to servers that are "
                         "down; add `health: {path: /healthz}`, or `health: off` where that is "
                         "meant",
                         SHOW(pool->name));
    }
    return good;
}

static void pool_defaults(struct model_pool *pool, const struct node *item)
{
    *pool = (struct model_pool){
        .place = item->key->place,
        .balance = BALANCE_WEIGHTED,
        .health = {.interval_ms = 2000, .timeout_ms = 1000, .fall = 3, .rise = 2},
        .fallback = {.kind = ACTION_RESPOND,
                     .place = item->key->place,
                     .status = 503,
                     .retry_after_s = -1},
    };
}

bool read_pools(struct load *load, const struct node *node)
{
    bool good = true;
    uint32_t taken;
    if (node->kind == NODE_NULL) {
        return true;
    }
    if (node->kind != NODE_MAP) {
        return read_refuse(load, node, "a map of pools by their names");
    }
    load->pools = load_alloc(load, node->count, sizeof(*load->pools));
    if (load->pools == NULL) {
        return false;
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        struct model_pool *pool = &load->pools[load->pool_count];
        pool_defaults(pool, item);
        good = read_name(load, item->key, &pool->name) && good;
        good = read_pool(load, item, pool) && good;
        enum err err = names_add(&load->pool_names, pool->name, (uint32_t)load->pool_count, &taken);
        load->no_memory = load->no_memory || err == ERR_MEMORY;
        load->pool_count++;
    }
    return good;
}
