/* SPDX-License-Identifier: MIT */
/* The layers of the sandbox, one a file. */
#pragma once

#include "sandbox/sandbox.h"

/* privileges.c: the user alone, or with all capabilities. ERR_IO: errno says why. */
enum err privileges_drop_user(const struct sandbox_policy *policy, enum sandbox_role role);
enum err privileges_drop(const struct sandbox_policy *policy, enum sandbox_role role);
/* Tried by a child: root of a user namespace, or without CAP_SETUID, may not. */
bool privileges_can_become(uid_t uid, gid_t gid);

/* landlock.c: files and TCP by Landlock. any_port: it may connect to whatever it likes; else
 * to the policy's ports. ERR_IO: the kernel has none of it, or refuses. */
enum err landlock_enter(const struct sandbox_path *paths, size_t path_count, bool any_port,
                        const struct sandbox_policy *policy);

/* filter.c: system calls by seccomp. ERR_IO: the kernel has none of it, or refuses. */
enum err filter_enter(const struct sandbox_policy *policy, enum sandbox_role role);
