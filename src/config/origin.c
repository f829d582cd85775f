/* SPDX-License-Identifier: MIT */
/* The origins: map, and what names one of them: its name, or a URL of its own. */
#include "config/rule.h"

#include "config/tls.h"
#include "net/listener.h"
#include "uri/url.h"

#include <arpa/inet.h>

enum origin_key {
    ORIGIN_URL,
    ORIGIN_HOST,
    ORIGIN_NAME,
    ORIGIN_CA,
    ORIGIN_VERIFY,
    ORIGIN_CONNECT,
    ORIGIN_RESPONSE,
    ORIGIN_IDLE,
    ORIGIN_TUNNEL,
    ORIGIN_KEEP,
    ORIGIN_CONNECTIONS,
    ORIGIN_RESOLVE,
    ORIGIN_HEALTH,
    ORIGIN_KEYS
};
static const char *const origin_keys[ORIGIN_KEYS] = {"url",
                                                     "host",
                                                     "name",
                                                     "ca",
                                                     "verify",
                                                     "connect_timeout",
                                                     "response_timeout",
                                                     "idle_timeout",
                                                     "tunnel_timeout",
                                                     "keep_alive",
                                                     "connections",
                                                     "resolve_interval",
                                                     "health"};

enum {
    hour_ms = 3600000,
    day_ms = 24 * hour_ms,
    origin_connections_max = 60000,
    ca_path_bytes_max = 4000,
    tls_name_bytes_max = 253,
};

/* ---- its URL ---- */

static const char *url_fault(const struct url *url)
{
    if (!span_eq(url->scheme, SPAN("http")) && !span_eq(url->scheme, SPAN("https"))) {
        return "its scheme must be http or https";
    }
    if (url->host.len == 0) {
        return "it names no host";
    }
    if (url->username.len > 0 || url->password.len > 0) {
        return "it holds a user name or password, which Detour does not send; take it away";
    }
    if (url->path.len > 1) {
        return "requests are passed on with the path that they came with; take its path away";
    }
    if (url->query.ptr != NULL || url->fragment.ptr != NULL) {
        return "requests are passed on with the query that they came with; take its query and "
               "fragment away";
    }
    return NULL;
}

/* "[::1]" is a host in URLs, and an address elsewhere. */
static struct span without_brackets(struct span host)
{
    bool bracketed = host.len > 2 && host.ptr[0] == '[';
    return bracketed ? span_slice(host, 1, host.len - 1) : host;
}

/* An address stands in the file: there is nothing to look up. */
static void take_address(struct model_origin *origin)
{
    struct origin_live *live = origin->live;
    if (address_parse(without_brackets(origin->host), live->addresses[0].bytes)) {
        live->address_count = 1;
    }
}

static bool take_url(struct load *load, const struct url *url, struct model_origin *origin)
{
    int32_t own_port = span_eq(url->scheme, SPAN("https")) ? 443 : 80;
    origin->secure = own_port == 443;
    origin->host = url->host;
    origin->port = (uint16_t)(url->port >= 0 ? url->port : own_port);
    origin->tls_name = without_brackets(url->host);
    origin->authority =
        url->port < 0 ? load_copy(load, url->host)
                      : load_printf(load, "%.*s:%u", SPAN_ARG(url->host), (unsigned)origin->port);
    origin->url =
        load_printf(load, "%.*s://%.*s", SPAN_ARG(url->scheme), SPAN_ARG(origin->authority));
    take_address(origin);
    return origin->url.len > 0;
}

static bool read_url(struct load *load, const struct node *node, struct model_origin *origin)
{
    struct span text;
    struct url url;
    if (!read_string(load, node, &text)) {
        return false;
    }
    if (url_parse(text, NULL, load->arena, &url) != ERR_NONE) {
        return read_refuse(load, node, "the URL of an origin, like http://10.0.0.5:8080");
    }
    const char *fault = url_fault(&url);
    if (fault != NULL) {
        problems_error(load->problems, node->place, "the URL \"%.*s\" cannot be an origin's: %s",
                       SHOW(text), fault);
        return false;
    }
    if (url.port == 0) {
        return read_refuse(load, node, "a URL with a port from 1 to 65535");
    }
    return take_url(load, &url, origin);
}

/* ---- loops ---- */

static bool is_wildcard(const struct listener *listener)
{
    if (listener->address.any.sa_family == AF_INET) {
        return listener->address.v4.sin_addr.s_addr == htonl(INADDR_ANY);
    }
    return IN6_IS_ADDR_UNSPECIFIED(&listener->address.v6.sin6_addr);
}

