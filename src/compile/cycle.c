/* SPDX-License-Identifier: MIT */
/* The order of a pool's full cycle: the turns of each server, spread evenly.
 *
 * Turn k of a server that has t of the n slots has a window, [k*n/t, (k+1)*n/t) rounded
 * outwards, and of the turns whose window is open the one with the earliest deadline comes
 * next. The shares fill the cycle exactly, so no turn misses its window (Baruah, Cohen,
 * Plaxton and Varvel, Proportionate Progress, 1996). */
#include "compile/parts.h"

#include <assert.h>

/* A server and its next turn. */
struct turn {
    uint64_t turns;
    uint64_t taken;
    uint64_t deadline;
    uint32_t next; /* in the list of a slot, counted from 1; 0: none */
};

struct spread {
    struct turn *servers;
    uint32_t *slots; /* by slot: the first of the servers whose window opens, from 1; 0: none */
    uint32_t *heap;  /* servers whose window is open, the most urgent first */
    uint32_t heap_count;
    size_t length;
};

/* The earlier deadline; of those alike the one with fewer turns, then the first. */
static bool is_before(const struct spread *spread, uint32_t left, uint32_t right)
{
    const struct turn *a = &spread->servers[left];
    const struct turn *b = &spread->servers[right];
    if (a->deadline != b->deadline) {
        return a->deadline < b->deadline;
    }
    return a->turns != b->turns ? a->turns < b->turns : left < right;
}

static void heap_push(struct spread *spread, uint32_t server)
{
    uint32_t at = spread->heap_count++;
    while (at > 0 && is_before(spread, server, spread->heap[(at - 1) / 2])) {
        spread->heap[at] = spread->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    spread->heap[at] = server;
}

static uint32_t heap_pop(struct spread *spread)
{
    assert(spread->heap_count > 0);
    uint32_t *heap = spread->heap;
    uint32_t first = heap[0];
    uint32_t last = heap[--spread->heap_count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < spread->heap_count; child = 2 * at + 1) {
        if (child + 1 < spread->heap_count && is_before(spread, heap[child + 1], heap[child])) {
            child++;
        }
        if (!is_before(spread, heap[child], last)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

/* Hangs the server on the slot where the window of its next turn opens, `soonest` or later. */
static void wait_for_window(struct spread *spread, uint32_t server, size_t soonest)
{
    struct turn *turn = &spread->servers[server];
    if (turn->taken == turn->turns) {
        return;
    }
    size_t opens = turn->taken * spread->length / turn->turns;
    size_t slot = opens > soonest ? opens : soonest;
    turn->deadline = ((turn->taken + 1) * spread->length + turn->turns - 1) / turn->turns;
    turn->next = spread->slots[slot];
    spread->slots[slot] = server + 1;
}

static void fill(struct spread *spread, uint32_t count, uint32_t *cycle)
{
    for (uint32_t i = 0; i < count; i++) {
        wait_for_window(spread, i, 0);
    }
    for (size_t slot = 0; slot < spread->length; slot++) {
        for (uint32_t next = spread->slots[slot]; next > 0;) {
            uint32_t server = next - 1;
            next = spread->servers[server].next;
            heap_push(spread, server);
        }
        cycle[slot] = heap_pop(spread);
        spread->servers[cycle[slot]].taken++;
        wait_for_window(spread, cycle[slot], slot + 1);
    }
}

enum err cycle_spread(const uint64_t *turns, uint32_t count, size_t length, uint32_t *cycle)
{
    struct spread spread = {
        .servers = calloc(count, sizeof(*spread.servers)),
        .slots = calloc(length, sizeof(*spread.slots)),
        .heap = malloc(count * sizeof(*spread.heap)),
        .length = length,
    };
    bool ready = spread.servers != NULL && spread.slots != NULL && spread.heap != NULL;
    if (ready) {
        for (uint32_t i = 0; i < count; i++) {
            spread.servers[i].turns = turns[i];
        }
        fill(&spread, count, cycle);
    }
    free(spread.servers);
    free(spread.slots);
    free(spread.heap);
    return ready ? ERR_NONE : ERR_MEMORY;
}
