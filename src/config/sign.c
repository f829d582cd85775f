/* SPDX-License-Identifier: MIT */
/* `sign`: signed tickets on the URLs of a pool's servers. */
#include "config/pool.h"

enum sign_key { SIGN_KEY_FILE, SIGN_TTL, SIGN_PARAM, SIGN_KEYS };
static const char *const sign_keys[SIGN_KEYS] = {"key_file", "ttl", "param"};

enum {
    sign_ttl_min_ms = 1000,
    sign_ttl_max_ms = 7 * 24 * 3600 * 1000,
    sign_path_bytes_max = 4000,
};

static bool read_key_file(struct load *load, const struct node *node, const struct node *map,
                          struct model_sign *out)
{
    if (node == NULL) {
        problems_error(load->problems, map->place,
                       "`sign` needs a `key_file`, a file with the key; make one with `openssl "
                       "rand -base64 48`");
        return false;
    }
    out->key_file_place = node->place;
    if (node->kind != NODE_SCALAR || node->text.len > sign_path_bytes_max) {
        return read_refuse(load, node, "the path of a file with the key");
    }
    return read_string(load, node, &out->key_file);
}

static bool read_ttl(struct load *load, const struct node *node, uint32_t *out)
{
    uint32_t ttl_ms;
    if (!read_duration_ms(load, node, sign_ttl_min_ms, sign_ttl_max_ms, &ttl_ms)) {
        return false;
    }
    if (ttl_ms % 1000 != 0) {
        return read_refuse(load, node, "whole seconds, since that is what a ticket says");
    }
    *out = ttl_ms / 1000;
    return true;
}

bool read_sign(struct load *load, const struct node *node, struct model_pool *pool)
{
    struct model_sign sign = {
        .place = node->place, .param = SPAN("ticket"), .ttl_s = sign_ttl_default_s};
    const struct node *at[SIGN_KEYS] = {0};
    if (!read_map(load, node, "`sign`", sign_keys, SIGN_KEYS, at)) {
        return false;
    }
    bool good = read_key_file(load, at[SIGN_KEY_FILE], node, &sign);
    good = (at[SIGN_TTL] == NULL || read_ttl(load, at[SIGN_TTL], &sign.ttl_s)) && good;
    good = (at[SIGN_PARAM] == NULL || read_parameter(load, at[SIGN_PARAM], &sign.param)) && good;
    if (good && span_eq_ci(sign.param, pool->avoid_param)) {
        problems_error(load->problems, sign.place,
                       "`sign` and `avoid` cannot use the same parameter `%.*s`; give one of them "
                       "another `param`",
                       SHOW(sign.param));
        return false;
    }
    if (good) {
        pool->sign = sign;
    }
    return good;
}
