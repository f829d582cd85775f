/* SPDX-License-Identifier: MIT */
/* Complaints, the options that commands share, and the configuration file. */
#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char path_here[] = "detour.yaml";
static const char path_of_system[] = "/etc/detour/detour.yaml";

int complain(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "detour %s: ", command);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return exit_could_not_run;
}

int complain_option(int argc, char **argv, int result)
{
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
    char letter[3] = {'-', (char)optopt, '\0'};
    /* getopt knows the letter of a short option only, and it may stand among others. */
    const char *option = strncmp(word, "--", 2) == 0 || optopt == 0 ? word : letter;
    if (result == ':') {
        return complain(argv[0], "%s wants a value; try detour %s --help", option, argv[0]);
    }
    return complain(argv[0], "unknown option %s; try detour %s --help", option, argv[0]);
}

const char *config_path_default(void)
{
    return access(path_here, F_OK) == 0 || access(path_of_system, F_OK) != 0 ? path_here
                                                                             : path_of_system;
}

int options_read(int argc, char **argv, const struct option *options, const char *usage,
                 const char **values, const char **path_out)
{
    const char *path = NULL;
    int option;
    while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        if (option >= option_values) {
            values[option - option_values] = optarg;
            continue;
        }
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return exit_ok;
        case 0: /* a flag, set already */
            break;
        default:
            return complain_option(argc, argv, option);
        }
    }
    if (optind < argc) {
        return complain(argv[0], "what is \"%s\"? try detour %s --help", argv[optind], argv[0]);
    }
    *path_out = path != NULL ? path : config_path_default();
    return exit_ok;
}

int config_load(const char *command, const char *path, int64_t now_ns, struct configuration **out)
{
    struct configuration *read = configuration_new(path);
    if (read == NULL) {
        return complain(command, "out of memory");
    }
    enum err err = configuration_read_file(path, &read->arena, &read->text);
    if (err != ERR_NONE) {
        complain(command, "cannot read %s: %s", path, configuration_read_why(err));
        configuration_free(&read);
        return exit_could_not_run;
    }
    configuration_load(read, NULL, now_ns);
    *out = read;
    return exit_ok;
}
