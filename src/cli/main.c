/* SPDX-License-Identifier: MIT */
/* One program: the subcommands that people use, and those by which the supervisor starts
 * its children. */
#include "cli/command.h"
#include "control/control.h"
#include "logger/logger.h"
#include "net/channel.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct command {
    const char *name;
    const char *summary; /* NULL: not for people */
    int (*run)(int argc, char **argv);
};

/* The supervisor's words: what to give up, and for control the file. They come with a
 * channel, which nobody has who runs such a command by hand. */
static bool is_child(int argc, char **argv, int wanted, struct sandbox_policy *policy)
{
    int type = 0;
    socklen_t len = sizeof(type);
    if (argc == wanted && sandbox_policy_decode(argv[1], policy) == ERR_NONE &&
        getsockopt(channel_fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET) {
        return true;
    }
    fprintf(stderr, "detour: %s is for detour serve, which starts it; run that\n", argv[0]);
    return false;
}

static int run_control(int argc, char **argv)
{
    struct sandbox_policy policy;
    return is_child(argc, argv, 3, &policy) ? control_main(&policy, argv[2]) : exit_could_not_run;
}

static int run_logger(int argc, char **argv)
{
    struct sandbox_policy policy;
    return is_child(argc, argv, 2, &policy) ? logger_main(&policy) : exit_could_not_run;
}

static int run_worker(int argc, char **argv)
{
    struct sandbox_policy policy;
    return is_child(argc, argv, 2, &policy) ? worker_main(&policy) : exit_could_not_run;
}

static int run_help(int argc, char **argv);

static const struct command commands[] = {
    {"serve", "answers requests as a configuration says", cli_serve},
    {"check", "reports every problem of a configuration", cli_check},
    {"explain", "says what a request would get, by which rule, and why no other", cli_explain},
    {"on", "switches a detour on, until it ends by itself", cli_on},
    {"off", "switches a detour off, or all of them", cli_off},
    {"extend", "moves the end of a detour", cli_extend},
    {"link", "makes a signed link for testers, which passes by a detour", cli_link},
    {"list", "the detours that are active, planned or overdue", cli_list},
    {"pools", "the servers of pools, and how they are", cli_pools},
    {"status", "how the server is, and what comes from where", cli_status},
    {"history", "what was changed at run time, by whom and why", cli_history},
    {"revert", "takes a change back", cli_revert},
    {"drain", "takes a server of a pool out gently", cli_drain},
    {"ready", "sends clients to it again", cli_ready},
    {"weight", "gives a server more or fewer of the clients", cli_weight},
    {"server", "adds a server to a pool, or removes one", cli_server},
    {"targets", "every origin that clients can be sent to", cli_targets},
    {"export", "writes what is in force as one file", cli_export},
    {"diff", "says what a new file would change", cli_diff},
    {"reload", "has the server read its file again", cli_reload},
    {"token", "says who may ask the admin API over TCP", cli_token},
    {"trace", "follows redirects as the standards say, every hop shown", cli_trace},
    {"audit", "checks a list of redirects against the world", cli_audit},
    {"conformance", "shows what a client makes of redirects of every kind", cli_conformance},
    {"uri", "tries a pattern, a template or a reference by hand", cli_uri},
    {"help", "this text, or that of a command", run_help},
    {"_control", NULL, run_control},
    {"_logger", NULL, run_logger},
    {"_worker", NULL, run_worker},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_usage(FILE *out)
{
    fputs("usage: detour COMMAND [OPTION]...\n"
          "\n"
          "Answers HTTP requests with temporary redirects.\n"
          "\n",
          out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (commands[i].summary != NULL) {
            fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
        }
    }
    fputs("\n"
          "detour COMMAND --help says more; detour --version says which one this is.\n"
          "Manual: detour(1), detour.yaml(5).\n",
          out);
}

static int unknown(const char *name)
{
    fprintf(stderr, "detour: there is no command \"%s\"; try detour --help\n", name);
    return exit_could_not_run;
}

static int run_help(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stdout);
        return exit_ok;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL || command->summary == NULL || command->run == run_help) {
        return unknown(argv[1]);
    }
    char help[] = "--help";
    char *arguments[] = {argv[1], help, NULL};
    return command->run(2, arguments);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return exit_could_not_run;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return exit_ok;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("detour " DETOUR_VERSION);
        return exit_ok;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL) {
        return unknown(argv[1]);
    }
    opterr = 0; /* complain_option says it better */
    return command->run(argc - 1, argv + 1);
}

/* A program that is started without one of the three would open a file or a socket in its place,
 * and print into that. What is written here is an error, as it was without. */
static void fill_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

int main(int argc, char **argv)
{
    fill_standard();
    int status = run(argc, argv);
    /* A full disk must not pass for a success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "detour: cannot write: %s\n", strerror(errno));
        return exit_could_not_run;
    }
    return status;
}
