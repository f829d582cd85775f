/* SPDX-License-Identifier: MIT */
/* The LMDB environment: making it, opening it, transactions, and what its codes mean.
 *
 * LMDB's own lock file stays in use beside our lock on the folder: it costs nothing here, and its
 * tools (mdb_copy, mdb_stat) can then be used on a store that is in use. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char store_file_name[] = "store.mdb";
const char *const store_table_names[TABLES] = {"meta",   "overrides", "changes", "secrets",
                                               "tokens", "marks",     "messages"};
const struct span store_key_format = {(const uint8_t *)"format", 6};
const struct span store_key_totals = {(const uint8_t *)"totals", 6};

enum err environment_error(struct store *store, int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return ERR_NONE;
    case MDB_NOTFOUND:
        return ERR_NOTFOUND;
    case ENOMEM:
        return ERR_MEMORY;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        store->map_full = code == MDB_MAP_FULL;
        return ERR_LIMIT;
    case MDB_READERS_FULL: /* somebody else's readers */
        errno = EBUSY;
        return ERR_IO;
    case MDB_PANIC:
        errno = EIO;
        return ERR_IO;
    default:
        errno = code;
        return code > 0 ? ERR_IO : ERR_SYNTAX;
    }
}

/* ---- open and make ---- */

/* *count_out: how many there are, TABLES or those of the old format. */
static int open_tables(MDB_env *env, unsigned flags, MDB_dbi tables[TABLES],
                       enum store_table *count_out)
{
    enum store_table count = 0;
    MDB_txn *txn;
    int code = mdb_txn_begin(env, NULL, flags == 0 ? MDB_RDONLY : 0, &txn);
    if (code != 0) {
        return code;
    }
    for (; count < TABLES && code == 0; count += code == 0) {
        code = mdb_dbi_open(txn, store_table_names[count], flags, &tables[count]);
    }
    if (code == MDB_NOTFOUND && count == TABLES_OF_FORMAT_1) {
        code = 0;
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    *count_out = count;
    return mdb_txn_commit(txn);
}

static int open_env(const char *path, unsigned flags, MDB_env **out)
{
    MDB_env *env;
    int code = mdb_env_create(&env);
    if (code != 0) {
        return code;
    }
    code = mdb_env_set_maxdbs(env, TABLES);
    if (code == 0) {
        code = mdb_env_set_mapsize(env, store_map_bytes_first);
    }
    if (code == 0) {
        code = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0600);
    }
    if (code != 0) {
        mdb_env_close(env);
        return code;
    }
    *out = env;
    return 0;
}

static int put_format(struct store *store, MDB_txn *txn)
{
    uint8_t format[4] = {store_format, 0, 0, 0};
    MDB_val key = val_of_span(store_key_format);
    MDB_val value = {.mv_size = sizeof(format), .mv_data = format};
    return mdb_put(txn, store->tables[TABLE_META], &key, &value, 0);
}

