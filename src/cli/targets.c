/* SPDX-License-Identifier: MIT */
/* detour targets: every origin that clients can be sent to, for lists of firewalls. */
#include "cli/admin_detour.h"

#include "base/clock.h"
#include "cli/json.h"
#include "cli/show.h"
#include "config/json.h"
#include "uri/url.h"

#include <stdlib.h>

static const char usage[] =
    "usage: detour targets [-c FILE] [--live] [--json]\n"
    "\n"
    "Every origin that clients can ever be sent to, as SCHEME://HOST:PORT, and what leads there:\n"
    "routes, detours, servers of pools, fallbacks, pages elsewhere, https_redirect, and what\n"
    "`allowed_targets` lets run time point at. A * stands for any label or labels.\n"
    "\n"
    "      --live           of the server that runs, with what was changed at run time\n"
    "      --json           as JSON\n"
    "  -c, --config FILE    the configuration, or with --live where to ask\n"
    "      --token-file FILE\n"
    "                       with --live: the token, where it listens on TCP\n"
    "  -h, --help           this text\n"
    "\n"
    "Exit codes: 0 done, 1 the configuration has errors, 2 could not run.\n";

enum { authority_bytes_max = 1024 };

struct targets {
    struct arena *arena;
    const struct model *model;
    json_t *by; /* an origin, with its port: an array of who leads there */
};

/* ---- one origin ---- */

static int default_port(struct span scheme)
{
    return span_eq(scheme, SPAN("http")) ? 80 : 443;
}

/* A name in which * stands for something is no URL: it is taken as it is written. */
static const char *origin_of_pattern(struct targets *targets, struct span text)
{
    size_t colon = span_find(text, 0, ':');
    struct span scheme = span_slice(text, 0, colon);
    struct span host = span_from(text, colon + 3 < text.len ? colon + 3 : text.len);
    size_t port = span_find(host, 0, ':');
    return port < host.len
               ? show_printf(targets->arena, "%.*s", SPAN_ARG(text))
               : show_printf(targets->arena, "%.*s:%d", SPAN_ARG(text), default_port(scheme));
}

static const char *origin_of_url(struct targets *targets, struct span text)
{
    struct url url;
    if (memchr(text.ptr, '*', text.len) != NULL ||
        url_parse(text, NULL, targets->arena, &url) != ERR_NONE || url.host.len == 0) {
        return origin_of_pattern(targets, text);
    }
    return show_printf(targets->arena, "%.*s://%.*s:%d", SPAN_ARG(url.scheme), SPAN_ARG(url.host),
                       url.port >= 0 ? (int)url.port : default_port(url.scheme));
}

static void add(struct targets *targets, struct span text, const char *by)
{
    const char *origin = origin_of_url(targets, text);
    json_t *list = json_object_get(targets->by, origin);
    if (list == NULL) {
        list = show_need(json_array());
        json_object_set_new(targets->by, origin, list);
    }
    size_t i;
    json_t *known;
    json_array_foreach(list, i, known)
    {
        if (strcmp(json_string_value(known), by) == 0) {
            return;
        }
    }
    json_array_append_new(list, json_text(span_cstr(by)));
}

/* ---- templates ---- */

/* What a template may lead to: its authority, with all that its variables stand for. */
struct expansion {
    struct targets *targets;
    const struct model_rule *rule;
    const struct model_site *site; /* NULL: of a pool */
    const char *by;
};

static void expand(const struct expansion *e, const char *done, struct span rest);

static void expand_with(const struct expansion *e, const char *done, struct span value,
                        struct span rest)
{
    expand(e, show_printf(e->targets->arena, "%s%.*s", done, SPAN_ARG(value)), rest);
}

static void expand_variable(const struct expansion *e, const char *done, struct span name,
                            struct span rest)
{
    for (size_t i = 0; i < e->rule->label_count; i++) {
        const struct model_labels *labels = &e->rule->labels[i];
        for (size_t k = 0; span_eq(labels->variable, name) && k < labels->value_count; k++) {
            expand_with(e, done, labels->values[k], rest);
        }
        if (span_eq(labels->variable, name)) {
            return;
        }
    }
    bool host = span_eq(name, SPAN("host")) && e->site != NULL;
    for (size_t i = 0; host && i < e->site->host_count; i++) {
        expand_with(e, done, e->site->hosts[i], rest);
    }
    if (!host) {
        expand_with(e, done, SPAN("*"), rest);
    }
}

