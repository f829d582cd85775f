/* SPDX-License-Identifier: MIT */
/* detour token: who may ask the admin API over TCP. */
#include "cli/admin_detour.h"

#include "base/clock.h"
#include "cli/show.h"

static const char usage[] =
    "usage: detour token add NAME --scope read|write [OPTION]...\n"
    "       detour token remove NAME [OPTION]...\n"
    "       detour token list [OPTION]...\n"
    "\n"
    "Tokens of the admin API where it listens on TCP. The first one is made over the unix\n"
    "socket, on the server itself.\n"
    "\n"
    "add      makes a token and prints it, once: the server keeps only its hash\n"
    "remove   makes it worthless at once\n"
    "list     their names, scopes and ages\n"
    "\n"
    "      --scope SCOPE    read: look only; write: change detours, too\n" ADMIN_USAGE_CHANGE
        ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct token_options {
    struct admin_options admin;
    const char *words[2]; /* the action and the name */
    const char *scope;
};

static int token_add(struct admin_client *client, const struct token_options *asked,
                     struct admin_question *question)
{
    struct admin_reply reply;
    question->method = "PUT";
    question->content = show_need(json_pack("{s:s}", "scope", asked->scope));
    int status = admin_ask(client, question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        struct arena *arena = admin_client_arena(client);
        const char *token = show_member(arena, reply.json, "token");
        if (asked->admin.dry_run) {
            puts("the token would be made; nothing was changed");
        } else { /* the token alone, so that it can be piped into a file */
            printf("%s\n", show_clean(arena, token));
            fprintf(stderr,
                    "detour token: %s may %s; this is the only time that the token is shown\n",
                    asked->words[1], asked->scope);
        }
    }
    json_decref(question->content);
    admin_reply_fini(&reply);
    return status;
}

static int token_remove(struct admin_client *client, const struct token_options *asked,
                        struct admin_question *question)
{
    struct admin_reply reply;
    question->method = "DELETE";
    int status = admin_ask(client, question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        printf("the token %s %s\n", asked->words[1],
               asked->admin.dry_run ? "would be removed; nothing was changed" : "is removed");
    }
    admin_reply_fini(&reply);
    return status;
}

static int token_list(struct admin_client *client)
{
    struct arena *arena = admin_client_arena(client);
    struct table table = {.arena = arena, .columns = 3, .headings = {"TOKEN", "SCOPE", "CREATED"}};
    struct admin_reply reply;
    size_t i;
    json_t *token;
    int status = admin_ask(client, &(struct admin_question){.path = "/v1/tokens"}, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        int64_t now_ns = clock_wall_ns();
        json_array_foreach(json_object_get(reply.json, "tokens"), i, token)
        {
            struct table_row *row = table_add(&table);
            row->cells[0] = show_member(arena, token, "name");
            row->cells[1] = show_member(arena, token, "scope");
            row->cells[2] = show_when(arena, show_member(arena, token, "created"), now_ns);
        }
        table_print(&table, stdout);
        if (table.first == NULL) {
            puts("there are no tokens; `detour token add NAME --scope read|write` makes one");
        }
    }
    admin_reply_fini(&reply);
    return status;
}

static bool is_action(const struct token_options *asked, const char *name)
{
    return asked->words[0] != NULL && strcmp(asked->words[0], name) == 0;
}

static int check(const struct token_options *asked)
{
    bool add = is_action(asked, "add");
    bool scoped = asked->scope != NULL &&
                  (strcmp(asked->scope, "read") == 0 || strcmp(asked->scope, "write") == 0);
    if (!add && !is_action(asked, "remove") && !is_action(asked, "list")) {
        return complain("token", "add, remove or list? try detour token --help");
    }
    if (is_action(asked, "list") != (asked->words[1] == NULL)) {
        return complain("token", "%s",
                        asked->words[1] == NULL ? "which token? a name" : "list takes no name");
    }
    if (add && !scoped) {
        return complain("token", "what may it do? say --scope read or --scope write");
    }
    if (!add && asked->scope != NULL) {
        return complain("token", "--scope belongs to add");
    }
    return exit_ok;
}

static int run(struct admin_client *client, const char *command, const void *options)
{
    (void)command;
    const struct token_options *asked = options;
    struct admin_question question = {.path = "/v1/tokens",
                                      .segments = {asked->words[1]},
                                      .dry_run = asked->admin.dry_run,
                                      .owner = asked->admin.owner,
                                      .why = asked->admin.reason};
    if (is_action(asked, "list")) {
        return token_list(client);
    }
    return is_action(asked, "add") ? token_add(client, asked, &question)
                                   : token_remove(client, asked, &question);
}

int cli_token(int argc, char **argv)
{
    struct token_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked.admin),
                                             {"scope", .text = &asked.scope}};
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = asked.words,
                                      .words_max = 2};
    int status;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    status = check(&asked);
    if (status != exit_ok) {
        return status;
    }
    return admin_command(argv[0], &asked.admin, run, &asked);
}
