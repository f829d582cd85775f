/* SPDX-License-Identifier: MIT */
/* Records in a file: LMDB, which lets several processes read while one of them writes.
 *
 * Each open file also has a lock of ours, held while it is read through at the beginning and while
 * it is written to, so that the reading sees a file that stands still. */
#include "client/file.h"

#include "client/keep.h"
#include "client/memo.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than the greatest store needs; it costs addresses, no memory. */
#define MAP_BYTES (UINT64_C(4) << 30)

struct file {
    struct keep keep;
    int fd; /* for our lock */
    MDB_env *env;
    MDB_dbi table;
    bool changed;
    uint8_t value[file_number_bytes + memo_bytes_max];
};

static struct file *file_of(struct keep *keep)
{
    return (struct file *)keep; /* its first member */
}

static MDB_val val_of(const void *ptr, size_t len)
{
    return (MDB_val){.mv_size = len, .mv_data = (void *)(uintptr_t)ptr};
}

static struct span span_of_val(const MDB_val *value)
{
    return span_of(value->mv_data, value->mv_size);
}

static enum detour_error error_of(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return DETOUR_OK;
    case ENOMEM:
        return DETOUR_ERROR_MEMORY;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_BAD_VALSIZE:
    case MDB_VERSION_MISMATCH:
        return DETOUR_ERROR_DAMAGED;
    default:
        errno = code > 0 ? code : EIO;
        return DETOUR_ERROR_IO;
    }
}

/* ---- transactions ---- */

static void lock_file(struct file *file)
{
    while (flock(file->fd, LOCK_EX) != 0 && errno == EINTR) {
    }
}

static void unlock_file(struct file *file)
{
    flock(file->fd, LOCK_UN);
}

static int begin(struct file *file, unsigned flags, MDB_txn **out)
{
    int code = mdb_txn_begin(file->env, NULL, flags, out);
    if (code == MDB_MAP_RESIZED) {
        code = mdb_env_set_mapsize(file->env, 0);
        code = code == 0 ? mdb_txn_begin(file->env, NULL, flags, out) : code;
    }
    return code;
}

typedef int work_fn(struct file *file, MDB_txn *txn, void *context);

static int write_once(struct file *file, work_fn *work, void *context)
{
    MDB_txn *txn;
    int code = begin(file, 0, &txn);
    if (code != 0) {
        return code;
    }
    code = work(file, txn, context);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    file->changed = true;
    return mdb_txn_commit(txn);
}

static enum detour_error write_work(struct file *file, work_fn *work, void *context)
{
    lock_file(file);
    int code = write_once(file, work, context);
    unlock_file(file);
    return error_of(code);
}

static enum detour_error read_work(struct file *file, work_fn *work, void *context)
{
    MDB_txn *txn;
    int code = begin(file, MDB_RDONLY, &txn);
    if (code == 0) {
        code = work(file, txn, context);
        mdb_txn_abort(txn);
    }
    return error_of(code);
}

/* ---- records ---- */

static int meta_read(struct file *file, MDB_txn *txn, struct file_meta *out)
{
    MDB_val key = val_of("m", 1);
    MDB_val value;
    int code = mdb_get(txn, file->table, &key, &value);
    if (code == 0 && !file_meta_decode(span_of_val(&value), out)) {
        code = MDB_CORRUPTED;
    }
    return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
}

static int meta_write(struct file *file, MDB_txn *txn, const struct file_meta *meta)
{
    uint8_t bytes[file_meta_bytes];
    file_meta_encode(meta, bytes);
    MDB_val key = val_of("m", 1);
    MDB_val value = val_of(bytes, sizeof(bytes));
    return mdb_put(txn, file->table, &key, &value, 0);
}

/* A file that is new, or whose maker died before this. */
static int work_first(struct file *file, MDB_txn *txn, void *context)
{
    MDB_stat stat;
    int code = mdb_stat(txn, file->table, &stat);
    if (code != 0 || stat.ms_entries > 0) {
        return code;
    }
    return meta_write(file, txn, &(struct file_meta){.next = 1});
}

