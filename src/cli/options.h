/* SPDX-License-Identifier: MIT */
/* The command line of the commands that have many options: a table of where each value
 * goes. */
#pragma once

#include "cli/command.h"

enum { option_list_max = 64, command_options_max = 40 };

/* An option that may be given more than once. */
struct option_list {
    const char *items[option_list_max];
    size_t count;
};

/* One option. Exactly one of flag, text and list is set. */
struct command_option {
    const char *name;  /* without its dashes */
    char letter;       /* 0: it has none */
    bool *flag;        /* takes no value */
    const char **text; /* given once */
    struct option_list *list;
};

struct command_line {
    const char *usage;
    const struct command_option *options;
    size_t option_count;
    const struct command_option *more; /* options that another command has, too; NULL */
    size_t more_count;
    const char **words; /* those that are no options, in their order; the rest stays NULL */
    size_t words_max;
};

/* argv[0] is the command. True: go on. False: the usage or a complaint was printed, and
 * *status_out is to be returned. --help and -h are known to all. */
bool command_line_read(int argc, char **argv, const struct command_line *line, int *status_out);

/* Seconds, "2.5", as milliseconds; text NULL: *ms_out stays. */
int option_seconds(const char *command, const char *option, const char *text, uint32_t *ms_out);
/* A whole number; text NULL: *out stays. */
int option_number(const char *command, const char *option, const char *text, uint32_t least,
                  uint32_t most, uint32_t *out);
