/* SPDX-License-Identifier: MIT */
/* detour drain, detour ready and detour weight: what share of its clients a server of a pool
 * gets. */
#include "cli/pool_server.h"

#include "base/clock.h"
#include "cli/show.h"
#include "config/time.h"

#include <time.h>

static const char drain_usage[] =
    "usage: detour drain POOL/SERVER [--wait [--timeout TIME]] [OPTION]...\n"
    "\n"
    "Sends no new clients to a server. Those that a hash or a cookie leads there leave it over\n"
    "the `drain` of its pool.\n"
    "\n"
    "      --now            nobody is sent there from now on, whoever it is\n"
    "      --wait           waits until no client is led there any more\n"
    "      --timeout TIME   … for so long at most, like 10m\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK
        ADMIN_USAGE_END;

static const char ready_usage[] = "usage: detour ready POOL/SERVER [OPTION]...\n"
                                  "\n"
                                  "Sends clients to a server again that was drained.\n"
                                  "\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK ADMIN_USAGE_END;

static const char weight_usage[] =
    "usage: detour weight POOL/SERVER WEIGHT [OPTION]...\n"
    "\n"
    "Gives a server more or fewer of the clients: a part of the weight that the file says, like\n"
    "20%, or another weight, like 3.\n"
    "\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct drain_options {
    struct admin_options admin;
    const char *words[2]; /* the server, and the weight */
    const char *timeout;
    int64_t timeout_ns; /* 0: as long as it takes */
    bool now;
    bool wait;
    json_t *patch;
};

/* ---- asking ---- */

static int print_outcome(struct admin_client *client, const struct drain_options *asked,
                         const struct admin_reply *reply)
{
    if (!admin_print_json(client, reply)) {
        server_print_line(admin_client_arena(client), reply->json, asked->admin.dry_run);
        server_print_change(client, reply, asked->admin.dry_run);
    }
    return exit_ok;
}

static void pause_a_moment(void)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    nanosleep(&pause, NULL);
}

/* Until nobody is led there, or somebody has it back. */
static int wait_for(struct admin_client *client, const char *command,
                    const struct drain_options *asked, const char *pool, const char *server)
{
    struct arena *arena = admin_client_arena(client);
    const struct admin_question question = {.path = "/v1/pools",
                                            .segments = {pool, "servers", server}};
    int64_t begun_ns = clock_monotonic_ns();
    for (;;) {
        struct admin_reply reply;
        int status = admin_ask(client, &question, &reply);
        const json_t *wanted = json_object_get(reply.json, "operator");
        bool over = show_is(wanted, "drained");
        bool gone = strcmp(show_member(arena, wanted, "wants"), "ready") == 0;
        if (status == exit_ok && over) {
            status = print_outcome(client, asked, &reply);
        } else if (status == exit_ok && gone) {
            complain(command, "%s is not drained any more: somebody has made it ready",
                     show_clean(arena, asked->words[0]));
            status = exit_errors;
        }
        admin_reply_fini(&reply);
        if (status != exit_ok || over) {
            return status;
        }
        if (asked->timeout_ns > 0 && clock_monotonic_ns() - begun_ns >= asked->timeout_ns) {
            complain(command, "clients are still led to %s after %s; it goes on being drained",
                     show_clean(arena, asked->words[0]), show_clean(arena, asked->timeout));
            return exit_errors;
        }
        pause_a_moment();
    }
}

static int change_server(struct admin_client *client, const char *command, const void *options)
{
    const struct drain_options *asked = options;
    const char *pool;
    const char *server;
    int status = server_split(admin_client_arena(client), command, asked->words[0], &pool, &server);
    if (status != exit_ok) {
        return status;
    }
    struct admin_reply reply;
    const struct admin_question question = {.method = "PATCH",
                                            .path = "/v1/pools",
                                            .segments = {pool, "servers", server},
                                            .dry_run = asked->admin.dry_run,
                                            .owner = asked->admin.owner,
                                            .why = asked->admin.reason,
                                            .content = asked->patch};
    status = admin_ask(client, &question, &reply);
    bool wait = status == exit_ok && asked->wait && !asked->admin.dry_run;
    if (status == exit_ok && !wait) {
        status = print_outcome(client, asked, &reply);
    }
    admin_reply_fini(&reply);
    return wait ? wait_for(client, command, asked, pool, server) : status;
}

/* Takes over the patch. */
static int run(const char *command, struct drain_options *asked, json_t *patch)
{
    asked->patch = show_need(patch);
    int status = admin_command(command, &asked->admin, change_server, asked);
    json_decref(patch);
    return status;
}

/* ---- the command lines ---- */

/* The first word is a server. False: *status_out is what the command ends with. */
static bool read_words(int argc, char **argv, const struct command_line *line,
                       const struct drain_options *asked, int *status_out)
{
    if (!command_line_read(argc, argv, line, status_out)) {
        return false;
    }
    if (asked->words[0] == NULL) {
        *status_out = complain(argv[0], "which server? write POOL/SERVER, like mirrors/eu1");
        return false;
    }
    return true;
}

int cli_drain(int argc, char **argv)
{
    struct drain_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked.admin),
                                             {"now", .flag = &asked.now},
                                             {"wait", .flag = &asked.wait},
                                             {"timeout", .text = &asked.timeout}};
    const struct command_line line = {.usage = drain_usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = asked.words,
                                      .words_max = 1};
    int status;
    if (!read_words(argc, argv, &line, &asked, &status)) {
        return status;
    }
    if (asked.timeout != NULL && !asked.wait) {
        return complain(argv[0], "--timeout says how long to --wait; add that");
    }
    if (asked.timeout != NULL &&
        (!duration_parse(span_cstr(asked.timeout), &asked.timeout_ns) || asked.timeout_ns == 0)) {
        return complain(argv[0], "--timeout must be a length of time like 30s or 10m");
    }
    return run(argv[0], &asked, json_pack("{s:s}", "state", asked.now ? "maint" : "drain"));
}

/* Of a command that has no options of its own. */
static bool read_plain(int argc, char **argv, const char *usage, size_t words_max,
                       struct drain_options *asked, int *status_out)
{
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked->admin)};
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = asked->words,
                                      .words_max = words_max};
    return read_words(argc, argv, &line, asked, status_out);
}

int cli_ready(int argc, char **argv)
{
    struct drain_options asked = {0};
    int status;
    if (!read_plain(argc, argv, ready_usage, 1, &asked, &status)) {
        return status;
    }
    return run(argv[0], &asked, json_pack("{s:s}", "state", "ready"));
}

/* All of it is what the file says, and needs no word. */
static json_t *weight_patch(const char *text)
{
    uint64_t weight;
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '%') {
        return strcmp(text, "100%") == 0 ? json_pack("{s:n}", "share")
                                         : json_pack("{s:o}", "share", json_text(span_cstr(text)));
    }
    return span_decimal(span_cstr(text), UINT32_MAX, &weight)
               ? json_pack("{s:I, s:n}", "weight", (json_int_t)weight, "share")
               : NULL;
}

int cli_weight(int argc, char **argv)
{
    struct drain_options asked = {0};
    int status;
    if (!read_plain(argc, argv, weight_usage, 2, &asked, &status)) {
        return status;
    }
    json_t *patch = asked.words[1] != NULL ? weight_patch(asked.words[1]) : NULL;
    if (patch == NULL) {
        return complain(argv[0],
                        "which weight? write a part of the file's, like 20%%, or a number");
    }
    return run(argv[0], &asked, patch);
}
