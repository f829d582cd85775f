/* SPDX-License-Identifier: MIT */
/* detour trace URL: one chain of redirects, every hop shown. */
#include "cli/trace.h"

#include "cli/show.h"
#include "cli/walk_options.h"
#include "uri/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

static const char command[] = "trace";

static const char usage[] =
    "usage: detour trace [OPTION]... URL\n"
    "\n"
    "Follows redirects as the standards say, and shows each hop: method, status and its class,\n"
    "protocol, address, times, Location as sent and as resolved, what changes for the next\n"
    "request and why, and whether the answer may be remembered.\n"
    "\n"
    "The request:\n"
    "  -X, --request METHOD       the method; GET, or what the content asks for\n"
    "  -I, --head                 HEAD\n"
    "  -d, --data TEXT            POST this; @FILE reads a file, @- standard input; repeatable\n"
    "  --data-binary TEXT         the same, and a file's line ends stay\n"
    "  -F, --form NAME=VALUE      POST as multipart/form-data; NAME=@FILE sends a file\n"
    "  -T, --upload-file FILE     PUT this; - is standard input, which can be sent only once\n"
    "  -H, --header LINE          a field, 'Name: value'; 'Name:' takes one away; repeatable\n"
    "  -u, --user USER:PASSWORD   Basic credentials for the first origin\n"
    "  -b, --cookie TEXT          cookies, 'a=1; b=2', or the name of a file of them\n"
    "  -c, --cookie-jar FILE      where cookies are written at the end\n"
    "  -A, --user-agent TEXT      User-Agent\n"
    "  -e, --referer URL          Referer; URL;auto then the URL that redirected\n"
    "\n"
    "The way:\n"
    "  --mode browser|rfc         whose rules: the Fetch standard (browser), or RFC 9110\n"
    "  --max-redirs N             20; the one after that is an error\n"
    "  --location-trusted         secrets go to other origins, too\n"
    "  --store FILE               remembers redirects there, and uses what it remembers\n"
    "  --no-private               refuses to connect to addresses that are not public\n"
    "\n"
    "The connection:\n" WALK_USAGE_CONNECTION
    "  -m, --max-time SECONDS     for all of it; 0, no limit, without it\n"
    "  --connect-timeout SECONDS  for each connection; 10 without it\n"
    "\n"
    "What is shown:\n"
    "  -o, --output FILE          where the last answer's content goes; - is standard output\n"
    "  -v, --verbose              all fields, too; secrets of the request are hidden\n"
    "  --json                     one object, for programs\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit codes: 0 delivered, 1 delivered with 4xx or 5xx, 2 could not run, 3 refused (a loop,\n"
    "too many, no URL, ...), 4 no answer.\n";

struct given {
    const char *url;
    const char *method;
    struct option_list data;
    struct option_list binary;
    struct option_list form;
    const char *upload;
    const char *jar;
    const char *referer;
    bool trusted;
    const char *store;
    const char *output;
    bool verbose;
    bool json;
    bool location; /* -L, which people are used to: it is always so */
    struct walk_given walk;
};

struct trace {
    struct given given;
    struct arena arena;
    struct detour_options policy;
    struct walker_options options;
    struct detour_store *store;
    struct trace_body body;
    struct field_list fields;
    int output; /* -1: none */
    bool output_failed;

    struct ev_loop *loop;
    struct trace_text text;
    json_t *hops;
    json_t *hop;
    struct trace_way way;
    int status;
};

/* ---- the command line ---- */

static bool read_command_line(int argc, char **argv, struct given *g, int *status_out)
{
    const struct command_option options[] = {
        {.name = "request", .letter = 'X', .text = &g->method},
        {.name = "data", .letter = 'd', .list = &g->data},
        {.name = "data-binary", .list = &g->binary},
        {.name = "form", .letter = 'F', .list = &g->form},
        {.name = "upload-file", .letter = 'T', .text = &g->upload},
        {.name = "cookie-jar", .letter = 'c', .text = &g->jar},
        {.name = "referer", .letter = 'e', .text = &g->referer},
        {.name = "location-trusted", .flag = &g->trusted},
        {.name = "store", .text = &g->store},
        {.name = "output", .letter = 'o', .text = &g->output},
        {.name = "verbose", .letter = 'v', .flag = &g->verbose},
        {.name = "json", .flag = &g->json},
        {.name = "location", .letter = 'L', .flag = &g->location},
    };
    struct command_option more[walk_option_count];
    walk_options_list(&g->walk, more);
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .more = more,
                                      .more_count = walk_option_count,
                                      .words = &g->url,
                                      .words_max = 1};
    return command_line_read(argc, argv, &line, status_out);
}

/* ---- fields ---- */

