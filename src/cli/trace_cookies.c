/* SPDX-License-Identifier: MIT */
/* Files of cookies: whether they can be used is told before anything is sent. */
#include "cli/command.h"
#include "cli/show.h"
#include "cli/trace.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const char command[] = "trace";

/* libcurl writes cookies into a file beside, which takes the other's place, and says nothing when
 * it cannot. */
static bool jar_is_writable(struct arena *arena, const char *path)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (strcmp(path, "-") == 0 || (exists && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        return true;
    }
    if (exists && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return false;
    }
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash != NULL ? show_printf(arena, "%.*s", (int)(slash + 1 - path), path) : ".";
    return (!exists || access(path, W_OK) == 0) && access(folder, W_OK | X_OK) == 0;
}

int trace_cookie_files(const char *from, const char *to, struct arena *arena)
{
    if (from != NULL && from[0] != 0 && access(from, R_OK) != 0) {
        return complain(command, "cannot read %s: %s", from, strerror(errno));
    }
    if (to != NULL && !jar_is_writable(arena, to)) {
        return complain(command, "cannot write %s: %s", to, strerror(errno));
    }
    return exit_ok;
}
