/* SPDX-License-Identifier: MIT */
/* How many requests an origin gets at once: those beyond the limit wait, first come, first
 * served. */
#include "walk/internal.h"

#include <assert.h>
#include <stdlib.h>

void queue_push(struct walk_queue *queue, struct walk *walk)
{
    assert(walk->queue == NULL);
    walk->queue = queue;
    walk->queued = NULL;
    *(queue->last != NULL ? &queue->last->queued : &queue->first) = walk;
    queue->last = walk;
}

struct walk *queue_pop(struct walk_queue *queue)
{
    struct walk *walk = queue->first;
    if (walk != NULL) {
        queue->first = walk->queued;
        queue->last = queue->first != NULL ? queue->last : NULL;
        walk->queue = NULL;
    }
    return walk;
}

/* Seldom: a walk that ends while it waits. */
void queue_remove(struct walk *walk)
{
    struct walk_queue *queue = walk->queue;
    struct walk *before = NULL;
    if (queue == NULL) {
        return;
    }
    for (struct walk *each = queue->first; each != walk; each = each->queued) {
        before = each;
    }
    *(before != NULL ? &before->queued : &queue->first) = walk->queued;
    queue->last = queue->last == walk ? before : queue->last;
    walk->queue = NULL;
}

/* FNV-1a: nobody gains by hosts that share a bucket here. */
static uint64_t hash_of(struct detour_text text)
{
    uint64_t hash = 0xCBF29CE484222325U;
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (uint8_t)text.ptr[i]) * 0x100000001B3U;
    }
    return hash;
}

static struct host *host_for(struct walker *walker, struct detour_text origin)
{
    uint64_t hash = hash_of(origin);
    struct host **bucket = &walker->hosts[hash % host_buckets];
    for (struct host *host = *bucket; host != NULL; host = host->next) {
        if (host->hash == hash && host->len == origin.len &&
            memcmp(host->origin, origin.ptr, origin.len) == 0) {
            return host;
        }
    }
    struct host *host = calloc(1, sizeof(*host) + origin.len + 1);
    if (host != NULL) {
        host->hash = hash;
        host->len = origin.len;
        memcpy(host->origin, origin.ptr, origin.len);
        host->next = *bucket;
        *bucket = host;
    }
    return host;
}

void turns_forget_unused(struct walker *walker, struct host *host)
{
    if (host->running > 0 || host->waiting.first != NULL || host->wires.first != NULL ||
        host->odd) {
        return;
    }
    struct host **at = &walker->hosts[host->hash % host_buckets];
    while (*at != host) {
        at = &(*at)->next;
    }
    *at = host->next;
    free(host);
}

bool turns_enter(struct walk *walk, struct detour_text origin)
{
    struct walker *walker = walk->walker;
    if (walker->options.per_host_max == 0 || walk->host != NULL) {
        return true;
    }
    struct host *host = host_for(walker, origin);
    if (host == NULL) {
        walk->out_of_memory = true;
        return true;
    }
    if (host->running >= walker->options.per_host_max) {
        queue_push(&host->waiting, walk);
        return false;
    }
    host->running++;
    walk->host = host;
    return true;
}

void turns_leave(struct walk *walk)
{
    struct host *host = walk->host;
    walk->host = NULL;
    if (host == NULL) {
        return;
    }
    struct walk *next = queue_pop(&host->waiting);
    if (next != NULL) {
        next->host = host; /* the turn goes over */
        walk_ready(next);
    } else {
        host->running--;
        turns_forget_unused(walk->walker, host);
    }
}

void turns_fini(struct walker *walker)
{
    for (size_t i = 0; i < host_buckets; i++) {
        while (walker->hosts[i] != NULL) {
            struct host *host = walker->hosts[i];
            walker->hosts[i] = host->next;
            free(host);
        }
    }
}
