/* SPDX-License-Identifier: MIT */
/* The options that `trace` and `audit` share: whose rules, what each request has with it, and how
 * it gets there. Those who have further ones say so beside. */
#pragma once

#include "base/arena.h"
#include "cli/field_list.h"
#include "cli/options.h"
#include "walk/walk.h"

enum { walk_option_count = 18 };

struct walk_given {
    const char *mode;
    const char *redirects;
    bool no_private;
    bool head;
    struct option_list fields;
    const char *user;
    const char *cookie;
    const char *agent;
    const char *proxy;
    bool insecure;
    const char *ca_file;
    struct option_list resolve;
    struct option_list connect_to;
    bool http1;
    bool http2;
    bool http2_prior;
    const char *time;
    const char *connect_time;
};

/* Those of --help that read alike for both. */
#define WALK_USAGE_CONNECTION                                                                   \
    "  -x, --proxy URL            asks this proxy; '' none, not even that of the environment\n" \
    "  -k, --insecure             any certificate will do\n"                                    \
    "  --cacert FILE              authorities to trust, in PEM\n"                               \
    "  --resolve HOST:PORT:ADDR   the address of a name; repeatable\n"                          \
    "  --connect-to H:P:H2:P2     connects to H2:P2 where H:P is meant; repeatable\n"           \
    "  --http1.1, --http2         the protocol; --http2-prior-knowledge without an upgrade\n"

/* Where the values of each go; for command_line.more. */
void walk_options_list(struct walk_given *given, struct command_option out[walk_option_count]);

/* Fills what they say into both; other members, and timeouts that are not given, stay as they are.
 * exit_could_not_run: one is wrong, and the reason has been printed. */
int walk_options_read(const char *command, const struct walk_given *given,
                      struct detour_options *policy, struct walker_options *walker);

/* Whether -b is cookies, and not the name of a file of them. */
bool walk_cookie_is_text(const struct walk_given *given);
/* Adds User-Agent, Accept, cookies, and what -H and -u say; fields that a command adds by itself
 * go before. user: in the place of -u where that is not given; NULL. bytes: as of
 * field_list_framing. */
int walk_fields_read(const struct walk_given *given, const char *user, int64_t bytes,
                     struct field_list *out);
