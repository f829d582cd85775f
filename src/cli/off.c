/* SPDX-License-Identifier: MIT */
/* detour off and detour extend: what is done with a detour that there is. */
#include "cli/admin_detour.h"

#include "base/clock.h"
#include "cli/json.h"
#include "cli/show.h"

static const char off_usage[] =
    "usage: detour off NAME [--site SITE] [OPTION]...\n"
    "       detour off --all [OPTION]...\n"
    "\n"
    "Switches a detour off, also one of the file, and says what caches may still hold. It stays\n"
    "off until its stanza of the file changes.\n"
    "\n"
    "      --all            all that are planned or active\n"
    "      --site SITE      where several sites have one of that name; SITE/NAME says the "
    "same\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK ADMIN_USAGE_END;

static const char extend_usage[] =
    "usage: detour extend NAME DURATION [--site SITE] [OPTION]...\n"
    "       detour extend NAME --until TIME [--site SITE] [OPTION]...\n"
    "\n"
    "Moves the end of a detour: DURATION (30m, 2h) is added to the end it has, or counted from\n"
    "now where it is overdue.\n"
    "\n"
    "      --until TIME     2026-12-01T04:00:00Z, or '2026-12-01T04:00 Europe/Berlin'\n"
    "      --site SITE      where several sites have one of that name; SITE/NAME says the "
    "same\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct off_options {
    struct admin_options admin;
    const char *words[2]; /* the name, and how much longer */
    const char *until;
    bool all;
};

/* ---- off ---- */

/* view: NULL where nothing is left of it. */
static void print_off(struct arena *arena, const char *key, const json_t *view, bool would)
{
    const char *cached = show_member(arena, view, "cached_until");
    const char *line = show_printf(arena, "%s %s off", key, would ? "would be" : "is");
    if (cached[0] != 0) {
        line = show_printf(arena, "%s; caches may hold its answers until %s", line,
                           show_when(arena, cached, clock_wall_ns()));
    }
    puts(show_clean(arena, line));
}

static void print_all_off(struct arena *arena, const json_t *views, bool would)
{
    size_t i;
    json_t *view;
    json_array_foreach(views, i, view)
    {
        if (json_is_object(view)) {
            print_off(arena, detour_key(arena, view), view, would);
        }
    }
    size_t count = json_array_size(views);
    printf("%zu detour%s %s off\n", count, count == 1 ? "" : "s",
           would        ? "would be"
           : count == 1 ? "is"
                        : "are");
}

/* site: NULL with --all. */
static void print_outcome(struct admin_client *client, const struct off_options *asked,
                          const char *site, const char *name, const struct admin_reply *reply)
{
    struct arena *arena = admin_client_arena(client);
    const char *change = show_clean(arena, admin_reply_change(client, reply));
    if (site == NULL) {
        print_all_off(arena, json_object_get(reply->json, "off"), asked->admin.dry_run);
    } else {
        print_off(arena, show_printf(arena, "%s/%s", site, name), reply->json,
                  asked->admin.dry_run);
    }
    if (asked->admin.dry_run) {
        puts("nothing was changed");
    } else if (change[0] != 0) {
        printf("change %s; `detour revert %s` takes it back\n", change, change);
    }
}

static int switch_off(struct admin_client *client, const char *command, const void *options)
{
    const struct off_options *asked = options;
    const char *site = NULL;
    const char *name = NULL;
    int status = asked->all ? exit_ok
                            : admin_detour_find(client, command, asked->words[0], asked->admin.site,
                                                &site, &name);
    if (status != exit_ok) {
        return status;
    }
    struct admin_reply reply;
    struct admin_question question = {.method = "DELETE",
                                      .path = "/v1/detours",
                                      .segments = {site, name},
                                      .dry_run = asked->admin.dry_run,
                                      .owner = asked->admin.owner,
                                      .why = asked->admin.reason};
    status = admin_ask(client, &question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        print_outcome(client, asked, site, name, &reply);
    }
    admin_reply_fini(&reply);
    return status;
}

int cli_off(int argc, char **argv)
{
    struct off_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked.admin),
                                             {"site", .text = &asked.admin.site},
                                             {"all", .flag = &asked.all}};
    const struct command_line line = {.usage = off_usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = asked.words,
                                      .words_max = 1};
    int status;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    if ((asked.words[0] != NULL) == asked.all) {
        return complain(argv[0], "%s; try detour off --help",
                        asked.all ? "a name or --all, not both" : "which detour? a name, or --all");
    }
    if (asked.all && asked.admin.site != NULL) {
        return complain(argv[0], "--all means all sites; leave --site out");
    }
    return admin_command(argv[0], &asked.admin, switch_off, &asked);
}

/* ---- extend ---- */

static int extend(struct admin_client *client, const char *command, const void *options)
{
    const struct off_options *asked = options;
    const char *site;
    const char *name;
    int status =
        admin_detour_find(client, command, asked->words[0], asked->admin.site, &site, &name);
    if (status != exit_ok) {
        return status;
    }
    const char *key = asked->until != NULL ? "until" : "for";
    const char *value = asked->until != NULL ? asked->until : asked->words[1];
    struct admin_reply reply;
    struct admin_question question = {.method = "POST",
                                      .path = "/v1/detours",
                                      .segments = {site, name, "extend"},
                                      .dry_run = asked->admin.dry_run,
                                      .owner = asked->admin.owner,
                                      .why = asked->admin.reason};
    question.content = show_need(json_pack("{s:o}", key, json_text(span_cstr(value))));
    status = admin_ask(client, &question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        detour_print_line(admin_client_arena(client), reply.json, asked->admin.dry_run,
                          clock_wall_ns());
        const char *change =
            show_clean(admin_client_arena(client), admin_reply_change(client, &reply));
        if (asked->admin.dry_run) {
            puts("nothing was changed");
        } else if (change[0] != 0) {
            printf("change %s; `detour revert %s` takes it back\n", change, change);
        }
    }
    json_decref(question.content);
    admin_reply_fini(&reply);
    return status;
}

int cli_extend(int argc, char **argv)
{
    struct off_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked.admin),
                                             {"site", .text = &asked.admin.site},
                                             {"until", .text = &asked.until}};
    const struct command_line line = {.usage = extend_usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = asked.words,
                                      .words_max = 2};
    int status;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    if (asked.words[0] == NULL) {
        return complain(argv[0], "which detour? try detour extend --help");
    }
    if ((asked.words[1] != NULL) == (asked.until != NULL)) {
        return complain(argv[0], "%s",
                        asked.until != NULL ? "a duration or --until, not both"
                                            : "by how much? a duration like 30m, or --until TIME");
    }
    return admin_command(argv[0], &asked.admin, extend, &asked);
}
