/* SPDX-License-Identifier: MIT */
/* The layout: one page of head, and the sets. */
#include "shared/facts.h"

#include "base/clock.h"
#include "shared/pages.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

static const uint64_t magic = UINT64_C(0x3146434152544544); /* "DETRACF1" */

/* A word: 34 bits of the key, 28 of the second in which it is over, 2 of what is known. The set
 * says 17 bits more of the key. */
enum { fact_bits = 2, until_bits = 28, tag_shift = fact_bits + until_bits };
enum { sets = facts_max / facts_ways };

static const uint64_t until_max = (UINT64_C(1) << until_bits) - 1;

struct facts_head {
    uint64_t magic;
    uint64_t seed;
    int64_t born_ns; /* CLOCK_MONOTONIC */
};

struct set {
    _Alignas(64) _Atomic uint64_t words[facts_ways];
};

static_assert(sizeof(struct set) == 64, "one cache line");
static_assert((sets & (sets - 1)) == 0, "a power of two");

struct facts {
    const struct facts_head *head;
    struct set *sets;
    uint64_t seed;
    int64_t born_ns;
};

static size_t map_bytes(void)
{
    return page_bytes + sizeof(struct set) * sets;
}

enum err facts_create(int *fd_out)
{
    int fd;
    void *memory;
    struct facts_head head = {.magic = magic, .born_ns = clock_monotonic_ns()};
    if (getrandom(&head.seed, sizeof(head.seed), 0) != (ssize_t)sizeof(head.seed)) {
        return ERR_IO;
    }
    enum err err = pages_create("detour-facts", map_bytes(), &fd);
    if (err != ERR_NONE) {
        return err;
    }
    err = pages_map(fd, 0, page_bytes, true, &memory);
    if (err != ERR_NONE) {
        close(fd);
        return err;
    }
    *(struct facts_head *)memory = head;
    pages_unmap(memory, page_bytes);
    *fd_out = fd;
    return ERR_NONE;
}

enum err facts_open(int fd, bool writable, struct facts **out)
{
    void *memory;
    enum err err = pages_map(fd, 0, map_bytes(), writable, &memory);
    if (err != ERR_NONE) {
        return err;
    }
    const struct facts_head *head = memory;
    struct facts *facts = calloc(1, sizeof(*facts));
    if (facts == NULL || head->magic != magic) {
        err = facts == NULL ? ERR_MEMORY : ERR_SYNTAX;
        free(facts);
        pages_unmap(memory, map_bytes());
        return err;
    }
    facts->head = head;
    facts->sets = (struct set *)(void *)((uint8_t *)memory + page_bytes);
    facts->seed = head->seed;
    facts->born_ns = head->born_ns;
    *out = facts;
    return ERR_NONE;
}

void facts_close(struct facts **facts)
{
    if (*facts == NULL) {
        return;
    }
    pages_unmap((void *)(uintptr_t)(*facts)->head, map_bytes());
    free(*facts);
    *facts = NULL;
}

uint32_t facts_now_s(const struct facts *facts, int64_t monotonic_ns)
{
    return (uint32_t)((monotonic_ns - facts->born_ns) / NS_PER_SECOND);
}

uint64_t facts_path(const struct facts *facts, struct span path)
{
    return XXH3_64bits_withSeed(path.ptr, path.len, facts->seed);
}

static struct set *set_of(const struct facts *facts, uint64_t key)
{
    return &facts->sets[key & (sets - 1)];
}

static uint32_t until_of(uint64_t word)
{
    return (uint32_t)(word >> fact_bits & until_max);
}

static enum fact fact_of(uint64_t word)
{
    return (enum fact)(word & ((1u << fact_bits) - 1));
}

static bool has_tag(uint64_t word, uint64_t key)
{
    return ((word ^ key) >> tag_shift) == 0;
}

enum fact facts_find(const struct facts *facts, uint64_t key, uint32_t now_s, uint32_t *left_s)
{
    const struct set *set = set_of(facts, key);
    *left_s = 0;
    for (int i = 0; i < facts_ways; i++) {
        uint64_t word = atomic_load_explicit(&set->words[i], memory_order_relaxed);
        if (has_tag(word, key) && until_of(word) > now_s) {
            *left_s = until_of(word) - now_s;
            return fact_of(word);
        }
    }
    return FACT_UNKNOWN;
}

/* Who goes first: what is over, then what says no, then the eldest. */
static uint64_t worth(uint64_t word, uint32_t now_s)
{
    if (fact_of(word) == FACT_UNKNOWN || until_of(word) <= now_s) {
        return 0;
    }
    return (fact_of(word) == FACT_YES ? until_max + 1 : 0) + until_of(word);
}

bool facts_set(struct facts *facts, uint64_t key, enum fact fact, uint32_t now_s, uint32_t life_s)
{
    assert(life_s > 0 && life_s <= fact_life_s_max && fact != FACT_UNKNOWN);
    struct set *set = set_of(facts, key);
    uint64_t until = (uint64_t)now_s + life_s;
    uint64_t made = key >> tag_shift << tag_shift |
                    (until < until_max ? until : until_max) << fact_bits | (uint64_t)fact;
    uint64_t least = UINT64_MAX;
    int place = 0;
    for (int i = 0; i < facts_ways; i++) {
        uint64_t word = atomic_load_explicit(&set->words[i], memory_order_relaxed);
        if (fact_of(word) != FACT_UNKNOWN && has_tag(word, key)) {
            atomic_store_explicit(&set->words[i], made, memory_order_relaxed);
            return false;
        }
        if (worth(word, now_s) < least) {
            least = worth(word, now_s);
            place = i;
        }
    }
    atomic_store_explicit(&set->words[place], made, memory_order_relaxed);
    return least != 0;
}
