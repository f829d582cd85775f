/* SPDX-License-Identifier: MIT */
/* detour serve: hands over to the supervisor. */
#include "cli/command.h"

#include "sandbox/sandbox.h"
#include "supervisor/supervisor.h"

static const char usage[] =
    "usage: detour serve [-c FILE] [--user NAME] [--sandbox off|deny|kill]\n"
    "\n"
    "Serves what the configuration says, in the foreground. Errors in it are printed, all of\n"
    "them, and nothing is served.\n"
    "\n"
    "  -c, --config FILE   the configuration; without it ./detour.yaml, and where there is\n"
    "                      none /etc/detour/detour.yaml\n"
    "      --user NAME     who the processes become that hear the network, when root starts\n"
    "                      them: a name or a number; without it nobody\n"
    "      --sandbox WORD  what happens when one of them asks the kernel for what its work\n"
    "                      does not need: deny (the usual), kill, or off for no sandbox\n"
    "  -h, --help          this text\n"
    "\n"
    "Signals: SIGHUP reads the file again; one with errors changes nothing. SIGTERM and\n"
    "SIGINT finish what is under way and exit; a second one exits at once.\n"
    "Exit codes: 0 drained, 1 errors in the configuration, 2 could not run.\n";

enum { VALUE_USER, VALUE_SANDBOX, VALUES };

int cli_serve(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"user", required_argument, NULL, option_values + VALUE_USER},
        {"sandbox", required_argument, NULL, option_values + VALUE_SANDBOX},
        {"help", no_argument, NULL, 'h'},
        {0}};
    const char *values[VALUES] = {0};
    const char *path = NULL;
    int status = options_read(argc, argv, options, usage, values, &path);
    if (path == NULL) {
        return status;
    }
    struct sandbox_policy policy;
    const char *reason;
    if (sandbox_policy_read(values[VALUE_SANDBOX], values[VALUE_USER], &policy, &reason) !=
        ERR_NONE) {
        return complain(argv[0], "%s", reason);
    }
    return supervisor_main(path, &policy);
}
