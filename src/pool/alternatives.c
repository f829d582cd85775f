/* SPDX-License-Identifier: MIT */
/* Where else a client could go: what the choice would be if it avoided those before. */
#include "pool/internal.h"

enum { draws_max = 8 };

/* Turns are drawn here, and not taken: the one after a server's is the same one's each time, and
 * when that server fails all of its clients would go there. A place of somebody who is taken
 * already is drawn again, so that the others get it by their weights. */
static void draw_turn(const struct pool_client *client, struct view *view)
{
    view->turn = mix(view->spare += golden_section);
    for (int draw = 0; draw < draws_max && view->total > 0; draw++) {
        uint64_t drawn = mix(view->spare += golden_section);
        view->aside = (uint64_t)((unsigned __int128)drawn * view->total >> 64);
        if (!pool_avoided(client, pool_at_place(view, view->aside))) {
            break;
        }
    }
}

/* Where the turns of a view stand. */
struct turns {
    uint64_t aside;
    uint64_t total;
    uint64_t turn;
};

/* A word may have changed meanwhile, and with it the length of the cycle. */
static void give_back(const struct turns *kept, struct view *view)
{
    view->turn = kept->turn;
    view->aside = view->total == kept->total ? kept->aside : 0;
}

size_t pool_alternatives(struct pools *pools, uint32_t pool, const struct pool_client *client,
                         uint32_t chosen, size_t max, uint32_t *out)
{
    struct pool_state *state = &pools->states[pool];
    struct view *view = pool_view(pools, state, pool_class(state, client));
    struct turns kept = {.aside = view->aside, .total = view->total, .turn = view->turn};
    struct pool_client other = *client;
    size_t count = 0;
    pool_avoid_copy(state->pool, client->avoid, pools->taken);
    other.avoid = pools->taken;
    for (uint32_t last = chosen; count < max; out[count++] = last) {
        pool_avoid(pools->taken, last - state->pool->first_server);
        draw_turn(&other, view);
        last = pool_choose(pools, pool, &other);
        if (last == SNAP_NONE) {
            break;
        }
    }
    give_back(&kept, view);
    return count;
}
