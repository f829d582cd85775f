/* SPDX-License-Identifier: MIT */
/* What the operator asked for, as text and back. */
#include "base/log.h"
#include "sandbox/internal.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const modes[] = {
    [SANDBOX_OFF] = "off", [SANDBOX_DENY] = "deny", [SANDBOX_KILL] = "kill"};

static bool read_mode(const char *text, enum sandbox_mode *out)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (strcmp(text, modes[i]) == 0) {
            *out = (enum sandbox_mode)i;
            return true;
        }
    }
    return false;
}

static bool read_number(const char *text, char stop, unsigned long *out, const char **end)
{
    char *at;
    if (*text < '0' || *text > '9') {
        return false;
    }
    *out = strtoul(text, &at, 10);
    *end = at;
    return *at == stop && *out < UINT32_MAX;
}

/* A name that the system knows, or a number; a number without an entry is its own group. */
static bool read_user(const char *text, struct sandbox_policy *out)
{
    unsigned long number = 0;
    const char *end;
    bool numeric = read_number(text, 0, &number, &end);
    const struct passwd *entry = numeric ? getpwuid((uid_t)number) : getpwnam(text);
    if (entry == NULL && !numeric) {
        return false;
    }
    out->uid = entry != NULL ? entry->pw_uid : (uid_t)number;
    out->gid = entry != NULL ? entry->pw_gid : (gid_t)number;
    return true;
}

/* Somebody was named. */
static enum err choose_user(const char *user, struct sandbox_policy *policy, const char **reason)
{
    if (!read_user(user, policy)) {
        *reason = "there is no such user";
        return ERR_SYNTAX;
    }
    if (geteuid() != 0) {
        *reason = "only root can become another user";
        bool same = policy->uid == geteuid();
        policy->uid = policy->gid = 0;
        return same ? ERR_NONE : ERR_IO;
    }
    if (policy->uid != 0 && !privileges_can_become(policy->uid, policy->gid)) {
        *reason = "root may not become that user here: it has no CAP_SETUID or CAP_SETGID, or its "
                  "user namespace does not have that user";
        return ERR_IO;
    }
    return ERR_NONE;
}

static enum err choose_nobody(struct sandbox_policy *policy, const char **reason)
{
    if (!read_user("nobody", policy)) {
        *reason = "there is no user nobody to become: name one with --user";
        return ERR_SYNTAX;
    }
    if (!privileges_can_become(policy->uid, policy->gid)) {
        log_warning("root may not become nobody here; workers stay root, without its privileges");
        policy->uid = policy->gid = 0;
    }
    return ERR_NONE;
}

enum err sandbox_policy_read(const char *mode, const char *user, struct sandbox_policy *out,
                             const char **reason)
{
    struct sandbox_policy policy = {.mode = SANDBOX_DENY};
    if (mode != NULL && !read_mode(mode, &policy.mode)) {
        *reason = "the sandbox is off, deny or kill";
        return ERR_SYNTAX;
    }
    enum err err = ERR_NONE;
    if (user != NULL) {
        err = choose_user(user, &policy, reason);
    } else if (geteuid() == 0 && policy.mode != SANDBOX_OFF) {
        err = choose_nobody(&policy, reason);
    }
    if (err == ERR_NONE) {
        *out = policy;
    }
    return err;
}

void sandbox_policy_encode(const struct sandbox_policy *policy, char out[sandbox_text_max])
{
    int len =
        snprintf(out, sandbox_text_max, "%s:%u:%u:", modes[policy->mode], policy->uid, policy->gid);
    for (size_t i = 0; i < policy->port_count; i++) {
        len += snprintf(out + len, sandbox_text_max - (size_t)len, "%s%u", i > 0 ? "," : "",
                        policy->ports[i]);
    }
}

enum err sandbox_ports_decode(const char *text, struct sandbox_policy *policy)
{
    uint16_t ports[sandbox_ports_max] = {0};
    size_t count = 0;
    while (*text != 0) {
        char *end;
        unsigned long port = strtoul(text, &end, 10);
        bool last = *end == 0;
        if (*text < '0' || *text > '9' || port == 0 || port > UINT16_MAX ||
            count == sandbox_ports_max || (!last && (*end != ',' || end[1] == 0))) {
            return ERR_SYNTAX;
        }
        ports[count++] = (uint16_t)port;
        text = last ? end : end + 1;
    }
    memcpy(policy->ports, ports, count * sizeof(ports[0]));
    policy->port_count = count;
    return ERR_NONE;
}

enum err sandbox_policy_decode(const char *text, struct sandbox_policy *out)
{
    char mode[8];
    const char *colon = strchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(mode)) {
        return ERR_SYNTAX;
    }
    memcpy(mode, text, (size_t)(colon - text));
    mode[colon - text] = 0;
    struct sandbox_policy policy = {0};
    unsigned long uid;
    unsigned long gid;
    const char *end;
    if (!read_mode(mode, &policy.mode) || !read_number(colon + 1, ':', &uid, &end) ||
        !read_number(end + 1, ':', &gid, &end) ||
        sandbox_ports_decode(end + 1, &policy) != ERR_NONE) {
        return ERR_SYNTAX;
    }
    policy.uid = (uid_t)uid;
    policy.gid = (gid_t)gid;
    *out = policy;
    return ERR_NONE;
}
