/* SPDX-License-Identifier: MIT */
/* Records in memory: a table of chains, and all of them in a row by age. */
#include "client/keep.h"

#include "client/hash.h"

#include <stdlib.h>

enum { slots_first = 64 };

struct entry {
    struct entry *next;  /* in its slot */
    struct entry *older; /* in the row */
    struct entry *newer;
    uint64_t hash;
    size_t url_len;
    size_t record_len;
    uint8_t bytes[]; /* URL, record */
};

struct memory {
    struct keep keep;
    struct entry **slots;
    size_t slot_count; /* a power of two */
    size_t count;
    uint64_t bytes;
    struct entry *oldest;
    struct entry *newest;
};

static struct memory *memory_of(struct keep *keep)
{
    return (struct memory *)keep; /* its first member */
}

static struct span record_of(const struct entry *entry)
{
    return span_of(entry->bytes + entry->url_len, entry->record_len);
}

static struct span url_of(const struct entry *entry)
{
    return span_of(entry->bytes, entry->url_len);
}

static uint64_t weight(const struct entry *entry)
{
    return sizeof(*entry) + entry->url_len + entry->record_len;
}

static struct entry **place_of(struct memory *memory, struct span url, uint64_t hash)
{
    struct entry **place = &memory->slots[hash & (memory->slot_count - 1)];
    while (*place != NULL && !((*place)->hash == hash && span_eq(url_of(*place), url))) {
        place = &(*place)->next;
    }
    return place;
}

static void entry_remove(struct memory *memory, struct entry **place)
{
    struct entry *entry = *place;
    *place = entry->next;
    *(entry->older != NULL ? &entry->older->newer : &memory->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &memory->newest) = entry->older;
    memory->count--;
    memory->bytes -= weight(entry);
    free(entry);
}

static void entry_add(struct memory *memory, struct entry *entry)
{
    struct entry **slot = &memory->slots[entry->hash & (memory->slot_count - 1)];
    entry->next = *slot;
    *slot = entry;
    entry->older = memory->newest;
    *(entry->older != NULL ? &entry->older->newer : &memory->oldest) = entry;
    memory->newest = entry;
    memory->count++;
    memory->bytes += weight(entry);
}

/* Without memory for more slots the chains become longer; nothing else happens. */
static void grow(struct memory *memory)
{
    size_t slot_count = 2 * memory->slot_count;
    struct entry **slots = calloc(slot_count, sizeof(struct entry *));
    if (slots == NULL) {
        return;
    }
    for (struct entry *entry = memory->oldest; entry != NULL; entry = entry->newer) {
        struct entry **slot = &slots[entry->hash & (slot_count - 1)];
        entry->next = *slot;
        *slot = entry;
    }
    free(memory->slots);
    memory->slots = slots;
    memory->slot_count = slot_count;
}

static void remove_url(struct memory *memory, struct span url)
{
    struct entry **place = place_of(memory, url, hash_bytes(url, 0));
    if (*place != NULL) {
        entry_remove(memory, place);
    }
}

static enum detour_error find(struct keep *keep, struct span url, struct buffer *out, bool *found)
{
    struct memory *memory = memory_of(keep);
    struct entry *entry = *place_of(memory, url, hash_bytes(url, 0));
    *found = entry != NULL;
    if (entry != NULL) {
        buffer_put(out, record_of(entry));
    }
    return DETOUR_OK;
}

static enum detour_error put(struct keep *keep, struct span url, struct span record)
{
    struct memory *memory = memory_of(keep);
    struct entry *entry = malloc(sizeof(*entry) + url.len + record.len);
    if (entry == NULL) {
        return DETOUR_ERROR_MEMORY;
    }
    *entry =
        (struct entry){.hash = hash_bytes(url, 0), .url_len = url.len, .record_len = record.len};
    memcpy(entry->bytes, url.ptr, url.len);
    memcpy(entry->bytes + url.len, record.ptr, record.len);
    remove_url(memory, url);
    if (memory->count >= memory->slot_count) {
        grow(memory);
    }
    entry_add(memory, entry);
    while (memory->oldest != entry &&
           (memory->count > keep->entries_max || memory->bytes > keep->bytes_max)) {
        remove_url(memory, url_of(memory->oldest));
    }
    return DETOUR_OK;
}

static enum detour_error remove_one(struct keep *keep, struct span url)
{
    remove_url(memory_of(keep), url);
    return DETOUR_OK;
}

static enum detour_error clear(struct keep *keep)
{
    struct memory *memory = memory_of(keep);
    while (memory->oldest != NULL) {
        remove_url(memory, url_of(memory->oldest));
    }
    return DETOUR_OK;
}

static enum detour_error count(struct keep *keep, size_t *out)
{
    *out = memory_of(keep)->count;
    return DETOUR_OK;
}

static enum detour_error walk(struct keep *keep, keep_visit_fn *visit, void *context)
{
    struct memory *memory = memory_of(keep);
    struct entry *newer;
    for (struct entry *entry = memory->oldest; entry != NULL; entry = newer) {
        newer = entry->newer;
        enum keep_answer answer = visit(context, record_of(entry));
        if (answer == KEEP_STOP) {
            break;
        }
        if (answer == KEEP_REMOVE) {
            remove_url(memory, url_of(entry));
        }
    }
    return DETOUR_OK;
}

static void memory_free(struct keep *keep)
{
    struct memory *memory = memory_of(keep);
    clear(keep);
    free(memory->slots);
    free(memory);
}

struct keep *memory_new(size_t entries_max, uint64_t bytes_max)
{
    static const struct keep_methods methods = {
        .find = find,
        .put = put,
        .remove = remove_one,
        .clear = clear,
        .count = count,
        .walk = walk,
        .free = memory_free,
    };
    struct memory *memory = calloc(1, sizeof(*memory));
    struct entry **slots = calloc(slots_first, sizeof(struct entry *));
    if (memory == NULL || slots == NULL) {
        free(memory);
        free(slots);
        return NULL;
    }
    memory->keep = (struct keep){&methods, entries_max, bytes_max};
    memory->slots = slots;
    memory->slot_count = slots_first;
    return &memory->keep;
}
