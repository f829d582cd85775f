/* SPDX-License-Identifier: MIT */
/* Secrets by name, made when they are first asked for. */
#include "store/internal.h"

#include <sys/random.h>

struct secret {
    struct span name;
    uint8_t *out;
};

static enum err read_secret(struct store *store, MDB_txn *txn, void *context)
{
    const struct secret *secret = context;
    struct span record;
    enum err err = table_find(store, txn, TABLE_SECRETS, secret->name, &record);
    if (err == ERR_NONE && record.len != store_secret_bytes) {
        err = ERR_SYNTAX;
    }
    if (err == ERR_NONE) {
        memcpy(secret->out, record.ptr, store_secret_bytes);
    }
    return err;
}

static enum err make_secret(struct store *store, MDB_txn *txn, void *context)
{
    const struct secret *secret = context;
    struct buffer record = buffer_over(store->record, sizeof(store->record));
    size_t count = 0;
    enum err err = table_count(store, txn, TABLE_SECRETS, &count);
    if (err != ERR_NONE || count >= store_secrets_max) {
        return err != ERR_NONE ? err : ERR_LIMIT;
    }
    buffer_put(&record, span_of(secret->out, store_secret_bytes));
    return table_put(store, txn, TABLE_SECRETS, secret->name, &record, 0);
}

enum err store_secret(struct store *store, struct span name, uint8_t out[store_secret_bytes])
{
    uint8_t bytes[store_secret_bytes];
    struct secret secret = {name, bytes};
    if (name.len == 0 || name.len > store_name_bytes_max) {
        return ERR_RANGE;
    }
    enum err err = environment_read(store, read_secret, &secret);
    if (err == ERR_NOTFOUND) {
        /* So few bytes come whole (getrandom(2)). */
        if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
            return ERR_IO;
        }
        err = environment_write(store, make_secret, &secret);
    }
    if (err == ERR_NONE) {
        memcpy(out, bytes, sizeof(bytes));
    }
    explicit_bzero(bytes, sizeof(bytes));
    return err;
}
