/* SPDX-License-Identifier: MIT */
/* The options that `trace` and `audit` share. */
#include "cli/walk_options.h"

#include <string.h>

enum { connect_timeout_max_ms = 300000 }; /* what no limit means to libcurl */

void walk_options_list(struct walk_given *g, struct command_option out[walk_option_count])
{
    const struct command_option options[walk_option_count] = {
        {.name = "mode", .text = &g->mode},
        {.name = "max-redirs", .text = &g->redirects},
        {.name = "no-private", .flag = &g->no_private},
        {.name = "head", .letter = 'I', .flag = &g->head},
        {.name = "header", .letter = 'H', .list = &g->fields},
        {.name = "user", .letter = 'u', .text = &g->user},
        {.name = "cookie", .letter = 'b', .text = &g->cookie},
        {.name = "user-agent", .letter = 'A', .text = &g->agent},
        {.name = "proxy", .letter = 'x', .text = &g->proxy},
        {.name = "insecure", .letter = 'k', .flag = &g->insecure},
        {.name = "cacert", .text = &g->ca_file},
        {.name = "resolve", .list = &g->resolve},
        {.name = "connect-to", .list = &g->connect_to},
        {.name = "http1.1", .flag = &g->http1},
        {.name = "http2", .flag = &g->http2},
        {.name = "http2-prior-knowledge", .flag = &g->http2_prior},
        {.name = "max-time", .letter = 'm', .text = &g->time},
        {.name = "connect-timeout", .text = &g->connect_time},
    };
    memcpy(out, options, sizeof(options));
}

static int read_policy(const char *command, const struct walk_given *given,
                       struct detour_options *policy)
{
    if (given->mode != NULL && strcmp(given->mode, "rfc") == 0) {
        policy->mode = DETOUR_MODE_RFC;
    } else if (given->mode != NULL && strcmp(given->mode, "browser") != 0) {
        return complain(command, "--mode is browser or rfc");
    }
    return option_number(command, "--max-redirs", given->redirects, 0, DETOUR_REDIRECTS_MAX,
                         &policy->redirects_max);
}

static int read_times(const char *command, const struct walk_given *given,
                      struct walker_options *walker)
{
    if (option_seconds(command, "--max-time", given->time, &walker->timeout_ms) != exit_ok ||
        option_seconds(command, "--connect-timeout", given->connect_time,
                       &walker->connect_timeout_ms) != exit_ok) {
        return exit_could_not_run;
    }
    if (walker->connect_timeout_ms == 0) {
        walker->connect_timeout_ms = connect_timeout_max_ms;
    }
    return exit_ok;
}

int walk_options_read(const char *command, const struct walk_given *given,
                      struct detour_options *policy, struct walker_options *walker)
{
    if (given->http1 + given->http2 + given->http2_prior > 1) {
        return complain(command, "choose one protocol");
    }
    if (given->no_private && given->proxy != NULL && given->proxy[0] != 0) {
        return complain(command, "--no-private cannot see where a proxy connects to");
    }
    if (read_policy(command, given, policy) != exit_ok ||
        read_times(command, given, walker) != exit_ok) {
        return exit_could_not_run;
    }
    walker->policy = policy;
    walker->no_private = given->no_private;
    walker->insecure = given->insecure;
    walker->protocol = given->http2_prior ? walk_protocol_2_prior
                       : given->http2     ? walk_protocol_2
                       : given->http1     ? walk_protocol_1_1
                                          : walk_protocol_any;
    walker->proxy = given->no_private ? "" : given->proxy;
    walker->ca_file = given->ca_file;
    walker->resolve = given->resolve.items;
    walker->resolve_count = given->resolve.count;
    walker->connect_to = given->connect_to.items;
    walker->connect_to_count = given->connect_to.count;
    return exit_ok;
}

bool walk_cookie_is_text(const struct walk_given *given)
{
    return given->cookie != NULL && strchr(given->cookie, '=') != NULL;
}

int walk_fields_read(const struct walk_given *given, const char *user, int64_t bytes,
                     struct field_list *out)
{
    const char *agent = given->agent != NULL ? given->agent : "detour/" DETOUR_VERSION;
    field_list_default(out, "User-Agent", agent);
    field_list_default(out, "Accept", "*/*");
    field_list_add(out, "Cookie", walk_cookie_is_text(given) ? given->cookie : NULL);
    if (field_list_given(out) != exit_ok || field_list_framing(out, bytes) != exit_ok) {
        return exit_could_not_run;
    }
    return field_list_user(out, given->user != NULL ? given->user : user);
}