static bool is_loopback(const uint8_t address[16])
{
    return address_is_v4(address)
               ? address[12] == 127
               : memcmp(address, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

/* Other addresses of this machine are not known here. */
static bool listener_hears(const struct listener *listener, const uint8_t address[16],
                           uint16_t port)
{
    uint8_t own[16];
    bool v4 = listener->address.any.sa_family == AF_INET;
    if (listener->address.any.sa_family == AF_UNIX) {
        return false;
    }
    if (ntohs(v4 ? listener->address.v4.sin_port : listener->address.v6.sin6_port) != port) {
        return false;
    }
    if (is_wildcard(listener)) {
        return v4 == address_is_v4(address) && is_loopback(address);
    }
    if (v4) {
        address_from_v4((const uint8_t *)&listener->address.v4.sin_addr, own);
    } else {
        memcpy(own, &listener->address.v6.sin6_addr, sizeof(own));
    }
    return memcmp(own, address, sizeof(own)) == 0;
}

/* Each request would come back until nothing is left to pass it on with. */
static bool leads_elsewhere(struct load *load, struct place place,
                            const struct model_origin *origin)
{
    uint8_t address[16];
    bool local = span_eq(origin->host, SPAN("localhost"));
    if (local) {
        address_from_v4((const uint8_t[]){127, 0, 0, 1}, address);
    } else if (origin->live->address_count > 0) {
        memcpy(address, origin->live->addresses[0].bytes, sizeof(address));
    } else {
        return true;
    }
    for (size_t i = 0; i < load->model->listener_count; i++) {
        const struct listener *listener = &load->model->listeners[i];
        if (listener_hears(listener, address, origin->port) ||
            (local && listener_hears(listener, in6addr_loopback.s6_addr, origin->port))) {
            problems_error(load->problems, place,
                           "the origin %.*s is Detour itself, which listens on %s: requests would "
                           "go round in circles; write where the site lives",
                           SHOW(origin->url), listener->text);
            return false;
        }
    }
    return true;
}

/* ---- options ---- */

static bool read_host(struct load *load, const struct node *node, struct model_origin *origin)
{
    if (!node_is_word(node, "keep") && !node_is_word(node, "origin")) {
        return read_refuse(load, node,
                           "keep for the Host that the client sent, or origin for the one of "
                           "the URL");
    }
    origin->own_host = node_is_word(node, "origin");
    return true;
}

static bool read_tls_name(struct load *load, const struct node *node, struct span *out)
{
    struct span text;
    if (!read_string(load, node, &text)) {
        return false;
    }
    bool good = text.len <= tls_name_bytes_max;
    for (size_t i = 0; i < text.len && good; i++) {
        uint8_t c = text.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.';
    }
    if (!good) {
        return read_refuse(load, node, "a host name like app.example.com");
    }
    *out = text;
    return true;
}

static bool read_ca(struct load *load, const struct node *node, struct model_origin *origin)
{
    if (!read_string(load, node, &origin->ca)) {
        return false;
    }
    origin->ca_place = node->place;
    if (origin->ca.len > ca_path_bytes_max || origin->ca.ptr[origin->ca.len - 1] == '/') {
        return read_refuse(load, node, "the path of a file with certificates in PEM");
    }
    return true;
}

static bool read_times(struct load *load, const struct node *const *at, struct model_origin *origin)
{
    const struct {
        enum origin_key key;
        uint32_t max_ms;
        uint32_t *ms;
    } times[] = {{ORIGIN_CONNECT, hour_ms, &origin->connect_timeout_ms},
                 {ORIGIN_RESPONSE, hour_ms, &origin->response_timeout_ms},
                 {ORIGIN_IDLE, hour_ms, &origin->idle_timeout_ms},
                 {ORIGIN_TUNNEL, 7 * day_ms, &origin->tunnel_timeout_ms},
                 {ORIGIN_RESOLVE, day_ms, &origin->resolve_interval_ms}};
    bool good = true;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (at[times[i].key] != NULL) {
            good =
                read_duration_ms(load, at[times[i].key], 10, times[i].max_ms, times[i].ms) && good;
        }
    }
    if (at[ORIGIN_KEEP] != NULL && node_is_word(at[ORIGIN_KEEP], "off")) {
        origin->keep_alive_ms = 0;
    } else if (at[ORIGIN_KEEP] != NULL) {
        good =
            read_duration_ms(load, at[ORIGIN_KEEP], 100, hour_ms, &origin->keep_alive_ms) && good;
    }
    return good;
}

/* What TLS alone has. */
static bool read_secure(struct load *load, const struct node *const *at,
                        struct model_origin *origin)
{
    static const enum origin_key keys[] = {ORIGIN_NAME, ORIGIN_CA, ORIGIN_VERIFY};
    bool good = true;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !origin->secure; i++) {
        if (at[keys[i]] != NULL) {
            problems_error(load->problems, at[keys[i]]->key->place,
                           "`%s` is about TLS, and %.*s has none; write https:// or take it away",
                           origin_keys[keys[i]], SHOW(origin->url));
            good = false;
        }
    }
    if (!good) {
        return false;
    }
    good = at[ORIGIN_NAME] == NULL || read_tls_name(load, at[ORIGIN_NAME], &origin->tls_name);
    good = (at[ORIGIN_CA] == NULL || read_ca(load, at[ORIGIN_CA], origin)) && good;
    good =
        (at[ORIGIN_VERIFY] == NULL || read_bool(load, at[ORIGIN_VERIFY], &origin->verify)) && good;
    if (good && !origin->verify && at[ORIGIN_VERIFY] != NULL) {
        problems_warning(load->problems, at[ORIGIN_VERIFY]->key->place,
                         "with `verify: false` whoever stands between Detour and this origin can "
                         "read and change everything; name its authority with `ca: FILE` instead");
    }
    return good;
}

