/* SPDX-License-Identifier: MIT */
/* Chains of numbers, one for each first segment; a walk merges two of them. */
#include "config/chains.h"

#include "base/buffer.h"

enum { segment_bytes_max = 1024 };

/* What a chain is called: the site, and a segment or the mark of those that do not say one,
 * which no literal holds. */
static struct span chain_name(uint32_t site, bool open, struct span segment, uint8_t *room)
{
    struct buffer name = buffer_over(room, segment_bytes_max + sizeof(site) + 1);
    buffer_put(&name, span_of(&site, sizeof(site)));
    buffer_byte(&name, open ? 1 : 0);
    buffer_put(&name, open ? SPAN("") : segment);
    return buffer_span(&name);
}

static struct span first_segment(struct span path)
{
    return span_slice(path, 1, span_find(path, 1, '/'));
}

static bool says_first(const struct model_rule *rule, struct span *out)
{
    if (rule->path != NULL) {
        return pattern_segment(rule->path, 0, out) == SEGMENT_LITERAL &&
               out->len <= segment_bytes_max;
    }
    if (rule->prefix.len == 0) {
        return false;
    }
    *out = first_segment(rule->prefix);
    return out->len <= segment_bytes_max;
}

bool chains_init(struct chains *chains, struct arena *arena, size_t max)
{
    *chains = (struct chains){.firsts = {.arena = arena}, .max = (uint32_t)max};
    chains->nexts = arena_array(arena, max, sizeof(*chains->nexts));
    chains->lasts = arena_array(arena, max, sizeof(*chains->lasts));
    return chains->nexts != NULL && chains->lasts != NULL;
}

bool chains_add(struct chains *chains, uint32_t site, const struct model_rule *rule,
                uint32_t number)
{
    uint8_t room[segment_bytes_max + 8];
    struct span segment = {0};
    uint32_t first;
    bool open = !says_first(rule, &segment);
    struct span name = chain_name(site, open, segment, room);
    chains->nexts[number] = chains_end;
    if (names_find(&chains->firsts, name, &first)) {
        chains->nexts[chains->lasts[first]] = number;
        chains->lasts[first] = number;
        return true;
    }
    chains->lasts[number] = number;
    struct span copy = arena_copy(chains->firsts.arena, name);
    return copy.ptr != NULL && names_add(&chains->firsts, copy, number, &first) == ERR_NONE;
}

struct chains_walk chains_begin(const struct chains *chains, uint32_t site, struct span path)
{
    uint8_t room[segment_bytes_max + 8];
    struct span segment = first_segment(path);
    struct chains_walk walk = {.chains = chains, .same = chains_end, .open = chains_end};
    names_find(&chains->firsts, chain_name(site, true, segment, room), &walk.open);
    if (segment.len <= segment_bytes_max) {
        names_find(&chains->firsts, chain_name(site, false, segment, room), &walk.same);
    }
    return walk;
}

uint32_t chains_next(struct chains_walk *walk)
{
    uint32_t *at = walk->same < walk->open ? &walk->same : &walk->open;
    uint32_t number = *at;
    if (number != chains_end) {
        *at = walk->chains->nexts[number];
    }
    return number;
}
