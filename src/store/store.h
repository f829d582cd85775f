/* SPDX-License-Identifier: MIT */
/* The store: what was changed at run time, durably, in one LMDB file.
 *
 * It holds these things. Overrides: what a detour is now instead of what the file says. The
 * history: every change with who, when, why and what was before. What was told of detours, and
 * messages that are still on their way. Secrets that the program makes for itself. Tokens of the
 * admin API, hashed.
 *
 * Owner: control, from one thread, for as long as it lives; nobody else opens it. Each call
 * that writes is one transaction, and is on the disk when it returns ERR_NONE: a process
 * or a machine that dies at any moment loses nothing that was answered, and leaves nothing
 * half done. Times are the caller's: nothing here reads a clock.
 *
 * Errors of every call that reads or writes:
 *   ERR_IO       errno says why, store_is_full what to answer. Nothing was changed. (Only
 *                when a disk fails at the very last write of a transaction, EIO, it may be
 *                that the whole of it was.) The store can be used on.
 *   ERR_SYNTAX   a record is damaged
 *   ERR_MEMORY   no memory
 * doc/internals/store.md tells the format, and what the folder looks like. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct store;

enum {
    store_key_bytes_max = 480,           /* "site/name" */
    store_value_bytes_max = 64 << 10,    /* the JSON text of a detour */
    store_name_bytes_max = 256,          /* a user, an owner, a token, a secret */
    store_why_bytes_max = 4096,          /* a reason */
    store_overrides_max = 16384,         /* and … */
    store_override_bytes_max = 32 << 20, /* … of all of them together */
    store_history_max = 10000,           /* older changes are forgotten; and … */
    store_history_bytes_max = 64 << 20,  /* … of all that are kept */
    store_batch_max = store_history_max, /* changes in one transaction */
    store_batch_bytes_max = 16 << 20,    /* … and their texts */
    store_page_max = 1000,               /* changes that one reading returns, and … */
    store_page_bytes_max = 8 << 20,      /* … after so many bytes of them no further one */
    store_mark_bytes_max = 64,
    store_url_bytes_max = 2048,
    store_content_bytes_max = 128 << 10, /* of a message */
    store_tokens_max = 128,
    store_secrets_max = 64,
    store_secret_bytes = 32,
    store_token_text_bytes = 40, /* with its NUL */
    store_reason_bytes = 1024,
};

/* ---- open and close ---- */

/* Opens the store in the folder, and makes both (0700, 0600) when they are missing; the
 * folder's own folder must be there. The whole of it is read through first, by a child
 * process, so that a damaged file harms nobody: a few milliseconds a megabyte. Waits for up to a
 * second for a predecessor that is just ending.
 *   ERR_AGAIN    another process has it open
 *   ERR_SYNTAX   the file is damaged, or is none of ours
 *   ERR_RANGE    a newer version of this program wrote it
 *   ERR_IO       errno; the folder is missing, read-only, full, …
 *   ERR_MEMORY
 * On failure reason is one line for the operator, with the way out and the path of the file
 * in question; nothing that was there is changed or deleted.
 * To be called before the process is confined, and before it has threads. */
enum err store_open(const char *folder, struct store **out, char reason[store_reason_bytes]);
/* NULL is allowed; the pointer becomes NULL. */
void store_close(struct store **store);

/* After ERR_IO: the disk or a quota is full, which operators can mend (507). */
bool store_is_full(int error);

/* ---- overrides and changes ---- */

/* What is told of a detour at run time. */
enum store_kind {
    STORE_NONE, /* nothing: the file's stanza counts, if it has one */
    STORE_SET,  /* it is as the JSON text says */
    STORE_OFF,  /* it is switched off; the text may say what it was */
};

struct store_value {
    enum store_kind kind;
    struct span json; /* not looked into here; STORE_SET needs one */
    uint64_t stanza;  /* hash of the file's stanza that it stands above; 0: the file had none */
};

struct store_override {
    struct span key; /* "site/name" of a detour, "/pool/name" of a server */
    struct store_value value;
    uint64_t number; /* of the change that made it so: what an ETag can be made of */
    int64_t created_ns;
    int64_t changed_ns;
};

/* How the one who changed something came in. */
enum store_via {
    STORE_VIA_CONTROL, /* nobody: the program itself */
    STORE_VIA_SOCKET,  /* the unix socket: uid and, where it has one, name are the kernel's */
    STORE_VIA_TOKEN,   /* a token: name is the token's */
};

struct store_who {
    enum store_via via;
    uint32_t uid; /* STORE_VIA_SOCKET */
    struct span name;
};

/* What led to it. */
enum store_cause {
    STORE_BY_COMMAND,
    STORE_BY_REVERT,   /* of the change that `reverts` names */
    STORE_BY_FILE,     /* a reload: the file's stanza has changed, see store_merge */
    STORE_BY_SCHEDULE, /* it was over */
};

/* What a key names. */
enum store_subject {
    STORE_DETOUR,
    STORE_TOKEN, /* json is "read" or "write" with its quotes */
};

