/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing, at most half full. */
#include "config/names.h"

#include <xxhash.h>

static struct names_slot *slot_for(const struct names *names, struct span name)
{
    size_t mask = names->capacity - 1;
    size_t at = (size_t)XXH3_64bits(name.ptr, name.len) & mask;
    while (names->slots[at].name.ptr != NULL && !span_eq(names->slots[at].name, name)) {
        at = (at + 1) & mask;
    }
    return &names->slots[at];
}

static enum err grow(struct names *names)
{
    struct names bigger = *names;
    bigger.capacity = names->capacity == 0 ? 32 : names->capacity * 2;
    if (bigger.capacity > names_max) {
        return ERR_LIMIT;
    }
    bigger.slots = arena_array(names->arena, bigger.capacity, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < names->capacity; i++) {
        if (names->slots[i].name.ptr != NULL) {
            *slot_for(&bigger, names->slots[i].name) = names->slots[i];
        }
    }
    *names = bigger;
    return ERR_NONE;
}

/* A free slot is told by its NULL, so that the empty name needs bytes to point to. */
static struct span not_null(struct span name)
{
    return name.ptr != NULL ? name : SPAN("");
}

enum err names_add(struct names *names, struct span name, uint32_t value, uint32_t *value_old)
{
    if (names->count >= names->capacity / 2) {
        enum err err = grow(names);
        if (err != ERR_NONE) {
            return err;
        }
    }
    struct names_slot *slot = slot_for(names, not_null(name));
    if (slot->name.ptr != NULL) {
        *value_old = slot->value;
        return ERR_RANGE;
    }
    *slot = (struct names_slot){.name = not_null(name), .value = value};
    names->count++;
    return ERR_NONE;
}

bool names_find(const struct names *names, struct span name, uint32_t *value_out)
{
    if (names->count == 0) {
        return false;
    }
    const struct names_slot *slot = slot_for(names, not_null(name));
    if (slot->name.ptr == NULL) {
        return false;
    }
    *value_out = slot->value;
    return true;
}
