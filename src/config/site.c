/* SPDX-License-Identifier: MIT */
/* The sites: list. */
#include "config/rule.h"

#include "uri/host.h"

enum site_key {
    SITE_NAME,
    SITE_HOSTS,
    SITE_HTTPS,
    SITE_ROUTES,
    SITE_DEFAULT,
    SITE_CORS,
    SITE_KEYS
};
static const char *const site_keys[SITE_KEYS] = {"name",   "hosts",   "https_redirect",
                                                 "routes", "default", "cors"};

/* ---- hosts ---- */

static void report_claimed(struct load *load, const struct node *item, struct span host,
                           size_t other)
{
    const struct model_site *site = &load->sites[other];
    if (other == load->site_count) {
        problems_error(load->problems, item->place, "the host %.*s stands twice here; keep one",
                       SHOW(host));
    } else {
        problems_error(load->problems, item->place,
                       "the host %.*s belongs to the site `%.*s` (line %u) already; take it away "
                       "from one of them",
                       SHOW(host), SHOW(site->name), site->place.line);
    }
}

static bool read_host(struct load *load, const struct node *item, struct model_site *site,
                      struct span *out)
{
    uint32_t other;
    if (item->kind != NODE_SCALAR) {
        return read_refuse(load, item, "a host like shop.example.com");
    }
    enum err err = host_from_config(item->text, load->arena, out);
    if (err == ERR_MEMORY) {
        load->no_memory = true;
        return false;
    }
    if (err != ERR_NONE) {
        return read_refuse(
            load, item,
            "a host like shop.example.com or \"*.example.com\", or \"*\" for all; no "
            "scheme, port or path");
    }
    err = names_add(&load->hosts, *out, (uint32_t)load->site_count, &other);
    if (err == ERR_RANGE) {
        report_claimed(load, item, *out, other);
        return false;
    }
    load->no_memory = load->no_memory || err != ERR_NONE;
    return true;
}

static bool read_catch_all(struct load *load, const struct node *item, struct model_site *site)
{
    if (load->catch_all_site != SIZE_MAX) {
        report_claimed(load, item, item->text, load->catch_all_site);
        return false;
    }
    load->catch_all_site = load->site_count;
    site->catch_all = true;
    return true;
}

static bool read_hosts(struct load *load, const struct node *node, struct model_site *site)
{
    bool good = true;
    size_t count = 0;
    if (list_count(node) == 0) {
        problems_error(load->problems, site->place,
                       "a site needs `hosts`; add `hosts: [www.example.com]`, or \"*\" for all");
        return false;
    }
    struct span *hosts = load_alloc(load, list_count(node), sizeof(*hosts));
    if (hosts == NULL) {
        return false;
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (node_is_word(item, "*")) {
            good = read_catch_all(load, item, site) && good;
        } else if (read_host(load, item, site, &hosts[count])) {
            count++;
        } else {
            good = false;
        }
    }
    site->hosts = hosts;
    site->host_count = count;
    return good;
}

static bool read_site_name(struct load *load, const struct node *node, struct model_site *site)
{
    uint32_t other;
    bool good = true;
    if (node != NULL) {
        good = read_name(load, node, &site->name);
    } else {
        site->name = site->host_count > 0 ? site->hosts[0] : SPAN("*");
        good = site->host_count > 0 || site->catch_all;
    }
    if (!good) {
        return false;
    }
    enum err err = names_add(&load->site_names, site->name, (uint32_t)load->site_count, &other);
    if (err == ERR_RANGE) {
        problems_error(
            load->problems, node != NULL ? node->place : site->place,
            "the site name `%.*s` is taken by the one in line %u; give it another `name`",
            SHOW(site->name), load->sites[other].place.line);
        return false;
    }
    load->no_memory = load->no_memory || err != ERR_NONE;
    return true;
}

/* ---- https_redirect ---- */

static bool read_https_map(struct load *load, const struct node *node, struct model_site *site)
{
    static const char *const keys[] = {"status", "port"};
    const struct node *at[2];
    uint64_t value;
    if (node->kind != NODE_MAP) {
        return read_refuse(load, node, "true, false or a map like {status: 308, port: 443}");
    }
    if (!read_map(load, node, "`https_redirect`", keys, 2, at)) {
        return false;
    }
    site->https_redirect = true;
    if (at[0] != NULL) {
        if (!read_integer(load, at[0], 301, 308, &value)) {
            return false;
        }
        if (value > 302 && value < 307) {
            return read_refuse(load, at[0], "307 (the default), 308, 302 or 301");
        }
        site->https_status = (uint16_t)value;
        if (value == 301 || value == 302) {
            problems_warning(load->problems, at[0]->key->place,
                             "with %u a POST becomes a GET and its body is lost; write %u",
                             (unsigned)value, value == 301 ? 308u : 307u);
        }
    }
    if (at[1] != NULL) {
        if (!read_integer(load, at[1], 1, 65535, &value)) {
            return false;
        }
        site->https_port = (uint16_t)value;
    }
    return true;
}

