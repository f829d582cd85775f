/* SPDX-License-Identifier: MIT */
/* What a process gives up before it hears the network: its user, new privileges, the file
 * system, outgoing connections, and the system calls that its role does not need. Each
 * layer stands alone, and a kernel without one of them costs a warning, not the start. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sandbox_mode {
    SANDBOX_OFF,  /* keep everything; a user that was named is become all the same */
    SANDBOX_DENY, /* a system call that is not on the list fails with EPERM */
    SANDBOX_KILL, /* … ends the process */
};

enum { sandbox_ports_max = 64 };

/* The supervisor's choice for all its children. */
struct sandbox_policy {
    enum sandbox_mode mode;
    uid_t uid; /* workers and logger become this user; 0: they stay who they are */
    gid_t gid;
    uint16_t ports[sandbox_ports_max]; /* of origins: workers may connect to these over TCP */
    size_t port_count;                 /* 0: they make no connection at all */
};

/* mode: "off", "deny" or "kill"; NULL is "deny". user: a name or a number; NULL is
 * "nobody" for a root that may become it, unless the sandbox is off, and nothing for
 * others. ERR_SYNTAX: there is no such mode or user; ERR_IO: only root can become somebody
 * else, and this one may not. *reason is a static text. */
enum err sandbox_policy_read(const char *mode, const char *user, struct sandbox_policy *out,
                             const char **reason);

/* As one word on a command line, and back. ERR_SYNTAX: none of ours. */
enum { sandbox_text_max = 48 + 6 * sandbox_ports_max };
void sandbox_policy_encode(const struct sandbox_policy *policy, char out[sandbox_text_max]);
enum err sandbox_policy_decode(const char *text, struct sandbox_policy *out);
/* "8080,8443", or nothing: the ports alone, each once, as they come in a message. ERR_SYNTAX: no
 * such list, or too long. */
enum err sandbox_ports_decode(const char *text, struct sandbox_policy *policy);

enum sandbox_role {
    SANDBOX_WORKER,  /* its descriptors, and nothing by name but the ports of origins */
    SANDBOX_LOGGER,  /* as a worker, without sockets */
    SANDBOX_CONTROL, /* named files, and connections to the servers it probes */
};

/* A file or a folder with all that is below it. One that does not exist counts for
 * nothing. */
struct sandbox_path {
    const char *path;
    bool write; /* instead of reading: to write, and in a folder to make files */
};

/* Enters it for good. paths: for control; others have none. ERR_IO: the user could not be
 * changed or privileges not be given up, and the process must end; what else is missing
 * is reported in the log. After it the process must not count on a file, a socket or a
 * user that it has not got yet. */
enum err sandbox_enter(const struct sandbox_policy *policy, enum sandbox_role role,
                       const struct sandbox_path *paths, size_t path_count);
