/* SPDX-License-Identifier: MIT */
/* Keys: out of a file, into a block, and found there. */
#include "signing/keys.h"

#include <assert.h>
#include <stdlib.h>

static const uint32_t keys_magic = 0x4b535444; /* "DTSK" */

static_assert(sizeof(struct signing_keys) % sizeof(uint64_t) == 0, "entries follow the head");
static_assert(sizeof(struct signing_key) % sizeof(uint64_t) == 0, "entries have no gaps");

/* The next line, without its end. False: there is no more. */
static bool next_line(struct span *rest, struct span *out)
{
    if (rest->len == 0) {
        return false;
    }
    size_t end = span_find(*rest, 0, '\n');
    *out = span_slice(*rest, 0, end);
    *rest = span_from(*rest, end < rest->len ? end + 1 : end);
    return true;
}

static const char *line_fault(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] <= ' ' || line.ptr[i] > '~') {
            return "a key has only visible ASCII characters, without spaces; make one with "
                   "`openssl rand -base64 48`";
        }
    }
    if (line.len < signing_key_bytes_min) {
        return "a key has at least 32 characters; make one with `openssl rand -base64 48`";
    }
    return line.len > signing_key_bytes_max ? "a key has at most 128 characters" : NULL;
}

const char *signing_key_read(struct span text, struct signing_key *out)
{
    struct span first = {0};
    struct span line;
    size_t count = 0;
    while (next_line(&text, &line)) {
        const char *fault = line_fault(line);
        if (fault != NULL) {
            return fault;
        }
        first = count == 0 ? line : first;
        if (++count > 2) {
            return "there are more than two keys: the first line signs, and the second is for "
                   "servers alone";
        }
    }
    if (count == 0) {
        return "it is empty; make a key with `openssl rand -base64 48`";
    }
    *out = (struct signing_key){.len = (uint32_t)first.len};
    memcpy(out->bytes, first.ptr, first.len);
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    const struct signing_key *one = a;
    const struct signing_key *other = b;
    return one->id < other->id ? -1 : one->id > other->id;
}

struct signing_keys *signing_keys_make(void *room, const struct signing_key *keys, size_t count)
{
    struct signing_keys *made = room;
    assert(count <= signing_keys_max);
    memset(made, 0, sizeof(*made));
    made->magic = keys_magic;
    if (count > 0) {
        memcpy(made->keys, keys, count * sizeof(*keys));
        qsort(made->keys, count, sizeof(*keys), by_id);
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || made->keys[i].id != made->keys[made->count - 1].id) {
            made->keys[made->count++] = made->keys[i];
        }
    }
    return made;
}

static bool are_good(const struct signing_keys *keys)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct signing_key *key = &keys->keys[i];
        if (key->len < signing_key_bytes_min || key->len > signing_key_bytes_max ||
            (i > 0 && key[-1].id >= key->id)) {
            return false;
        }
    }
    return true;
}

const struct signing_keys *signing_keys_open(struct span block)
{
    const struct signing_keys *keys = (const void *)block.ptr;
    if (block.len < sizeof(*keys) || keys->magic != keys_magic || keys->count > signing_keys_max ||
        block.len != signing_keys_bytes(keys->count)) {
        return NULL;
    }
    return are_good(keys) ? keys : NULL;
}

const struct signing_key *signing_keys_find(const struct signing_keys *keys, uint64_t id)
{
    const struct signing_key wanted = {.id = id};
    if (keys == NULL) {
        return NULL;
    }
    return bsearch(&wanted, keys->keys, keys->count, sizeof(wanted), by_id);
}
