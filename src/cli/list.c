/* SPDX-License-Identifier: MIT */
/* detour list and detour status: what is in force now, and where it comes from. */
#include "cli/pool_server.h"

#include "base/clock.h"
#include "cli/show.h"

static const char list_usage[] =
    "usage: detour list [--all] [--site SITE] [OPTION]...\n"
    "\n"
    "The detours that are active, planned, or overdue: what they take, where to, and until when.\n"
    "\n"
    "      --all            also those that are over or switched off\n"
    "      --site SITE      those of one site\n" ADMIN_USAGE_ASK ADMIN_USAGE_END;

static const char status_usage[] =
    "usage: detour status [OPTION]...\n"
    "\n"
    "How the server is, how many detours there are, and which of them come from run time and not\n"
    "from the file.\n"
    "\n" ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct list_options {
    struct admin_options admin;
    bool all;
};

static int ask_and_print(const char *command, const struct list_options *asked, const char *path,
                         int (*print)(struct admin_client *client, const json_t *answer,
                                      const struct list_options *asked))
{
    struct admin_client *client;
    int status = admin_client_open(command, &asked->admin.where, asked->admin.json, &client);
    if (status == exit_ok) {
        struct admin_reply reply;
        status = admin_ask(client, &(struct admin_question){.path = path}, &reply);
        if (status == exit_ok && !admin_print_json(client, &reply)) {
            status = print(client, reply.json, asked);
        }
        admin_reply_fini(&reply);
    }
    admin_client_close(&client);
    return status;
}

/* Servers that something is wanted of, behind an empty line. */
static int print_servers(struct admin_client *client)
{
    struct admin_reply reply;
    int status =
        admin_ask(client, &(struct admin_question){.path = "/v1/pools", .may_miss = true}, &reply);
    servers_print_wanted(admin_client_arena(client), reply.json);
    admin_reply_fini(&reply);
    return status;
}

/* ---- list ---- */

static bool is_wanted(struct arena *arena, const json_t *view, const struct list_options *asked)
{
    const char *state = show_member(arena, view, "state");
    bool gone = strcmp(state, "off") == 0 || strcmp(state, "over") == 0;
    const char *site = asked->admin.site;
    return (asked->all || !gone) &&
           (site == NULL || strcmp(show_member(arena, view, "site"), site) == 0);
}

/* Nothing where it is everybody. */
static const char *share_of(struct arena *arena, const json_t *view)
{
    double share = json_number_value(json_object_get(view, "share"));
    const char *state = show_member(arena, view, "state");
    bool told = strcmp(state, "active") == 0 || strcmp(state, "held") == 0;
    return told && share < 100 ? show_printf(arena, "%.4g%%", share) : "";
}

static const char *source_of(struct arena *arena, const json_t *view)
{
    const char *source = show_member(arena, view, "source");
    return show_is(view, "overrides_file") ? "live, over the file" : source;
}

static bool is_loud(struct arena *arena, const json_t *view)
{
    return show_is(view, "overdue") || show_member(arena, view, "problem")[0] != 0;
}

static void add_view(struct table *table, const json_t *view, int64_t now_ns)
{
    struct arena *arena = table->arena;
    const json_t *stanza = json_object_get(view, "detour");
    struct table_row *row = table_add(table);
    row->loud = is_loud(arena, view);
    row->cells[0] = detour_state(arena, view);
    row->cells[1] = detour_key(arena, view);
    row->cells[2] = detour_what(arena, stanza);
    row->cells[3] = detour_where(arena, stanza);
    row->cells[4] = share_of(arena, view);
    row->cells[5] = detour_when(arena, view, now_ns);
    row->cells[6] = source_of(arena, view);
    row->cells[7] = show_member(arena, stanza, "owner");
    row->cells[8] = show_member(arena, stanza, "reason");
    row->cells[9] = show_member(arena, view, "problem");
}

static int print_list(struct admin_client *client, const json_t *answer,
                      const struct list_options *asked)
{
    struct arena *arena = admin_client_arena(client);
    struct table table = {.arena = arena,
                          .columns = 10,
                          .headings = {"STATE", "DETOUR", "TAKES", "LEADS TO", "SHARE", "WHEN",
                                       "SOURCE", "OWNER", "REASON", "PROBLEM"}};
    int64_t now_ns = clock_wall_ns();
    size_t i;
    json_t *view;
    json_array_foreach(json_object_get(answer, "detours"), i, view)
    {
        if (is_wanted(arena, view, asked)) {
            add_view(&table, view, now_ns);
        }
    }
    table_print(&table, stdout);
    if (table.first == NULL) {
        puts(asked->all ? "there are no detours"
                        : "no detour is active or planned; --all shows those that are over or off");
    }
    return asked->admin.site == NULL ? print_servers(client) : exit_ok;
}

int cli_list(int argc, char **argv)
{
    struct list_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_ASK(&asked.admin),
                                             {"site", .text = &asked.admin.site},
                                             {"all", .flag = &asked.all}};
    const struct command_line line = {.usage = list_usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options)};
    int status;
    return command_line_read(argc, argv, &line, &status)
               ? ask_and_print(argv[0], &asked, "/v1/detours", print_list)
               : status;
}

