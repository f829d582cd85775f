/* SPDX-License-Identifier: MIT */
/* detour serve: hands over to the supervisor. */
#include "cli/command.h"

#include "supervisor/supervisor.h"

static const char usage[] =
    "usage: detour serve [-c FILE]\n"
    "\n"
    "Serves what the configuration says, in the foreground. Errors in it are printed, all of\n"
    "them, and nothing is served.\n"
    "\n"
    "  -c, --config FILE   the configuration; without it ./detour.yaml, and where there is\n"
    "                      none /etc/detour/detour.yaml\n"
    "  -h, --help          this text\n"
    "\n"
    "Signals: SIGHUP reads the file again; one with errors changes nothing. SIGTERM and\n"
    "SIGINT finish what is under way and exit; a second one exits at once.\n"
    "Exit codes: 0 drained, 1 errors in the configuration, 2 could not run.\n";

int cli_serve(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *path = NULL;
    int status = options_read(argc, argv, options, usage, &path);
    return path != NULL ? supervisor_main(path) : status;
}
