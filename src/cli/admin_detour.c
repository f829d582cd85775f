/* SPDX-License-Identifier: MIT */
/* Detours as the admin API tells them, in words. */
#include "cli/admin_detour.h"

#include "cli/show.h"

int admin_command(const char *command, const struct admin_options *asked, admin_command_fn run,
                  const void *options)
{
    struct admin_client *client;
    int status = admin_client_open(command, &asked->where, asked->json, &client);
    if (status == exit_ok) {
        status = run(client, command, options);
    }
    admin_client_close(&client);
    return status;
}

const char *detour_key(struct arena *arena, const json_t *view)
{
    return show_printf(arena, "%s/%s", show_member(arena, view, "site"),
                       show_member(arena, view, "name"));
}

const char *detour_what(struct arena *arena, const json_t *stanza)
{
    if (!json_is_object(stanza)) {
        return ""; /* it was too large to be kept */
    }
    const char *prefix = show_member(arena, stanza, "path_prefix");
    const char *path = show_member(arena, stanza, "path");
    if (prefix[0] != 0) {
        size_t len = strlen(prefix);
        return show_printf(arena, "%s%s…", prefix, prefix[len - 1] == '/' ? "" : "/");
    }
    return path[0] != 0 ? path : "everything";
}

const char *detour_where(struct arena *arena, const json_t *stanza)
{
    static const struct {
        const char *key;
        const char *before;
    } actions[] = {{"to", ""},
                   {"pool", "pool "},
                   {"page", "page "},
                   {"origin", "origin "},
                   {"respond", "respond "}};
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        const char *text = show_member(arena, stanza, actions[i].key);
        if (text[0] != 0) {
            return show_printf(arena, "%s%s", actions[i].before, text);
        }
    }
    return "";
}

const char *detour_state(struct arena *arena, const json_t *view)
{
    const char *state = show_member(arena, view, "state");
    return show_is(view, "overdue") ? "OVERDUE" : strcmp(state, "unfit") == 0 ? "UNFIT" : state;
}

const char *detour_when(struct arena *arena, const json_t *view, int64_t now_ns)
{
    const char *state = show_member(arena, view, "state");
    const char *closes = show_member(arena, view, "closes");
    const char *opens = show_member(arena, view, "opens");
    if (strcmp(state, "off") == 0 || strcmp(state, "unfit") == 0) {
        return "";
    }
    if (show_is(view, "overdue")) {
        return show_printf(arena, "since %s", show_when(arena, closes, now_ns));
    }
    const char *origin = show_member(arena, view, "when_origin_fails");
    if (origin[0] != 0) {
        return strcmp(state, "active") == 0
                   ? show_printf(arena, "until the origin %s is well again", origin)
                   : show_printf(arena, "when the origin %s fails", origin);
    }
    if (strcmp(state, "planned") == 0 && opens[0] != 0) {
        return show_printf(arena, "from %s", show_when(arena, opens, now_ns));
    }
    if (closes[0] == 0) {
        return strcmp(state, "active") == 0 ? "until it is switched off" : "";
    }
    const char *pool = show_member(arena, json_object_get(view, "detour"), "until_healthy");
    if (pool[0] != 0 && strcmp(state, "active") == 0) {
        return show_printf(arena, "until the pool %s is healthy, at the latest %s", pool,
                           show_when(arena, closes, now_ns));
    }
    const char *word = strcmp(state, "over") == 0 ? "since" : "until";
    return show_printf(arena, "%s %s", word, show_when(arena, closes, now_ns));
}

void detour_print_line(struct arena *arena, const json_t *view, bool would, int64_t now_ns)
{
    const json_t *stanza = json_object_get(view, "detour");
    const char *where = detour_where(arena, stanza);
    const char *when = detour_when(arena, view, now_ns);
    const char *line = show_printf(arena, "%s %s %s", detour_key(arena, view),
                                   would ? "would be" : "is", detour_state(arena, view));
    if (where[0] != 0) {
        line = show_printf(arena, "%s: %s -> %s", line, detour_what(arena, stanza), where);
    }
    if (when[0] != 0) {
        line = show_printf(arena, "%s, %s", line, when);
    }
    puts(show_clean(arena, line));
}

/* ---- by name ---- */

static bool is_called(struct arena *arena, const json_t *view, const char *name, const char *site)
{
    if (site != NULL && strcmp(show_member(arena, view, "site"), site) != 0) {
        return false;
    }
    return strcmp(show_member(arena, view, "name"), name) == 0 ||
           strcmp(detour_key(arena, view), name) == 0;
}

/* NULL: none. *count_out: how many there are. */
static const json_t *find_called(struct arena *arena, const json_t *detours, const char *name,
                                 const char *site, size_t *count_out)
{
    const json_t *found = NULL;
    size_t count = 0;
    size_t i;
    json_t *view;
    json_array_foreach(detours, i, view)
    {
        if (is_called(arena, view, name, site)) {
            found = found != NULL ? found : view;
            count++;
        }
    }
    *count_out = count;
    return found;
}

int admin_detour_find(struct admin_client *client, const char *command, const char *name,
                      const char *site, const char **site_out, const char **name_out)
{
    struct arena *arena = admin_client_arena(client);
    struct admin_reply reply;
    size_t count = 0;
    int status = admin_ask(client, &(struct admin_question){.path = "/v1/detours"}, &reply);
    if (status == exit_ok) {
        const json_t *view =
            find_called(arena, json_object_get(reply.json, "detours"), name, site, &count);
        if (count == 1) {
            *site_out = show_printf(arena, "%s", show_member(arena, view, "site"));
            *name_out = show_printf(arena, "%s", show_member(arena, view, "name"));
        } else if (count == 0) {
            complain(command, "there is no detour `%s`%s%s; `detour list --all` shows all",
                     show_clean(arena, name), site != NULL ? " of the site " : "",
                     site != NULL ? show_clean(arena, site) : "");
            status = exit_errors;
        } else {
            complain(command, "%zu sites have a detour `%s`; say which one with --site", count,
                     show_clean(arena, name));
            status = exit_errors;
        }
    }
    admin_reply_fini(&reply);
    return status;
}
