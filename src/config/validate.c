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

void validate(struct load *load)
{
    warn_of_clients(load);
    for (size_t i = 0; i < load->site_count; i++) {
        check_shadows(load, &load->sites[i]);
    }
    check_loops(load);
}