/* No error when there is none. */
static int record_remove(struct file *file, MDB_txn *txn, const uint8_t key_bytes[file_key_bytes],
                         struct file_meta *meta)
{
    uint8_t order_bytes[file_order_bytes];
    MDB_val key = val_of(key_bytes, file_key_bytes);
    MDB_val value;
    int code = mdb_get(txn, file->table, &key, &value);
    if (code != 0) {
        return code == MDB_NOTFOUND ? 0 : code;
    }
    if (value.mv_size < file_number_bytes || meta->count == 0 || meta->bytes < value.mv_size) {
        return MDB_CORRUPTED;
    }
    meta->count--;
    meta->bytes -= value.mv_size;
    file_order_key(file_number(value.mv_data), order_bytes);
    MDB_val order = val_of(order_bytes, sizeof(order_bytes));
    code = mdb_del(txn, file->table, &order, NULL);
    code = code == 0 ? mdb_del(txn, file->table, &key, NULL) : code;
    return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
}

/* The oldest one's key; MDB_NOTFOUND. */
static int oldest_find(struct file *file, MDB_txn *txn, uint8_t out[file_key_bytes])
{
    MDB_cursor *cursor;
    MDB_val key = val_of("o", 1);
    MDB_val value;
    int code = mdb_cursor_open(txn, file->table, &cursor);
    if (code != 0) {
        return code;
    }
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (code == 0 && (key.mv_size != file_order_bytes || *(uint8_t *)key.mv_data != 'o' ||
                      value.mv_size != file_key_bytes)) {
        code = MDB_NOTFOUND;
    }
    if (code == 0) {
        memcpy(out, value.mv_data, file_key_bytes);
    }
    mdb_cursor_close(cursor);
    return code;
}

static int make_room(struct file *file, MDB_txn *txn, size_t bytes, struct file_meta *meta)
{
    int code = 0;
    while (code == 0 && meta->count > 0 &&
           (meta->count >= file->keep.entries_max || meta->bytes + bytes > file->keep.bytes_max)) {
        uint8_t key[file_key_bytes];
        code = oldest_find(file, txn, key);
        code = code == 0 ? record_remove(file, txn, key, meta) : code;
    }
    return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
}

struct item {
    struct span url;
    struct span record;
    struct buffer *out;
    bool found;
};

static int record_add(struct file *file, MDB_txn *txn, const uint8_t key_bytes[file_key_bytes],
                      struct span record, struct file_meta *meta)
{
    uint8_t order_bytes[file_order_bytes];
    file_order_key(meta->next, order_bytes);
    file_number_put(meta->next, file->value);
    memcpy(file->value + file_number_bytes, record.ptr, record.len);
    MDB_val order = val_of(order_bytes, sizeof(order_bytes));
    MDB_val key = val_of(key_bytes, file_key_bytes);
    MDB_val value = val_of(file->value, file_number_bytes + record.len);
    meta->next++;
    meta->count++;
    meta->bytes += value.mv_size;
    int code = mdb_put(txn, file->table, &order, &key, 0);
    return code == 0 ? mdb_put(txn, file->table, &key, &value, 0) : code;
}

static int work_put(struct file *file, MDB_txn *txn, void *context)
{
    const struct item *item = context;
    struct file_meta meta;
    uint8_t key[file_key_bytes];
    file_key(item->url, key);
    int code = meta_read(file, txn, &meta);
    code = code == 0 ? record_remove(file, txn, key, &meta) : code;
    code = code == 0 ? make_room(file, txn, file_number_bytes + item->record.len, &meta) : code;
    code = code == 0 ? record_add(file, txn, key, item->record, &meta) : code;
    return code == 0 ? meta_write(file, txn, &meta) : code;
}

static int work_remove(struct file *file, MDB_txn *txn, void *context)
{
    const struct item *item = context;
    struct file_meta meta;
    uint8_t key[file_key_bytes];
    file_key(item->url, key);
    int code = meta_read(file, txn, &meta);
    code = code == 0 ? record_remove(file, txn, key, &meta) : code;
    return code == 0 ? meta_write(file, txn, &meta) : code;
}