/* The authority ends where its template does, or a path, a query or {+path} begins. */
static void expand(const struct expansion *e, const char *done, struct span rest)
{
    size_t at = 0;
    while (at < rest.len && rest.ptr[at] != '/' && rest.ptr[at] != '?' && rest.ptr[at] != '#' &&
           rest.ptr[at] != '{') {
        at++;
    }
    const char *more = show_printf(e->targets->arena, "%s%.*s", done, (int)at, rest.ptr);
    bool variable = at + 1 < rest.len && rest.ptr[at] == '{' && rest.ptr[at + 1] != '+';
    if (!variable || strlen(more) > authority_bytes_max) {
        add(e->targets, span_cstr(more), e->by);
        return;
    }
    size_t end = span_find(rest, at, '}');
    expand_variable(e, more, span_slice(rest, at + 1, end),
                    span_from(rest, end < rest.len ? end + 1 : end));
}

static void add_action(struct targets *targets, const struct model_rule *rule,
                       const struct model_action *action, const struct model_site *site,
                       const char *by)
{
    if ((action->kind != ACTION_TO && action->kind != ACTION_PAGE) || action->to == NULL) {
        return;
    }
    struct span source = template_source(action->to);
    size_t colon = span_find(source, 0, ':');
    if (colon + 3 > source.len) {
        return;
    }
    const struct expansion e = {targets, rule, site, by};
    expand(&e, show_printf(targets->arena, "%.*s", (int)colon + 3, source.ptr),
           span_from(source, colon + 3));
}

static void add_rule(struct targets *targets, const struct model_rule *rule,
                     const struct model_site *site)
{
    const char *by = show_printf(targets->arena, "%.*s", SPAN_ARG(rule->identity));
    add_action(targets, rule, &rule->action, site, by);
    if (rule->share_ppm != share_ppm_full) {
        add_action(targets, rule, &rule->rest, site, by);
    }
}

/* ---- all of them ---- */

static void add_https(struct targets *targets, const struct model_site *site)
{
    const char *by = show_printf(targets->arena, "%.*s/https_redirect", SPAN_ARG(site->name));
    for (size_t i = 0; site->https_redirect && i < site->host_count; i++) {
        add(targets,
            span_cstr(show_printf(targets->arena, "https://%.*s:%u", SPAN_ARG(site->hosts[i]),
                                  site->https_port)),
            by);
    }
    if (site->https_redirect && site->catch_all) {
        add(targets, span_cstr(show_printf(targets->arena, "https://*:%u", site->https_port)), by);
    }
}

static void add_pool(struct targets *targets, const struct model_pool *pool)
{
    static const struct model_rule nothing;
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct model_server *server = &pool->servers[i];
        const char *by = show_printf(targets->arena, "pool %.*s", SPAN_ARG(server->identity));
        add(targets, server->url, by);
        if (server->other_url.len > 0) {
            add(targets, server->other_url, by);
        }
    }
    add_action(targets, &nothing, &pool->fallback, NULL,
               show_printf(targets->arena, "fallback of pool %.*s", SPAN_ARG(pool->name)));
}

static void add_model(struct targets *targets)
{
    const struct model *model = targets->model;
    for (size_t i = 0; i < model->site_count; i++) {
        const struct model_site *site = &model->sites[i];
        for (size_t k = 0; k < site->route_count; k++) {
            add_rule(targets, &site->routes[k], site);
        }
        add_rule(targets, &site->fallback, site);
        add_https(targets, site);
    }
    for (size_t i = 0; i < model->detour_count; i++) {
        add_rule(targets, &model->detours[i].rule, &model->sites[model->detours[i].site]);
    }
    for (size_t i = 0; i < model->pool_count; i++) {
        add_pool(targets, &model->pools[i]);
    }
}

/* False: run time may point anywhere. */
static bool add_allowed(struct targets *targets, struct span text)
{
    json_t *file = model_text_to_json(text);
    json_t *allowed = json_object_get(file, "allowed_targets");
    bool given = allowed != NULL;
    size_t i;
    json_t *one;
    if (json_is_string(allowed)) {
        add(targets, span_cstr(json_string_value(allowed)), "allowed_targets");
    }
    json_array_foreach(allowed, i, one)
    {
        if (json_is_string(one)) {
            add(targets, span_cstr(json_string_value(one)), "allowed_targets");
        }
    }
    json_decref(file);
    return given || targets->model->state.len == 0;
}

