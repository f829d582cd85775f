/* SPDX-License-Identifier: MIT */
/* detour history and detour revert: what was changed, by whom and why, and back again. */
#include "cli/admin_detour.h"

#include "base/clock.h"
#include "cli/show.h"

static const char history_usage[] =
    "usage: detour history [NAME] [-n COUNT] [OPTION]...\n"
    "\n"
    "What was changed at run time, newest first: when, by whom, what, and why. With NAME (or\n"
    "SITE/NAME) the changes of one detour or token.\n"
    "\n"
    "  -n, --number COUNT   at most so many; 20 without it\n" ADMIN_USAGE_ASK ADMIN_USAGE_END;

static const char revert_usage[] =
    "usage: detour revert CHANGE [OPTION]...\n"
    "\n"
    "Takes a change back: the detour becomes again what it was before. `detour history` tells\n"
    "the numbers. It is refused where a later change has followed.\n"
    "\n" ADMIN_USAGE_CHANGE ADMIN_USAGE_ASK ADMIN_USAGE_END;

enum { history_usual = 20, history_max = 100000, history_page = 1000 };

struct history_options {
    struct admin_options admin;
    const char *word;
    const char *count;
    uint64_t left; /* what count says */
};

/* ---- one change ---- */

static const char *kind_of(const json_t *change, const char *side)
{
    const char *kind = json_string_value(json_object_get(json_object_get(change, side), "kind"));
    return kind != NULL ? kind : "none";
}

static bool is_kind(const json_t *change, const char *side, const char *kind)
{
    return strcmp(kind_of(change, side), kind) == 0;
}

static const char *done_to_token(const json_t *change)
{
    return is_kind(change, "after", "none") ? "token removed" : "token added";
}

static const char *done_to_detour(struct arena *arena, const json_t *change)
{
    const char *cause = show_member(arena, change, "cause");
    const json_t *stanza = json_object_get(json_object_get(change, "after"), "detour");
    if (strcmp(cause, "schedule") == 0) {
        return "over";
    }
    if (is_kind(change, "after", "off")) {
        return "off";
    }
    if (is_kind(change, "after", "none")) {
        return strcmp(cause, "file") == 0     ? "dropped, the file has changed there"
               : strcmp(cause, "revert") == 0 ? "again as the file says"
                                              : "off";
    }
    const char *until = show_member(arena, stanza, "until");
    const char *word = is_kind(change, "before", "set") ? "changed" : "on";
    if (until[0] == 0) {
        return word;
    }
    return show_printf(arena, "%s, %s %s", word, strcmp(until, "off") == 0 ? "no end" : "until",
                       strcmp(until, "off") == 0 ? "known" : show_time(arena, until));
}

/* A part of its weight, if there is one. */
static const char *done_to_server(struct arena *arena, const json_t *change)
{
    const json_t *stanza = json_object_get(json_object_get(change, "after"), "server");
    if (is_kind(change, "after", "off")) {
        return "removed";
    }
    if (is_kind(change, "after", "none")) {
        return strcmp(show_member(arena, change, "cause"), "file") == 0
                   ? "dropped, the file has changed there"
                   : "again as the file says";
    }
    const char *state = show_member(arena, stanza, "state");
    const char *share = show_member(arena, stanza, "share");
    bool fresh = is_kind(change, "before", "none");
    const char *what = strcmp(state, "drain") == 0   ? "drained"
                       : strcmp(state, "maint") == 0 ? "taken out"
                       : fresh                       ? "set"
                                                     : "changed";
    const char *weight = show_member(arena, stanza, "weight");
    return show_printf(arena, "%s%s%s%s%s", what, weight[0] != 0 ? ", weight " : "", weight,
                       share[0] != 0 ? ", of it " : "", share);
}

static const char *done(struct arena *arena, const json_t *change)
{
    const char *subject = show_member(arena, change, "subject");
    const char *what = strcmp(subject, "token") == 0    ? done_to_token(change)
                       : strcmp(subject, "server") == 0 ? done_to_server(arena, change)
                                                        : done_to_detour(arena, change);
    const char *reverts = show_member(arena, change, "reverts");
    return reverts[0] != 0 ? show_printf(arena, "%s (takes back change %s)", what, reverts) : what;
}

/* The kernel's word, or the token's name; what is merely claimed stands in a column of its
 * own. */
static const char *who(struct arena *arena, const json_t *change)
{
    const json_t *asker = json_object_get(change, "who");
    const char *via = show_member(arena, asker, "via");
    const char *name = show_member(arena, asker, "name");
    if (strcmp(via, "token") == 0) {
        return show_printf(arena, "token %s", name);
    }
    if (strcmp(via, "socket") == 0) {
        return name[0] != 0 ? name : show_printf(arena, "uid %s", show_member(arena, asker, "uid"));
    }
    return "detour";
}

/* ---- the list ---- */

struct history {
    struct admin_client *client;
    const char *name; /* NULL: all */
    size_t left;      /* how many are still wanted */
    json_t *kept;     /* with --json */
    struct table table;
};

static bool is_about(struct arena *arena, const json_t *change, const char *name)
{
    const char *key = show_member(arena, change, "key");
    const char *slash = strchr(key, '/');
    return name == NULL || strcmp(key, name) == 0 ||
           (slash != NULL && strcmp(slash + 1, name) == 0);
}

/* The answer ends before the table is printed. */
static const char *keep(struct arena *arena, const char *text)
{
    return show_printf(arena, "%s", text);
}

