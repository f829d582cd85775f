/* SPDX-License-Identifier: MIT */
/* The changes by number, and the sums that go with them. */
#include "store/internal.h"

#include <assert.h>

/* ---- totals ---- */

enum err totals_read(struct store *store, MDB_txn *txn, struct codec_totals *out)
{
    struct span record;
    enum err err = table_find(store, txn, TABLE_META, store_key_totals, &record);
    if (err != ERR_NONE) {
        return err == ERR_NOTFOUND ? ERR_SYNTAX : err;
    }
    return codec_decode_totals(record, out) ? ERR_NONE : ERR_SYNTAX;
}

enum err totals_write(struct store *store, MDB_txn *txn, const struct codec_totals *totals)
{
    struct buffer record = buffer_over(store->record, sizeof(store->record));
    codec_encode_totals(totals, &record);
    return table_put(store, txn, TABLE_META, store_key_totals, &record, 0);
}

/* ---- writing ---- */

bool change_is_sound(const struct store_change *change)
{
    assert(change->after.kind <= STORE_OFF && change->who.via <= STORE_VIA_TOKEN &&
           change->cause <= STORE_BY_SCHEDULE);
    return change->key.len > 0 && change->key.len <= store_key_bytes_max &&
           change->who.name.len <= store_name_bytes_max &&
           change->owner.len <= store_name_bytes_max && change->why.len <= store_why_bytes_max &&
           change->after.json.len <= store_value_bytes_max &&
           (change->after.kind != STORE_SET || change->after.json.len > 0);
}

static enum err forget_oldest(struct store *store, MDB_txn *txn, struct codec_totals *totals)
{
    uint8_t text[codec_number_bytes];
    codec_encode_number(totals->next - totals->history_count, text);
    struct span key = span_of(text, sizeof(text));
    struct span record;
    enum err err = table_find(store, txn, TABLE_CHANGES, key, &record);
    if (err != ERR_NONE) {
        return err == ERR_NOTFOUND ? ERR_SYNTAX : err;
    }
    totals->history_count--;
    totals->history_bytes -= record.len + codec_seal_bytes;
    return table_remove(store, txn, TABLE_CHANGES, key);
}

enum err history_append(struct store *store, MDB_txn *txn, struct codec_totals *totals,
                        struct store_change *change)
{
    uint8_t key[codec_number_bytes];
    struct buffer record = buffer_over(store->record, sizeof(store->record));
    change->number = totals->next;
    codec_encode_number(change->number, key);
    codec_encode_change(change, &record);
    enum err err =
        table_put(store, txn, TABLE_CHANGES, span_of(key, sizeof(key)), &record, MDB_APPEND);
    totals->next++;
    totals->history_count++;
    totals->history_bytes += record.len;
    while (err == ERR_NONE && (totals->history_count > store_history_max ||
                               totals->history_bytes > store_history_bytes_max)) {
        err = forget_oldest(store, txn, totals);
    }
    return err;
}

/* ---- reading ---- */

static bool keep(struct arena *arena, struct span *text)
{
    if (text->len > 0) {
        *text = arena_copy(arena, *text);
    }
    return text->len == 0 || text->ptr != NULL;
}

static enum err copy_change(struct span key, struct span record, struct arena *arena,
                            struct store_change *out)
{
    struct store_change change;
    if (!codec_decode_change(record, &change) || !codec_decode_number(key, &change.number)) {
        return ERR_SYNTAX;
    }
    struct span *const texts[] = {&change.who.name, &change.owner,       &change.why,
                                  &change.key,      &change.before.json, &change.after.json};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (!keep(arena, texts[i])) {
            return ERR_MEMORY;
        }
    }
    *out = change;
    return ERR_NONE;
}

struct page {
    uint64_t below;
    size_t limit;
    struct arena *arena;
    struct store_change *items;
    size_t count;
    size_t bytes;
};

static enum err read_page(struct store *store, MDB_txn *txn, void *context)
{
    struct page *page = context;
    struct codec_totals totals;
    enum err err = totals_read(store, txn, &totals);
    if (err != ERR_NONE) {
        return err;
    }
    uint64_t oldest = totals.next - totals.history_count;
    uint64_t number = page->below == 0 || page->below > totals.next ? totals.next : page->below;
    page->items = arena_array(page->arena, page->limit, sizeof(*page->items));
    if (page->items == NULL) {
        return ERR_MEMORY;
    }
    while (err == ERR_NONE && number > oldest && page->count < page->limit &&
           page->bytes < store_page_bytes_max) {
        uint8_t text[codec_number_bytes];
        struct span record;
        codec_encode_number(--number, text);
        struct span key = span_of(text, sizeof(text));
        err = table_find(store, txn, TABLE_CHANGES, key, &record);
        if (err == ERR_NONE) {
            err = copy_change(key, record, page->arena, &page->items[page->count++]);
            page->bytes += record.len;
        }
    }
    return err == ERR_NOTFOUND ? ERR_SYNTAX : err;
}

enum err store_history(struct store *store, uint64_t below, size_t limit, struct arena *arena,
                       struct store_change **items_out, size_t *count_out)
{
    struct page page = {
        .below = below, .limit = limit < store_page_max ? limit : store_page_max, .arena = arena};
    enum err err = environment_read(store, read_page, &page);
    if (err == ERR_NONE) {
        *items_out = page.items;
        *count_out = page.count;
    }
    return err;
}

struct one {
    uint64_t number;
    struct arena *arena;
    struct store_change *out;
};

static enum err read_one(struct store *store, MDB_txn *txn, void *context)
{
    const struct one *one = context;
    uint8_t text[codec_number_bytes];
    struct span record;
    codec_encode_number(one->number, text);
    struct span key = span_of(text, sizeof(text));
    enum err err = table_find(store, txn, TABLE_CHANGES, key, &record);
    return err == ERR_NONE ? copy_change(key, record, one->arena, one->out) : err;
}

enum err store_change_find(struct store *store, uint64_t number, struct arena *arena,
                           struct store_change *out)
{
    struct one one = {number, arena, out};
    return environment_read(store, read_one, &one);
}
