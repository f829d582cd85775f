/* SPDX-License-Identifier: MIT */
/* Reads what may be anything: a pipe, a device, a file that grows. */
#include "control/files/named.h"

#include "control/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const char *named_path(struct arena *arena, const char *config_path, struct span path)
{
    const char *slash = strrchr(config_path, '/');
    int folder_len = path.ptr[0] == '/' || slash == NULL ? 0 : (int)(slash - config_path) + 1;
    return arena_printf(arena, "%.*s%.*s", folder_len, config_path, SPAN_ARG(path));
}

static enum err read_whole(int fd, struct buffer *out)
{
    while (out->len < out->cap) {
        ssize_t n = read(fd, out->ptr + out->len, out->cap - out->len);
        if (n < 0 && errno != EINTR) {
            return ERR_IO;
        }
        if (n == 0) {
            return ERR_NONE;
        }
        out->len += n > 0 ? (size_t)n : 0;
    }
    return ERR_LIMIT;
}

/* O_NONBLOCK: a pipe that stands in its place holds nobody up. */
static enum err read_path(const char *path, struct buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return ERR_IO;
    }
    enum err err = read_whole(fd, out);
    int why = errno;
    close(fd);
    errno = why;
    return err;
}

bool named_read(struct configuration *c, const char *path, struct place place, struct buffer *out)
{
    enum err err = path != NULL ? read_path(path, out) : ERR_MEMORY;
    if (err == ERR_LIMIT) {
        problems_error(&c->problems, place, "cannot read %s: it is larger than %zu KiB", path,
                       out->cap / 1024);
    } else if (err != ERR_NONE) {
        problems_error(&c->problems, place, "cannot read %s: %s", path != NULL ? path : "a file",
                       err == ERR_IO ? control_why(c, errno) : err_text(err));
    }
    return err == ERR_NONE;
}
