/* SPDX-License-Identifier: MIT */
/* admin: where the admin API listens. */
#include "config/rule.h"

/* A unix socket is written without a scheme, since nothing else could be meant. */
static bool parse_address(struct load *load, const struct node *node, struct listener *out)
{
    const char *reason = "it is not understood";
    struct span text = node->text;
    if (node->kind != NODE_SCALAR || text.len == 0) {
        return read_refuse(load, node,
                           "an address like unix:/run/detour/admin.sock or http://127.0.0.1:8308");
    }
    if (span_starts(text, SPAN("unix:"))) {
        text = load_printf(load, "http://%.*s", SPAN_ARG(text));
    }
    if (listener_parse(text, out, &reason) != ERR_NONE) {
        problems_error(load->problems, node->place, "cannot listen on \"%.*s\": %s",
                       SHOW(node->text), reason);
        return false;
    }
    return true;
}

static bool is_free(struct load *load, const struct node *node, const struct listener *listener)
{
    const struct model *model = load->model;
    bool taken = model->has_metrics && listener_overlaps(&model->metrics, listener);
    for (size_t i = 0; i < model->listener_count; i++) {
        taken = taken || listener_overlaps(&model->listeners[i], listener);
    }
    if (taken) {
        problems_error(load->problems, node->place,
                       "%s is taken already; give the admin API an address of its own",
                       listener->text);
    }
    return !taken;
}

bool read_admin(struct load *load, const struct node *node)
{
    static const char *const keys[] = {"listen"};
    const struct node *at[1] = {node};
    struct listener listener = {0};
    if (node->kind != NODE_SCALAR && !read_map(load, node, "`admin`", keys, 1, at)) {
        return false;
    }
    if (at[0] == NULL) {
        problems_error(load->problems, node->place,
                       "`admin` needs `listen`, like `listen: unix:/run/detour/admin.sock`");
        return false;
    }
    if (!parse_address(load, at[0], &listener)) {
        return false;
    }
    if (listener.secure) {
        return read_refuse(load, at[0],
                           "an address that begins with unix: or http://; stand it behind a "
                           "server of your own for https");
    }
    if (!is_free(load, at[0], &listener)) {
        return false;
    }
    load->model->admin = listener;
    load->model->has_admin = true;
    return true;
}