/* ---- printing ---- */

static int compare_keys(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static const char **sorted_origins(struct targets *targets, size_t *count_out)
{
    size_t count = 0;
    const char **origins =
        show_need(arena_array(targets->arena, json_object_size(targets->by) + 1, sizeof(*origins)));
    const char *origin;
    json_t *by;
    json_object_foreach(targets->by, origin, by)
    {
        origins[count++] = origin;
    }
    qsort(origins, count, sizeof(*origins), compare_keys);
    *count_out = count;
    return origins;
}

static void print_json(struct targets *targets, bool bounded)
{
    size_t count;
    const char **origins = sorted_origins(targets, &count);
    json_t *list = show_need(json_array());
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:b, s:O}", "origin", origins[i], "pattern",
                                              strchr(origins[i], '*') != NULL, "by",
                                              json_object_get(targets->by, origins[i])));
    }
    json_t *out = show_need(json_pack("{s:o, s:b}", "targets", list, "anywhere", !bounded));
    json_dumpf(out, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(out);
}

static void print_text(struct targets *targets, bool bounded)
{
    struct table table = {.arena = targets->arena, .columns = 2};
    size_t count;
    const char **origins = sorted_origins(targets, &count);
    for (size_t i = 0; i < count; i++) {
        struct table_row *row = table_add(&table);
        const char *by = "";
        size_t k;
        json_t *one;
        json_array_foreach(json_object_get(targets->by, origins[i]), k, one)
        {
            by = show_printf(targets->arena, "%s%s%s", by, k > 0 ? ", " : "",
                             json_string_value(one));
        }
        row->cells[0] = origins[i];
        row->cells[1] = by;
    }
    table_print(&table, stdout);
    if (!bounded) {
        fputs("detour targets: what is set at run time may lead anywhere else, too: "
              "`allowed_targets` would say where\n",
              stderr);
    }
}

/* ---- the command ---- */

struct targets_options {
    struct admin_options admin;
    bool live;
};

static int print_all(struct arena *arena, const struct model *model, struct span text, bool json)
{
    struct targets targets = {.arena = arena, .model = model, .by = show_need(json_object())};
    add_model(&targets);
    bool bounded = add_allowed(&targets, text);
    if (json) {
        print_json(&targets, bounded);
    } else {
        print_text(&targets, bounded);
    }
    json_decref(targets.by);
    return exit_ok;
}

static int print_live(struct admin_client *client, const char *command, const void *options)
{
    const struct targets_options *asked = options;
    struct arena *arena = admin_client_arena(client);
    struct problems problems;
    struct admin_reply reply;
    int status = admin_ask(client, &(struct admin_question){.path = "/v1/export"}, &reply);
    if (status == exit_ok) {
        struct span text = span_of(reply.text, reply.len);
        problems_init(&problems, arena, "export");
        const struct model *model = model_load(text, clock_wall_ns(), &problems);
        status = model != NULL ? print_all(arena, model, text, asked->admin.json)
                               : complain(command, "what the server exports cannot be read");
    }
    admin_reply_fini(&reply);
    return status;
}

static int print_file(const char *command, const struct targets_options *asked)
{
    const char *path =
        asked->admin.where.config != NULL ? asked->admin.where.config : config_path_default();
    struct configuration *configuration;
    int status = config_load(command, path, clock_wall_ns(), &configuration);
    if (status != exit_ok) {
        return status;
    }
    if (configuration->model == NULL) {
        problems_print(&configuration->problems, stderr);
        status = exit_errors;
    } else {
        status = print_all(&configuration->arena, configuration->model, configuration->text,
                           asked->admin.json);
    }
    configuration_free(&configuration);
    return status;
}

int cli_targets(int argc, char **argv)
{
    struct targets_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_ASK(&asked.admin),
                                             {"live", .flag = &asked.live}};
    const struct command_line line = {
        .usage = usage, .options = options, .option_count = sizeof(options) / sizeof(*options)};
    int status;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    if (!asked.live) {
        return print_file(argv[0], &asked);
    }
    struct admin_options where = asked.admin;
    where.json = false; /* that answer is YAML */
    return admin_command(argv[0], &where, print_live, &asked);
}