static const char *decoded(struct arena *arena, struct detour_text text)
{
    struct span bytes = span_of(text.ptr, text.len);
    char *out = show_need(arena_alloc(arena, bytes.len + 1));
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bool escape = escape_at(bytes, i);
        out[len++] = (char)(escape ? escape_value(bytes, i) : bytes.ptr[i]);
        i += escape ? 2 : 0;
    }
    return out;
}

/* Credentials that stand in the URL go the way of -u. */
static const char *user_of_url(struct trace *trace)
{
    struct detour_url *url = NULL;
    const char *pair = NULL;
    if (detour_url_new(detour_text_of(trace->given.url), NULL, &url) == DETOUR_OK &&
        url->username.ptr != NULL) {
        struct detour_text password =
            url->password.ptr != NULL ? url->password : detour_text_of("");
        pair = show_printf(&trace->arena, "%s:%s", decoded(&trace->arena, url->username),
                           decoded(&trace->arena, password));
    }
    detour_url_free(&url);
    return pair;
}

static void add_referer(struct trace *trace)
{
    const char *referer = trace->given.referer;
    if (referer == NULL) {
        return;
    }
    size_t len = strlen(referer);
    if (len >= 5 && strcmp(referer + len - 5, ";auto") == 0) {
        trace->policy.auto_referer = true;
        len -= 5;
    }
    if (len > 0) {
        field_list_add(&trace->fields, "Referer",
                       show_printf(&trace->arena, "%.*s", (int)len, referer));
    }
}

/* -e and the content's type stand before what -H says. */
static int make_fields(struct trace *trace)
{
    const struct trace_body *body = &trace->body;
    trace->fields.command = command;
    trace->fields.arena = &trace->arena;
    trace->fields.given = &trace->given.walk.fields;
    add_referer(trace);
    field_list_default(&trace->fields, "Content-Type", body->content_type);
    return walk_fields_read(&trace->given.walk, user_of_url(trace),
                            body->kind != DETOUR_BODY_NONE ? body->source.bytes : 0,
                            &trace->fields);
}

/* ---- what is told ---- */

static void on_sending(void *context, const struct detour_next *next)
{
    struct trace *trace = context;
    if (trace->given.json) {
        trace->hop = show_need(trace_json_request(next));
        json_array_append_new(trace->hops, trace->hop);
    } else {
        trace_text_sending(&trace->text, next);
    }
}

static void on_hop(void *context, const struct walk_hop *hop)
{
    struct trace *trace = context;
    trace_way_add(&trace->way, hop->head.status);
    if (trace->given.json) {
        trace_json_hop(trace->hop, hop);
    } else {
        trace_text_hop(&trace->text, hop);
    }
}

