/* SPDX-License-Identifier: MIT */
/* Servers of pools, as commands call and show them. */
#include "cli/pool_server.h"

#include "base/clock.h"
#include "cli/show.h"

int server_split(struct arena *arena, const char *command, const char *name, const char **pool_out,
                 const char **server_out)
{
    const char *slash = strchr(name, '/');
    if (slash == NULL || slash == name || slash[1] == 0 || strchr(slash + 1, '/') != NULL) {
        return complain(command, "\"%s\" is no server: write POOL/SERVER, like mirrors/eu1",
                        show_clean(arena, name));
    }
    *pool_out = show_printf(arena, "%.*s", (int)(slash - name), name);
    *server_out = slash + 1;
    return exit_ok;
}

/* What is wanted of it, in words. */
static const char *wish_of(struct arena *arena, const json_t *view)
{
    const json_t *wanted = json_object_get(view, "operator");
    const char *wants = show_member(arena, wanted, "wants");
    double share = json_number_value(json_object_get(wanted, "share"));
    if (strcmp(show_member(arena, view, "state"), "removed") == 0) {
        return "removed";
    }
    if (strcmp(wants, "maint") == 0) {
        return "out: nobody is sent there";
    }
    if (strcmp(wants, "drain") == 0) {
        return show_is(wanted, "drained") ? "drained: no client is led there"
                                          : "draining: no new clients, and the others leave it";
    }
    if (share < 100) {
        return show_printf(arena, "ready, with %.4g%% of its weight %s", share,
                           show_member(arena, view, "weight"));
    }
    return show_printf(arena, "ready, with weight %s", show_member(arena, view, "weight"));
}

void server_print_line(struct arena *arena, const json_t *view, bool would)
{
    const char *text = show_printf(arena, "%s/%s %s %s", show_member(arena, view, "pool"),
                                   show_member(arena, view, "name"), would ? "would be" : "is",
                                   wish_of(arena, view));
    puts(show_clean(arena, text));
}

void server_print_change(struct admin_client *client, const struct admin_reply *reply, bool dry_run)
{
    const char *change = show_clean(admin_client_arena(client), admin_reply_change(client, reply));
    if (dry_run) {
        puts("nothing was changed");
    } else if (change[0] != 0) {
        printf("change %s; `detour revert %s` takes it back\n", change, change);
    }
}

static bool is_wanted(struct arena *arena, const json_t *wanted)
{
    return strcmp(show_member(arena, wanted, "wants"), "ready") != 0 ||
           strcmp(show_member(arena, wanted, "source"), "live") == 0 ||
           json_number_value(json_object_get(wanted, "share")) < 100;
}

static void add_row(struct table *table, const json_t *pool, const json_t *server, int64_t now_ns)
{
    struct arena *arena = table->arena;
    const json_t *wanted = json_object_get(server, "operator");
    struct table_row *row = table_add(table);
    row->cells[0] = show_printf(arena, "%s/%s", show_member(arena, pool, "name"),
                                show_member(arena, server, "name"));
    row->cells[1] = wish_of(arena, server);
    row->cells[2] = show_when(arena, show_member(arena, wanted, "since"), now_ns);
    row->cells[3] = show_is(wanted, "overrides_file") ? "live, over the file"
                                                      : show_member(arena, wanted, "source");
    row->cells[4] = show_member(arena, wanted, "owner");
    row->cells[5] = show_member(arena, wanted, "why");
}

size_t servers_print_wanted(struct arena *arena, const json_t *pools)
{
    struct table table = {.arena = arena,
                          .columns = 6,
                          .headings = {"SERVER", "IS", "SINCE", "SOURCE", "OWNER", "REASON"}};
    int64_t now_ns = clock_wall_ns();
    size_t count = 0;
    size_t i;
    size_t k;
    json_t *pool;
    json_t *server;
    json_array_foreach(json_object_get(pools, "pools"), i, pool)
    {
        json_array_foreach(json_object_get(pool, "servers"), k, server)
        {
            if (is_wanted(arena, json_object_get(server, "operator"))) {
                add_row(&table, pool, server, now_ns);
                count++;
            }
        }
    }
    if (count > 0) {
        putchar('\n');
        table_print(&table, stdout);
    }
    return count;
}
