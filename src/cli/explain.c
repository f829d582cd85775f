/* SPDX-License-Identifier: MIT */
/* detour explain: compiles the configuration, asks the very function that a worker asks, and
 * says what it answered and why. */
#include "cli/explain.h"

#include "base/clock.h"
#include "compile/compile.h"
#include "config/time.h"
#include "control/files/places.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: detour explain [-c FILE] [-X METHOD] [-H 'NAME: VALUE']... [--from IP]\n"
    "                      [--at TIME] [--live [--token-file FILE]] [--json] URL\n"
    "\n"
    "Says what a request would get, which rule says so, and why each other rule of the site\n"
    "does not; and of a pool which server it would be, and why each other is not. Nothing is\n"
    "sent; all servers of a pool count as up, but with --live as the server that runs says.\n"
    "\n"
    "  -c, --config FILE    the configuration; without it ./detour.yaml, and where there is\n"
    "                       none /etc/detour/detour.yaml\n"
    "  -X, --request METHOD GET without it\n"
    "  -H, --header HEADER  a header of the request; as often as wanted\n"
    "      --from IP        the address that connects; 127.0.0.1 without it\n"
    "      --at TIME        as in the configuration: 2026-12-01T02:00:00Z, or\n"
    "                       '2026-12-01T02:00 Europe/Berlin'; now without it\n"
    "      --live           asks the server that runs for what is in force now, the changes of\n"
    "                       run time included; -c then says where it listens\n"
    "      --token-file FILE\n"
    "                       with --live: the token, where it listens on TCP; DETOUR_TOKEN\n"
    "                       without it\n"
    "      --json           everything as one JSON object\n"
    "  -h, --help           this text\n"
    "\n"
    "Exit codes: 0 explained, 1 the configuration has errors, 2 could not run.\n";

static const char *kind_text(uint32_t kind)
{
    static const char *const texts[] = {
        [SNAP_ROUTE] = "route", [SNAP_DETOUR] = "detour", [SNAP_DEFAULT] = "default"};
    return texts[kind];
}

static struct explain_rule rule_of(const struct explanation *e, uint32_t index, enum lost lost,
                                   struct span why)
{
    const struct snap_rule *rule = snapshot_rule(e->snapshot, index);
    struct span prefix = snapshot_text(e->snapshot, rule->prefix);
    struct span source = snapshot_text(e->snapshot, rule->source);
    const struct model_detour *detour =
        rule->kind == SNAP_DETOUR
            ? explain_detour_find(e, snapshot_text(e->snapshot, rule->identity))
            : NULL;
    return (struct explain_rule){
        .identity = snapshot_text(e->snapshot, rule->identity),
        .line = rule->line,
        .kind = kind_text(rule->kind),
        .source = source.len > 0 ? source : prefix,
        .reason = snapshot_text(e->snapshot, rule->reason),
        .owner = snapshot_text(e->snapshot, rule->owner),
        .why = why,
        .window = detour != NULL ? explain_detour_window(e, detour) : (struct span){0},
        .link = detour != NULL ? explain_detour_link(e, detour) : (struct span){0},
        .matched = lost == LOST_NOT || lost == LOST_LATER,
        .won = index == e->run.decision.rule,
        .bare = e->detoured && index == e->bare.decision.rule};
}

/* A detour that the snapshot of that moment does not hold. */
static struct explain_rule closed_detour(const struct explanation *e,
                                         const struct model_detour *detour)
{
    const struct model_rule *rule = &detour->rule;
    return (struct explain_rule){.identity = rule->identity,
                                 .line = rule->place.line,
                                 .kind = kind_text(SNAP_DETOUR),
                                 .source =
                                     rule->path_source.len > 0 ? rule->path_source : rule->prefix,
                                 .reason = detour->reason,
                                 .owner = detour->owner,
                                 .why = explain_detour_why_closed(e, detour)};
}

static bool is_closed(const struct explanation *e, const struct model_detour *detour,
                      struct span site)
{
    return span_eq(e->configuration->model->sites[detour->site].name, site) &&
           explain_detour_closed(e, detour);
}