static bool on_content(void *context, struct span bytes)
{
    struct trace *trace = context;
    while (trace->output >= 0 && bytes.len > 0) {
        ssize_t n = write(trace->output, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR) {
            trace->output_failed = true;
            complain(command, "cannot write %s: %s", trace->given.output, strerror(errno));
            return false;
        }
        bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static int exit_of(const struct walk_end *end)
{
    switch (end->outcome) {
    case walk_delivered:
        return end->status >= 400 ? trace_exit_bad_status : trace_exit_delivered;
    case walk_refused:
        return trace_exit_refused;
    default:
        return trace_exit_failed;
    }
}

static void print_json(struct trace *trace, const struct walk_end *end)
{
    bool rfc = trace->policy.mode == DETOUR_MODE_RFC;
    json_t *object = show_need(json_pack("{s:s, s:O, s:o, s:i}", "mode", rfc ? "rfc" : "browser",
                                         "hops", trace->hops, "verdict",
                                         trace_json_end(end, &trace->way), "exit", exit_of(end)));
    /* In ASCII: a terminal obeys control characters beyond it, too. */
    json_dumpf(object, trace->text.out,
               JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(7));
    putc('\n', trace->text.out);
    json_decref(object);
}

static void on_done(void *context, const struct walk_end *end)
{
    struct trace *trace = context;
    if (trace->given.json) {
        print_json(trace, end);
    } else {
        trace_text_end(&trace->text, end, &trace->way);
    }
    trace->status = trace->output_failed ? exit_could_not_run : exit_of(end);
    ev_break(trace->loop, EVBREAK_ALL);
}

/* ---- the run ---- */

static bool is_asked_without_expect(const struct option_list *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (strcasecmp(fields->items[i], "Expect:") == 0) {
            return true;
        }
    }
    return false;
}

static int read_options(struct trace *trace)
{
    const struct given *given = &trace->given;
    struct walker_options *options = &trace->options;
    if (given->url == NULL) {
        return complain(command, "which URL? try detour trace --help");
    }
    detour_options_init(&trace->policy, sizeof(trace->policy));
    trace->policy.location_trusted = given->trusted;
    options->at_once_max = 1;
    options->connect_timeout_ms = 10000;
    options->content_bytes_max = 1 << 20;
    options->no_expect = is_asked_without_expect(&given->walk.fields);
    options->cookies = true;
    options->cookie_file = walk_cookie_is_text(&given->walk) ? NULL : given->walk.cookie;
    options->cookie_jar = given->jar;
    return walk_options_read(command, &given->walk, &trace->policy, options);
}

static const char *encoded(struct arena *arena, const char *text)
{
    size_t cap = 3 * strlen(text) + 1;
    struct buffer out = buffer_over(show_need(arena_alloc(arena, cap)), cap);
    escape_put(&out, span_cstr(text), ESCAPE_UNRESERVED, PERCENT_ENCODE);
    buffer_byte(&out, 0);
    return (const char *)out.ptr;
}

/* The URL with the name of an uploaded file where it ends in a slash, as curl has it. */
static const char *url_to_ask(struct trace *trace)
{
    const char *url = trace->given.url;
    const char *file = trace->given.upload;
    size_t len = strlen(url);
    if (file == NULL || strcmp(file, "-") == 0 || strcmp(file, ".") == 0 || len == 0 ||
        url[len - 1] != '/' || strpbrk(url, "?#") != NULL) {
        return url;
    }
    const char *slash = strrchr(file, '/');
    return show_printf(&trace->arena, "%s%s", url,
                       encoded(&trace->arena, slash != NULL ? slash + 1 : file));
}

static int open_files(struct trace *trace)
{
    const struct given *given = &trace->given;
    char why[DETOUR_WHY_BYTES] = "";
    trace->output = -1;
    if (trace_cookie_files(trace->options.cookie_file, given->jar) != exit_ok) {
        return exit_could_not_run;
    }
    if (given->output != NULL) {
        bool standard = strcmp(given->output, "-") == 0;
        trace->output = standard
                            ? STDOUT_FILENO
                            : open(given->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (trace->output < 0) {
            return complain(command, "cannot write %s: %s", given->output, strerror(errno));
        }
    }
    bool beside = trace->output == STDOUT_FILENO;
    trace_text_init(&trace->text, beside ? stderr : stdout, given->verbose);
    if (given->store != NULL &&
        detour_store_open(given->store, NULL, why, &trace->store) != DETOUR_OK) {
        return complain(command, "%s: %s", given->store, why);
    }
    trace->options.store = trace->store;
    return exit_ok;
}

static int walk_it(struct trace *trace)
{
    struct walker *walker = NULL;
    const char *method = trace->given.method;
    if (method == NULL) {
        method = trace->given.walk.head       ? "HEAD"
                 : trace->body.method != NULL ? trace->body.method
                                              : "GET";
    }
    const struct detour_request request = {.size = sizeof(request),
                                           .method = detour_text_of(method),
                                           .url = detour_text_of(url_to_ask(trace)),
                                           .fields = trace->fields.fields,
                                           .field_count = trace->fields.count,
                                           .body = trace->body.kind};
    const struct walk_listener listener = {.sending = on_sending,
                                           .content = trace->output >= 0 ? on_content : NULL,
                                           .hop = on_hop,
                                           .done = on_done,
                                           .context = trace};
    trace->hops = show_need(json_array());
    trace->loop = show_need(ev_loop_new(EVFLAG_AUTO));
    enum err err = walker_new(trace->loop, &trace->options, &walker);
    if (err == ERR_NONE) {
        err = walker_start(walker, &request, &trace->body.source, &listener);
    }
    if (err != ERR_NONE) {
        trace->status = complain(command, "%s", err_text(err));
    } else {
        ev_run(trace->loop, 0);
    }
    walker_free(&walker);
    ev_loop_destroy(trace->loop);
    json_decref(trace->hops);
    return trace->status;
}

static int run(struct trace *trace)
{
    const struct given *given = &trace->given;
    const struct trace_data data = {.data = &given->data,
                                    .binary = &given->binary,
                                    .form = &given->form,
                                    .upload = given->upload};
    if (read_options(trace) != exit_ok || open_files(trace) != exit_ok ||
        trace_body_read(&data, &trace->arena, &trace->body) != exit_ok ||
        make_fields(trace) != exit_ok) {
        return exit_could_not_run;
    }
    return walk_it(trace);
}

int cli_trace(int argc, char **argv)
{
    struct trace trace = {0};
    int status;
    if (!read_command_line(argc, argv, &trace.given, &status)) {
        return status;
    }
    arena_init(&trace.arena, 0);
    status = run(&trace);
    detour_store_free(&trace.store);
    arena_fini(&trace.arena);
    return status;
}
