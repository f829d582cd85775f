/* SPDX-License-Identifier: MIT */
/* detour audit FILE: a list of redirects against the world. */
#include "audit/report.h"
#include "cli/show.h"
#include "cli/walk_options.h"
#include "cli/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char command[] = "audit";

static const char usage[] =
    "usage: detour audit [OPTION]... FILE\n"
    "\n"
    "Walks along each line of a table of source, expected target and expected status, and\n"
    "reports what is not as expected. FILE is CSV, - standard input.\n"
    "\n"
    "What is expected:\n"
    "  --base URL                 what sources that are paths belong to\n"
    "  --max-hops N               redirects that a line may take; 3 without it\n"
    "  --allow 'FROM TO'          what leads from FROM to TO is meant; * is any text; repeatable\n"
    "\n"
    "How it is done:\n"
    "  --parallel N               lines at once; 200 without it\n"
    "  --per-host N               requests at once to one origin; 10 without it\n"
    "  --retry N                  tries after the first, where no answer came; 2 without it\n"
    "  --retry-delay SECONDS      before the second try, doubled each time; 1 without it\n"
    "  --max-redirs N             where a walk ends; 20 without it\n"
    "  --mode browser|rfc         whose rules: the Fetch standard (browser), or RFC 9110\n"
    "  --no-private               refuses to connect to addresses that are not public\n"
    "  -I, --head                 HEAD in the place of GET\n"
    "  -H, --header LINE          a field of each first request; repeatable\n"
    "  -u, --user USER:PASSWORD   Basic credentials\n"
    "  -b, --cookie TEXT          cookies, 'a=1; b=2'\n"
    "  -A, --user-agent TEXT      User-Agent\n" WALK_USAGE_CONNECTION
    "  -m, --max-time SECONDS     for each line; 30 without it\n"
    "  --connect-timeout SECONDS  for each connection; 10 without it\n"
    "\n"
    "What is reported:\n"
    "  --json, --csv              in the place of text\n"
    "  --junit FILE               XML for build servers, too\n"
    "  --html FILE                a page, too\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit codes: 0 all as expected, 1 faults, 2 could not run.\n";

struct given {
    const char *file;
    const char *base;
    const char *hops;
    struct option_list allow;
    const char *parallel;
    const char *per_host;
    const char *retry;
    const char *delay;
    bool json;
    bool csv;
    const char *junit;
    const char *html;
    struct walk_given walk;
};

struct audit {
    struct given given;
    struct arena arena;
    struct detour_options policy;
    struct walker_options walker;
    struct audit_rules rules;
    struct audit_pair allowed[audit_allowed_max];
    struct field_list fields;
    struct audit_options options;
    struct audit_list list;
    uint8_t *text;
};

static bool read_command_line(int argc, char **argv, struct given *g, int *status_out)
{
    const struct command_option options[] = {
        {.name = "base", .text = &g->base},         {.name = "max-hops", .text = &g->hops},
        {.name = "allow", .list = &g->allow},       {.name = "parallel", .text = &g->parallel},
        {.name = "per-host", .text = &g->per_host}, {.name = "retry", .text = &g->retry},
        {.name = "retry-delay", .text = &g->delay}, {.name = "json", .flag = &g->json},
        {.name = "csv", .flag = &g->csv},           {.name = "junit", .text = &g->junit},
        {.name = "html", .text = &g->html},
    };
    struct command_option more[walk_option_count];
    walk_options_list(&g->walk, more);
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .more = more,
                                      .more_count = walk_option_count,
                                      .words = &g->file,
                                      .words_max = 1};
    return command_line_read(argc, argv, &line, status_out);
}

/* ---- options ---- */

static int read_numbers(struct audit *audit)
{
    const struct given *given = &audit->given;
    struct walker_options *walker = &audit->walker;
    walker->at_once_max = 200;
    walker->per_host_max = 10;
    audit->rules.hops_max = 3;
    audit->options.retries = 2;
    audit->options.retry_delay_ms = 1000;
    bool good = option_number(command, "--max-hops", given->hops, 0, DETOUR_REDIRECTS_MAX,
                              &audit->rules.hops_max) == exit_ok &&
                option_number(command, "--parallel", given->parallel, 1, walk_at_once_max,
                              &walker->at_once_max) == exit_ok &&
                option_number(command, "--per-host", given->per_host, 1, walk_at_once_max,
                              &walker->per_host_max) == exit_ok &&
                option_number(command, "--retry", given->retry, 0, 20, &audit->options.retries) ==
                    exit_ok &&
                option_seconds(command, "--retry-delay", given->delay,
                               &audit->options.retry_delay_ms) == exit_ok;
    return good ? exit_ok : exit_could_not_run;
}

static int read_pairs(struct audit *audit)
{
    for (size_t i = 0; i < audit->given.allow.count; i++) {
        struct span text = span_cstr(audit->given.allow.items[i]);
        size_t space = span_find(text, 0, ' ');
        struct span to = span_from(text, space < text.len ? space + 1 : space);
        if (space == 0 || to.len == 0 || span_find(to, 0, ' ') < to.len) {
            return complain(command, "--allow wants two patterns with a space between them");
        }
        audit->allowed[i] = (struct audit_pair){.from = span_slice(text, 0, space), .to = to};
    }
    audit->rules.allowed = audit->allowed;
    audit->rules.allowed_count = audit->given.allow.count;
    return exit_ok;
}

static int make_fields(struct audit *audit)
{
    const struct walk_given *given = &audit->given.walk;
    if (given->cookie != NULL && !walk_cookie_is_text(given)) {
        return complain(command, "-b wants cookies, 'a=1; b=2'");
    }
    audit->fields.command = command;
    audit->fields.arena = &audit->arena;
    audit->fields.given = &given->fields;
    return walk_fields_read(given, NULL, 0, &audit->fields);
}

