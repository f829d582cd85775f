/* SPDX-License-Identifier: MIT */
/* Tokens of the admin API. A token has 192 random bits, so a plain hash of it tells nothing:
 * what slow hashes protect is passwords. */
#include "store/internal.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

static const char prefix[] = "detour_";
enum { random_bytes = 24, prefix_len = sizeof(prefix) - 1 };
static_assert(prefix_len + random_bytes / 3 * 4 + 1 == store_token_text_bytes, "its text");

static bool hash_of(struct span text, uint8_t out[codec_hash_bytes])
{
    unsigned len = 0;
    return EVP_Digest(text.ptr, text.len, out, &len, EVP_sha256(), NULL) == 1 &&
           len == codec_hash_bytes;
}

/* base64url (RFC 4648, 5); the length needs no padding. */
static void write_text(const uint8_t random[random_bytes], char out[store_token_text_bytes])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *at = out + prefix_len;
    memcpy(out, prefix, prefix_len);
    for (size_t i = 0; i < random_bytes; i += 3) {
        uint32_t bits = (uint32_t)random[i] << 16 | (uint32_t)random[i + 1] << 8 | random[i + 2];
        for (unsigned shift = 24; shift > 0; shift -= 6) {
            *at++ = letters[bits >> (shift - 6) & 63];
        }
    }
    *at = '\0';
}

static struct span scope_json(enum store_scope scope)
{
    return scope == STORE_SCOPE_WRITE ? SPAN("\"write\"") : SPAN("\"read\"");
}

struct token_change {
    const struct store_change *by;
    struct codec_token token;
};

/* Which of the two values holds the token is the only difference between its coming and its
 * going. */
static enum err note(struct store *store, MDB_txn *txn, const struct token_change *asked,
                     enum store_kind before, enum store_kind after)
{
    struct store_change change = *asked->by;
    struct store_value value = {.kind = STORE_SET, .json = scope_json(asked->token.scope)};
    change.subject = STORE_TOKEN;
    change.before = before == STORE_SET ? value : (struct store_value){0};
    change.after = after == STORE_SET ? value : (struct store_value){0};
    struct codec_totals totals;
    enum err err = totals_read(store, txn, &totals);
    if (err == ERR_NONE) {
        err = history_append(store, txn, &totals, &change);
    }
    return err == ERR_NONE ? totals_write(store, txn, &totals) : err;
}

static enum err add(struct store *store, MDB_txn *txn, void *context)
{
    const struct token_change *asked = context;
    size_t count = 0;
    struct span record;
    enum err err = table_find(store, txn, TABLE_TOKENS, asked->by->key, &record);
    if (err != ERR_NOTFOUND) {
        return err == ERR_NONE ? ERR_AGAIN : err;
    }
    err = table_count(store, txn, TABLE_TOKENS, &count);
    if (err != ERR_NONE || count >= store_tokens_max) {
        return err != ERR_NONE ? err : ERR_LIMIT;
    }
    struct buffer out = buffer_over(store->record, sizeof(store->record));
    codec_encode_token(&asked->token, &out);
    err = table_put(store, txn, TABLE_TOKENS, asked->by->key, &out, 0);
    return err == ERR_NONE ? note(store, txn, asked, STORE_NONE, STORE_SET) : err;
}

static bool is_sound(const struct store_change *by)
{
    struct store_change change = *by;
    change.after = (struct store_value){0};
    return change_is_sound(&change) && by->key.len <= store_name_bytes_max;
}

enum err store_token_add(struct store *store, const struct store_change *by, enum store_scope scope,
                         char text_out[store_token_text_bytes])
{
    uint8_t random[random_bytes];
    char text[store_token_text_bytes];
    struct token_change asked = {.by = by, .token = {.scope = scope, .created_ns = by->time_ns}};
    if (!is_sound(by)) {
        return ERR_RANGE;
    }
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return ERR_IO;
    }
    write_text(random, text);
    if (!hash_of(span_cstr(text), asked.token.hash)) {
        return ERR_MEMORY;
    }
    enum err err = environment_write(store, add, &asked);
    if (err == ERR_NONE) {
        memcpy(text_out, text, sizeof(text));
    }
    explicit_bzero(random, sizeof(random));
    explicit_bzero(text, sizeof(text));
    return err;
}

static enum err drop(struct store *store, MDB_txn *txn, void *context)
{
    struct token_change *asked = context;
    struct span record;
    enum err err = table_find(store, txn, TABLE_TOKENS, asked->by->key, &record);
    if (err == ERR_NONE && !codec_decode_token(record, &asked->token)) {
        err = ERR_SYNTAX;
    }
    if (err == ERR_NONE) {
        err = table_remove(store, txn, TABLE_TOKENS, asked->by->key);
    }
    return err == ERR_NONE ? note(store, txn, asked, STORE_SET, STORE_NONE) : err;
}

enum err store_token_remove(struct store *store, const struct store_change *by)
{
    struct token_change asked = {.by = by};
    return is_sound(by) ? environment_write(store, drop, &asked) : ERR_NOTFOUND;
}

/* ---- reading ---- */

struct listing {
    struct arena *arena;
    struct store_token *items;
    size_t count;
    const uint8_t *wanted; /* keep the one with this hash; NULL: keep all */
};

/* All are looked at, each in constant time: how long it takes tells nothing of a hash. */
static enum err read_one(struct listing *list, const struct table_walk *walk)
{
    struct codec_token token;
    if (!codec_decode_token(walk->record, &token) || list->count == store_tokens_max) {
        return ERR_SYNTAX;
    }
    if (list->wanted != NULL && CRYPTO_memcmp(list->wanted, token.hash, codec_hash_bytes) != 0) {
        return ERR_NONE;
    }
    struct span name = arena_copy(list->arena, walk->key);
    list->items[list->count++] =
        (struct store_token){.name = name, .scope = token.scope, .created_ns = token.created_ns};
    return name.ptr != NULL ? ERR_NONE : ERR_MEMORY;
}

static enum err read_each(struct store *store, MDB_txn *txn, void *context)
{
    struct table_walk walk;
    bool more = true;
    enum err err = table_walk_begin(&walk, store, txn, TABLE_TOKENS);
    if (err != ERR_NONE) {
        return err;
    }
    err = table_walk_next(&walk, &more);
    while (err == ERR_NONE && more) {
        err = read_one(context, &walk);
        err = err == ERR_NONE ? table_walk_next(&walk, &more) : err;
    }
    table_walk_end(&walk);
    return err;
}

enum err store_tokens(struct store *store, struct arena *arena, struct store_token **items_out,
                      size_t *count_out)
{
    struct listing list = {.arena = arena};
    list.items = arena_array(arena, store_tokens_max, sizeof(*list.items));
    enum err err = list.items == NULL ? ERR_MEMORY : environment_read(store, read_each, &list);
    if (err == ERR_NONE) {
        *items_out = list.items;
        *count_out = list.count;
    }
    return err;
}

enum err store_token_check(struct store *store, struct span text, struct arena *arena,
                           struct store_token *out)
{
    uint8_t hash[codec_hash_bytes];
    struct store_token found[store_tokens_max] = {0};
    struct listing list = {.arena = arena, .items = found, .wanted = hash};
    if (!hash_of(text, hash)) {
        return ERR_MEMORY;
    }
    enum err err = environment_read(store, read_each, &list);
    if (err == ERR_NONE && list.count == 0) {
        err = ERR_NOTFOUND;
    }
    if (err == ERR_NONE) {
        *out = found[0];
    }
    return err;
}
