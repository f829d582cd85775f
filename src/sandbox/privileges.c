/* SPDX-License-Identifier: MIT */
/* Who a process is. Workers and the logger become a user that owns nothing; control stays
 * who it is, since it must read what is the operator's, but keeps of root's powers only
 * the one to open files. Nobody else has any, whoever started Detour. */
#include "sandbox/internal.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static enum err become(const struct sandbox_policy *policy)
{
    if (setgroups(0, NULL) != 0 || setresgid(policy->gid, policy->gid, policy->gid) != 0 ||
        setresuid(policy->uid, policy->uid, policy->uid) != 0) {
        return ERR_IO;
    }
    if (setuid(0) == 0) {
        errno = EPERM; /* it can go back: then nothing was given up */
        return ERR_IO;
    }
    /* The kernel forgets it when the user changes (prctl(2)). Should the supervisor have
     * died in between, the channel says so. */
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? ERR_NONE : ERR_IO;
}

/* What later programs could get back. Without CAP_SETPCAP, as in some containers, it stays
 * as it is: who can have no new privileges has no use of it. */
static enum err limit_bounding_set(uint32_t kept)
{
    for (unsigned i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        bool is_kept = i < 32 && (kept >> i & 1) != 0;
        if (!is_kept && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno != EPERM) {
            return ERR_IO;
        }
    }
    return ERR_NONE;
}

/* Ambient ones, which a service manager may have given, go with those that were permitted. */
static enum err limit_capabilities(uint32_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0) {
        return ERR_IO;
    }
    data[0].effective &= kept;
    data[0].permitted &= kept;
    data[0].inheritable = 0;
    data[1] = (struct __user_cap_data_struct){0};
    return syscall(SYS_capset, &header, data) == 0 ? ERR_NONE : ERR_IO;
}

bool privileges_can_become(uid_t uid, gid_t gid)
{
    const struct sandbox_policy policy = {.uid = uid, .gid = gid};
    pid_t pid = fork();
    if (pid == 0) {
        _exit(become(&policy) == ERR_NONE ? 0 : 1);
    }
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

enum err privileges_drop_user(const struct sandbox_policy *policy, enum sandbox_role role)
{
    return role != SANDBOX_CONTROL && policy->uid != 0 ? become(policy) : ERR_NONE;
}

enum err privileges_drop(const struct sandbox_policy *policy, enum sandbox_role role)
{
    uint32_t kept =
        role == SANDBOX_CONTROL ? 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH : 0;
    enum err err = limit_bounding_set(kept);
    if (err == ERR_NONE) {
        err = privileges_drop_user(policy, role);
    }
    return err == ERR_NONE ? limit_capabilities(kept) : err;
}
