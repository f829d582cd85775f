/* SPDX-License-Identifier: MIT */
/* detour trace URL: one chain of redirects, every hop shown. */
#include "cli/trace.h"

#include "cli/field_list.h"
#include "cli/show.h"

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
    "The connection:\n"
    "  -x, --proxy URL            asks this proxy; '' none, not even that of the environment\n"
    "  -k, --insecure             any certificate will do\n"
    "  --cacert FILE              authorities to trust, in PEM\n"
    "  --resolve HOST:PORT:ADDR   the address of a name; repeatable\n"
    "  --connect-to H:P:H2:P2     connects to H2:P2 where H:P is meant; repeatable\n"
    "  --http1.1, --http2         the protocol; --http2-prior-knowledge without an upgrade\n"
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
    bool head;
    struct option_list data;
    struct option_list binary;
    struct option_list form;
    const char *upload;
    struct option_list fields;
    const char *user;
    const char *cookie;
    const char *jar;
    const char *agent;
    const char *referer;
    const char *mode;
    const char *redirects;
    bool trusted;
    const char *store;
    bool no_private;
    const char *proxy;
    bool insecure;
    const char *ca_file;
    struct option_list resolve;
    struct option_list connect_to;
    bool http1;
    bool http2;
    bool http2_prior;
    const char *time;
    const char *connect_time;
    const char *output;
    bool verbose;
    bool json;
    bool location; /* -L, which people are used to: it is always so */
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
    uint32_t permanent;
    uint32_t temporary;
    int status;
};

/* ---- the command line ---- */

static bool read_command_line(int argc, char **argv, struct given *g, int *status_out)
{
    const struct command_option options[] = {
        {.name = "request", .letter = 'X', .text = &g->method},
        {.name = "head", .letter = 'I', .flag = &g->head},
        {.name = "data", .letter = 'd', .list = &g->data},
        {.name = "data-binary", .list = &g->binary},
        {.name = "form", .letter = 'F', .list = &g->form},
        {.name = "upload-file", .letter = 'T', .text = &g->upload},
        {.name = "header", .letter = 'H', .list = &g->fields},
        {.name = "user", .letter = 'u', .text = &g->user},
        {.name = "cookie", .letter = 'b', .text = &g->cookie},
        {.name = "cookie-jar", .letter = 'c', .text = &g->jar},
        {.name = "user-agent", .letter = 'A', .text = &g->agent},
        {.name = "referer", .letter = 'e', .text = &g->referer},
        {.name = "mode", .text = &g->mode},
        {.name = "max-redirs", .text = &g->redirects},
        {.name = "location-trusted", .flag = &g->trusted},
        {.name = "store", .text = &g->store},
        {.name = "no-private", .flag = &g->no_private},
        {.name = "proxy", .letter = 'x', .text = &g->proxy},
        {.name = "insecure", .letter = 'k', .flag = &g->insecure},
        {.name = "cacert", .text = &g->ca_file},
        {.name = "resolve", .list = &g->resolve},
        {.name = "connect-to", .list = &g->connect_to},
        {.name = "http1.1", .flag = &g->http1},
        {.name = "http2", .flag = &g->http2},
        {.name = "http2-prior-knowledge", .flag = &g->http2_prior},
        {.name = "max-time", .letter = 'm', .text = &g->time},
        {.name = "connect-timeout", .text = &g->connect_time},
        {.name = "output", .letter = 'o', .text = &g->output},
        {.name = "verbose", .letter = 'v', .flag = &g->verbose},
        {.name = "json", .flag = &g->json},
        {.name = "location", .letter = 'L', .flag = &g->location},
    };
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = &g->url,
                                      .words_max = 1};
    return command_line_read(argc, argv, &line, status_out);
}

static int read_policy(struct trace *trace)
{
    const struct given *given = &trace->given;
    struct detour_options *policy = &trace->policy;
    detour_options_init(policy, sizeof(*policy));
    if (given->mode != NULL && strcmp(given->mode, "rfc") == 0) {
        policy->mode = DETOUR_MODE_RFC;
    } else if (given->mode != NULL && strcmp(given->mode, "browser") != 0) {
        return complain(command, "--mode is browser or rfc");
    }
    if (option_number(command, "--max-redirs", given->redirects, 0, DETOUR_REDIRECTS_MAX,
                      &policy->redirects_max) != exit_ok) {
        return exit_could_not_run;
    }
    policy->location_trusted = given->trusted;
    return exit_ok;
}

