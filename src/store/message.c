/* SPDX-License-Identifier: MIT */
/* What was told of detours, and messages that are still on their way. */
#include "store/internal.h"

/* ---- writing ---- */

struct telling {
    const struct store_mark *marks;
    size_t mark_count;
    struct store_message *messages;
    size_t message_count;
};

static bool is_sound(const struct telling *telling)
{
    size_t bytes = 0;
    for (size_t i = 0; i < telling->mark_count; i++) {
        const struct store_mark *mark = &telling->marks[i];
        if (mark->key.len == 0 || mark->key.len > store_key_bytes_max ||
            mark->value.len > store_mark_bytes_max) {
            return false;
        }
    }
    for (size_t i = 0; i < telling->message_count; i++) {
        const struct store_message *message = &telling->messages[i];
        bytes += message->content.len;
        if (message->url.len > store_url_bytes_max || message->id.len > store_name_bytes_max ||
            message->content.len > store_content_bytes_max) {
            return false;
        }
    }
    return bytes <= store_batch_bytes_max;
}

static enum err put_mark(struct store *store, MDB_txn *txn, const struct store_mark *mark)
{
    struct buffer record = buffer_over(store->record, sizeof(store->record));
    if (mark->value.len == 0) {
        enum err err = table_remove(store, txn, TABLE_MARKS, mark->key);
        return err == ERR_NOTFOUND ? ERR_NONE : err;
    }
    buffer_put(&record, mark->value);
    return table_put(store, txn, TABLE_MARKS, mark->key, &record, 0);
}

static enum err next_number(struct store *store, MDB_txn *txn, uint64_t *out)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_open(txn, store->tables[TABLE_MESSAGES], &cursor);
    if (code != 0) {
        return environment_error(store, code);
    }
    code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    uint64_t last = 0;
    bool good =
        code == MDB_NOTFOUND || (code == 0 && codec_decode_number(span_of_val(&key), &last));
    mdb_cursor_close(cursor);
    if (!good) {
        return code == 0 ? ERR_SYNTAX : environment_error(store, code);
    }
    *out = last + 1;
    return ERR_NONE;
}

static enum err put_message(struct store *store, MDB_txn *txn, const struct store_message *message)
{
    uint8_t key[codec_number_bytes];
    struct buffer record = buffer_over(store->record, sizeof(store->record));
    codec_encode_number(message->number, key);
    codec_encode_message(message, &record);
    return table_put(store, txn, TABLE_MESSAGES, span_of(key, sizeof(key)), &record, MDB_APPEND);
}

static enum err tell(struct store *store, MDB_txn *txn, void *context)
{
    struct telling *telling = context;
    uint64_t number = 0;
    enum err err = next_number(store, txn, &number);
    for (size_t i = 0; i < telling->mark_count && err == ERR_NONE; i++) {
        err = put_mark(store, txn, &telling->marks[i]);
    }
    for (size_t i = 0; i < telling->message_count && err == ERR_NONE; i++) {
        telling->messages[i].number = number++;
        err = put_message(store, txn, &telling->messages[i]);
    }
    return err;
}

enum err store_tell(struct store *store, const struct store_mark *marks, size_t mark_count,
                    struct store_message *messages, size_t message_count)
{
    struct telling telling = {marks, mark_count, messages, message_count};
    return is_sound(&telling) ? environment_write(store, tell, &telling) : ERR_RANGE;
}

struct numbers {
    const uint64_t *items;
    size_t count;
};

static enum err forget(struct store *store, MDB_txn *txn, void *context)
{
    const struct numbers *numbers = context;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < numbers->count && (err == ERR_NONE || err == ERR_NOTFOUND); i++) {
        uint8_t key[codec_number_bytes];
        codec_encode_number(numbers->items[i], key);
        err = table_remove(store, txn, TABLE_MESSAGES, span_of(key, sizeof(key)));
    }
    return err == ERR_NOTFOUND ? ERR_NONE : err;
}

enum err store_messages_forget(struct store *store, const uint64_t *numbers, size_t count)
{
    struct numbers context = {numbers, count};
    return environment_write(store, forget, &context);
}

/* ---- reading ---- */

struct reading {
    struct arena *arena;
    enum store_table table;
    struct store_mark *marks;
    struct store_message *messages;
    size_t count;
};

static enum err copy_mark(struct reading *reading, const struct table_walk *walk)
{
    struct store_mark *mark = &reading->marks[reading->count];
    mark->key = arena_copy(reading->arena, walk->key);
    mark->value = arena_copy(reading->arena, walk->record);
    return mark->key.ptr != NULL && mark->value.ptr != NULL ? ERR_NONE : ERR_MEMORY;
}

static enum err copy_message(struct reading *reading, const struct table_walk *walk)
{
    struct store_message *message = &reading->messages[reading->count];
    if (!codec_decode_message(walk->record, message) ||
        !codec_decode_number(walk->key, &message->number)) {
        return ERR_SYNTAX;
    }
    message->url = arena_copy(reading->arena, message->url);
    message->id = arena_copy(reading->arena, message->id);
    message->content = arena_copy(reading->arena, message->content);
    return message->url.ptr != NULL && message->id.ptr != NULL && message->content.ptr != NULL
               ? ERR_NONE
               : ERR_MEMORY;
}

static enum err read_all(struct store *store, MDB_txn *txn, void *context)
{
    struct reading *reading = context;
    struct table_walk walk;
    size_t count = 0;
    bool more = true;
    enum err err = table_count(store, txn, reading->table, &count);
    if (err == ERR_NONE) {
        err = table_walk_begin(&walk, store, txn, reading->table);
    }
    if (err != ERR_NONE) {
        return err;
    }
    reading->marks = arena_array(reading->arena, count + 1, sizeof(*reading->marks));
    reading->messages = arena_array(reading->arena, count + 1, sizeof(*reading->messages));
    err = reading->marks == NULL || reading->messages == NULL ? ERR_MEMORY
                                                              : table_walk_next(&walk, &more);
    while (err == ERR_NONE && more && reading->count < count) {
        err = reading->table == TABLE_MARKS ? copy_mark(reading, &walk)
                                            : copy_message(reading, &walk);
        reading->count++;
        err = err == ERR_NONE ? table_walk_next(&walk, &more) : err;
    }
    table_walk_end(&walk);
    return err;
}

enum err store_marks(struct store *store, struct arena *arena, struct store_mark **items_out,
                     size_t *count_out)
{
    struct reading reading = {.arena = arena, .table = TABLE_MARKS};
    enum err err = environment_read(store, read_all, &reading);
    if (err == ERR_NONE) {
        *items_out = reading.marks;
        *count_out = reading.count;
    }
    return err;
}

enum err store_messages(struct store *store, struct arena *arena, struct store_message **items_out,
                        size_t *count_out)
{
    struct reading reading = {.arena = arena, .table = TABLE_MESSAGES};
    enum err err = environment_read(store, read_all, &reading);
    if (err == ERR_NONE) {
        *items_out = reading.messages;
        *count_out = reading.count;
    }
    return err;
}