/* A store of format 1: the tables that it lacks, and the number, in one transaction. */
static int upgrade(struct store *store)
{
    MDB_txn *txn;
    enum store_table count = store->table_count;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    for (; count < TABLES && code == 0; count++) {
        code = mdb_dbi_open(txn, store_table_names[count], MDB_CREATE, &store->tables[count]);
    }
    if (code == 0) {
        code = put_format(store, txn);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    store->table_count = TABLES;
    return mdb_txn_commit(txn);
}

enum err environment_open(struct store *store, unsigned flags)
{
    int code = open_env(store->path, flags, &store->env);
    if (code == 0) {
        code = open_tables(store->env, 0, store->tables, &store->table_count);
    }
    if (code == 0 && store->table_count < TABLES && (flags & MDB_RDONLY) == 0) {
        code = upgrade(store);
    }
    if (code != 0) {
        environment_close(store);
    }
    return environment_error(store, code);
}

void environment_close(struct store *store)
{
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

static enum err write_first(struct store *store, MDB_txn *txn, void *context)
{
    const struct codec_totals totals = {.next = 1};
    int code = put_format(store, txn);
    return code != 0 ? environment_error(store, code) : totals_write(store, txn, &totals);
}

static enum err fill(struct store *store, const char *path)
{
    int code = open_env(path, MDB_NOLOCK, &store->env);
    if (code == 0) {
        code = open_tables(store->env, MDB_CREATE, store->tables, &store->table_count);
    }
    enum err err = environment_error(store, code);
    if (err == ERR_NONE) {
        err = environment_write(store, write_first, NULL);
    }
    int why = errno;
    environment_close(store);
    errno = why;
    return err;
}

/* Under another name until it is whole, so that a file of the right name that is empty or
 * without its first records is always a damaged one. */
enum err environment_make(struct store *store)
{
    char path[store_path_bytes_max + 8];
    snprintf(path, sizeof(path), "%s.new", store->path);
    if (unlink(path) != 0 && errno != ENOENT) {
        return ERR_IO;
    }
    enum err err = fill(store, path);
    if (err == ERR_NONE && (rename(path, store->path) != 0 || fsync(store->folder) != 0)) {
        err = ERR_IO;
    }
    int why = errno;
    if (err != ERR_NONE) {
        unlink(path);
    }
    errno = why;
    return err;
}

/* ---- transactions ---- */

static int begin_once(struct store *store, unsigned flags, MDB_txn **out)
{
    int code = mdb_txn_begin(store->env, NULL, flags, out);
    if (code == MDB_MAP_RESIZED) { /* by a tool of LMDB */
        code = mdb_env_set_mapsize(store->env, 0);
        code = code == 0 ? mdb_txn_begin(store->env, NULL, flags, out) : code;
    }
    return code;
}

/* A disk that failed at the last write of a commit leaves an environment that LMDB refuses to
 * use; the file itself is good, and a new environment finds what is in it. */
static enum err begin(struct store *store, unsigned flags, MDB_txn **out)
{
    int code = MDB_PANIC;
    if (store->env != NULL) {
        code = begin_once(store, flags, out);
    }
    if (code == MDB_PANIC) {
        environment_close(store);
        enum err err = environment_open(store, 0);
        if (err != ERR_NONE) {
            return err;
        }
        code = begin_once(store, flags, out);
    }
    return environment_error(store, code);
}

static enum err grow(struct store *store)
{
    MDB_envinfo info;
    int code = mdb_env_info(store->env, &info);
    if (code != 0 || info.me_mapsize >= store_map_bytes_max) {
        return ERR_LIMIT;
    }
    size_t bytes = 2 * info.me_mapsize;
    code =
        mdb_env_set_mapsize(store->env, bytes < store_map_bytes_max ? bytes : store_map_bytes_max);
    if (code != 0) {
        environment_close(store); /* it may have no map at all now */
    }
    return environment_error(store, code);
}

/* LMDB says EIO when fewer bytes were written than it wanted, which is how a disk most often
 * becomes full. Then there is no room for a little more either. */
static int commit(struct store *store, MDB_txn *txn)
{
    enum { probe_bytes = 64 << 10 };
    struct stat status;
    int fd;
    int code = mdb_txn_commit(txn);
    if (code == EIO && mdb_env_get_fd(store->env, &fd) == 0 && fstat(fd, &status) == 0 &&
        fallocate(fd, FALLOC_FL_KEEP_SIZE, status.st_size, probe_bytes) != 0 &&
        store_is_full(errno)) {
        return errno;
    }
    return code;
}

static enum err write_once(struct store *store, environment_work_fn *work, void *context)
{
    MDB_txn *txn;
    store->map_full = false;
    enum err err = begin(store, 0, &txn);
    if (err != ERR_NONE) {
        return err;
    }
    err = work(store, txn, context);
    if (err == ERR_NONE) {
        return environment_error(store, commit(store, txn));
    }
    int why = errno;
    mdb_txn_abort(txn);
    errno = why;
    return err;
}

enum err environment_write(struct store *store, environment_work_fn *work, void *context)
{
    enum err err = write_once(store, work, context);
    while (err == ERR_LIMIT && store->map_full) {
        err = grow(store);
        if (err == ERR_NONE) {
            err = write_once(store, work, context);
        } else {
            store->map_full = false;
        }
    }
    return err;
}

enum err environment_read(struct store *store, environment_work_fn *work, void *context)
{
    MDB_txn *txn;
    enum err err = begin(store, MDB_RDONLY, &txn);
    if (err == ERR_NONE) {
        err = work(store, txn, context);
        mdb_txn_abort(txn);
    }
    return err;
}

/* ---- records ---- */

enum err table_find(struct store *store, MDB_txn *txn, enum store_table table, struct span key,
                    struct span *out)
{
    MDB_val mdb_key = val_of_span(key);
    MDB_val value;
    int code = mdb_get(txn, store->tables[table], &mdb_key, &value);
    if (code != 0) {
        return environment_error(store, code);
    }
    return codec_unseal(table, key, span_of_val(&value), out) ? ERR_NONE : ERR_SYNTAX;
}

enum err table_put(struct store *store, MDB_txn *txn, enum store_table table, struct span key,
                   struct buffer *record, unsigned flags)
{
    codec_seal(table, key, record);
    if (record->full) {
        return ERR_RANGE;
    }
    MDB_val mdb_key = val_of_span(key);
    MDB_val value = val_of_span(buffer_span(record));
    return environment_error(store, mdb_put(txn, store->tables[table], &mdb_key, &value, flags));
}

enum err table_remove(struct store *store, MDB_txn *txn, enum store_table table, struct span key)
{
    MDB_val mdb_key = val_of_span(key);
    return environment_error(store, mdb_del(txn, store->tables[table], &mdb_key, NULL));
}

enum err table_count(struct store *store, MDB_txn *txn, enum store_table table, size_t *out)
{
    MDB_stat stat;
    int code = mdb_stat(txn, store->tables[table], &stat);
    if (code != 0) {
        return environment_error(store, code);
    }
    *out = stat.ms_entries;
    return ERR_NONE;
}

enum err table_walk_begin(struct table_walk *walk, struct store *store, MDB_txn *txn,
                          enum store_table table)
{
    *walk = (struct table_walk){.store = store, .table = table, .next = MDB_FIRST};
    return environment_error(store, mdb_cursor_open(txn, store->tables[table], &walk->cursor));
}

enum err table_walk_next(struct table_walk *walk, bool *more)
{
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_get(walk->cursor, &key, &value, walk->next);
    if (code == MDB_NOTFOUND) {
        *more = false;
        return ERR_NONE;
    }
    if (code != 0) {
        return environment_error(walk->store, code);
    }
    walk->next = MDB_NEXT;
    walk->key = span_of_val(&key);
    walk->sealed_bytes = value.mv_size;
    *more = true;
    return codec_unseal(walk->table, walk->key, span_of_val(&value), &walk->record) ? ERR_NONE
                                                                                    : ERR_SYNTAX;
}

void table_walk_end(struct table_walk *walk)
{
    mdb_cursor_close(walk->cursor);
}