/* Of a detour that would have won if there were not another one. */
static struct span why_other_detour(const struct explanation *e, uint32_t rule, struct span why)
{
    const struct snap_rule *winner =
        e->run.decision.rule != SNAP_NONE ? snapshot_rule(e->snapshot, e->run.decision.rule) : NULL;
    const struct snap_rule *loser = snapshot_rule(e->snapshot, rule);
    if (winner == NULL || winner->kind != SNAP_DETOUR || loser->kind != SNAP_DETOUR) {
        return why;
    }
    const struct model_detour *first =
        explain_detour_find(e, snapshot_text(e->snapshot, winner->identity));
    const struct model_detour *second =
        explain_detour_find(e, snapshot_text(e->snapshot, loser->identity));
    return first != NULL && second != NULL ? explain_detour_before(e, first, second) : why;
}

struct rule_list {
    struct explain_rule *items;
    size_t count;
    const struct decide_trace_row **rows; /* by rule; NULL: it was not asked */
};

/* Of the rule that would answer if nothing stood before it. */
static struct span covered_text(const struct explanation *e)
{
    if (!e->sent_to_https) {
        return SPAN("would answer if there were no detour");
    }
    return e->detoured ? SPAN("would answer over https if there were no detour")
                       : SPAN("would answer over https");
}

static void add_rule(const struct explanation *e, uint32_t rule, const char *why_not_asked,
                     struct rule_list *list)
{
    const struct decide_trace_row *row = list->rows[rule];
    bool won = rule == e->run.decision.rule;
    enum lost lost = row != NULL ? row->lost : won ? LOST_NOT : LOST_PATH;
    struct span why = row != NULL || won ? lost_text(lost) : span_cstr(why_not_asked);
    if (lost == LOST_NOT && !won) {
        why = covered_text(e);
    } else if (lost == LOST_LATER) {
        why = why_other_detour(e, rule, why);
    }
    list->items[list->count++] = rule_of(e, rule, lost, why);
}

static void add_ruleset(const struct explanation *e, const struct snap_ruleset *set,
                        struct rule_list *list)
{
    for (uint32_t i = 0; i < set->count; i++) {
        add_rule(e, set->first + i, "not asked: something else decided before", list);
    }
}

static void add_closed(const struct explanation *e, struct span site, struct rule_list *list)
{
    const struct model *model = e->configuration->model;
    for (size_t i = 0; i < model->detour_count; i++) {
        if (is_closed(e, &model->detours[i], site)) {
            list->items[list->count++] = closed_detour(e, &model->detours[i]);
        }
    }
}

static void add_rows(const struct decide_trace *trace, struct rule_list *list)
{
    for (size_t i = 0; i < trace->row_count; i++) {
        list->rows[trace->rows[i].rule] = &trace->rows[i];
    }
}

static bool make_list(const struct explanation *e, struct rule_list *out)
{
    struct arena *arena = &e->configuration->arena;
    size_t rules = e->snapshot->rules.count;
    size_t detours = e->configuration->model->detour_count;
    *out = (struct rule_list){.items = arena_array(arena, rules + detours, sizeof(*out->items)),
                              .rows = arena_array(arena, rules, sizeof(const void *))};
    if (out->items == NULL || out->rows == NULL) {
        return false;
    }
    add_rows(&e->routed.trace, out);
    add_rows(&e->bare.trace, out);
    add_rows(&e->run.trace, out);
    return true;
}

const struct explain_rule *explain_rules(const struct explanation *e, size_t *count_out)
{
    struct rule_list list;
    if (!make_list(e, &list)) {
        return NULL;
    }
    if (e->run.decision.site != SNAP_NONE) {
        const struct snap_site *site = snapshot_site(e->snapshot, e->run.decision.site);
        add_ruleset(e, &site->detours, &list);
        add_ruleset(e, &site->routes, &list);
        add_rule(e, site->fallback, "it is for what nothing else decides", &list);
        add_closed(e, snapshot_text(e->snapshot, site->name), &list);
    }
    *count_out = list.count;
    return list.items;
}

/* The compiled block, moved into the arena of its configuration. */
static enum err compile(struct explanation *e)
{
    uint8_t *bytes;
    size_t len;
    struct compile_slots slots = explain_slots(e);
    enum err err =
        snapshot_compile(e->configuration->model, &slots, 1, e->options.at_ns, &bytes, &len);
    if (err != ERR_NONE) {
        return err;
    }
    e->snapshot = arena_array(&e->configuration->arena, len, 1);
    if (e->snapshot != NULL) {
        memcpy(e->snapshot, bytes, len);
    }
    free(bytes);
    return e->snapshot != NULL ? ERR_NONE : ERR_MEMORY;
}

