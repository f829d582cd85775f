/* SPDX-License-Identifier: MIT */
/* detour export, diff and reload: between the server and files. */
#include "cli/admin_detour.h"

#include "cli/show.h"
#include "cli/write.h"
#include "config/json.h"
#include "config/yaml.h"

static const char export_usage[] =
    "usage: detour export [-o FILE] [OPTION]...\n"
    "\n"
    "Writes what is in force, from the file and from run time, as one file for version control.\n"
    "\n"
    "  -o, --output FILE    instead of standard output; it is replaced as a whole\n"
    "      --json           as JSON\n" ADMIN_USAGE_ASK "  -h, --help           this text\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused it, 2 could not run.\n";

static const char diff_usage[] =
    "usage: detour diff -c NEW [OPTION]...\n"
    "\n"
    "What would change, resource by resource, if NEW were the file and were read now. Nothing is\n"
    "changed. Exit code 0 says that NEW can be served, whatever is different.\n"
    "\n"
    "  -c, --config NEW     the new file; its `admin.listen` says where to ask; without it that\n"
    "                       of ./detour.yaml, else DETOUR_ADMIN, else\n"
    "                       unix:/run/detour/admin.sock\n"
    "      --token-file FILE\n"
    "                       the token, where it listens on TCP; DETOUR_TOKEN without "
    "it\n" ADMIN_USAGE_END;

static const char reload_usage[] =
    "usage: detour reload [OPTION]...\n"
    "\n"
    "Has the server read its file again, and returns when all workers answer as it says. One\n"
    "with errors changes nothing, and all of them are told.\n"
    "\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct exchange_options {
    struct admin_options admin;
    const char *output;
};

/* None of these takes words. */
static bool read_options(int argc, char **argv, const char *usage,
                         const struct command_option *options, size_t count, int *status_out)
{
    const struct command_line line = {.usage = usage, .options = options, .option_count = count};
    return command_line_read(argc, argv, &line, status_out);
}

/* ---- export ---- */

/* The same configuration: all JSON is YAML. */
static bool to_json(struct arena *arena, struct span *text)
{
    struct problems problems;
    problems_init(&problems, arena, "the answer");
    const struct node *root = yaml_read(*text, arena, &problems);
    json_t *json = root != NULL ? node_to_json(root) : NULL;
    if (json == NULL) {
        return false;
    }
    char *dumped = show_need(json_dumps(json, JSON_INDENT(2)));
    *text = span_cstr(show_printf(arena, "%s\n", dumped));
    free(dumped);
    json_decref(json);
    return true;
}

static int write_export(const char *command, const struct exchange_options *asked,
                        struct arena *arena, const struct admin_reply *reply)
{
    struct span text = span_of(reply->text, reply->len);
    if (asked->admin.json && !to_json(arena, &text)) {
        return complain(command, "the server answered what is no configuration");
    }
    if (asked->output != NULL) {
        return write_whole_file(command, asked->output, text);
    }
    fwrite(text.ptr, 1, text.len, stdout); /* main notices what cannot be written */
    return exit_ok;
}

static int export_all(struct admin_client *client, const char *command, const void *options)
{
    struct admin_reply reply;
    int status = admin_ask(client, &(struct admin_question){.path = "/v1/export"}, &reply);
    if (status == exit_ok) {
        status = write_export(command, options, admin_client_arena(client), &reply);
    }
    admin_reply_fini(&reply);
    return status;
}

int cli_export(int argc, char **argv)
{
    struct exchange_options asked = {0};
    const struct command_option options[] = {{"config", 'c', .text = &asked.admin.where.config},
                                             {"token-file", .text = &asked.admin.where.token_file},
                                             {"output", 'o', .text = &asked.output},
                                             {"json", .flag = &asked.admin.json}};
    int status;
    return read_options(argc, argv, export_usage, options, sizeof(options) / sizeof(*options),
                        &status)
               ? admin_command(argv[0], &asked.admin, export_all, &asked)
               : status;
}

/* ---- diff ---- */

static void print_difference(struct arena *arena, const json_t *answer)
{
    struct table table = {.arena = arena, .columns = 3};
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(answer, "changes"), i, change)
    {
        struct table_row *row = table_add(&table);
        row->cells[0] = show_member(arena, change, "what");
        row->cells[1] = show_member(arena, change, "resource");
        row->cells[2] = show_member(arena, change, "name");
    }
    table_print(&table, stdout);
    if (table.first == NULL) {
        puts("nothing would change");
    }
}

static int diff(struct admin_client *client, const char *command, const void *options)
{
    const struct exchange_options *asked = options;
    const char *path = asked->admin.where.config;
    struct arena *arena = admin_client_arena(client);
    struct span text;
    enum err err = configuration_read_file(path, arena, &text);
    if (err != ERR_NONE) {
        return complain(command, "cannot read %s: %s", path, configuration_read_why(err));
    }
    struct admin_reply reply;
    struct admin_question question = {.method = "POST", .path = "/v1/diff", .yaml = text};
    int status = admin_ask(client, &question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        print_difference(arena, reply.json);
    }
    admin_reply_fini(&reply);
    return status;
}

int cli_diff(int argc, char **argv)
{
    struct exchange_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_ASK(&asked.admin)};
    int status;
    if (!read_options(argc, argv, diff_usage, options, sizeof(options) / sizeof(*options),
                      &status)) {
        return status;
    }
    if (asked.admin.where.config == NULL) {
        return complain(argv[0], "which file? say it with -c NEW");
    }
    return admin_command(argv[0], &asked.admin, diff, &asked);
}

/* ---- reload ---- */

static int reload(struct admin_client *client, const char *command, const void *options)
{
    (void)command;
    const struct exchange_options *asked = options;
    struct admin_reply reply;
    struct admin_question question = {.method = "POST",
                                      .path = "/v1/reload",
                                      .dry_run = asked->admin.dry_run,
                                      .owner = asked->admin.owner,
                                      .why = asked->admin.reason};
    int status = admin_ask(client, &question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        const char *generation = show_member(admin_client_arena(client), reply.json, "generation");
        if (asked->admin.dry_run) {
            puts("the file can be served; nothing was changed");
        } else {
            printf("the file is in force, as generation %s\n", generation);
        }
    }
    admin_reply_fini(&reply);
    return status;
}

int cli_reload(int argc, char **argv)
{
    struct exchange_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked.admin)};
    int status;
    return read_options(argc, argv, reload_usage, options, sizeof(options) / sizeof(*options),
                        &status)
               ? admin_command(argv[0], &asked.admin, reload, &asked)
               : status;
}
