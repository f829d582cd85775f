/* SPDX-License-Identifier: MIT */
/* What the commands about detours share: the options that all of them have, a detour's way
 * into a line of output, and its site by its name. */
#pragma once

#include "cli/admin_client.h"

/* Options of every command that asks the admin API, and of those that change something. */
struct admin_options {
    struct admin_where where;
    bool json;
    bool dry_run;
    const char *site;
    const char *owner;
    const char *reason;
};

/* For the table of a command. */
#define ADMIN_OPTIONS_ASK(o)                                                                     \
    {"config", 'c', .text = &(o)->where.config}, {"token-file", .text = &(o)->where.token_file}, \
    {                                                                                            \
        "json", .flag = &(o)->json                                                               \
    }
#define ADMIN_OPTIONS_CHANGE(o)                                                               \
    ADMIN_OPTIONS_ASK(o), {"dry-run", .flag = &(o)->dry_run}, {"owner", .text = &(o)->owner}, \
    {                                                                                         \
        "reason", .text = &(o)->reason                                                        \
    }

/* … and for its usage. */
#define ADMIN_USAGE_ASK                                                                 \
    "  -c, --config FILE    its `admin.listen` says where to ask; without it that of\n" \
    "                       ./detour.yaml, else DETOUR_ADMIN, else\n"                   \
    "                       unix:/run/detour/admin.sock\n"                              \
    "      --token-file FILE\n"                                                         \
    "                       the token, where it listens on TCP; DETOUR_TOKEN without it\n"
#define ADMIN_USAGE_CHANGE                                   \
    "      --reason TEXT    why, for the history\n"          \
    "      --owner WHO      who wants it, for the history\n" \
    "      --dry-run        says what would change, and changes nothing\n"
#define ADMIN_USAGE_END                                             \
    "      --json           the answer of the admin API as it is\n" \
    "  -h, --help           this text\n"                            \
    "\n"                                                            \
    "Exit codes: 0 done, 1 the server refused it, 2 could not run.\n"

/* What a command does when it has somebody to ask; options is what admin_command was given. */
typedef int (*admin_command_fn)(struct admin_client *client, const char *command,
                                const void *options);
/* Opens, runs and closes. Gives what run gave, or why there is nobody to ask. */
int admin_command(const char *command, const struct admin_options *asked, admin_command_fn run,
                  const void *options);

/* A detour by its name, or "site/name". *site_out and *name_out live in the client's arena.
 * site: what --site says, NULL: whatever the site is. exit_errors: there is none. */
int admin_detour_find(struct admin_client *client, const char *command, const char *name,
                      const char *site, const char **site_out, const char **name_out);

/* "shop/checkout". */
const char *detour_key(struct arena *arena, const json_t *view);
/* What it takes: "/checkout/…", a pattern, "everything". */
const char *detour_what(struct arena *arena, const json_t *stanza);
/* Where it leads: a target, "pool mirrors", "page upgrade". */
const char *detour_where(struct arena *arena, const json_t *stanza);
/* When it changes next: "until 2026-11-23 14:30:00 CET (in 12 minutes)", "from …", or "since
 * …" when it should have ended. */
const char *detour_when(struct arena *arena, const json_t *view, int64_t now_ns);
/* "active", …; "OVERDUE" for one that holds on past its end. */
const char *detour_state(struct arena *arena, const json_t *view);
/* One line: "shop/checkout is active: /checkout/… -> https://…, until …". would: of a dry
 * run. */
void detour_print_line(struct arena *arena, const json_t *view, bool would, int64_t now_ns);