/* The tickets that are shown are good nowhere. */
static const struct ticket_key no_servers_key;

static bool run_init(const struct explanation *e, const struct regex_set *regexes,
                     struct explain_run *run)
{
    struct arena *arena = &e->configuration->arena;
    run->context.snapshot = e->snapshot;
    run->context.regexes = regexes;
    struct pools_setting setting = {.live = e->live};
    if (pools_new(e->snapshot, &setting, NULL, &run->context.pools) != ERR_NONE) {
        return false;
    }
    run->context.ticket_key = &no_servers_key;
    run->context.geo = geo_open(span_of(e->places, e->places_len));
    run->context.trace = &run->trace;
    run->trace.row_max = e->snapshot->rules.count;
    run->trace.rows = arena_array(arena, run->trace.row_max, sizeof(*run->trace.rows));
    return run->trace.rows != NULL;
}

static enum err make_ready(struct explanation *e, struct regex_set **regexes_out)
{
    enum err err = compile(e);
    if (err == ERR_NONE) {
        err = regex_set_new(e->snapshot, NULL, regexes_out);
    }
    if (err != ERR_NONE) {
        return err;
    }
    bool ready = run_init(e, *regexes_out, &e->run) && run_init(e, *regexes_out, &e->bare) &&
                 run_init(e, *regexes_out, &e->routed);
    return ready ? ERR_NONE : ERR_MEMORY;
}

static void run(const struct explanation *e, struct explain_run *run)
{
    decide(&run->context, &e->request.head.request, &e->options.peer, e->options.at_ns,
           &run->decision);
}

/* Who wants to know of a detour or of https_redirect wants to know what it covers: so the same
 * request once more, with what stands before the routes taken out of the block, which nobody
 * else reads. */
static void run_without(struct explanation *e)
{
    const struct decision *out = &e->run.decision;
    e->detoured =
        out->rule != SNAP_NONE && snapshot_rule(e->snapshot, out->rule)->kind == SNAP_DETOUR;
    if (!e->detoured && out->reason != REASON_HTTPS) {
        return;
    }
    uint8_t *bytes = (uint8_t *)e->snapshot;
    struct snap_site *site = (struct snap_site *)(bytes + e->snapshot->sites.off) + out->site;
    struct snap_site kept = *site;
    if (e->detoured) {
        site->detours = (struct snap_ruleset){0};
        run(e, &e->bare);
        out = &e->bare.decision;
    }
    e->sent_to_https = out->reason == REASON_HTTPS;
    if (e->sent_to_https) {
        site->https_status = 0;
        run(e, &e->routed);
    }
    *site = kept;
}

/* Who has it can be asked once it is known which pool answers; then all of it runs anew. */
static int run_with_existence(struct explanation *e, const struct regex_set *regexes,
                              struct facts **facts_out)
{
    int status = explain_live_existence(e, facts_out);
    if (status == exit_ok && *facts_out != NULL) {
        pools_free(&e->run.context.pools);
        e->run = (struct explain_run){0};
        if (!run_init(e, regexes, &e->run)) {
            return complain("explain", "%s", err_text(ERR_MEMORY));
        }
        e->run.context.exists.facts = *facts_out;
        run(e, &e->run);
    }
    return status;
}

static int decide_and_print(struct explanation *e)
{
    struct regex_set *regexes = NULL;
    struct facts *facts = NULL;
    enum err err = make_ready(e, &regexes);
    int status;
    if (err == ERR_NONE) {
        run(e, &e->run);
        status = run_with_existence(e, regexes, &facts);
        run_without(e);
        answer_from_decision(&e->run.context, &e->request.head.request, &e->run.decision,
                             &e->scratch, &e->response);
        if (status == exit_ok) {
            status = e->options.json ? explain_print_json(e) : explain_print_text(e);
        }
    } else {
        status = complain("explain", "cannot compile %s: %s",
                          e->options.live ? "what is in force" : e->options.path, err_text(err));
    }
    pools_free(&e->run.context.pools);
    pools_free(&e->bare.context.pools);
    pools_free(&e->routed.context.pools);
    regex_set_free(&regexes);
    facts_close(&facts);
    return status;
}

