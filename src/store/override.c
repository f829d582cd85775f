/* SPDX-License-Identifier: MIT */
/* Overrides: applying changes to them, and reading them. */
#include "store/internal.h"

/* ---- applying ---- */

struct batch {
    const struct store_change *changes;
    size_t count;
    uint64_t first;
};

static enum err check_batch(const struct batch *batch)
{
    size_t bytes = 0;
    if (batch->count > store_batch_max) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_change *change = &batch->changes[i];
        if (!change_is_sound(change)) {
            return ERR_RANGE;
        }
        bytes += change->after.json.len + change->key.len + change->why.len + change->owner.len +
                 change->who.name.len;
    }
    return batch->count == 0 || bytes > store_batch_bytes_max ? ERR_RANGE : ERR_NONE;
}

/* What is there now; kind STORE_NONE when nothing is. */
static enum err find(struct store *store, MDB_txn *txn, struct span key, struct store_override *out,
                     size_t *sealed_bytes_out)
{
    struct span record;
    enum err err = table_find(store, txn, TABLE_OVERRIDES, key, &record);
    if (err == ERR_NOTFOUND) {
        *out = (struct store_override){0};
        *sealed_bytes_out = 0;
        return ERR_NONE;
    }
    if (err == ERR_NONE && !codec_decode_override(record, out)) {
        err = ERR_SYNTAX;
    }
    *sealed_bytes_out = record.len + codec_seal_bytes;
    return err;
}

static enum err put(struct store *store, MDB_txn *txn, const struct store_change *change,
                    int64_t created_ns, struct codec_totals *totals)
{
    struct buffer record = buffer_over(store->record, sizeof(store->record));
    const struct store_override item = {.value = change->after,
                                        .number = change->number,
                                        .created_ns = created_ns,
                                        .changed_ns = change->time_ns};
    codec_encode_override(&item, &record);
    enum err err = table_put(store, txn, TABLE_OVERRIDES, change->key, &record, 0);
    totals->override_count++;
    totals->override_bytes += record.len;
    return err;
}

static enum err apply_one(struct store *store, MDB_txn *txn, const struct store_change *asked,
                          struct codec_totals *totals)
{
    struct store_override old;
    size_t old_bytes;
    enum err err = find(store, txn, asked->key, &old, &old_bytes);
    if (err != ERR_NONE) {
        return err;
    }
    struct store_change change = *asked;
    change.subject = STORE_DETOUR;
    change.before = old.value;
    if (change.after.kind == STORE_NONE) {
        change.after = (struct store_value){0};
    }
    bool was_there = old.value.kind != STORE_NONE;
    /* From here on the texts of the old one may lie in a page that was given away. */
    err = history_append(store, txn, totals, &change);
    totals->override_count -= was_there;
    totals->override_bytes -= old_bytes;
    if (err == ERR_NONE && change.after.kind != STORE_NONE) {
        err = put(store, txn, &change, was_there ? old.created_ns : change.time_ns, totals);
    } else if (err == ERR_NONE && was_there) {
        err = table_remove(store, txn, TABLE_OVERRIDES, change.key);
    }
    return err;
}

static enum err apply(struct store *store, MDB_txn *txn, void *context)
{
    struct batch *batch = context;
    struct codec_totals totals;
    enum err err = totals_read(store, txn, &totals);
    batch->first = err == ERR_NONE ? totals.next : 0;
    for (size_t i = 0; i < batch->count && err == ERR_NONE; i++) {
        err = apply_one(store, txn, &batch->changes[i], &totals);
    }
    if (err == ERR_NONE && (totals.override_count > store_overrides_max ||
                            totals.override_bytes > store_override_bytes_max)) {
        err = ERR_LIMIT;
    }
    return err == ERR_NONE ? totals_write(store, txn, &totals) : err;
}

enum err store_apply(struct store *store, const struct store_change *changes, size_t count,
                     uint64_t *first_out)
{
    struct batch batch = {.changes = changes, .count = count};
    enum err err = check_batch(&batch);
    if (err == ERR_NONE) {
        err = environment_write(store, apply, &batch);
    }
    if (err == ERR_NONE) {
        *first_out = batch.first;
    }
    return err;
}

/* ---- reading ---- */

static enum err copy(struct span key, struct span record, struct arena *arena,
                     struct store_override *out)
{
    struct store_override item;
    if (!codec_decode_override(record, &item)) {
        return ERR_SYNTAX;
    }
    item.key = arena_copy(arena, key);
    if (item.value.json.len > 0) {
        item.value.json = arena_copy(arena, item.value.json);
    }
    if (item.key.ptr == NULL || (item.value.json.len > 0 && item.value.json.ptr == NULL)) {
        return ERR_MEMORY;
    }
    *out = item;
    return ERR_NONE;
}

struct listing {
    struct arena *arena;
    struct store_override *items;
    size_t count;
};

static enum err read_all(struct store *store, MDB_txn *txn, void *context)
{
    struct listing *list = context;
    struct table_walk walk;
    size_t count = 0;
    bool more = true;
    enum err err = table_count(store, txn, TABLE_OVERRIDES, &count);
    if (err == ERR_NONE) {
        err = table_walk_begin(&walk, store, txn, TABLE_OVERRIDES);
    }
    if (err != ERR_NONE) {
        return err;
    }
    list->items = arena_array(list->arena, count, sizeof(*list->items));
    err = list->items == NULL ? ERR_MEMORY : table_walk_next(&walk, &more);
    while (err == ERR_NONE && more) {
        err = list->count < count
                  ? copy(walk.key, walk.record, list->arena, &list->items[list->count])
                  : ERR_SYNTAX;
        list->count++;
        err = err == ERR_NONE ? table_walk_next(&walk, &more) : err;
    }
    table_walk_end(&walk);
    return err;
}

enum err store_overrides(struct store *store, struct arena *arena,
                         struct store_override **items_out, size_t *count_out)
{
    struct listing list = {.arena = arena};
    enum err err = environment_read(store, read_all, &list);
    if (err == ERR_NONE) {
        *items_out = list.items;
        *count_out = list.count;
    }
    return err;
}
