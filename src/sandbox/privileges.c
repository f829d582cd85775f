/* SPDX-License-Identifier: MIT */
/* Who a process is. Workers and the logger become a user that owns nothing; control stays
 * who it is, since it must read what is the operator's, but keeps of root's powers only
 * the one to open files. */
#include "sandbox/internal.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

static bool is_kept(unsigned capability)
{
    return capability == CAP_DAC_OVERRIDE || capability == CAP_DAC_READ_SEARCH;
}

static enum err keep_file_access(void)
{
    for (unsigned i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if (!is_kept(i) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0) {
            return ERR_IO;
        }
    }
    uint32_t kept = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
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

enum err privileges_drop(const struct sandbox_policy *policy, enum sandbox_role role)
{
    if (role != SANDBOX_CONTROL) {
        return policy->uid != 0 ? become(policy) : ERR_NONE;
    }
    return geteuid() == 0 ? keep_file_access() : ERR_NONE;
}
