/* SPDX-License-Identifier: MIT */
/* What only the whole file can say. */
#include "config/rule.h"

/* Addresses are the clients' own where no proxy stands between, and where each connection
 * begins with them. */
static void warn_of_clients(struct load *load)
{
    const struct model *model = load->model;
    bool all_told = model->listener_count > 0;
    for (size_t i = 0; i < model->listener_count; i++) {
        all_told = all_told && model->listeners[i].proxy_protocol;
    }
    if (load->clients_place.line == 0 || load->proxies_given || all_told) {
        return;
    }
    problems_warning(load->problems, load->clients_place,
                     "`clients` is compared with the address of the connection, which is a proxy's "
                     "when one stands in front; list yours under `trusted_proxies`, or write "
                     "`trusted_proxies: []` when there is none");
}

/* Browsers refuse an answer that has one of these twice (Fetch, CORS check). */
static void check_cors_fields(struct load *load, const struct model_rule *rule)
{
    static const char *const fields[] = {"Access-Control-Allow-Origin",
                                         "Access-Control-Allow-Credentials"};
    for (size_t i = 0; i < rule->header_count; i++) {
        for (size_t k = 0; k < sizeof(fields) / sizeof(*fields); k++) {
            if (span_eq_ci(rule->headers[i].name, span_cstr(fields[k]))) {
                problems_error(load->problems, rule->place,
                               "%s is written by the `cors` of the site too, and browsers refuse "
                               "it twice; take it away from the `headers` of this rule",
                               fields[k]);
            }
        }
    }
}

static void check_cors_of_routes(struct load *load)
{
    for (size_t i = 0; i < load->site_count; i++) {
        const struct model_site *site = &load->sites[i];
        for (size_t r = 0; site->cors.enabled && r < site->route_count; r++) {
            check_cors_fields(load, &site->routes[r]);
        }
    }
}

static void check_cors_of_detours(struct load *load)
{
    for (size_t i = 0; i < load->model->detour_count; i++) {
        const struct model_detour *detour = &load->model->detours[i];
        if (load->sites[detour->site].cors.enabled) {
            check_cors_fields(load, &detour->rule);
        }
    }
}

void validate_rest(struct load *load)
{
    check_cors_of_routes(load);
    check_declared_origins(load);
    for (size_t i = 0; i < load->site_count; i++) {
        check_shadows(load, &load->sites[i]);
    }
    check_loops_of_routes(load);
}

void validate_detours(struct load *load)
{
    warn_of_clients(load);
    check_cors_of_detours(load);
    check_loops_of_detours(load);
    check_loops_of_servers(load);
}