static int explain(struct explanation *e)
{
    struct arena arena;
    arena_init(&arena, 0);
    int status = explain_request_init(&e->request, &e->options, &arena);
    arena_fini(&arena);
    if (status == exit_ok) {
        status = e->options.live
                     ? explain_live_load(&e->options, &e->configuration)
                     : config_load("explain", e->options.path, e->options.at_ns, &e->configuration);
    }
    if (status != exit_ok) {
        return status;
    }
    if (e->options.live) {
        status = explain_live_health(e);
    } else if (e->configuration->model != NULL &&
               !places_read(e->configuration, &e->places, &e->places_len)) {
        e->configuration->model = NULL;
    }
    if (e->configuration->model == NULL) {
        problems_print(&e->configuration->problems, stderr);
        status = exit_errors;
    } else if (status == exit_ok) {
        status = decide_and_print(e);
    }
    free(e->places);
    free(e->live);
    json_decref(e->pools);
    configuration_free(&e->configuration);
    return status;
}

static int read_time(const char *text, struct explain_options *options)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct zones zones = {.arena = &arena};
    struct time_result result = {0};
    int status = exit_ok;
    if (time_parse(span_cstr(text), &zones, &result) == ERR_NONE) {
        options->at_ns = result.ns;
        options->at_given = true;
    } else {
        status = complain("explain", "--at %s: %s", text, result.reason);
    }
    arena_fini(&arena);
    return status;
}

static int read_option(int option, char *value, struct explain_options *options)
{
    switch (option) {
    case 'c':
        options->path = value;
        return exit_ok;
    case 'X':
        options->method = value;
        return exit_ok;
    case 'H':
        if (options->header_count == explain_headers_max) {
            return complain("explain", "at most %d headers", explain_headers_max);
        }
        options->headers[options->header_count++] = value;
        return exit_ok;
    case 'f':
        if (!address_parse(span_cstr(value), options->peer.address)) {
            return complain("explain", "--from %s: not an IP address", value);
        }
        return exit_ok;
    case 'a':
        return read_time(value, options);
    case 'l':
        options->live = true;
        return exit_ok;
    case 't':
        options->token_file = value;
        return exit_ok;
    default:
        options->json = true;
        return exit_ok;
    }
}

static int read_options(int argc, char **argv, struct explain_options *options, bool *help_out)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'}, {"request", required_argument, NULL, 'X'},
        {"header", required_argument, NULL, 'H'}, {"from", required_argument, NULL, 'f'},
        {"at", required_argument, NULL, 'a'},     {"live", no_argument, NULL, 'l'},
        {"json", no_argument, NULL, 'j'},         {"token-file", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},         {0}};
    int option;
    int status = exit_ok;
    while ((option = getopt_long(argc, argv, ":c:X:H:h", known, NULL)) != -1) {
        if (option == '?' || option == ':') {
            return complain_option(argc, argv, option);
        }
        *help_out = *help_out || option == 'h';
        status = option == 'h' ? exit_ok : read_option(option, optarg, options);
        if (*help_out || status != exit_ok) {
            return status;
        }
    }
    if (argc - optind != 1) {
        return complain("explain", "%s; try detour explain --help",
                        optind == argc ? "which URL?" : "one URL at a time");
    }
    options->url = argv[optind];
    return exit_ok;
}

int cli_explain(int argc, char **argv)
{
    struct explanation *e = calloc(1, sizeof(*e)); /* too large for the stack */
    if (e == NULL) {
        return complain("explain", "out of memory");
    }
    e->options = (struct explain_options){.method = "GET", .at_ns = clock_wall_ns()};
    address_parse(SPAN("127.0.0.1"), e->options.peer.address);
    bool help = false;
    int status = read_options(argc, argv, &e->options, &help);
    if (status == exit_ok && help) {
        fputs(usage, stdout);
    } else if (status == exit_ok) {
        if (e->options.path == NULL && !e->options.live) {
            e->options.path = config_path_default();
        }
        status = explain(e);
    }
    free(e);
    return status;
}
