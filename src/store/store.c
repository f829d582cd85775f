/* SPDX-License-Identifier: MIT */
/* Opening the store and closing it, with a word to the operator when it cannot be. */
#include "store/store.h"

#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { patience_ms = 1000, pause_ms = 20 };

bool store_is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* ---- the folder ---- */

static enum err make_folder(const char *folder)
{
    if (mkdir(folder, 0700) != 0) {
        return errno == EEXIST ? ERR_NONE : ERR_IO;
    }
    /* So that the folder itself outlives a machine that loses power. */
    char above[store_path_bytes_max + 4];
    snprintf(above, sizeof(above), "%s/..", folder);
    int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return ERR_NONE;
}

/* The lock ends with its holder, however that one ends. A predecessor that was killed this
 * moment may need another one to be gone. */
static enum err lock(int folder)
{
    const struct timespec pause = {.tv_nsec = pause_ms * 1000000L};
    for (int waited_ms = 0; flock(folder, LOCK_EX | LOCK_NB) != 0; waited_ms += pause_ms) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return ERR_IO;
        }
        if (waited_ms >= patience_ms) {
            return ERR_AGAIN;
        }
        nanosleep(&pause, NULL);
    }
    return ERR_NONE;
}

static enum err enter_folder(struct store *store, const char *folder)
{
    enum err err = make_folder(folder);
    if (err != ERR_NONE) {
        return err;
    }
    store->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0 || faccessat(store->folder, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return ERR_IO;
    }
    return lock(store->folder);
}

/* ---- the file ---- */

static enum err enter_file(struct store *store, char why[store_reason_bytes])
{
    enum err err = ERR_NONE;
    if (access(store->path, F_OK) == 0) {
        err = check_file(store->path, why);
    } else {
        err = errno == ENOENT ? environment_make(store) : ERR_IO;
    }
    if (err == ERR_NONE) {
        err = environment_open(store, 0);
    }
    return err;
}

/* ---- what to tell ---- */

static const char *hint(int error)
{
    switch (error) {
    case ENOENT:
        return "; make the folder that it is to stand in";
    case EROFS:
    case EACCES:
    case EPERM:
        return "; it must be possible to write there, so give it a folder for which that holds";
    case ENOSPC:
    case EDQUOT:
        return "; make room, nothing was lost";
    case ENOTDIR:
    case EEXIST:
        return "; `state` must name a folder";
    default:
        return "";
    }
}

static void tell(const struct store *store, enum err err, int error, const char *folder,
                 const char *why, char reason[store_reason_bytes])
{
    const char *path = store->path;
    switch (err) {
    case ERR_AGAIN:
        snprintf(reason, store_reason_bytes,
                 "the store in %.300s is in use by another process; end that one, or give this one "
                 "another folder under `state`",
                 folder);
        break;
    case ERR_SYNTAX:
        snprintf(reason, store_reason_bytes,
                 "the store is damaged: %.100s; nothing was changed in it: put a copy of %.300s "
                 "back, or move it away, and only what was changed at run time is forgotten",
                 why, path);
        break;
    case ERR_RANGE:
        snprintf(reason, store_reason_bytes,
                 "the store is of a newer detour: %.100s; nothing was changed in it: run the newer "
                 "one, or move %.300s away, and only what was changed at run time is forgotten",
                 why, path);
        break;
    default:
        snprintf(reason, store_reason_bytes, "cannot open the store in %.300s: %s%s", folder,
                 err == ERR_IO ? strerror(error) : err_text(err), err == ERR_IO ? hint(error) : "");
        break;
    }
}

enum err store_open(const char *folder, struct store **out, char reason[store_reason_bytes])
{
    char why[store_reason_bytes] = "its first pages make no sense";
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        snprintf(reason, store_reason_bytes, "cannot open the store: %s", err_text(ERR_MEMORY));
        return ERR_MEMORY;
    }
    store->folder = -1;
    enum err err = ERR_IO;
    int len = snprintf(store->path, sizeof(store->path), "%s/%s", folder, store_file_name);
    errno = ENAMETOOLONG;
    if (len > 0 && (size_t)len < sizeof(store->path)) {
        err = enter_folder(store, folder);
    }
    if (err == ERR_NONE) {
        err = enter_file(store, why);
    }
    if (err != ERR_NONE) {
        int error = errno;
        tell(store, err, error, folder, why, reason);
        store_close(&store);
        errno = error;
        return err;
    }
    *out = store;
    return ERR_NONE;
}

void store_close(struct store **store)
{
    if (*store != NULL) {
        environment_close(*store);
        if ((*store)->folder >= 0) {
            close((*store)->folder);
        }
        free(*store);
        *store = NULL;
    }
}