static int read_walker(struct audit *audit)
{
    struct walker_options *walker = &audit->walker;
    walker->timeout_ms = 30000;
    walker->connect_timeout_ms = 10000;
    walker->content_bytes_max = 64 << 10;
    walker->stop_at_loop = true;
    detour_options_init(&audit->policy, sizeof(audit->policy));
    return walk_options_read(command, &audit->given.walk, &audit->policy, walker);
}

static int read_options(struct audit *audit)
{
    const struct given *given = &audit->given;
    if (given->file == NULL) {
        return complain(command, "which file? try detour audit --help");
    }
    if (given->json && given->csv) {
        return complain(command, "choose --json or --csv");
    }
    const char *const reports[] = {given->junit, given->html};
    for (size_t i = 0; i < 2; i++) {
        if (reports[i] != NULL && !can_write_file(reports[i])) {
            return complain(command, "cannot write %s: %s", reports[i], strerror(errno));
        }
    }
    if (read_walker(audit) != exit_ok || read_numbers(audit) != exit_ok ||
        read_pairs(audit) != exit_ok) {
        return exit_could_not_run;
    }
    return make_fields(audit);
}

/* ---- the list ---- */

static int read_all(struct audit *audit, int fd, const char *path)
{
    size_t len = 0;
    size_t cap = 0;
    for (;;) {
        if (len == cap) {
            cap = cap * 2 + 65536;
            audit->text = show_need(realloc(audit->text, cap));
        }
        ssize_t n = read(fd, audit->text + len, cap - len);
        if (n < 0 && errno != EINTR) {
            return complain(command, "cannot read %s: %s", path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
        if (len > audit_file_bytes_max) {
            return complain(command, "%s is longer than %d MiB", path, audit_file_bytes_max >> 20);
        }
    }
    char why[audit_why_bytes];
    enum err err =
        audit_list_read(audit->text, len, audit->given.base, &audit->arena, why, &audit->list);
    if (err == ERR_NONE) {
        return exit_ok;
    }
    return complain(command, "%s: %s", path, why[0] != 0 ? why : err_text(err));
}

static int read_list(struct audit *audit)
{
    const char *path = audit->given.file;
    if (strcmp(path, "-") == 0) {
        return read_all(audit, STDIN_FILENO, "standard input");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return complain(command, "cannot read %s: %s", path, strerror(errno));
    }
    int status = read_all(audit, fd, path);
    close(fd);
    return status;
}

/* ---- reports ---- */

typedef void report_fn(const struct audit_report *report, FILE *out);

static int write_report(const char *path, const struct audit_report *report, report_fn *write)
{
    char *text = NULL;
    size_t len = 0;
    if (path == NULL) {
        return exit_ok;
    }
    FILE *out = show_need(open_memstream(&text, &len));
    write(report, out);
    int status = fclose(out) == 0 ? write_whole_file(command, path, span_of(text, len))
                                  : complain(command, "%s", err_text(ERR_MEMORY));
    free(text);
    return status;
}

static int tell(const struct audit *audit, struct audit_report *report)
{
    audit_report_count(report);
    if (audit->given.json) {
        audit_report_json(report, stdout);
    } else if (audit->given.csv) {
        audit_report_csv(report, stdout);
    } else {
        audit_report_text(report, show_in_colours(stdout), stdout);
    }
    if (write_report(audit->given.junit, report, audit_report_junit) != exit_ok ||
        write_report(audit->given.html, report, audit_report_html) != exit_ok) {
        return exit_could_not_run;
    }
    return report->faulty > 0 ? exit_errors : exit_ok;
}

/* ---- all of it ---- */

enum { other_descriptors = 24 };

/* Each line at once may have a connection of its own, and one that waits. Where there cannot be
 * that many descriptors, fewer lines are under way. */
static void fit_descriptors(uint32_t *at_once)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)*at_once * 2 + 2 * other_descriptors;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    rlim_t room = limit.rlim_cur > other_descriptors ? (limit.rlim_cur - other_descriptors) / 2 : 0;
    if (room < *at_once) {
        *at_once = room > 0 ? (uint32_t)room : 1;
    }
}

static int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static int run(struct audit *audit)
{
    struct audit_result *results = NULL;
    if (read_options(audit) != exit_ok || read_list(audit) != exit_ok) {
        return exit_could_not_run;
    }
    fit_descriptors(&audit->walker.at_once_max);
    audit->options.walker = &audit->walker;
    audit->options.rules = &audit->rules;
    audit->options.method = detour_text_of(audit->given.walk.head ? "HEAD" : "GET");
    audit->options.fields = audit->fields.fields;
    audit->options.field_count = audit->fields.count;
    audit->options.progress = isatty(STDERR_FILENO) == 1 ? stderr : NULL;
    int64_t begun = monotonic_us();
    enum err err = audit_run(&audit->list, &audit->options, &audit->arena, &results);
    if (err != ERR_NONE) {
        return complain(command, "%s", err_text(err));
    }
    struct audit_report report = {.list = &audit->list,
                                  .rules = &audit->rules,
                                  .results = results,
                                  .took_us = monotonic_us() - begun};
    return tell(audit, &report);
}

int cli_audit(int argc, char **argv)
{
    static struct audit audit;
    int status;
    audit = (struct audit){0};
    if (!read_command_line(argc, argv, &audit.given, &status)) {
        return status;
    }
    arena_init(&audit.arena, 0);
    status = run(&audit);
    arena_fini(&audit.arena);
    free(audit.text);
    return status;
}