static bool read_https(struct load *load, const struct node *node, struct model_site *site)
{
    if (node->kind == NODE_SCALAR) {
        return read_bool(load, node, &site->https_redirect);
    }
    return read_https_map(load, node, site);
}

/* ---- routes ---- */

static bool read_route_name(struct load *load, const struct node *node, size_t number,
                            const struct model_site *site, struct names *names,
                            struct model_rule *rule)
{
    uint32_t line;
    if (node == NULL) {
        rule->name = load_printf(load, "#%zu", number);
    } else if (!read_name(load, node, &rule->name)) {
        return false;
    }
    rule->identity =
        load_printf(load, "%.*s/routes/%.*s", SPAN_ARG(site->name), SPAN_ARG(rule->name));
    enum err err = names_add(names, rule->name, rule->place.line, &line);
    if (err == ERR_RANGE) {
        problems_error(load->problems, node != NULL ? node->place : rule->place,
                       "the route name `%.*s` is taken by the one in line %u; give it another "
                       "`name`",
                       SHOW(rule->name), line);
        return false;
    }
    load->no_memory = load->no_memory || err != ERR_NONE;
    return true;
}

static bool read_route(struct load *load, const struct node *item, size_t number,
                       const struct model_site *site, struct names *names, struct model_rule *rule)
{
    const struct node *at[ROUTE_KEYS];
    struct scope scope = {.site = site};
    *rule = (struct model_rule){.kind = RULE_ROUTE, .place = item->place};
    if (!read_map(load, item, "a route", rule_keys, ROUTE_KEYS, at)) {
        return false;
    }
    bool good = read_route_name(load, at[KEY_NAME], number, site, names, rule);
    return read_rule(load, item, at, &scope, rule) && good;
}

/* A route with a mistake is left out, so that what compares routes does not stumble. */
static bool read_routes(struct load *load, const struct node *node, struct model_site *site)
{
    bool good = true;
    size_t number = 0;
    struct names names = {.arena = load->scratch};
    if (node == NULL || node->kind == NODE_NULL) {
        return true;
    }
    if (!read_is_list(load, node)) {
        return false;
    }
    struct model_rule *routes = load_alloc(load, node->count, sizeof(*routes));
    if (routes == NULL) {
        return false;
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        if (read_route(load, item, ++number, site, &names, &routes[site->route_count])) {
            site->route_count++;
        } else {
            good = false;
        }
    }
    site->routes = routes;
    return good;
}

/* ---- a site ---- */

/* Under "*" the host is whatever a client says, and it would become the target. */
static bool check_https_hosts(struct load *load, const struct node *node,
                              const struct model_site *site)
{
    if (node == NULL || !site->https_redirect || !site->catch_all) {
        return true;
    }
    problems_error(
        load->problems, node->key->place,
        "`https_redirect` under the host \"*\" would be an open redirect; list the hosts "
        "in a site of their own");
    return false;
}

static bool read_site(struct load *load, const struct node *node, struct model_site *site)
{
    const struct node *at[SITE_KEYS];
    *site = (struct model_site){
        .place = node->place, .https_status = 307, .https_port = 443, .cors = {.max_age_s = -1}};
    if (!read_map(load, node, "a site", site_keys, SITE_KEYS, at)) {
        return false;
    }
    bool good = read_hosts(load, at[SITE_HOSTS], site);
    good = read_site_name(load, at[SITE_NAME], site) && good;
    struct scope scope = {.site = site};
    good = (at[SITE_HTTPS] == NULL || read_https(load, at[SITE_HTTPS], site)) && good;
    good = check_https_hosts(load, at[SITE_HTTPS], site) && good;
    good = read_routes(load, at[SITE_ROUTES], site) && good;
    good = read_default(load, at[SITE_DEFAULT], &scope, &site->fallback) && good;
    site->default_implied = at[SITE_DEFAULT] == NULL;
    site->fallback.name = SPAN("default");
    site->fallback.identity = load_printf(load, "%.*s/default", SPAN_ARG(site->name));
    return (at[SITE_CORS] == NULL || read_cors(load, at[SITE_CORS], &site->cors)) && good;
}

bool read_sites(struct load *load, const struct node *node)
{
    bool good = true;
    if (!read_is_list(load, node)) {
        return false;
    }
    load->sites = load_alloc(load, node->count, sizeof(*load->sites));
    if (load->sites == NULL) {
        return false;
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        good = read_site(load, item, &load->sites[load->site_count]) && good;
        load->site_count++;
    }
    return good;
}
