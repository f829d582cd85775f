/* SPDX-License-Identifier: MIT */
/* What the parts of the store share: one LMDB environment, and how a transaction is run. */
#pragma once

#include "store/codec.h"

#include <lmdb.h>

enum {
    store_format = 2, /* 1 had no marks and messages; it is made to this one when it is opened */
    store_map_bytes_first = 4 << 20,
    store_map_bytes_max = 512 << 20, /* four times of what all maxima allow to be kept */
    store_path_bytes_max = 4096,
};

struct store {
    char path[store_path_bytes_max]; /* of the LMDB file */
    int folder;                      /* open and locked: we are its only user */
    MDB_env *env;                    /* NULL: it has to be opened again */
    MDB_dbi tables[TABLES];
    enum store_table
        table_count; /* that the file has; fewer than TABLES only while it is checked */
    bool map_full;   /* the last failure was that the map is too small */
    uint8_t record[codec_record_bytes_max]; /* room to encode into */
};

/* ---- environment.c ---- */

/* The name of LMDB's file in the folder. */
extern const char store_file_name[];
extern const char *const store_table_names[TABLES];
extern const struct span store_key_format;
extern const struct span store_key_totals;

/* Opens the file that is there, with flags of mdb_env_open. Errors as of store_open. */
enum err environment_open(struct store *store, unsigned flags);
void environment_close(struct store *store);
/* Makes the file: complete or not at all. */
enum err environment_make(struct store *store);

/* An LMDB code as an error; errno is set for ERR_IO. */
enum err environment_error(struct store *store, int code);

/* Runs the work in a transaction and, when that succeeds, makes it durable. The work may be run
 * more than once. Reading leaves nothing behind. */
typedef enum err environment_work_fn(struct store *store, MDB_txn *txn, void *context);
enum err environment_write(struct store *store, environment_work_fn *work, void *context);
enum err environment_read(struct store *store, environment_work_fn *work, void *context);

/* One record without its seal, valid until the transaction writes or ends. ERR_NOTFOUND */
enum err table_find(struct store *store, MDB_txn *txn, enum store_table table, struct span key,
                    struct span *out);
/* Seals the record and puts it. flags: MDB_APPEND or 0. */
enum err table_put(struct store *store, MDB_txn *txn, enum store_table table, struct span key,
                   struct buffer *record, unsigned flags);
/* ERR_NOTFOUND */
enum err table_remove(struct store *store, MDB_txn *txn, enum store_table table, struct span key);
enum err table_count(struct store *store, MDB_txn *txn, enum store_table table, size_t *out);

static inline struct span span_of_val(const MDB_val *value)
{
    return span_of(value->mv_data, value->mv_size);
}

static inline MDB_val val_of_span(struct span bytes)
{
    return (MDB_val){.mv_size = bytes.len, .mv_data = (void *)(uintptr_t)bytes.ptr};
}

/* For each record of a table in order of keys: *more tells whether one was found. */
struct table_walk {
    struct store *store;
    MDB_cursor *cursor;
    enum store_table table;
    MDB_cursor_op next;
    struct span key;
    struct span record; /* without its seal */
    size_t sealed_bytes;
};
enum err table_walk_begin(struct table_walk *walk, struct store *store, MDB_txn *txn,
                          enum store_table table);
enum err table_walk_next(struct table_walk *walk, bool *more);
void table_walk_end(struct table_walk *walk);

/* ---- history.c ---- */

enum err totals_read(struct store *store, MDB_txn *txn, struct codec_totals *out);
enum err totals_write(struct store *store, MDB_txn *txn, const struct codec_totals *totals);
/* Gives the change the next number and appends it; the oldest fall off. The texts of the
 * change may lie in the store's map: the record is made first, in store->record. */
enum err history_append(struct store *store, MDB_txn *txn, struct codec_totals *totals,
                        struct store_change *change);
/* Whether its texts are within their bounds. */
bool change_is_sound(const struct store_change *change);

/* ---- check.c ---- */

/* Reads the whole file through in a child process. ERR_NONE: it is sound. Otherwise why
 * is what to tell, without the path. */
enum err check_file(const char *path, char why[store_reason_bytes]);
