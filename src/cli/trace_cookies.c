/* SPDX-License-Identifier: MIT */
/* Files of cookies: whether they can be used is told before anything is sent. */
#include "cli/command.h"
#include "cli/trace.h"
#include "cli/write.h"

#include <errno.h>
#include <unistd.h>

static const char command[] = "trace";

/* libcurl says nothing when it cannot. */
int trace_cookie_files(const char *from, const char *to)
{
    if (from != NULL && from[0] != 0 && access(from, R_OK) != 0) {
        return complain(command, "cannot read %s: %s", from, strerror(errno));
    }
    if (to != NULL && strcmp(to, "-") != 0 && !can_write_file(to)) {
        return complain(command, "cannot write %s: %s", to, strerror(errno));
    }
    return exit_ok;
}
