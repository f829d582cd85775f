/* SPDX-License-Identifier: MIT */
/* `health`: how a server or an origin is probed. */
#include "config/pool.h"

enum health_key {
    HEALTH_PATH,
    HEALTH_INTERVAL,
    HEALTH_TIMEOUT,
    HEALTH_FALL,
    HEALTH_RISE,
    HEALTH_KEYS
};
static const char *const health_keys[HEALTH_KEYS] = {"path", "interval", "timeout", "fall", "rise"};

enum { hour_ms = 3600000 };

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