/* ---- status ---- */

static void add_line(struct table *table, const char *label, const char *text)
{
    struct table_row *row = table_add(table);
    row->cells[0] = label;
    row->cells[1] = text;
}

static json_int_t count_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *counts(struct arena *arena, const json_t *detours)
{
    static const struct {
        const char *name;
        const char *shown;
        bool always;
    } states[] = {{"active", "active", true},
                  {"planned", "planned", true},
                  {"held", "OVERDUE", false},
                  {"unfit", "UNFIT", false}};
    const char *text = "";
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        json_int_t count = count_of(detours, states[i].name);
        if (states[i].always || count > 0) {
            text = show_printf(arena, "%s%s%lld %s", text, i > 0 ? ", " : "", (long long)count,
                               states[i].shown);
        }
    }
    return text;
}

static void add_webhooks(struct table *table, const json_t *webhooks, int64_t now_ns)
{
    struct arena *arena = table->arena;
    const json_t *one;
    size_t i;
    json_array_foreach(webhooks, i, one)
    {
        const json_t *last = json_object_get(one, "last");
        bool told = json_is_object(last);
        add_line(
            table, "webhook",
            show_printf(arena, "%s: %lld pending%s%s%s%s", show_member(arena, one, "url"),
                        (long long)count_of(one, "pending"), told ? "; " : "",
                        told ? show_member(arena, last, "result") : "", told ? ", " : "",
                        told ? show_when(arena, show_member(arena, last, "time"), now_ns) : ""));
        table->last->loud = told && !show_is(last, "ok");
    }
}

static void add_state(struct table *table, const json_t *answer, int64_t now_ns)
{
    struct arena *arena = table->arena;
    const json_t *workers = json_object_get(answer, "workers");
    const json_t *configuration = json_object_get(answer, "configuration");
    const json_t *store = json_object_get(answer, "store");
    const json_t *detours = json_object_get(answer, "detours");
    json_int_t count = count_of(workers, "count");
    add_line(table, "version", show_member(arena, answer, "version"));
    add_line(table, "in force",
             show_printf(arena, "generation %s, %s %lld worker%s",
                         show_member(arena, answer, "generation"),
                         show_is(workers, "acknowledged") ? "in all of" : "not yet in all of",
                         (long long)count, count == 1 ? "" : "s"));
    add_line(table, "file",
             show_printf(arena, "%s, read %s%s", show_member(arena, configuration, "file"),
                         show_when(arena, show_member(arena, configuration, "loaded"), now_ns),
                         json_is_false(json_object_get(configuration, "ok"))
                             ? "; WHAT STANDS IN IT NOW HAS ERRORS, `detour check` shows them"
                             : ""));
    const char *path = show_member(arena, store, "path");
    add_line(table, "store",
             path[0] != 0 ? path
                          : "none, so nothing can be changed at run time; `state:` names a folder "
                            "for it");
    add_webhooks(table, json_object_get(answer, "webhooks"), now_ns);
    add_line(table, "detours", counts(arena, detours));
    table->last->loud = count_of(detours, "held") + count_of(detours, "unfit") > 0;
}

/* Those of which run time says something. */
static int print_sources(struct admin_client *client)
{
    struct arena *arena = admin_client_arena(client);
    struct table table = {.arena = arena, .columns = 5};
    struct admin_reply reply;
    size_t i;
    json_t *view;
    int status = admin_ask(client, &(struct admin_question){.path = "/v1/detours"}, &reply);
    json_array_foreach(json_object_get(reply.json, "detours"), i, view)
    {
        const char *change = show_member(arena, view, "change");
        bool live = strcmp(show_member(arena, view, "source"), "live") == 0;
        if (!live && !show_is(view, "overrides_file") && !is_loud(arena, view)) {
            continue;
        }
        struct table_row *row = table_add(&table);
        row->loud = is_loud(arena, view);
        row->cells[0] = show_printf(arena, "  %s", detour_key(arena, view));
        row->cells[1] = detour_state(arena, view);
        row->cells[2] =
            show_is(view, "overrides_file") ? "instead of what the file says" : "not in the file";
        row->cells[3] = change[0] != 0 ? show_printf(arena, "change %s", change) : "";
        row->cells[4] = show_member(arena, view, "problem");
    }
    if (table.first != NULL) {
        puts("\nset at run time:");
        table_print(&table, stdout);
    }
    admin_reply_fini(&reply);
    return status;
}

static int print_status(struct admin_client *client, const json_t *answer,
                        const struct list_options *asked)
{
    int64_t now_ns = clock_wall_ns();
    struct table table = {.arena = admin_client_arena(client), .columns = 2};
    add_state(&table, answer, now_ns);
    table_print(&table, stdout);
    int status = print_sources(client);
    return status == exit_ok ? print_servers(client) : status;
}

int cli_status(int argc, char **argv)
{
    struct list_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_ASK(&asked.admin)};
    const struct command_line line = {.usage = status_usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options)};
    int status;
    return command_line_read(argc, argv, &line, &status)
               ? ask_and_print(argv[0], &asked, "/v1/status", print_status)
               : status;
}
