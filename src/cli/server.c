/* SPDX-License-Identifier: MIT */
/* detour server: adds a server to a pool at run time, or takes one out. */
#include "cli/pool_server.h"

#include "cli/show.h"

static const char usage[] =
    "usage: detour server add POOL NAME URL [--weight N] [--priority N] [OPTION]...\n"
    "       detour server remove POOL/SERVER [OPTION]...\n"
    "\n"
    "Adds a server to a pool at run time, or takes one out. Where `allowed_targets` is given, its\n"
    "URL must be one of those. `detour drain` lets the clients of a server leave first.\n"
    "\n"
    "      --weight N       its part of the clients; 1 without it\n"
    "      --priority N     1 first, the others when nobody of a lower number is "
    "left\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct server_options {
    struct admin_options admin;
    const char *words[4];
    const char *weight;
    const char *priority;
    json_t *content;
};

static int ask(struct admin_client *client, const struct server_options *asked,
               struct admin_question *question)
{
    struct admin_reply reply;
    question->dry_run = asked->admin.dry_run;
    question->owner = asked->admin.owner;
    question->why = asked->admin.reason;
    int status = admin_ask(client, question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        if (json_is_object(reply.json)) {
            server_print_line(admin_client_arena(client), reply.json, asked->admin.dry_run);
        } else {
            printf("%s %s removed\n", show_clean(admin_client_arena(client), asked->words[1]),
                   asked->admin.dry_run ? "would be" : "is");
        }
        server_print_change(client, &reply, asked->admin.dry_run);
    }
    admin_reply_fini(&reply);
    return status;
}

static int add_server(struct admin_client *client, const char *command, const void *options)
{
    const struct server_options *asked = options;
    struct admin_question question = {.method = "PUT",
                                      .path = "/v1/pools",
                                      .segments = {asked->words[1], "servers", asked->words[2]},
                                      .content = asked->content,
                                      .if_new = true};
    return ask(client, asked, &question);
}

static int remove_server(struct admin_client *client, const char *command, const void *options)
{
    const struct server_options *asked = options;
    const char *pool;
    const char *server;
    int status = server_split(admin_client_arena(client), command, asked->words[1], &pool, &server);
    struct admin_question question = {
        .method = "DELETE", .path = "/v1/pools", .segments = {pool, "servers", server}};
    return status == exit_ok ? ask(client, asked, &question) : status;
}

/* NULL or a number goes into the content. False: it is none. */
static bool put_number(json_t *content, const char *key, const char *text)
{
    uint64_t number;
    if (text == NULL) {
        return true;
    }
    return span_decimal(span_cstr(text), UINT32_MAX, &number) &&
           json_object_set_new(content, key, json_integer((json_int_t)number)) == 0;
}

static int add(const char *command, struct server_options *asked)
{
    if (asked->words[3] == NULL) {
        return complain(command, "which one? write server add POOL NAME URL");
    }
    asked->content = show_need(json_pack("{s:o}", "url", json_text(span_cstr(asked->words[3]))));
    int status;
    if (!put_number(asked->content, "weight", asked->weight)) {
        status = complain(command, "--weight must be a number");
    } else if (!put_number(asked->content, "priority", asked->priority)) {
        status = complain(command, "--priority must be a number");
    } else {
        status = admin_command(command, &asked->admin, add_server, asked);
    }
    json_decref(asked->content);
    return status;
}

int cli_server(int argc, char **argv)
{
    struct server_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked.admin),
                                             {"weight", .text = &asked.weight},
                                             {"priority", .text = &asked.priority}};
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = asked.words,
                                      .words_max = 4};
    int status;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    const char *action = asked.words[0] != NULL ? asked.words[0] : "";
    if (strcmp(action, "add") == 0) {
        return add(argv[0], &asked);
    }
    if (strcmp(action, "remove") != 0) {
        return complain(argv[0], "add or remove? try detour server --help");
    }
    if (asked.words[1] == NULL || asked.words[2] != NULL || asked.weight != NULL ||
        asked.priority != NULL) {
        return complain(argv[0], "which one? write server remove POOL/SERVER");
    }
    return admin_command(argv[0], &asked.admin, remove_server, &asked);
}
