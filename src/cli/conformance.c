/* SPDX-License-Identifier: MIT */
/* detour conformance: a server by which clients are judged. */
#include "cli/options.h"
#include "referee/referee.h"
#include "referee/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char command[] = "conformance";

static const char usage[] =
    "usage: detour conformance [--listen ADDRESS:PORT] [--json]\n"
    "\n"
    "Serves redirects of every kind, watches what a client makes of them, and prints a table:\n"
    "as the standard says, allowed, or wrong. A browser opens the address and runs all cases by\n"
    "itself; for other clients /cases has a command of curl for each, /cases.json the same for\n"
    "programs, and /report/KEY the table. Runs until it is interrupted.\n"
    "\n"
    "  --listen ADDRESS:PORT      127.0.0.1:8390; 127.0.0.1 or [::1]; the port after it is used\n"
    "                             too; port 0: any two\n"
    "  --json                     tables as JSON, one object after the other\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit codes: 0 interrupted, 2 could not run.\n";

struct telling {
    bool json;
    uint8_t *text; /* of report_bytes_max */
};

static void tell(void *context, const struct session *session)
{
    struct telling *telling = context;
    struct buffer out = buffer_over(telling->text, report_bytes_max);
    enum err err = ERR_NONE;
    if (telling->json) {
        err = report_table_json(session, &out);
    } else {
        report_table(session, &out);
        buffer_byte(&out, '\n');
    }
    if (err != ERR_NONE) {
        complain(command, "%s", err_text(err));
        return;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void run(struct ev_loop *loop, struct referee *referee)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    ev_signal signals[2];
    for (size_t i = 0; i < 2; i++) {
        ev_signal_init(&signals[i], on_signal, numbers[i]);
        ev_signal_start(loop, &signals[i]);
    }
    const char *here = referee_place(referee, PLACE_HERE);
    fprintf(stderr, "open http://%s/ in a browser, or see http://%s/cases\n", here, here);
    ev_run(loop, 0);
    for (size_t i = 0; i < 2; i++) {
        ev_signal_stop(loop, &signals[i]);
    }
    referee_tell_rest(referee);
}

static int refused(enum err err, const char *listen)
{
    if (err == ERR_RANGE) {
        return complain(
            command, "--listen %s: 127.0.0.1 or [::1], over http, and a port below 65534", listen);
    }
    if (err == ERR_IO) {
        return complain(command, "cannot listen on %s and the two ports after it: %s", listen,
                        strerror(errno));
    }
    return complain(command, "%s", err_text(err));
}

static int serve(const char *listen, const struct listener *listener, bool json)
{
    struct telling telling = {.json = json, .text = malloc(report_bytes_max)};
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    struct referee_options options = {.listener = *listener, .done = tell, .context = &telling};
    struct referee *referee = NULL;
    enum err err = ERR_MEMORY;
    int status = exit_ok;
    if (telling.text != NULL && loop != NULL) {
        err = referee_new(loop, &options, &referee);
    }
    if (err == ERR_NONE) {
        run(loop, referee);
    } else {
        status = refused(err, listen);
    }
    referee_free(&referee);
    if (loop != NULL) {
        ev_loop_destroy(loop);
    }
    free(telling.text);
    return status;
}

/* Port 0, which listener_parse does not know, is read as 1 and then made 0. */
static enum err read_listener(const char *listen, struct listener *out, const char **reason)
{
    char text[listener_text_max];
    bool any = span_ends(span_cstr(listen), SPAN(":0"));
    size_t len = strlen(listen) - (any ? 1 : 0);
    int written = snprintf(text, sizeof(text), "%s%.*s%s", strstr(listen, "://") ? "" : "http://",
                           (int)len, listen, any ? "1" : "");
    enum err err = ERR_SYNTAX;
    if (written < (int)sizeof(text)) {
        err = listener_parse(span_cstr(text), out, reason);
    }
    if (err == ERR_NONE && any) {
        out->address.v4.sin_port = 0; /* stands where that of IPv6 does */
    }
    return err;
}

int cli_conformance(int argc, char **argv)
{
    const char *listen = NULL;
    bool json = false;
    const struct command_option options[] = {
        {.name = "listen", .text = &listen},
        {.name = "json", .flag = &json},
    };
    const struct command_line line = {
        .usage = usage, .options = options, .option_count = sizeof(options) / sizeof(*options)};
    int status = exit_ok;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    listen = listen != NULL ? listen : "127.0.0.1:8390";
    struct listener listener;
    const char *reason = "it is too long";
    if (read_listener(listen, &listener, &reason) != ERR_NONE) {
        return complain(command, "--listen %s: %s", listen, reason);
    }
    return serve(listen, &listener, json);
}