static int work_clear(struct file *file, MDB_txn *txn, void *context)
{
    struct file_meta meta;
    int code = meta_read(file, txn, &meta);
    code = code == 0 ? mdb_drop(txn, file->table, 0) : code;
    meta.count = 0;
    meta.bytes = 0;
    return code == 0 ? meta_write(file, txn, &meta) : code;
}

static int work_find(struct file *file, MDB_txn *txn, void *context)
{
    struct item *item = context;
    uint8_t key_bytes[file_key_bytes];
    file_key(item->url, key_bytes);
    MDB_val key = val_of(key_bytes, sizeof(key_bytes));
    MDB_val value;
    int code = mdb_get(txn, file->table, &key, &value);
    if (code != 0) {
        return code == MDB_NOTFOUND ? 0 : code;
    }
    if (value.mv_size < file_number_bytes) {
        return MDB_CORRUPTED;
    }
    buffer_put(item->out, span_from(span_of_val(&value), file_number_bytes));
    item->found = true;
    return 0;
}

static int work_count(struct file *file, MDB_txn *txn, void *context)
{
    return meta_read(file, txn, context);
}

struct walk {
    keep_visit_fn *visit;
    void *context;
    uint8_t (*removed)[file_key_bytes];
    size_t removed_count;
    size_t removed_capacity;
};

static bool walk_remember(struct walk *walk, const void *key)
{
    if (walk->removed_count == walk->removed_capacity) {
        size_t capacity = walk->removed_capacity == 0 ? 64 : 2 * walk->removed_capacity;
        void *grown = realloc(walk->removed, capacity * sizeof(walk->removed[0]));
        if (grown == NULL) {
            return false;
        }
        walk->removed = grown;
        walk->removed_capacity = capacity;
    }
    memcpy(walk->removed[walk->removed_count++], key, file_key_bytes);
    return true;
}

