/* SPDX-License-Identifier: MIT */
/* The order of the layers: no new privileges, then those that there are, then files, then
 * the system calls that did all this. */
#include "sandbox/sandbox.h"

#include "base/log.h"
#include "sandbox/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static void warn(const char *layer)
{
    log_warning("this kernel has no %s for us (%s): going on without it", layer, strerror(errno));
}

enum err sandbox_enter(const struct sandbox_policy *policy, enum sandbox_role role,
                       const struct sandbox_path *paths, size_t path_count)
{
    if (policy->mode == SANDBOX_OFF) {
        return privileges_drop_user(policy, role);
    }
    tzset(); /* the C library reads a file before its first line with a time, even in UTC */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return ERR_IO;
    }
    enum err err = privileges_drop(policy, role);
    if (err != ERR_NONE) {
        return err;
    }
    if (landlock_enter(paths, path_count, role == SANDBOX_CONTROL, policy) != ERR_NONE) {
        warn("Landlock");
    }
    if (filter_enter(policy, role) != ERR_NONE) {
        warn("seccomp");
    }
    return ERR_NONE;
}