/* A change, as it is asked for and as it is kept. */
struct store_change {
    /* The caller says these. */
    int64_t time_ns; /* wall clock */
    struct store_who who;
    enum store_cause cause;
    uint64_t reverts;         /* STORE_BY_REVERT: the number; otherwise 0 */
    struct span owner;        /* claimed; may be empty */
    struct span why;          /* may be empty */
    struct span key;          /* not empty */
    struct store_value after; /* STORE_NONE takes the override away */

    /* The store says these. */
    uint64_t number; /* counts from 1, without gaps, and is never used again */
    enum store_subject subject;
    struct store_value before; /* what a revert puts back */
};

/* Applies them in order, all or none, in one durable transaction. Each has a record in the
 * history, also one that changes nothing. *first_out is the number of the first; the others
 * follow. ERR_RANGE: an empty key, or a text, of them all or of one, beyond its maximum;
 * ERR_LIMIT: too many overrides, or too large ones in sum, or too many changes at once. */
enum err store_apply(struct store *store, const struct store_change *changes, size_t count,
                     uint64_t *first_out);

/* All of them by their keys' bytes. Texts are copied into the arena. */
enum err store_overrides(struct store *store, struct arena *arena,
                         struct store_override **items_out, size_t *count_out);

/* Changes with numbers below `below` (0: from the newest), newest first, at most `limit` and
 * never more than store_page_max, fewer where they are large, but at least one where there is
 * one. The next page is below the last one's number. */
enum err store_history(struct store *store, uint64_t below, size_t limit, struct arena *arena,
                       struct store_change **items_out, size_t *count_out);
/* ERR_NOTFOUND: there is none yet, or it is forgotten. */
enum err store_change_find(struct store *store, uint64_t number, struct arena *arena,
                           struct store_change *out);

/* ---- the file and the store ---- */

enum store_verdict {
    STORE_STANDS,
    STORE_DROPPED, /* the file wins: apply STORE_NONE, STORE_BY_FILE */
};

/* Who wins at a reload. stanza_now: the hash of the file's stanza of that name, 0: it has
 * none. An override stands until that stanza changes, appears or goes; what is off
 * without a stanza holds nothing off, and is dropped. Pure. */
enum store_verdict store_merge(const struct store_value *value, uint64_t stanza_now);

/* ---- what was told ---- */

/* What was told last of something, so that nothing is told twice. Bytes, not looked into here. */
struct store_mark {
    struct span key;
    struct span value; /* empty: it is taken away */
};

/* A message on its way to somebody. */
struct store_message {
    uint64_t number; /* the store says it; that of a message which is gone may be used again */
    int64_t created_ns;
    struct span url; /* whom it is for */
    struct span id;
    struct span content;
};

/* Puts marks and adds messages, which get their numbers, all or none, in one durable
 * transaction. How many there may be is the caller's to bound. ERR_RANGE: an empty key, or
 * something beyond its maximum. */
enum err store_tell(struct store *store, const struct store_mark *marks, size_t mark_count,
                    struct store_message *messages, size_t message_count);
/* They have arrived, or never will. Numbers of nothing are left alone. */
enum err store_messages_forget(struct store *store, const uint64_t *numbers, size_t count);

/* All of them by their keys' bytes; copied into the arena. */
enum err store_marks(struct store *store, struct arena *arena, struct store_mark **items_out,
                     size_t *count_out);
/* All of them, the oldest first. */
enum err store_messages(struct store *store, struct arena *arena, struct store_message **items_out,
                        size_t *count_out);

/* ---- secrets ---- */

/* Random bytes by that name, made when first asked for, the same ever after.
 * ERR_RANGE: the name is empty or too long; ERR_LIMIT: too many secrets. */
enum err store_secret(struct store *store, struct span name, uint8_t out[store_secret_bytes]);

/* ---- tokens ---- */

enum store_scope { STORE_SCOPE_READ, STORE_SCOPE_WRITE };

struct store_token {
    struct span name;
    enum store_scope scope;
    int64_t created_ns;
};

/* Makes a token and hands out its text, "detour_…" with 192 random bits, which is kept
 * nowhere: the store has its SHA-256. `by` says time, who, cause, owner and why; its key is
 * the token's name, and `after` is not looked at. The history has it.
 * ERR_AGAIN: the name is taken; ERR_RANGE as of store_apply; ERR_LIMIT: too many. */
enum err store_token_add(struct store *store, const struct store_change *by, enum store_scope scope,
                         char text_out[store_token_text_bytes]);
/* ERR_NOTFOUND */
enum err store_token_remove(struct store *store, const struct store_change *by);
/* All of them by name. */
enum err store_tokens(struct store *store, struct arena *arena, struct store_token **items_out,
                      size_t *count_out);
/* Whose text this is. Each token's hash is compared, in constant time, whichever it is.
 * ERR_NOTFOUND */
enum err store_token_check(struct store *store, struct span text, struct arena *arena,
                           struct store_token *out);
