/* SPDX-License-Identifier: MIT */
/* Each file is read once, however many pools name it, and wiped where it stood. */
#include "control/files/signing.h"

#include "control/files/named.h"
#include "control/publish.h"
#include "tls/material.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct signing_loaded {
    size_t count;
    struct signing_key keys[signing_keys_max];
};

/* Group and others must not change it, and others must not see it. */
static void look_at_mode(struct configuration *c, const char *path, struct place place)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
        (status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        problems_warning(&c->problems, place,
                         "others than its owner can %s %s, and whoever knows the key can make "
                         "tickets; say `chmod 600` of it",
                         status.st_mode & S_IROTH ? "read" : "change", path);
    }
}

static bool is_loaded(const struct configuration *c, uint64_t id)
{
    for (size_t i = 0; i < c->signing->count; i++) {
        if (c->signing->keys[i].id == id) {
            return true;
        }
    }
    return false;
}

static bool load_one(struct configuration *c, const struct model_sign *sign)
{
    uint8_t bytes[signing_file_bytes_max];
    struct buffer text = buffer_over(bytes, sizeof(bytes));
    const char *path = named_path(&c->arena, c->problems.file, sign->key_file);
    struct signing_key *key = &c->signing->keys[c->signing->count];
    bool good = named_read(c, path, sign->key_file_place, &text);
    if (good) {
        look_at_mode(c, path, sign->key_file_place);
        const char *why = signing_key_read(buffer_span(&text), key);
        key->id = signing_key_id(sign->key_file);
        if (why != NULL) {
            problems_error(&c->problems, sign->key_file_place, "cannot use %s: %s", path, why);
            good = false;
        }
    }
    tls_wipe(bytes, sizeof(bytes));
    c->signing->count += good;
    return good;
}

static bool load_pool(struct configuration *c, const struct model_pool *pool)
{
    const struct model_sign *sign = &pool->sign;
    if (sign->key_file.len == 0) {
        return true;
    }
    if (c->signing == NULL && (c->signing = calloc(1, sizeof(*c->signing))) == NULL) {
        problems_error(&c->problems, (struct place){0}, "out of memory");
        return false;
    }
    if (is_loaded(c, signing_key_id(sign->key_file))) {
        return true;
    }
    if (c->signing->count == signing_keys_max) {
        problems_error(&c->problems, sign->key_file_place,
                       "pools name more than %d key files; let some of them share one",
                       (int)signing_keys_max);
        return false;
    }
    return load_one(c, sign);
}

bool signing_load(struct configuration *c)
{
    bool good = true;
    signing_free(c);
    for (size_t i = 0; i < c->model->pool_count; i++) {
        good = load_pool(c, &c->model->pools[i]) && good;
    }
    problems_sort(&c->problems);
    return good;
}

void signing_free(struct configuration *c)
{
    if (c->signing != NULL) {
        tls_wipe(c->signing, sizeof(*c->signing));
        free(c->signing);
        c->signing = NULL;
    }
}

enum err signing_seal(const struct configuration *c, int *fd_out)
{
    if (c->signing == NULL) {
        *fd_out = -1;
        return ERR_NONE;
    }
    size_t len = signing_keys_bytes(c->signing->count);
    void *room = malloc(len);
    if (room == NULL) {
        return ERR_MEMORY;
    }
    const struct signing_keys *made = signing_keys_make(room, c->signing->keys, c->signing->count);
    enum err err =
        publish_sealed("detour-signing", span_of(made, signing_keys_bytes(made->count)), fd_out);
    int why = errno;
    tls_wipe(room, len);
    free(room);
    errno = why;
    return err;
}

enum err signing_map(int fd, const struct signing_keys **keys)
{
    struct stat status;
    const struct signing_keys *made = NULL;
    if (fd >= 0) {
        if (fstat(fd, &status) != 0) {
            return ERR_IO;
        }
        size_t len = (size_t)status.st_size;
        void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            return ERR_IO;
        }
        made = signing_keys_open(span_of(bytes, len));
        if (made == NULL) {
            munmap(bytes, len);
            return ERR_SYNTAX;
        }
    }
    if (*keys != NULL) {
        munmap((void *)(uintptr_t)*keys, signing_keys_bytes((*keys)->count));
    }
    *keys = made;
    return ERR_NONE;
}
