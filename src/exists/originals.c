/* SPDX-License-Identifier: MIT */
/* Size and date of what first servers have, for a while: in sets of a few, of which the eldest
 * goes. */
#include "exists/internal.h"

#include <stdlib.h>

enum { ways = 4 };

static struct original *set_of(const struct exists *exists, uint64_t key)
{
    return &exists->originals[(key >> 32) % (exists_originals_max / ways) * ways];
}

const struct original *original_find(const struct exists *exists, uint64_t key, uint32_t now_s)
{
    if (exists->originals == NULL) {
        return NULL;
    }
    const struct original *set = set_of(exists, key);
    for (int i = 0; i < ways; i++) {
        if (set[i].key == key && set[i].until_s > now_s) {
            return &set[i];
        }
    }
    return NULL;
}

void original_keep(struct exists *exists, const struct original *original)
{
    if (exists->originals == NULL) {
        exists->originals = calloc(exists_originals_max, sizeof(*exists->originals));
    }
    if (exists->originals == NULL) {
        return; /* those that are compared with it stay unknown */
    }
    struct original *set = set_of(exists, original->key);
    struct original *place = &set[0];
    for (int i = 0; i < ways; i++) {
        if (set[i].key == original->key) {
            place = &set[i];
            break;
        }
        place = set[i].until_s < place->until_s ? &set[i] : place;
    }
    *place = *original;
}
