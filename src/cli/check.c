/* SPDX-License-Identifier: MIT */
/* detour check: reads and compiles a configuration as serve does, and serves nothing. */
#include "cli/command.h"

#include "base/clock.h"
#include "cli/json.h"
#include "compile/compile.h"
#include "config/time.h"
#include "control/files/certificates.h"
#include "control/files/places.h"
#include "control/files/secrets.h"
#include "control/files/signing.h"
#include "net/message.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: detour check [-c FILE] [--strict] [--json]\n"
    "\n"
    "Reports every problem of a configuration, each with its place and the mend.\n"
    "\n"
    "  -c, --config FILE   the configuration; without it ./detour.yaml, and where there is\n"
    "                      none /etc/detour/detour.yaml\n"
    "      --strict        warnings count as errors\n"
    "      --json          the problems as a JSON array on standard output\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit codes: 0 it can be served, 1 it has errors, 2 could not run.\n";

struct check_options {
    const char *path;
    int strict; /* set by getopt_long, as is json */
    int json;
};

/* What serve would refuse beside what the model says of itself. */
static enum err try_out(struct configuration *configuration, int64_t now_ns)
{
    uint8_t *room = arena_alloc(&configuration->arena, message_text_max);
    if (room == NULL) {
        return ERR_MEMORY;
    }
    struct buffer lines = buffer_over(room, message_text_max);
    if (configuration_listeners(configuration, &lines) != ERR_NONE) {
        problems_error(&configuration->problems, (struct place){0}, "there are too many listeners");
    }
    uint8_t *bytes = NULL;
    size_t len;
    enum err err = snapshot_compile(configuration->model, NULL, 1, now_ns, &bytes, &len);
    free(bytes);
    if (err == ERR_LIMIT) {
        problems_error(&configuration->problems, (struct place){0},
                       "all of it together is too large to be compiled; say less, or split it");
        return ERR_NONE;
    }
    return err;
}

static json_t *json_of(const char *file, const struct problem *problem)
{
    const char *severity = problem->severity == SEVERITY_ERROR ? "error" : "warning";
    json_t *object = json_pack("{s:o, s:s, s:o}", "file", json_text(span_cstr(file)), "severity",
                               severity, "text", json_text(span_cstr(problem->text)));
    if (object != NULL && problem->place.line != 0) {
        json_object_set_new(object, "line", json_integer(problem->place.line));
        json_object_set_new(object, "column", json_integer(problem->place.column));
    }
    return object;
}

static int print_json(const struct problems *problems)
{
    json_t *array = json_array();
    bool good = array != NULL;
    for (size_t i = 0; good && i < problems->count; i++) {
        good = json_array_append_new(array, json_of(problems->file, &problems->items[i])) == 0;
    }
    if (good) {
        json_dumpf(array, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(array);
    return good ? exit_ok : complain("check", "out of memory");
}

static void print_count(FILE *out, size_t count, const char *thing, const char *after)
{
    fprintf(out, "%zu %s%s%s", count, thing, count == 1 ? "" : "s", after);
}

static void print_contents(const char *path, const struct model *model, size_t warnings)
{
    size_t routes = 0;
    for (size_t i = 0; i < model->site_count; i++) {
        routes += model->sites[i].route_count;
    }
    printf("%s: ok: ", path);
    print_count(stdout, model->site_count, "site", ", ");
    print_count(stdout, routes, "route", ", ");
    print_count(stdout, model->pool_count, "pool", ", ");
    print_count(stdout, model->detour_count, "detour", " (");
    print_count(stdout, warnings, "warning", ")\n");
}

/* So that a slip in a rule is seen. */
static void print_openings(const struct model *model, int64_t now_ns)
{
    for (size_t i = 0; i < model->detour_count; i++) {
        const struct model_detour *detour = &model->detours[i];
        struct schedule_view view;
        char text[time_text_max];
        schedule_at(&detour->schedule, now_ns, &view);
        if (detour->schedule.repeat != NULL && view.opens_ns != SCHEDULE_NEVER) {
            printf("  %.*s opens next at %s\n", SPAN_ARG(detour->rule.identity),
                   time_format(view.opens_ns, text));
        }
    }
}

static int report(const struct check_options *asked, const struct configuration *configuration)
{
    const struct problems *problems = &configuration->problems;
    size_t warnings = problems->count - problems->error_count;
    bool good = configuration->model != NULL && problems->error_count == 0 &&
                (warnings == 0 || !asked->strict);
    if (asked->json) {
        int status = print_json(problems);
        return status != exit_ok || good ? status : exit_errors;
    }
    problems_print(problems, stderr);
    if (good) {
        print_contents(asked->path, configuration->model, warnings);
        print_openings(configuration->model, clock_wall_ns());
        return exit_ok;
    }
    fprintf(stderr, "%s: ", asked->path);
    print_count(stderr, problems->error_count, "error", ", ");
    print_count(stderr, warnings, "warning", "\n");
    return exit_errors;
}

static int check(const struct check_options *asked)
{
    struct configuration *configuration;
    int64_t now_ns = clock_wall_ns();
    int status = config_load("check", asked->path, now_ns, &configuration);
    if (status != exit_ok) {
        return status;
    }
    enum err err = ERR_NONE;
    if (configuration->model != NULL && certificates_load(configuration, now_ns) &&
        secrets_load(configuration) && signing_load(configuration)) {
        uint8_t *places = NULL;
        size_t len;
        if (places_read(configuration, &places, &len)) {
            err = try_out(configuration, now_ns);
        }
        free(places);
    }
    status = err == ERR_NONE
                 ? report(asked, configuration)
                 : complain("check", "cannot compile %s: %s", asked->path, err_text(err));
    configuration_free(&configuration);
    return status;
}

int cli_check(int argc, char **argv)
{
    struct check_options asked = {0};
    const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                     {"strict", no_argument, &asked.strict, true},
                                     {"json", no_argument, &asked.json, true},
                                     {"help", no_argument, NULL, 'h'},
                                     {0}};
    int status = options_read(argc, argv, options, usage, NULL, &asked.path);
    return asked.path != NULL ? check(&asked) : status;
}