static bool read_options(struct load *load, const struct node *const *at,
                         struct model_origin *origin)
{
    uint64_t value;
    bool good = at[ORIGIN_HOST] == NULL || read_host(load, at[ORIGIN_HOST], origin);
    good = read_secure(load, at, origin) && good;
    good = read_times(load, at, origin) && good;
    good = (at[ORIGIN_HEALTH] == NULL || read_health(load, at[ORIGIN_HEALTH], &origin->health)) &&
           good;
    if (at[ORIGIN_CONNECTIONS] != NULL) {
        if (!read_integer(load, at[ORIGIN_CONNECTIONS], 1, origin_connections_max, &value)) {
            return false;
        }
        origin->connections_max = (uint32_t)value;
    }
    return good;
}

/* ---- one of them ---- */

/* A place for one more; NULL: there is none. */
static struct model_origin *add_origin(struct load *load, struct place place)
{
    if (load->origins == NULL) {
        load->origins = load_alloc(load, model_origins_max, sizeof(*load->origins));
    }
    struct origin_live *live = load_alloc(load, 1, sizeof(*live));
    if (load->origins == NULL || live == NULL) {
        return NULL;
    }
    if (load->origin_count == model_origins_max) {
        problems_error(load->problems, place, "there are more than %d origins; take some away",
                       model_origins_max);
        return NULL;
    }
    struct model_origin *origin = &load->origins[load->origin_count];
    *origin = (struct model_origin){
        .place = place,
        .verify = true,
        .connect_timeout_ms = 5000,
        .response_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .tunnel_timeout_ms = hour_ms,
        .keep_alive_ms = 4000,
        .connections_max = 1000,
        .resolve_interval_ms = 30000,
        .health = {.interval_ms = 2000, .timeout_ms = 1000, .fall = 3, .rise = 2},
        .live = live,
    };
    return origin;
}

static bool read_origin_map(struct load *load, const struct node *node, struct model_origin *origin)
{
    const struct node *at[ORIGIN_KEYS];
    if (!read_map(load, node, "an origin", origin_keys, ORIGIN_KEYS, at)) {
        return false;
    }
    if (at[ORIGIN_URL] == NULL) {
        problems_error(load->problems, node->place,
                       "an origin needs a `url`, like `url: http://10.0.0.5:8080`");
        return false;
    }
    return read_url(load, at[ORIGIN_URL], origin) &&
           leads_elsewhere(load, at[ORIGIN_URL]->place, origin) && read_options(load, at, origin);
}

static bool read_one(struct load *load, const struct node *item, struct model_origin *origin)
{
    if (!read_name(load, item->key, &origin->name)) {
        return false;
    }
    origin->identity = load_printf(load, "origin:%.*s", SPAN_ARG(origin->name));
    if (item->kind == NODE_SCALAR) {
        return read_url(load, item, origin) && leads_elsewhere(load, item->place, origin);
    }
    return read_origin_map(load, item, origin);
}