/* ---- fields ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

static const char *decoded(struct arena *arena, struct detour_text text)
{
    char *out = show_need(arena_alloc(arena, text.len + 1));
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escape = text.ptr[i] == '%' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 &&
                      hex_digit(text.ptr[i + 2]) >= 0;
        out[len++] = escape ? (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]))
                            : text.ptr[i];
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

static int make_fields(struct trace *trace)
{
    const struct given *given = &trace->given;
    struct field_list *fields = &trace->fields;
    bool cookies = given->cookie != NULL && strchr(given->cookie, '=') != NULL;
    const char *agent = given->agent != NULL ? given->agent : "detour/" DETOUR_VERSION;
    fields->command = command;
    fields->arena = &trace->arena;
    fields->given = &given->fields;
    field_list_default(fields, "User-Agent", agent);
    field_list_default(fields, "Accept", "*/*");
    add_referer(trace);
    field_list_default(fields, "Content-Type", trace->body.content_type);
    field_list_add(fields, "Cookie", cookies ? given->cookie : NULL);
    int64_t bytes = trace->body.kind != DETOUR_BODY_NONE ? trace->body.source.bytes : 0;
    if (field_list_given(fields) != exit_ok || field_list_framing(fields, bytes) != exit_ok) {
        return exit_could_not_run;
    }
    return field_list_user(fields, given->user != NULL ? given->user : user_of_url(trace));
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
    const char *class = trace_class(hop->head.status);
    trace->permanent += strcmp(class, "permanent") == 0;
    trace->temporary += strcmp(class, "temporary") == 0;
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
    json_t *object = show_need(json_pack(
        "{s:s, s:O, s:o, s:i}", "mode", rfc ? "rfc" : "browser", "hops", trace->hops, "verdict",
        trace_json_end(end, trace->permanent, trace->temporary), "exit", exit_of(end)));
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
        trace_text_end(&trace->text, end);
    }
    trace->status = trace->output_failed ? exit_could_not_run : exit_of(end);
    ev_break(trace->loop, EVBREAK_ALL);
}

/* ---- the run ---- */

static void make_options(struct trace *trace)
{
    const struct given *given = &trace->given;
    struct walker_options *options = &trace->options;
    bool cookie_file = given->cookie != NULL && strchr(given->cookie, '=') == NULL;
    options->policy = &trace->policy;
    options->at_once_max = 1;
    options->content_bytes_max = 1 << 20;
    options->no_private = given->no_private;
    for (size_t i = 0; i < given->fields.count; i++) {
        options->no_expect =
            options->no_expect || strcasecmp(given->fields.items[i], "Expect:") == 0;
    }
    options->insecure = given->insecure;
    options->cookies = true;
    options->protocol = given->http2_prior ? walk_protocol_2_prior
                        : given->http2     ? walk_protocol_2
                        : given->http1     ? walk_protocol_1_1
                                           : walk_protocol_any;
    options->proxy = given->no_private ? "" : given->proxy;
    options->ca_file = given->ca_file;
    options->cookie_file = cookie_file ? given->cookie : NULL;
    options->cookie_jar = given->jar;
    options->resolve = given->resolve.items;
    options->resolve_count = given->resolve.count;
    options->connect_to = given->connect_to.items;
    options->connect_to_count = given->connect_to.count;
}

static int read_options(struct trace *trace)
{
    const struct given *given = &trace->given;
    struct walker_options *options = &trace->options;
    options->connect_timeout_ms = 10000;
    if (given->url == NULL) {
        return complain(command, "which URL? try detour trace --help");
    }
    if (given->http1 + given->http2 + given->http2_prior > 1) {
        return complain(command, "choose one protocol");
    }
    if (given->no_private && given->proxy != NULL && given->proxy[0] != 0) {
        return complain(command, "--no-private cannot see where a proxy connects to");
    }
    if (read_policy(trace) != exit_ok ||
        option_seconds(command, "--max-time", given->time, &options->timeout_ms) != exit_ok ||
        option_seconds(command, "--connect-timeout", given->connect_time,
                       &options->connect_timeout_ms) != exit_ok) {
        return exit_could_not_run;
    }
    options->connect_timeout_ms += options->connect_timeout_ms == 0 ? 300000 : 0;
    make_options(trace);
    return exit_ok;
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
    return show_printf(&trace->arena, "%s%s", url, slash != NULL ? slash + 1 : file);
}

static int open_files(struct trace *trace)
{
    const struct given *given = &trace->given;
    char why[DETOUR_WHY_BYTES] = "";
    trace->output = -1;
    if (trace_cookie_files(trace->options.cookie_file, given->jar, &trace->arena) != exit_ok) {
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
        method = trace->given.head            ? "HEAD"
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
