/* SPDX-License-Identifier: MIT */
/* `avoid`: where a client may say whom it cannot reach. */
#include "config/pool.h"

enum avoid_key { AVOID_PARAM, AVOID_CARRY, AVOID_KEYS };
static const char *const avoid_keys[AVOID_KEYS] = {"param", "carry"};

enum { parameter_bytes_max = 64 };

bool read_parameter(struct load *load, const struct node *node, struct span *out)
{
    bool good =
        node->kind == NODE_SCALAR && node->text.len > 0 && node->text.len <= parameter_bytes_max;
    for (size_t i = 0; good && i < node->text.len; i++) {
        uint8_t c = node->text.ptr[i];
        good = ascii_is_alpha(c) || ascii_is_digit(c) || memchr("-._~", c, 4) != NULL;
    }
    if (!good) {
        return read_refuse(load, node,
                           "the name of a query parameter, at most 64 letters, digits, '-', '.', "
                           "'_' and '~'");
    }
    *out = load_copy(load, node->text);
    return true;
}

bool read_avoid(struct load *load, const struct node *node, struct model_pool *pool)
{
    const struct node *at[AVOID_KEYS] = {0};
    if (!read_map(load, node, "`avoid`", avoid_keys, AVOID_KEYS, at)) {
        return false;
    }
    if (at[AVOID_PARAM] == NULL) {
        problems_error(load->problems, node->place,
                       "`avoid` needs the name of a query parameter, like {param: tried}; the "
                       "field Detour-Avoid is heeded without it");
        return false;
    }
    return read_parameter(load, at[AVOID_PARAM], &pool->avoid_param) &&
           (at[AVOID_CARRY] == NULL || read_bool(load, at[AVOID_CARRY], &pool->avoid_carry));
}