static void add_change(struct history *history, json_t *change)
{
    struct arena *arena = history->table.arena;
    struct table_row *row = table_add(&history->table);
    row->cells[0] = keep(arena, show_member(arena, change, "number"));
    row->cells[1] = keep(arena, show_time(arena, show_member(arena, change, "time")));
    row->cells[2] = keep(arena, who(arena, change));
    row->cells[3] = keep(arena, show_member(arena, change, "key"));
    row->cells[4] = keep(arena, done(arena, change));
    row->cells[5] = keep(arena, show_member(arena, change, "owner"));
    row->cells[6] = keep(arena, show_member(arena, change, "why"));
    json_array_append(history->kept, change);
}

/* One page below *below (0: from the newest), which becomes where the next one begins, 0:
 * there is none. */
static int read_page(struct history *history, json_int_t *below)
{
    struct arena *arena = history->table.arena;
    size_t limit =
        history->name != NULL || history->left > history_page ? history_page : history->left;
    const char *query = show_printf(arena, "limit=%zu", limit);
    if (*below > 0) {
        query = show_printf(arena, "%s&below=%lld", query, (long long)*below);
    }
    struct admin_question question = {.path = "/v1/changes", .query = query};
    struct admin_reply reply;
    size_t i;
    json_t *change;
    int status = admin_ask(history->client, &question, &reply);
    json_array_foreach(json_object_get(reply.json, "changes"), i, change)
    {
        if (history->left > 0 && is_about(arena, change, history->name)) {
            add_change(history, change);
            history->left--;
        }
    }
    json_int_t next = json_integer_value(json_object_get(reply.json, "next"));
    bool goes_on = next > 0 && (*below == 0 || next < *below);
    *below = goes_on ? next : 0;
    admin_reply_fini(&reply);
    return status;
}

static int read_history(struct history *history)
{
    json_int_t below = 0;
    int status;
    do {
        status = read_page(history, &below);
    } while (status == exit_ok && below != 0 && history->left > 0);
    return status;
}

static void print_history(const struct history *history, bool json)
{
    if (json) {
        json_t *answer = show_need(json_pack("{s:O}", "changes", history->kept));
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(answer);
        return;
    }
    table_print(&history->table, stdout);
    if (history->table.first == NULL && history->name != NULL) {
        printf("nothing of `%s` was changed at run time\n",
               show_clean(history->table.arena, history->name));
    } else if (history->table.first == NULL) {
        puts("nothing was changed at run time");
    }
}

static int show_history(struct admin_client *client, const char *command, const void *options)
{
    (void)command;
    const struct history_options *asked = options;
    struct history history = {
        .client = client,
        .name = asked->word,
        .left = (size_t)asked->left,
        .kept = show_need(json_array()),
        .table = {.arena = admin_client_arena(client),
                  .columns = 7,
                  .headings = {"CHANGE", "WHEN", "WHO", "WHAT", "IS", "OWNER", "WHY"}}};
    int status = read_history(&history);
    if (status == exit_ok) {
        print_history(&history, asked->admin.json);
    }
    json_decref(history.kept);
    return status;
}

int cli_history(int argc, char **argv)
{
    struct history_options asked = {.left = history_usual};
    const struct command_option options[] = {ADMIN_OPTIONS_ASK(&asked.admin),
                                             {"number", 'n', .text = &asked.count}};
    const struct command_line line = {.usage = history_usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = &asked.word,
                                      .words_max = 1};
    int status;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    if (asked.count != NULL &&
        (!span_decimal(span_cstr(asked.count), history_max, &asked.left) || asked.left == 0)) {
        return complain(argv[0], "-n wants a number from 1 to %d, not \"%s\"", history_max,
                        asked.count);
    }
    return admin_command(argv[0], &asked.admin, show_history, &asked);
}

/* ---- revert ---- */

static int revert(struct admin_client *client, const char *command, const void *options)
{
    (void)command;
    const struct history_options *asked = options;
    struct arena *arena = admin_client_arena(client);
    struct admin_reply reply;
    struct admin_question question = {.method = "POST",
                                      .path = "/v1/changes",
                                      .segments = {asked->word, "revert"},
                                      .dry_run = asked->admin.dry_run,
                                      .owner = asked->admin.owner,
                                      .why = asked->admin.reason};
    int status = admin_ask(client, &question, &reply);
    if (status != exit_ok || admin_print_json(client, &reply)) {
        admin_reply_fini(&reply);
        return status;
    }
    const json_t *view = reply.json; /* null: nothing is left of it */
    if (asked->admin.dry_run) {
        printf("change %s would be taken back; nothing was changed\n", asked->word);
    } else {
        printf("change %s is taken back, by change %s\n", asked->word,
               show_clean(arena, admin_reply_change(client, &reply)));
    }
    if (json_is_object(view)) {
        detour_print_line(arena, view, asked->admin.dry_run, clock_wall_ns());
    }
    admin_reply_fini(&reply);
    return status;
}

int cli_revert(int argc, char **argv)
{
    struct history_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_CHANGE(&asked.admin)};
    const struct command_line line = {.usage = revert_usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = &asked.word,
                                      .words_max = 1};
    int status;
    uint64_t number;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    if (asked.word == NULL || !span_decimal(span_cstr(asked.word), INT64_MAX, &number)) {
        return complain(argv[0], "which change? its number, as `detour history` tells it");
    }
    return admin_command(argv[0], &asked.admin, revert, &asked);
}
