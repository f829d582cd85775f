/* SPDX-License-Identifier: MIT */
/* detour on: a new detour, or one in the place of another. */
#include "cli/on.h"

#include "base/clock.h"
#include "cli/show.h"

/* The only site there is. */
static int find_site(struct admin_client *client, const char *command, const char **out)
{
    struct arena *arena = admin_client_arena(client);
    struct admin_reply reply;
    int status = admin_ask(client, &(struct admin_question){.path = "/v1/sites"}, &reply);
    if (status == exit_ok) {
        const char *names = "";
        size_t i;
        json_t *site;
        json_array_foreach(json_object_get(reply.json, "sites"), i, site)
        {
            names = show_printf(arena, "%s%s%s", names, i > 0 ? ", " : "",
                                show_member(arena, site, "name"));
        }
        if (json_array_size(json_object_get(reply.json, "sites")) == 1) {
            *out = names;
        } else {
            status = complain(command, "which site? say --site with one of: %s",
                              show_clean(arena, names));
        }
    }
    admin_reply_fini(&reply);
    return status;
}

/* What has ended is no obstacle to one of the same name. */
static bool is_gone(struct arena *arena, const json_t *view)
{
    const char *state = show_member(arena, view, "state");
    return strcmp(state, "off") == 0 || strcmp(state, "over") == 0;
}

/* Says in the question what must be there when it arrives: nothing, or what we have seen. */
static int look_first(struct admin_client *client, const char *command,
                      const struct on_options *asked, struct admin_question *question)
{
    struct arena *arena = admin_client_arena(client);
    struct admin_question look = {.path = "/v1/detours",
                                  .segments = {question->segments[0], question->segments[1]},
                                  .may_miss = true};
    struct admin_reply reply;
    int status = admin_ask(client, &look, &reply);
    if (status != exit_ok) {
        admin_reply_fini(&reply);
        return status;
    }
    if (reply.status == 404) {
        question->if_new = true;
    } else if (asked->replace || is_gone(arena, reply.json)) {
        question->match = show_printf(arena, "%s", reply.etag[0] != 0 ? reply.etag : "*");
    } else {
        const char *when = detour_when(arena, reply.json, clock_wall_ns());
        complain(command,
                 "there is a detour `%s` already, %s%s%s; `detour extend` moves its end, `detour "
                 "off` ends it, --replace puts this one in its place",
                 show_clean(arena, asked->name), detour_state(arena, reply.json),
                 when[0] != 0 ? ", " : "", when);
        status = exit_errors;
    }
    admin_reply_fini(&reply);
    return status;
}

static int print_outcome(struct admin_client *client, const struct on_options *asked,
                         const struct admin_reply *reply)
{
    struct arena *arena = admin_client_arena(client);
    if (admin_print_json(client, reply)) {
        return exit_ok;
    }
    const char *change = show_clean(arena, admin_reply_change(client, reply));
    detour_print_line(arena, reply->json, asked->admin.dry_run, clock_wall_ns());
    if (asked->admin.dry_run) {
        puts("nothing was changed");
    } else if (change[0] != 0) {
        printf("change %s; `detour off %s` takes it back\n", change, asked->name);
    }
    return exit_ok;
}

static int switch_on(struct admin_client *client, const char *command, const void *options)
{
    const struct on_options *asked = options;
    const char *site = asked->admin.site;
    int status = site != NULL ? exit_ok : find_site(client, command, &site);
    struct admin_question question = {.method = "PUT",
                                      .path = "/v1/detours",
                                      .segments = {site, asked->name},
                                      .dry_run = asked->admin.dry_run};
    if (status == exit_ok) {
        status = look_first(client, command, asked, &question);
    }
    if (status != exit_ok) {
        return status;
    }
    struct admin_reply reply;
    question.content = on_content(asked);
    status = admin_ask(client, &question, &reply);
    if (status == exit_ok) {
        status = print_outcome(client, asked, &reply);
    }
    json_decref(question.content);
    admin_reply_fini(&reply);
    return status;
}

int cli_on(int argc, char **argv)
{
    struct on_options asked = {0};
    int status;
    if (!on_read(argc, argv, &asked, &status)) {
        return status;
    }
    return admin_command(argv[0], &asked.admin, switch_on, &asked);
}
