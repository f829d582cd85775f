/* SPDX-License-Identifier: MIT */
/* Files that are replaced as a whole or not at all. */
#include "cli/write.h"

#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool put_all(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        text = span_from(text, (size_t)n);
    }
    return true;
}

static bool write_through(const char *path, struct span text)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool good = put_all(fd, text);
    int why = errno;
    good = close(fd) == 0 && good;
    errno = good ? 0 : why;
    return good;
}

static mode_t usual_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static bool write_beside(const char *path, mode_t mode, struct span text)
{
    char beside[PATH_MAX];
    int len = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof(beside)) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool good = put_all(fd, text) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int why = errno;
    close(fd);
    if (good && rename(beside, path) == 0) {
        return true;
    }
    why = good ? errno : why;
    unlink(beside);
    errno = why;
    return false;
}

bool can_write_file(const char *path)
{
    char folder[PATH_MAX];
    struct stat st;
    bool exists = stat(path, &st) == 0;
    const char *slash = strrchr(path, '/');
    if (exists && !S_ISREG(st.st_mode)) {
        errno = EISDIR;
        return !S_ISDIR(st.st_mode);
    }
    int len = slash != NULL ? (int)(slash + 1 - path) : 1;
    snprintf(folder, sizeof(folder), "%.*s", len, slash != NULL ? path : ".");
    return (!exists || access(path, W_OK) == 0) && access(folder, W_OK | X_OK) == 0;
}

int write_whole_file(const char *command, const char *path, struct span text)
{
    char target[PATH_MAX]; /* a link stays one */
    struct stat st;
    bool good;
    if (lstat(path, &st) != 0) {
        good = write_beside(path, usual_mode(), text);
    } else if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && realpath(path, target) != NULL) {
        good = write_beside(target, st.st_mode & 07777, text);
    } else { /* also a file without a name, which /dev/stdout may lead to */
        good = write_through(path, text);
    }
    return good ? exit_ok : complain(command, "cannot write %s: %s", path, strerror(errno));
}