static int work_walk(struct file *file, MDB_txn *txn, void *context)
{
    struct walk *walk = context;
    MDB_cursor *cursor;
    MDB_val key = val_of("u", 1);
    MDB_val value;
    int code = mdb_cursor_open(txn, file->table, &cursor);
    if (code != 0) {
        return code;
    }
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && key.mv_size == file_key_bytes && value.mv_size >= file_number_bytes) {
        enum keep_answer answer =
            walk->visit(walk->context, span_from(span_of_val(&value), file_number_bytes));
        if (answer == KEEP_STOP) {
            break;
        }
        if (answer == KEEP_REMOVE && !walk_remember(walk, key.mv_data)) {
            code = ENOMEM;
            break;
        }
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int work_remove_walked(struct file *file, MDB_txn *txn, void *context)
{
    const struct walk *walk = context;
    struct file_meta meta;
    int code = meta_read(file, txn, &meta);
    for (size_t i = 0; i < walk->removed_count && code == 0; i++) {
        code = record_remove(file, txn, walk->removed[i], &meta);
    }
    return code == 0 ? meta_write(file, txn, &meta) : code;
}

/* ---- what a store calls ---- */

static enum detour_error find(struct keep *keep, struct span url, struct buffer *out, bool *found)
{
    struct item item = {.url = url, .out = out};
    enum detour_error error = read_work(file_of(keep), work_find, &item);
    *found = item.found;
    return error;
}

/* When the map is full all the same, what is in it is not worth more than what comes. */
static enum detour_error put(struct keep *keep, struct span url, struct span record)
{
    struct item item = {.url = url, .record = record};
    struct file *file = file_of(keep);
    lock_file(file);
    int code = write_once(file, work_put, &item);
    if (code == MDB_MAP_FULL) {
        code = write_once(file, work_clear, NULL);
        code = code == 0 ? write_once(file, work_put, &item) : code;
    }
    unlock_file(file);
    return error_of(code);
}

static enum detour_error remove_one(struct keep *keep, struct span url)
{
    struct buffer nowhere = {0};
    struct item item = {.url = url, .out = &nowhere};
    enum detour_error error = read_work(file_of(keep), work_find, &item);
    /* Most often there is none, and nothing has to be written. */
    return error == DETOUR_OK && item.found ? write_work(file_of(keep), work_remove, &item) : error;
}

static enum detour_error clear(struct keep *keep)
{
    return write_work(file_of(keep), work_clear, NULL);
}

static enum detour_error count(struct keep *keep, size_t *out)
{
    struct file_meta meta = {0};
    enum detour_error error = read_work(file_of(keep), work_count, &meta);
    if (error == DETOUR_OK) {
        *out = meta.count;
    }
    return error;
}

static enum detour_error walk(struct keep *keep, keep_visit_fn *visit, void *context)
{
    struct walk walk = {.visit = visit, .context = context};
    struct file *file = file_of(keep);
    enum detour_error error = read_work(file, work_walk, &walk);
    if (error == DETOUR_OK && walk.removed_count > 0) {
        error = write_work(file, work_remove_walked, &walk);
    }
    free(walk.removed);
    return error;
}

/* ---- open and close ---- */

static void file_free(struct keep *keep)
{
    struct file *file = file_of(keep);
    if (file->env != NULL) {
        if (file->changed) {
            mdb_env_sync(file->env, 1);
        }
        mdb_env_close(file->env);
    }
    close(file->fd);
    free(file);
}

static enum detour_error say(char *why, enum detour_error error, const char *text)
{
    snprintf(why, DETOUR_WHY_BYTES, "%s", text);
    return error;
}

static enum detour_error say_errno(char *why)
{
    int error = errno;
    say(why, DETOUR_ERROR_IO, strerror(error));
    errno = error;
    return DETOUR_ERROR_IO;
}

static int open_table(struct file *file)
{
    MDB_txn *txn;
    int dead;
    mdb_reader_check(file->env, &dead); /* those who died while they read */
    int code = begin(file, MDB_RDONLY, &txn);
    if (code != 0) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, &file->table);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* MDB_NOSYNC: no change waits for the disk, only the end does. When the machine stops before, the
 * file may be damaged, which the next one to open it is told: it is a cache. That a process dies
 * does no harm. */
static enum detour_error open_env(struct file *file, const char *path, char *why)
{
    int code = mdb_env_create(&file->env);
    code = code == 0 ? mdb_env_set_mapsize(file->env, MAP_BYTES) : code;
    code = code == 0 ? mdb_env_open(file->env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, 0600)
                     : code;
    code = code == 0 ? open_table(file) : code;
    enum detour_error error = error_of(code);
    return error == DETOUR_OK || error == DETOUR_ERROR_MEMORY ? error
                                                              : say(why, error, mdb_strerror(code));
}

static enum detour_error open_locked(struct file *file, const char *path, char *why)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0) {
        return say_errno(why);
    }
    if (!S_ISREG(status.st_mode)) {
        return say(why, DETOUR_ERROR_DAMAGED, "it is no ordinary file");
    }
    enum detour_error error = DETOUR_OK;
    if (status.st_size > 0) {
        error = file_check(file->fd, why);
    }
    error = error == DETOUR_OK ? open_env(file, path, why) : error;
    if (error == DETOUR_OK) {
        error = error_of(write_once(file, work_first, NULL));
        error = error == DETOUR_ERROR_IO ? say_errno(why) : error;
    }
    return error;
}

enum detour_error file_new(const char *path, size_t entries_max, uint64_t bytes_max, char *why,
                           struct keep **out)
{
    static const struct keep_methods methods = {
        .find = find,
        .put = put,
        .remove = remove_one,
        .clear = clear,
        .count = count,
        .walk = walk,
        .free = file_free,
    };
    struct file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return DETOUR_ERROR_MEMORY;
    }
    file->keep = (struct keep){&methods, entries_max, bytes_max};
    file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        free(file);
        return say_errno(why);
    }
    lock_file(file);
    enum detour_error error = open_locked(file, path, why);
    int why_errno = errno;
    unlock_file(file);
    if (error != DETOUR_OK) {
        file_free(&file->keep);
        errno = why_errno;
        return error;
    }
    *out = &file->keep;
    return DETOUR_OK;
}
