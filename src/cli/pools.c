/* SPDX-License-Identifier: MIT */
/* detour pools: the servers of the pools, and how they are. */
#include "cli/admin_detour.h"

#include "base/clock.h"
#include "cli/show.h"

static const char usage[] =
    "usage: detour pools [POOL] [OPTION]...\n"
    "\n"
    "The servers of all pools or of one: which of them get clients, since when, and what the last\n"
    "probe said.\n"
    "\n" ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct pools_options {
    struct admin_options admin;
    const char *pool[1];
};

/* A pool whose health is ignored serves from those that are down, too. */
static const char *state_of(struct arena *arena, const json_t *pool, const json_t *server)
{
    const char *state = show_member(arena, server, "state");
    bool ignored = show_is(pool, "panic") && strcmp(state, "down") == 0;
    return ignored ? "down, ignored" : state;
}

static const char *share_of(struct arena *arena, const json_t *server)
{
    double share = json_number_value(json_object_get(server, "share"));
    return share < 100 ? show_printf(arena, "%.4g%%", share) : "";
}

static const char *since_of(struct arena *arena, const json_t *server, int64_t now_ns)
{
    const char *since = show_member(arena, server, "since");
    return since[0] != 0 ? show_when(arena, since, now_ns) : "";
}

static const char *latency_of(struct arena *arena, const json_t *health)
{
    const json_t *latency = json_object_get(health, "latency_ms");
    return json_is_number(latency) ? show_printf(arena, "%.3g ms", json_number_value(latency)) : "";
}

/* Why it is not up, and for how long that stays so. */
static const char *error_of(struct arena *arena, const json_t *health)
{
    const char *error = show_member(arena, health, "error");
    double held_s = json_number_value(json_object_get(health, "held_for"));
    if (held_s <= 0) {
        return error;
    }
    const char *held = show_duration(arena, (int64_t)(held_s * (double)NS_PER_SECOND));
    return show_printf(arena, "%s%sheld down for %s", error, error[0] != 0 ? "; " : "", held);
}

static void add_server(struct table *table, const json_t *pool, const json_t *server,
                       int64_t now_ns)
{
    struct arena *arena = table->arena;
    const json_t *health = json_object_get(server, "health");
    const json_t *agent = json_object_get(health, "agent");
    struct table_row *row = table_add(table);
    row->loud = strcmp(show_member(arena, server, "state"), "down") == 0;
    row->cells[0] = state_of(arena, pool, server);
    row->cells[1] = show_printf(arena, "%s/%s", show_member(arena, pool, "name"),
                                show_member(arena, server, "name"));
    row->cells[2] = show_member(arena, server, "url");
    row->cells[3] = show_member(arena, server, "weight");
    row->cells[4] = share_of(arena, server);
    row->cells[5] = since_of(arena, server, now_ns);
    row->cells[6] = json_is_object(health) ? latency_of(arena, health) : "not probed";
    row->cells[7] = error_of(arena, health);
    row->cells[8] = show_member(arena, agent, "says");
    row->cells[9] = show_member(arena, agent, "error");
}

static int print_pools(struct admin_client *client, const char *command, const json_t *answer,
                       const char *wanted)
{
    struct arena *arena = admin_client_arena(client);
    struct table table = {.arena = arena,
                          .columns = 10,
                          .headings = {"STATE", "SERVER", "URL", "WEIGHT", "SHARE", "SINCE",
                                       "PROBE", "PROBLEM", "AGENT", "AGENT'S PROBLEM"}};
    int64_t now_ns = clock_wall_ns();
    bool found = wanted == NULL;
    size_t i;
    size_t k;
    json_t *pool;
    json_t *server;
    json_array_foreach(json_object_get(answer, "pools"), i, pool)
    {
        if (wanted != NULL && strcmp(show_member(arena, pool, "name"), wanted) != 0) {
            continue;
        }
        found = true;
        json_array_foreach(json_object_get(pool, "servers"), k, server)
        {
            add_server(&table, pool, server, now_ns);
        }
    }
    if (!found) {
        complain(command, "there is no pool %s", wanted);
        return exit_errors;
    }
    table_print(&table, stdout);
    if (table.first == NULL) {
        puts("there are no pools");
    }
    return exit_ok;
}

static int run_pools(struct admin_client *client, const char *command, const void *options)
{
    const struct pools_options *asked = options;
    struct admin_reply reply;
    int status = admin_ask(client, &(struct admin_question){.path = "/v1/pools"}, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        status = print_pools(client, command, reply.json, asked->pool[0]);
    }
    admin_reply_fini(&reply);
    return status;
}

int cli_pools(int argc, char **argv)
{
    struct pools_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_ASK(&asked.admin)};
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = asked.pool,
                                      .words_max = 1};
    int status;
    return command_line_read(argc, argv, &line, &status)
               ? admin_command(argv[0], &asked.admin, run_pools, &asked)
               : status;
}