bool read_declared_origins(struct load *load, const struct node *node)
{
    bool good = true;
    uint32_t taken;
    if (node->kind == NODE_NULL) {
        return true;
    }
    if (node->kind != NODE_MAP || node->count > model_origins_max) {
        return read_refuse(load, node, "a map of at most 1000 origins by their names");
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        struct model_origin *origin = add_origin(load, item->key->place);
        if (origin == NULL) {
            return false;
        }
        good = read_one(load, item, origin) && good;
        enum err err =
            names_add(&load->origin_names, origin->name, (uint32_t)load->origin_count, &taken);
        load->no_memory = load->no_memory || err == ERR_MEMORY;
        load->origin_count++;
    }
    return good;
}

/* ---- what names one ---- */

static bool report_origin(struct load *load, struct place place, struct span name)
{
    struct span *names = load_scratch(load, load->origin_count, sizeof(*names));
    for (size_t i = 0; names != NULL && i < load->origin_count; i++) {
        names[i] = load->origins[i].name;
    }
    const char *hint = names != NULL ? load_hint(load, name, names, load->origin_count) : "";
    problems_error(load->problems, place, "there is no origin `%.*s`%s", SHOW(name),
                   hint[0] != 0 ? hint
                                : "; declare it under `origins:`, like `shop: "
                                  "http://10.0.0.5:8080`");
    return false;
}

bool find_origin(struct load *load, struct place place, struct span name, uint32_t *out)
{
    if (!names_find(&load->origin_names, name, out)) {
        return report_origin(load, place, name);
    }
    load->origins[*out].used = true;
    return true;
}

/* The same URL, written twice, is one origin. */
static bool read_own_url(struct load *load, const struct node *node, uint32_t *out)
{
    struct model_origin *origin = add_origin(load, node->place);
    if (origin == NULL || !read_url(load, node, origin) ||
        !leads_elsewhere(load, node->place, origin)) {
        return false;
    }
    origin->name = origin->url;
    origin->identity = load_printf(load, "origin:%.*s", SPAN_ARG(origin->url));
    uint32_t index = (uint32_t)load->origin_count;
    enum err err = names_add(&load->origin_names, origin->url, index, &index);
    load->no_memory = load->no_memory || err == ERR_MEMORY;
    load->origin_count += err == ERR_NONE;
    load->origins[index].used = true;
    *out = index;
    return true;
}

bool read_passed_origin(struct load *load, const struct node *node, const struct scope *scope,
                        uint32_t *out)
{
    if (node->kind != NODE_SCALAR || node->text.len == 0) {
        return read_refuse(load, node,
                           "the name of an origin of `origins`, or a URL like "
                           "http://10.0.0.5:8080");
    }
    if (span_find(node->text, 0, ':') == node->text.len) {
        return find_origin(load, node->place, node->text, out);
    }
    if (scope->detour) {
        problems_error(load->problems, node->place,
                       "a detour passes requests to an origin that is declared; add \"%.*s\" "
                       "under `origins:` and write its name here",
                       SHOW(node->text));
        return false;
    }
    return read_own_url(load, node, out);
}

/* A worker's sandbox has room for so many. */
static void check_ports(struct load *load)
{
    uint16_t ports[model_origin_ports_max];
    size_t count = 0;
    for (size_t i = 0; i < load->origin_count; i++) {
        bool known = load->origins[i].port == 0;
        for (size_t k = 0; k < count; k++) {
            known = known || ports[k] == load->origins[i].port;
        }
        if (!known && count == model_origin_ports_max) {
            problems_error(load->problems, load->origins[i].place,
                           "the origins have more than %d different ports; use fewer",
                           model_origin_ports_max);
            return;
        }
        if (!known) {
            ports[count++] = load->origins[i].port;
        }
    }
}

void check_declared_origins(struct load *load)
{
    check_ports(load);
    if (load->problems->error_count > 0) {
        return; /* what would use them may be among the mistakes */
    }
    for (size_t i = 0; i < load->origin_count; i++) {
        const struct model_origin *origin = &load->origins[i];
        if (!origin->used && origin->url.len > 0) {
            problems_warning(load->problems, origin->place,
                             "nothing is passed on to the origin `%.*s`; write `origin: %.*s` in "
                             "a route or in `default`, or take it away",
                             SHOW(origin->name), SHOW(origin->name));
        }
    }
}
