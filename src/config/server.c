/* SPDX-License-Identifier: MIT */
/* The list `servers` of a pool. */
#include "config/pool.h"

#include "config/json.h"
#include "config/override.h"
#include "uri/url.h"

enum server_key {
    SERVER_NAME,
    SERVER_URL,
    SERVER_WEIGHT,
    SERVER_PRIORITY,
    SERVER_AT,
    SERVER_SCHEMES,
    SERVER_FAMILY,
    SERVER_COUNTRIES,
    SERVER_CONTINENTS,
    SERVER_EXCLUDE,
    SERVER_AGENT,
    SERVER_STATE,
    SERVER_SINCE,
    SERVER_SHARE,
    SERVER_KEYS
};
static const char *const server_keys[SERVER_KEYS] = {
    "name",      "url",        "weight",  "priority", "at",    "schemes", "family",
    "countries", "continents", "exclude", "agent",    "state", "since",   "share",
};

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
    if (memmem(url->path.ptr, url->path.len, "//", 2) != NULL) {
        return "two slashes stand in a row in its path; take one away";
    }
    return NULL;
}

static bool read_server_url(struct load *load, const struct node *node, struct url *url,
                            struct span *out)
{
    struct span text = {0};
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

/* A '*' begins what means all of them (decide/avoid.c). */
static bool read_server_name(struct load *load, const struct node *node, struct span *out)
{
    if (node->kind == NODE_SCALAR && span_starts(node->text, SPAN("*"))) {
        return read_refuse(load, node,
                           "a name that does not begin with '*', which means all servers");
    }
    return read_name(load, node, out);
}

/* Two servers of one host differ by their ports, so the port is part of the name. */
static struct span name_from(struct load *load, const struct url *url)
{
    return url->port < 0 ? load_copy(load, url->host)
                         : load_printf(load, "%.*s:%d", SPAN_ARG(url->host), (int)url->port);
}

/* Whom it serves, and where it is. */
static bool read_reach(struct load *load, const struct node *const *at,
                       const struct model_pool *pool, const struct url *url,
                       struct model_server *out)
{
    bool good = at[SERVER_AT] == NULL || read_at(load, at[SERVER_AT], out);
    good = (at[SERVER_FAMILY] == NULL || read_family(load, at[SERVER_FAMILY], out)) && good;
    if (at[SERVER_SCHEMES] != NULL && out->url.len > 0) {
        good = read_schemes(load, at[SERVER_SCHEMES], url->scheme, out) && good;
    }
    if (out->other_url.len > 0 && at[SERVER_SCHEMES] != NULL) {
        struct origin other = {.scheme = span_eq(url->scheme, SPAN("https")) ? SPAN("http")
                                                                             : SPAN("https"),
                               .host = url->host,
                               .port = -1};
        good = target_allowed(load, at[SERVER_SCHEMES]->place, &other) && good;
    }
    const struct node *areas = NULL;
    for (int key = SERVER_COUNTRIES; key <= SERVER_EXCLUDE && areas == NULL; key++) {
        areas = at[key];
    }
    if (areas != NULL && pool->balance != BALANCE_NEAREST) {
        problems_error(load->problems, areas->key->place,
                       "where clients are is looked up under `balance: nearest` alone; say that of "
                       "the pool, or take this away");
        return false;
    }
    return read_areas(load, at[SERVER_COUNTRIES], at[SERVER_CONTINENTS], at[SERVER_EXCLUDE], out) &&
           good;
}

/* A URL alone is one with a key; its name is said, since run time goes by it. */
static bool note_json(struct load *load, const struct node *node, struct model_server *out)
{
    json_t *json = node->kind == NODE_SCALAR ? json_object() : node_to_json(node);
    if (json != NULL && node->kind == NODE_SCALAR) {
        json_object_set_new(json, "url",
                            json_stringn((const char *)node->text.ptr, node->text.len));
    }
    json_object_set_new(json, "name", json_stringn((const char *)out->name.ptr, out->name.len));
    out->json = canonical_json(load, json);
    out->stanza = json_text_hash(out->json);
    json_decref(json);
    return out->json.len > 0;
}

bool read_server(struct load *load, const struct node *node, const struct model_pool *pool,
                 struct model_server *out)
{
    const struct node *at[SERVER_KEYS] = {[SERVER_URL] = node};
    struct url url = {0};
    *out = (struct model_server){.place = node->place,
                                 .weight = 1,
                                 .priority = 1,
                                 .reach = REACH_ALL,
                                 .share_ppm = share_ppm_full};
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
    good = read_reach(load, at, pool, &url, out) && good;
    good = (at[SERVER_AGENT] == NULL || read_agent(load, at[SERVER_AGENT], &out->agent)) && good;
    good = read_wish(load, at[SERVER_STATE], at[SERVER_SINCE], at[SERVER_SHARE], out) && good;
    if (at[SERVER_NAME] != NULL) {
        good = read_server_name(load, at[SERVER_NAME], &out->name) && good;
    } else if (out->url.len > 0) {
        out->name = name_from(load, &url);
    }
    out->identity = load_printf(load, "%.*s/%.*s", SPAN_ARG(pool->name), SPAN_ARG(out->name));
    return note_json(load, node, out) && good;
}

/* One of run time stands in no line. */
static const char *who_of(struct load *load, const struct model_server *server)
{
    const char *text =
        server->live
            ? arena_printf(load->scratch, "server %.*s of run time: ", SHOW(server->identity))
            : "";
    return text != NULL ? text : "";
}

static const char *line_of(struct load *load, uint32_t line)
{
    const char *text =
        line > 0 ? arena_printf(load->scratch, "in line %u", line) : "set at run time";
    return text != NULL ? text : "";
}

static bool server_is_new(struct load *load, const struct model_server *server, struct names *names,
                          struct names *urls)
{
    uint32_t line;
    enum err by_url = names_add(urls, server->url, server->place.line, &line);
    if (by_url == ERR_RANGE) {
        problems_error(load->problems, server->place,
                       "%sthe server %.*s stands twice, first %s; take one away, or give it "
                       "more `weight`",
                       who_of(load, server), SHOW(server->url), line_of(load, line));
        return false;
    }
    enum err by_name = names_add(names, server->name, server->place.line, &line);
    if (by_name == ERR_RANGE) {
        problems_error(load->problems, server->place,
                       "%sthe name `%.*s` of this server is taken by the one %s; give it "
                       "another `name`",
                       who_of(load, server), SHOW(server->name), line_of(load, line));
        return false;
    }
    load->no_memory = load->no_memory || by_url != ERR_NONE || by_name != ERR_NONE;
    return true;
}

bool check_servers(struct load *load, struct place place, const struct model_pool *pool)
{
    bool good = true;
    uint64_t weights = 0;
    struct names names = {.arena = load->scratch};
    struct names urls = {.arena = load->scratch};
    for (size_t i = 0; i < pool->server_count; i++) {
        good = server_is_new(load, &pool->servers[i], &names, &urls) && good;
        weights += pool->servers[i].weight;
    }
    if (good && weights == 0) {
        problems_error(load->problems, place,
                       pool->server_count == 0
                           ? "the pool `%.*s` would have no server; drain it instead"
                           : "all servers of the pool `%.*s` have weight 0, so nobody would ever "
                             "be sent to one; give one a weight",
                       SHOW(pool->name));
    }
    return good && weights > 0;
}

bool check_server_count(struct load *load, struct place place)
{
    size_t count = 0;
    for (size_t i = 0; i < load->pool_count; i++) {
        count += load->pools[i].server_count;
    }
    if (count > servers_of_pool_max) {
        problems_error(load->problems, place,
                       "the pools have %zu servers in all, and states are kept of %u; take some "
                       "away",
                       count, (unsigned)servers_of_pool_max);
    }
    return count <= servers_of_pool_max;
}

bool read_servers(struct load *load, const struct node *node, struct model_pool *pool)
{
    bool good = true;
    size_t count = 0;
    if (list_count(node) == 0) {
        problems_error(load->problems, pool->place,
                       "the pool `%.*s` has no servers; add `servers: [https://eu1.example.net]`",
                       SHOW(pool->name));
        return false;
    }
    if (list_count(node) > servers_of_pool_max) {
        return read_refuse(load, node, "a list of at most 65000 servers");
    }
    struct model_server *servers = load_alloc(load, list_count(node), sizeof(*servers));
    if (servers == NULL) {
        return false;
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (read_server(load, item, pool, &servers[count])) {
            count++;
        } else {
            good = false;
        }
    }
    pool->servers = servers;
    pool->server_count = count;
    return (count == 0 || check_servers(load, node->place, pool)) && good;
}
