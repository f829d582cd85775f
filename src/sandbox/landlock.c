/* SPDX-License-Identifier: MIT */
/* Landlock (landlock(7)): whatever the kernel knows how to take away is taken away, but
 * for the paths that are named. The C library has no functions for it. */
#include "base/log.h"
#include "sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of later versions than the headers of Debian 12 know; the numbers are the kernel's. */
enum {
    abi_refer = 2,
    abi_truncate = 3,
    abi_net = 4,
    abi_ioctl = 5,
    abi_scope = 6,
};
enum {
    fs_refer = 1 << 13,
    fs_truncate = 1 << 14,
    fs_ioctl_dev = 1 << 15,
    net_bind_tcp = 1 << 0,
    net_connect_tcp = 1 << 1,
    rule_net_port = 2,
    scope_abstract_unix = 1 << 0,
    scope_signal = 1 << 1,
};
struct port_rule {
    uint64_t allowed;
    uint64_t port;
};
struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

enum {
    file_read = LANDLOCK_ACCESS_FS_READ_FILE,
    folder_read = LANDLOCK_ACCESS_FS_READ_DIR,
    file_write = LANDLOCK_ACCESS_FS_WRITE_FILE | fs_truncate,
    folder_write = LANDLOCK_ACCESS_FS_MAKE_REG,
};

/* The first version's thirteen rights, and those that came later. */
static struct ruleset all_of(int abi, bool any_port)
{
    struct ruleset all = {.fs = fs_refer - 1};
    all.fs |= abi >= abi_refer ? fs_refer : 0;
    all.fs |= abi >= abi_truncate ? fs_truncate : 0;
    all.fs |= abi >= abi_ioctl ? fs_ioctl_dev : 0;
    if (abi >= abi_net) {
        all.net = net_bind_tcp | (any_port ? 0 : net_connect_tcp);
    }
    if (abi >= abi_scope) {
        all.scoped = scope_abstract_unix | scope_signal;
    }
    return all;
}

/* An older kernel takes a shorter struct. */
static size_t ruleset_bytes(int abi)
{
    if (abi >= abi_scope) {
        return sizeof(struct ruleset);
    }
    return abi >= abi_net ? offsetof(struct ruleset, scoped) : offsetof(struct ruleset, net);
}

static enum err allow(int ruleset, const struct sandbox_path *path, uint64_t handled)
{
    int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return ERR_NONE;
    }
    struct stat status;
    bool folder = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    uint64_t rights = path->write ? file_write : file_read;
    if (folder) {
        rights |= path->write ? folder_write : folder_read;
    }
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & handled, .parent_fd = fd};
    long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int why = errno;
    close(fd);
    errno = why;
    bool pipe = result != 0 && why == EBADFD; /* no part of a file system: never denied */
    return result == 0 || pipe ? ERR_NONE : ERR_IO;
}

/* A kernel that knows no ports has let the filter's word stand alone, which allows all. */
static enum err allow_ports(int ruleset, int abi, const struct sandbox_policy *policy)
{
    if (policy->port_count > 0 && abi < abi_net) {
        log_warning("this kernel's Landlock knows no ports: a worker may connect to any of them");
        return ERR_NONE;
    }
    for (size_t i = 0; i < policy->port_count; i++) {
        struct port_rule rule = {.allowed = net_connect_tcp, .port = policy->ports[i]};
        if (syscall(SYS_landlock_add_rule, ruleset, rule_net_port, &rule, 0) != 0) {
            return ERR_IO;
        }
    }
    return ERR_NONE;
}

enum err landlock_enter(const struct sandbox_path *paths, size_t path_count, bool any_port,
                        const struct sandbox_policy *policy)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return ERR_IO;
    }
    struct ruleset all = all_of((int)abi, any_port);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, ruleset_bytes((int)abi), 0);
    if (ruleset < 0) {
        return ERR_IO;
    }
    enum err err = ERR_NONE;
    for (size_t i = 0; i < path_count && err == ERR_NONE; i++) {
        err = allow(ruleset, &paths[i], all.fs);
    }
    if (err == ERR_NONE && !any_port) {
        err = allow_ports(ruleset, (int)abi, policy);
    }
    if (err == ERR_NONE && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        err = ERR_IO;
    }
    int why = errno;
    close(ruleset);
    errno = why;
    return err;
}
